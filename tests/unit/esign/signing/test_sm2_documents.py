"""PAdES seals and timestamps with SM2 and SM3: judged by the same steps as all others, and by OpenSSL's SM2."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from services.esign.certification.domain import chain, paths, sm2_pki
from services.esign.certification.domain.chain import ChainError
from services.esign.certification.domain.trust import Trust
from services.esign.domain import der, sm2
from services.esign.domain.cms import signed_data as cms
from services.esign.domain.cms.sm2 import Sm2Key
from services.esign.domain.digests import SHA256, SM3
from services.esign.domain.verdict import Outcome, Status, Step
from services.esign.keys import sm2 as sm_keys
from services.esign.keys.of_seals import SealOfAnotherProfileError, check_profile
from services.esign.ledger.domain import ledger
from services.esign.ledger.domain.ledger import EntryType, Marks
from services.esign.signing.domain import pades
from services.esign.signing.domain.pades import SigningSeal
from services.esign.timestamps.domain import token as timestamp
from services.esign.timestamps.domain.reader import TimestampInvalidError, check_token
from services.esign.verification.domain.verify import Verdict
from shuniu.kit.crypto import sm
from tests.support.esign import NOW_US, ORGANISATION, setting, small_pdf
from tests.support.sm import sm_setting
from tests.support.sm_documents import sealed, stamped, token_over
from tests.support.verdicts import judged

HOUR_US = 3600 * 1_000_000
SEAL, PLAIN_SEAL = b"seal", b"plain"


@cache
def trust() -> Trust:
    return Trust((chain.load(sm_setting().root.certificate),))


def verdict(pdf: bytes, trusted: Trust | None = None) -> Verdict:
    return judged(pdf, trust=trusted or trust(), now_us=NOW_US + HOUR_US)


def step(found: Verdict, name: str) -> Step:
    return next(one for one in found.steps if one.step == name)


def test_a_seal_with_sm2_is_valid_by_the_same_steps() -> None:
    """The SM2 root is all that is needed; the timestamp proves the time; without the root the issuer is unknown."""
    found = verdict(stamped())
    assert found.outcome is Outcome.VALID
    reasons = [step(found, name).reason for name in ("integrity", "signer", "chain", "time")]
    assert reasons == ["INTACT", "SIGNER", "TRUSTED", "TIME_STAMPED"]
    stranger = verdict(stamped(), Trust((setting().root.certificate,)))
    assert (stranger.outcome, step(stranger, "chain").reason) == (Outcome.INDETERMINATE, "ISSUER_NOT_TRUSTED")


def test_openssl_verifies_the_signature_over_the_signed_attributes(tmp_path: Path) -> None:
    """`openssl pkeyutl` with SM3 and the default signer id, over what the CMS says was signed; a changed bit fails."""
    pdf = sealed()
    gap, after, rest = (int(n) for n in re.search(rb"/ByteRange\[0 (\d+) (\d+) (\d+)\]", pdf).groups())
    contents = bytes.fromhex(pdf[gap + 1 : after - 1].decode())
    signed_data = der.parse(contents[: der.parse_prefix(contents).end]).children()[1].children()[0]
    *_, attributes, algorithm, signature = signed_data.children()[-1].children()[0].children()
    assert algorithm.raw == sm2.ALGORITHM
    (tmp_path / "signed").write_bytes(b"\x31" + attributes.raw[1:])
    (tmp_path / "signature").write_bytes(signature.body)
    (tmp_path / "key.pem").write_bytes(sm.PublicKey.from_spki(sm_setting().seal.spki).pem)
    covered = pdf[:gap] + pdf[after : after + rest]
    digest = subprocess.run(["openssl", "dgst", "-sm3", "-binary"], input=covered, capture_output=True, check=True)
    assert der.tlv(der.OCTET_STRING, digest.stdout) in attributes.raw

    def judged(message: str) -> bool:
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(tmp_path / "key.pem"), "-rawin"]
        command += ["-digest", "sm3", "-pkeyopt", "distid:1234567812345678", "-in", str(tmp_path / message)]
        command += ["-sigfile", str(tmp_path / "signature")]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    assert judged("signed")
    changed = bytearray((tmp_path / "signed").read_bytes())
    changed[-1] ^= 1
    (tmp_path / "changed").write_bytes(changed)
    assert not judged("changed")


def test_no_changed_byte_is_valid() -> None:
    """Every eleventh byte of a small document with seal and timestamp, of CMS and token too."""
    pdf = stamped()
    for at in range(0, len(pdf), 11):
        changed = bytearray(pdf)
        changed[at] ^= 1 << at % 8
        assert verdict(bytes(changed)).outcome is not Outcome.VALID, at


def test_a_machine_without_sm2_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of SM2 is taken on trust: what cannot be checked is unknown, and the verdict INDETERMINATE."""

    def absent(*_: bytes) -> bool:
        raise sm2.Sm2AbsentError("no SM2 on this machine")

    monkeypatch.setattr(sm2, "_verify", absent)
    found = verdict(stamped())
    assert (found.outcome, step(found, "integrity").status) == (Outcome.INDETERMINATE, Status.UNKNOWN)
    assert step(found, "integrity").reason == "SM_UNAVAILABLE"


