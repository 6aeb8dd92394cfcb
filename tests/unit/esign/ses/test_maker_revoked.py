"""Lists at hand are asked of everybody on whose word a seal rests: signer, seal maker, and the authorities above."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from services.esign import commands
from services.esign.certification.domain import chain, pki
from services.esign.certification.domain.sm2_pki import Sm2Signer, bit_string
from services.esign.certification.domain.trust import Trust
from services.esign.certification.domain.validation_data import NOTHING
from services.esign.domain import der
from services.esign.domain.digests import SM3
from services.esign.domain.verdict import Outcome, Status, Verdict
from services.esign.keys import sm2 as sm_keys
from services.esign.revocation.domain import answers as revocation
from services.esign.revocation.domain import sm2_answers as sm2_revocation
from services.esign.revocation.domain.answers import CertificateStanding, Standing
from services.esign.seals.domain.life import RevocationReason
from services.esign.ses import document as ses_document
from services.esign.ses.domain import check as ses_check
from services.esign.ses.domain import values as ses
from services.esign.ses.domain.check import Covered, Evidence
from services.esign.signing.domain import multisign
from services.esign.signing.domain.multisign import Field
from services.esign.verification.domain import verify
from shuniu.kit.crypto import sm
from tests.support import ofd
from tests.support.esign import NOW_US, ORGANISATION, page, sealed, setting
from tests.support.multisign import RED
from tests.support.sm import eseal, sm_setting, trust
from tests.support.sm_documents import token_over, tsa_chain

pytestmark = pytest.mark.skipif(not sm.available(), reason="no SM2 on this machine")

DAY_US = 86_400 * 1_000_000
BEFORE_US, SINCE_US = NOW_US - DAY_US, NOW_US + DAY_US
# Whose certificate is revoked, and who lists it.
PARTIES: dict[str, Callable[[], tuple[Sm2Signer, Sm2Signer]]] = {
    "signer": lambda: (sm_setting().seal, sm_setting().ca),
    "maker": lambda: (sm_setting().maker, sm_setting().ca),
    "authority": lambda: (sm_setting().ca, sm_setting().root),
}


def listed(party: str, revoked_us: int = BEFORE_US) -> bytes:
    gone, authority = PARTIES[party]()
    serial = x509.load_der_x509_certificate(gone.certificate).serial_number
    standing = CertificateStanding(serial, Standing.REVOKED, revoked_us, RevocationReason.KEY_COMPROMISE, revoked_us)
    return sm2_revocation.crl(authority, [standing], NOW_US + 2 * DAY_US)


def in_ofd(crls: tuple[bytes, ...]) -> Verdict:
    return ofd.judged(ofd.signed(), trust=Trust(crls=crls))


def in_pdf(crls: tuple[bytes, ...], seal: bytes = b"", now_us: int = NOW_US + 1_000_000) -> Verdict:
    begun = multisign.begin(
        multisign.prepare(page(), [FIELD]),
        FIELD.name,
        size=9000,
        at_us=NOW_US,
        signer="丁方",
        appearance=RED,
        algorithm=SM3,
    )
    pdf = begun.finish(ses.sign(seal or eseal(), sm_setting().seal, begun.digest, "/ByteRange", NOW_US))
    root = chain.load(sm_setting().root.certificate)
    return verify.judge(pdf, trust=Trust((root,), crls=crls), now_us=now_us, sm=trust)


def beside_pdf(folder: Path, crls: tuple[bytes, ...]) -> Verdict:
    made, where = sm_setting(), folder / "trust"
    where.mkdir()
    (where / "root.pem").write_bytes(pki.certificate_pem(setting().root.certificate))
    chosen = (made.root, made.ca, made.maker)
    (where / "sm2.pem").write_bytes(b"".join(sm_keys.certificate_pem(each.certificate) for each in chosen))
    for number, crl in enumerate(crls):
        (where / f"{number}.crl").write_bytes(crl)
    wanted = ses_document.covered(sealed())
    (folder / "a.pdf").write_bytes(sealed())
    beside = ses.sign(eseal(), made.seal, wanted.data_hash, wanted.protected, NOW_US)
    (folder / "a.pdf.ses").write_bytes(beside)
    return commands.verify_file(folder / "a.pdf", where, now_us=NOW_US + 1_000_000)


FIELD = Field("丁方", 0, (100, 100, 200, 200))
FORMS = {"ofd": lambda _folder, crls: in_ofd(crls), "pdf": lambda _folder, crls: in_pdf(crls), "beside": beside_pdf}


@pytest.mark.parametrize("form", FORMS)
def test_a_seal_without_revocations_is_valid(form: str, tmp_path: Path) -> None:
    """With lists that name somebody else, nothing is lowered."""
    stranger = CertificateStanding(1, Standing.REVOKED, BEFORE_US, RevocationReason.KEY_COMPROMISE, BEFORE_US)
    crls = (sm2_revocation.crl(sm_setting().ca, [stranger], NOW_US + DAY_US),)
    assert FORMS[form](tmp_path, crls).outcome is Outcome.VALID


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("party", PARTIES)
def test_revoked_before_the_seal_was_made(form: str, party: str, tmp_path: Path) -> None:
    """In an OFD, inside a PDF and beside one: a seal is INVALID where its signer, its maker or an authority above was
    revoked before.
    """
    found = FORMS[form](tmp_path, (listed(party),))
    assert found.outcome is Outcome.INVALID
    reasons = {step.reason for step in found.steps if step.status is Status.INVALID}
    assert reasons & {"SES_MAKER_REVOKED", "SES_CERTIFICATE_REVOKED", "CERTIFICATE_REVOKED"}
    assert party != "maker" or reasons == {"SES_MAKER_REVOKED"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("party", PARTIES)
def test_revoked_since(form: str, party: str, tmp_path: Path) -> None:
    """A thief of a maker's key dates his seals as he likes: revoked since, and nothing proves the age: INDETERMINATE."""
    assert FORMS[form](tmp_path, (listed(party, SINCE_US),)).outcome is Outcome.INDETERMINATE


