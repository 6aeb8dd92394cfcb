"""Document timestamps that anybody can make himself prove nothing, and are not passed over as those are that an authority
made when its algorithms still held.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import algos, tsp
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.sign.timestamps import DummyTimeStamper

from services.esign.domain.verdict import Outcome
from tests.support import documents as attack
from tests.support import updates
from tests.support.esign import NOW_US, setting
from tests.support.update_bases import built, rich
from tests.support.updates import Draft
from tests.support.verdicts import TRUST, judged

MOMENT = datetime.fromtimestamp(NOW_US // 1_000_000, UTC)
KEY = rsa.generate_private_key(65537, 2048)
STRANGER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "国家授时中心 TSA")])


def certified(issuer=STRANGER, issuing=KEY, *, key=KEY, weakly=False):
    """A certificate for timestamps; self-made but for what is said otherwise. `weakly`: it was signed with SHA-1."""
    builder = x509.CertificateBuilder().subject_name(STRANGER).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(MOMENT - timedelta(days=9))
    builder = builder.not_valid_after(MOMENT + timedelta(days=3650))
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    made = builder.sign(issuing, hashes.SHA256()).public_bytes(Encoding.DER)
    if not weakly:
        return made
    # The library makes none.
    again = asn1_x509.Certificate.load(made)
    is_rsa = isinstance(issuing, rsa.RSAPrivateKey)
    for holder, name in ((again["tbs_certificate"], "signature"), (again, "signature_algorithm")):
        holder[name] = {"algorithm": "sha1_rsa" if is_rsa else "sha1_ecdsa"}
    message = again["tbs_certificate"].dump(force=True)
    how = (padding.PKCS1v15(), hashes.SHA1()) if is_rsa else (ec.ECDSA(hashes.SHA1()),)
    again["signature_value"] = issuing.sign(message, *how)
    return again.dump(force=True)


def stamped(monkeypatch, certificate, digest="sha256", key=KEY, entries=b""):
    """The verdict on a signed document with a timestamp under that certificate."""
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    maker = DummyTimeStamper(
        asn1_x509.Certificate.load(certificate),
        asn1_keys.PrivateKeyInfo.load(private),
        fixed_dt=MOMENT,
        override_md=digest,
    )

    def token(value):
        imprint = {"hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}), "hashed_message": value}
        asked = {"version": 1, "message_imprint": tsp.MessageImprint(imprint), "cert_req": True}
        answer = asyncio.run(maker.async_request_tsa_response(tsp.TimeStampReq(asked)))
        return answer["time_stamp_token"].dump()

    pdf = signed()
    monkeypatch.setattr(updates, "token", token)
    draft = Draft(pdf)
    value = draft.sign(timestamp=True, entries=entries)
    field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(Stamp)/F 132/Rect[0 0 0 0]/P 3 0 R/V %d 0 R>>" % value
    draft.put_field(draft.add(field), 0)
    return judged(draft.finished(), trust=TRUST, now_us=attack.now_us())


def signed():
    draft = Draft(built(rich()))
    field = b"<</Type/Annot/Subtype/Widget/FT/Sig/T(first)/Rect[0 0 0 0]/F 132/V %d 0 R>>" % draft.sign()
    draft.put_field(draft.add(field), 0)
    return draft.finished()


def reason(verdict, name):
    return next(step for step in verdict.steps if step.step == name).reason


def open_because_of_a_stranger(verdict):
    assert verdict.outcome is Outcome.INDETERMINATE
    stamp = verdict.signatures[-1]
    assert (reason(stamp, "time"), stamp.outcome) == ("TSA_NOT_TRUSTED", Outcome.INDETERMINATE)
    # The moment that it states is told as a claim.
    assert stamp.claimed_us is not None
    assert (stamp.proven_us, stamp.certified) == (None, False)
    assert reason(verdict, "coverage") == "REVISION"


@pytest.mark.parametrize("digest", ["sha256", "sha1"])
def test_a_stranger_is_one_whatever_digest_he_takes(monkeypatch, digest):
    """A weak digest is no better than a strong one."""
    open_because_of_a_stranger(stamped(monkeypatch, certified(), digest))


def test_a_stranger_is_one_whatever_key_he_takes(monkeypatch):
    """A weak key is no better than a strong one."""
    key = rsa.generate_private_key(65537, 1024)
    open_because_of_a_stranger(stamped(monkeypatch, certified(issuing=key, key=key), key=key))


def test_a_stranger_is_one_whoever_he_says_has_certified_him(monkeypatch):
    """The name of a trusted root, and a signature with a weak digest that is not the root's."""
    certificate = certified(setting().root.certificate.subject, weakly=True)
    open_because_of_a_stranger(stamped(monkeypatch, certificate))


def by_root(*, weakly=False):
    return certified(setting().root.certificate.subject, setting().root.key, weakly=weakly)


@pytest.mark.parametrize(
    ("weakly", "digest", "reason_of_it"), [(False, "sha1", "TIMESTAMP_WEAK"), (True, "sha256", "WEAK_ALGORITHM")]
)
def test_what_a_known_authority_made_weakly_is_passed_over(monkeypatch, weakly, digest, reason_of_it):
    """It proves nothing, and does no harm; but it is not by it that a signature covers the whole file."""
    verdict = stamped(monkeypatch, by_root(weakly=weakly), digest)
    assert verdict.outcome is Outcome.VALID
    assert reason(verdict.signatures[-1], "time") == reason_of_it
    assert reason(verdict, "coverage") == "REVISION"


def test_what_a_known_authority_made_covers_the_whole_file(monkeypatch):
    """What the cases above differ from."""
    verdict = stamped(monkeypatch, by_root())
    assert verdict.outcome is Outcome.VALID
    assert reason(verdict, "coverage") == "WHOLE_FILE"


@pytest.mark.parametrize("level", [b"1", b"2", b"9"])
def test_a_timestamp_that_certifies_makes_no_forgery_of_what_others_signed(monkeypatch, level):
    """Anybody may add one, so it leaves the verdict open and does not turn it against the signers."""
    transform = b"/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/P %b/V/1.2>>" % level
    verdict = stamped(monkeypatch, by_root(), entries=b"/Reference[<</Type/SigRef%b>>]" % transform)
    assert (verdict.outcome, reason(verdict, "coverage")) == (Outcome.INDETERMINATE, "DOCMDP")
