"""When a seal was made and when a seal signature beside a document: the words of maker and signer are proven, or open."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from services.esign.certification import sm2_checks
from services.esign.certification.domain import sm2_chain, sm2_pki
from services.esign.certification.domain.sm2_pki import KeyPair, Sm2Signer
from services.esign.domain.verdict import Outcome, Status
from services.esign.ses import document as ses_document
from services.esign.ses.domain import check as ses_check
from services.esign.ses.domain import values as ses
from services.esign.ses.domain.check import Evidence, SmTrust
from shuniu.kit.crypto import sm
from tests.support import ofd
from tests.support.esign import NOW_US, ORGANISATION, SEAL_ID, sealed
from tests.support.sm import sm_setting

pytestmark = pytest.mark.skipif(not sm.available(), reason="no SM2 on this machine")

DAY_US = 86_400 * 1_000_000


@dataclass(frozen=True)
class Old:
    """Root, authority, maker and signer with the keys of the test setting and certificates of `begin_us`."""

    begin_us: int
    signer_days: int = 730
    maker_days: int = 730
    seal_ends_us: int = NOW_US + 900 * DAY_US

    @property
    def authorities(self) -> tuple[Sm2Signer, Sm2Signer]:
        made = sm_setting()
        root = sm2_pki.make_root(KeyPair(made.root.spki, made.root.sign), "内蒙古枢纽", self.begin_us)
        return root, sm2_pki.make_seal_ca(root, KeyPair(made.ca.spki, made.ca.sign), "内蒙古枢纽", self.begin_us)

    def issued(self, one: Sm2Signer, days: int) -> Sm2Signer:
        _, ca = self.authorities
        made = sm2_pki.issue_seal_certificate(ca, one.spki, ORGANISATION, SEAL_ID, self.begin_us, days=days)
        return Sm2Signer(made, one.spki, one.sign)

    def parties(self, created_us: int, signer: Sm2Signer | None = None) -> tuple[bytes, Sm2Signer, list[bytes]]:
        """The seal, who signs with it, and the certificates that are trusted."""
        signer = signer or self.issued(sm_setting().seal, self.signer_days)
        maker = self.issued(sm_setting().maker, self.maker_days)
        seal = ses.make_seal(
            ses.info(
                seal_id=SEAL_ID,
                kind=ses.ORGANISATION,
                name=ORGANISATION,
                certificates=[signer.certificate],
                valid_us=(self.begin_us, self.seal_ends_us),
                created_us=created_us,
                picture=ses.Picture("png", b"picture", 42, 42),
            ),
            maker,
        )
        return seal, signer, [*(each.certificate for each in self.authorities), maker.certificate]


def trusting(certificates: list[bytes]) -> SmTrust:
    return ses_check.trust([sm2_chain.load(each) for each in certificates], sm2_checks.verifies, sm.sm3)


def beside(old: Old, stated_us: int, now_us: int, proven_us: int | None = None) -> tuple[Status, str]:
    """The step `ses` of the sealed PDF, which states NOW_US, with a seal signature of `stated_us` beside it."""
    seal, signer, trusted = old.parties(old.begin_us)
    wanted = ses_document.covered(sealed())
    made = ses.sign(seal, signer, wanted.data_hash, wanted.protected, stated_us)
    parsed = [sm2_chain.load(each).parsed for each in trusted]
    step = ses_document.check(sealed(), made, parsed, now_us, proven_us)
    return step.status, step.reason


def test_a_signature_beside_a_document_is_no_older_than_what_it_covers() -> None:
    """The bytes it covers state when they were signed: a seal signature that states a moment before has not seen them
    then, and is open. Clocks may differ by minutes.
    """
    old = Old(NOW_US - 40 * DAY_US)
    assert beside(old, NOW_US, NOW_US) == (Status.VALID, "SES_VALID")
    assert beside(old, NOW_US - 200_000_000, NOW_US) == (Status.VALID, "SES_VALID")
    for proven_us in (None, NOW_US):
        assert beside(old, NOW_US - DAY_US, NOW_US, proven_us) == (Status.UNKNOWN, "SES_TIME_CONTRADICTED")


def test_a_signature_beside_a_document_needs_a_certificate_that_lasts_or_a_proof() -> None:
    """As for every signature: its signer's certificates are valid now, or were when the document's own signature is
    proven to have existed, if it states no later moment than that.
    """
    old, now_us = Old(NOW_US, signer_days=30), NOW_US + 40 * DAY_US
    open_ = (Status.UNKNOWN, "SES_TIME_NOT_PROVEN")
    assert beside(old, NOW_US, NOW_US + 29 * DAY_US) == (Status.VALID, "SES_VALID")
    assert beside(old, NOW_US, now_us) == open_
    assert beside(old, NOW_US, now_us, NOW_US + DAY_US) == (Status.VALID, "SES_VALID")
    assert beside(old, NOW_US, now_us, NOW_US + 35 * DAY_US) == open_
    assert beside(old, NOW_US + 20 * DAY_US, now_us, NOW_US + DAY_US) == open_


def test_a_signature_beside_a_document_needs_a_seal_that_lasts_or_a_proof() -> None:
    """A seal may end before its signer's certificate: what it signed counts then as far as it is proven to be older."""
    old, now_us = Old(NOW_US, seal_ends_us=NOW_US + 30 * DAY_US), NOW_US + 40 * DAY_US
    open_ = (Status.UNKNOWN, "SES_SEAL_ENDED")
    assert beside(old, NOW_US, NOW_US + 29 * DAY_US) == (Status.VALID, "SES_VALID")
    assert beside(old, NOW_US, now_us) == open_
    assert beside(old, NOW_US, now_us, NOW_US + DAY_US) == (Status.VALID, "SES_VALID")
    assert beside(old, NOW_US, now_us, NOW_US + 35 * DAY_US) == open_
    assert beside(old, NOW_US + 20 * DAY_US, now_us, NOW_US + DAY_US) == open_