@pytest.mark.parametrize("party", ["maker", "authority"])
def test_what_is_proven_to_be_older_stands(party: str) -> None:
    """A document that is proven to be older than the revocation keeps its seal; one that is proven to be younger does
    not, whatever its maker says of when the seal was made.
    """
    read = ses.read(eseal())
    assert isinstance(read, ses.Seal)
    lists = NOTHING.with_lists((listed(party, SINCE_US),))
    assert ses_check.maker_standing(read, trust(), Evidence(lists, SINCE_US - 1_000_000), NOW_US) is None
    for proven_us in (None, SINCE_US, SINCE_US + DAY_US):
        step = ses_check.maker_standing(read, trust(), Evidence(lists, proven_us), NOW_US)
        assert step is not None
        assert (step.status, step.reason) == (Status.UNKNOWN, "MAKER_REVOKED_SINCE")


@pytest.mark.parametrize("party", ["maker", "authority"])
def test_a_proof_of_time_answers_no_list_that_cannot_be_read(party: str) -> None:
    """Beside a list that revokes since, another names the maker and cannot be checked: it may say from when before."""
    read = ses.read(eseal())
    assert isinstance(read, ses.Seal)
    since = listed(party, SINCE_US)
    odd = since.replace(der.oid("1.2.156.10197.1.501"), der.oid("1.2.156.10197.1.599"))
    assert odd != since
    lists = NOTHING.with_lists((since, odd))
    step = ses_check.maker_standing(read, trust(), Evidence(lists, SINCE_US - 1_000_000), NOW_US)
    assert step is not None
    assert step.status is Status.UNKNOWN


@pytest.mark.parametrize("party", ["maker", "authority"])
def test_a_seal_inspected_by_itself(party: str, tmp_path: Path) -> None:
    """`shuniu seal inspect` asks the lists of the trust directory too."""
    beside_pdf(tmp_path, (listed(party),))
    (tmp_path / "seal.esl").write_bytes(eseal())
    for name, document in (("seal.esl", None), ("a.pdf.ses", tmp_path / "a.pdf")):
        report = commands.inspect_seal(
            tmp_path / name, tmp_path / "trust", document=document, now_us=NOW_US + 1_000_000
        )
        assert report.outcome is Outcome.INVALID
        steps = {step.step: step.reason for step in report.found.steps}
        assert steps["revocation"] in {"MAKER_REVOKED", "CERTIFICATE_REVOKED"}


def test_the_timestamp_authority_of_a_seal_is_asked_too() -> None:
    """A timestamp on a seal signature proves nothing where the authority above who made it is revoked."""
    made, covered = sm_setting(), Covered(SM3.of(b"content"), "/ByteRange")
    plain = ses.sign(eseal(), made.seal, covered.data_hash, covered.protected, NOW_US)
    token = token_over(ses.read_signature(plain).signature)
    parts = [part.raw for part in der.parse(plain).children()]
    stamped = der.tlv(der.SEQUENCE, *parts, der.tlv(0xA0, bit_string(token)))
    chosen = trust(tsa_roots=(chain.load(made.root.certificate),))
    serial = x509.load_der_x509_certificate(tsa_chain()[0]).serial_number
    standing = CertificateStanding(serial, Standing.REVOKED, SINCE_US, RevocationReason.KEY_COMPROMISE, SINCE_US)
    lists = NOTHING.with_lists((sm2_revocation.crl(made.root, [standing], SINCE_US),))
    for evidence, expected in ((Evidence(), "TIME_STAMPED"), (Evidence(lists), "TSA_ENDED")):
        found = ses_check.inspect(stamped, chosen, SINCE_US, covered, evidence)
        assert {step.step: step.reason for step in found.steps}["timestamp"] == expected


def test_lists_are_asked_of_a_pdfs_own_signer_and_authority_still() -> None:
    """The path of an ordinary signature is asked as before."""
    serial = setting().ca.certificate.serial_number
    gone = CertificateStanding(serial, Standing.REVOKED, BEFORE_US, RevocationReason.KEY_COMPROMISE, BEFORE_US)
    crl = revocation.crl(setting().root, [gone], NOW_US + DAY_US)
    found = verify.judge(sealed(), trust=Trust((setting().root.certificate,), crls=(crl,)), now_us=NOW_US + 1_000_000)
    assert (found.outcome, found.step("seal_then").reason) == (Outcome.INVALID, "CERTIFICATE_REVOKED")


def test_a_seal_in_a_pdf_that_has_ended_needs_a_proof_of_time() -> None:
    """As in an OFD and beside a PDF; and a seal of another name than its signer's tells both."""
    content = ses.info(
        seal_id="1",
        kind=ses.ORGANISATION,
        name="国家税务总局",
        certificates=[sm_setting().seal.certificate],
        valid_us=(NOW_US, NOW_US + 10 * DAY_US),
        created_us=NOW_US,
        picture=ses.Picture("png", b"picture", 42, 42),
    )
    seal = ses.make_seal(content, sm_setting().maker)
    good = in_pdf((), seal)
    assert (good.outcome, ORGANISATION in good.step("ses").zh) == (Outcome.VALID, True)
    late = in_pdf((), seal, NOW_US + 11 * DAY_US)
    assert (late.outcome, late.step("ses").reason) == (Outcome.INDETERMINATE, "SES_SEAL_ENDED")