def test_key_and_digest_belong_together() -> None:
    """An SM2 key with SHA-256, or an ECDSA signature that says it is SM2, is never taken for valid."""
    made = sm_setting()
    mixed = SigningSeal.prepare(Sm2Key(made.seal.sign), made.seal.certificate, [made.ca.certificate], ORGANISATION)
    found = verdict(pades.sign(small_pdf(), mixed, NOW_US))
    assert (found.outcome, step(found, "integrity").reason) == (Outcome.INDETERMINATE, "ALGORITHM")
    posing = SigningSeal.prepare(
        Sm2Key(cms.P256Key(setting().key).sign), setting().certificate, [setting().ca.der], ORGANISATION, digest=SM3
    )
    found = verdict(pades.sign(small_pdf(), posing, NOW_US), Trust((setting().root.certificate,)))
    assert found.outcome is not Outcome.VALID


def test_an_authority_of_another_key_issued_nothing() -> None:
    """A certificate that names an issuer whose key did not sign it has no path; nor has one issued by a P-256 key."""
    stranger = sm2_pki.make_root(sm_keys.pair(sm.PrivateKey.generate()), "内蒙古枢纽", NOW_US)
    signer, ca = (chain.load(one.certificate) for one in (sm_setting().seal, sm_setting().ca))
    for root in (chain.load(stranger.certificate), setting().root.certificate):
        with pytest.raises(ChainError, match="no trusted root"):
            paths.build(signer, [ca], [root], paths.any_purpose)


def test_timestamps_with_sm2_prove_only_what_they_are_over() -> None:
    """An SM3 imprint is answered and judged; of something else, changed or of an untrusted authority it is refused."""
    roots = trust().roots
    token = token_over(SEAL)
    assert check_token(token, (SEAL,), roots, NOW_US + HOUR_US).time_us == NOW_US
    for other, trusted in ((PLAIN_SEAL, roots), (SEAL, (setting().root.certificate,))):
        with pytest.raises(TimestampInvalidError):
            check_token(token, (other,), trusted, NOW_US + HOUR_US)
    asked = timestamp.read_query(timestamp.query(SM3.of(SEAL), 5, SM3))
    assert asked.imprint == timestamp.imprint(SM3.of(SEAL), SM3)


def test_entries_name_the_algorithm_of_their_digests() -> None:
    """With SM3 alone: of this document and certificate, of no other; entries of older hubs read as ever."""
    marks = Marks(SM3)
    entry = ledger.Entry(EntryType.DOCUMENT_SEALED, 1, **marks.document(SEAL), **marks.certificate(PLAIN_SEAL))
    assert ledger.decode(ledger.encode(entry)) == entry
    assert b"sha256" not in ledger.encode(entry)
    assert (entry.is_of(SEAL), entry.is_of(PLAIN_SEAL), entry.names(PLAIN_SEAL), entry.names(SEAL)) == (
        True, False, True, False,
    )  # fmt: skip
    assert entry.digests == {"sm3"}
    both = ledger.Entry(EntryType.DOCUMENT_SEALED, 1, **marks.document(SEAL), **Marks(SHA256).document(PLAIN_SEAL))
    assert not both.is_of(SEAL)
    older = b'{"document_sha256":"%b","time_us":1,"type":"document.sealed","v":1}' % SHA256.of(SEAL).hex().encode()
    assert ledger.decode(older).is_of(SEAL)
    assert not ledger.Entry(EntryType.DOCUMENT_SEALED, 1).is_of(SEAL)


def test_a_seal_of_the_other_profile_seals_no_more() -> None:
    """After a change of profile a seal must be replaced: its key would sign with what the hub no longer uses."""
    check_profile(sm_setting().seal.certificate, SM3)
    check_profile(setting().certificate, SHA256)
    for certificate, digest in ((sm_setting().seal.certificate, SHA256), (setting().certificate, SM3)):
        with pytest.raises(SealOfAnotherProfileError):
            check_profile(certificate, digest)