def in_ofd(old: Old, created_us: int, signer: Sm2Signer | None = None) -> tuple[Outcome, str]:
    seal, by, trusted = old.parties(created_us, signer)
    stated = datetime.fromtimestamp(NOW_US // 1_000_000, UTC).strftime("%Y%m%d%H%M%SZ")
    document = ofd.packed(
        ofd.signed(stated=stated, value=lambda data, place: ses.sign(seal, by, sm.sm3(data), place, NOW_US))
    )
    found = ofd.judged(document, sm_trust=trusting(trusted))
    return found.outcome, found.step("ses").reason


def test_a_seal_is_not_made_before_the_certificates_it_lists() -> None:
    """A seal that says it is older, by more than a day, than a certificate it lists was not made then: open, whoever
    made it. Everything else of the document is judged still.
    """
    old, fresh = Old(NOW_US - 40 * DAY_US), sm_setting().seal
    assert in_ofd(old, NOW_US - DAY_US // 2, fresh) == (Outcome.VALID, "SES_VALID")
    assert in_ofd(old, NOW_US - 2 * DAY_US, fresh) == (Outcome.INDETERMINATE, "SES_SEAL_MALFORMED")
    seal, _, trusted = old.parties(NOW_US - 2 * DAY_US, fresh)
    found = ses_check.inspect(seal, trusting(trusted), NOW_US)
    assert {step.step: step.status for step in found.steps}["seal"] is Status.UNKNOWN
    assert found.outcome is Outcome.INDETERMINATE


def test_a_maker_that_has_ended_counts_for_what_is_proven_to_be_older() -> None:
    """A key whose certificate has ended may be anybody's, who dates seals as he likes: the seal is open unless the
    document is proven to be older than the maker's end.
    """
    old = Old(NOW_US - 40 * DAY_US, maker_days=30)
    assert in_ofd(old, old.begin_us) == (Outcome.INDETERMINATE, "SES_MAKER_ENDED")
    assert in_ofd(Old(NOW_US - 40 * DAY_US), old.begin_us) == (Outcome.VALID, "SES_VALID")
    data, _, trusted = old.parties(old.begin_us)
    seal, sm_trust = ses.read(data), trusting(trusted)
    assert isinstance(seal, ses.Seal)
    assert ses_check.maker_standing(seal, sm_trust, Evidence(), NOW_US - 11 * DAY_US) is None
    assert ses_check.maker_standing(seal, sm_trust, Evidence(proven_us=NOW_US - 11 * DAY_US), NOW_US) is None
    for proven_us in (None, NOW_US - 9 * DAY_US):
        step = ses_check.maker_standing(seal, sm_trust, Evidence(proven_us=proven_us), NOW_US)
        assert step is not None
        assert (step.status, step.reason) == (Status.UNKNOWN, "MAKER_ENDED")
    # By itself, as `shuniu seal inspect` asks.
    assert ses_check.inspect(data, sm_trust, NOW_US, None, Evidence()).outcome is Outcome.INDETERMINATE


@pytest.mark.parametrize("old_first", [True, False])
def test_a_root_that_was_renewed_vouches_in_any_order(old_first: bool) -> None:
    """Same name and key, the old certificate ended: which of them lies first in a directory decides nothing."""
    made = sm_setting()
    began = NOW_US - (sm2_pki.ROOT_DAYS + 10) * 86_400 * 1_000_000
    old = sm2_pki.make_root(sm2_pki.KeyPair(made.root.spki, made.root.sign), "内蒙古枢纽", began).certificate
    roots = [old, made.root.certificate] if old_first else [made.root.certificate, old]
    listed = [*roots, made.ca.certificate, made.maker.certificate]
    trust = ses_check.trust(list(map(sm2_chain.load, listed)), sm2_checks.verifies, sm.sm3)
    verdict = ofd.judged(ofd.signed(), sm_trust=trust)
    assert (verdict.outcome, ofd.reasons(verdict)) == (Outcome.VALID, {})
