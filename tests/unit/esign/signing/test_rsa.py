"""Documents signed with RSA, PKCS #1 v1.5 and PSS, as outside authorities have them; OpenSSL and pdfsig judge too."""

import re
import shutil
import subprocess
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from services.esign.certification.domain import pki
from services.esign.certification.domain.trust import Trust
from services.esign.domain.cms import reader as cms_reader
from services.esign.domain.cms.signed_cms import CmsError
from services.esign.domain.verdict import Outcome
from services.esign.signing.domain import pades
from tests.support.esign import NOW_US, ORGANISATION, setting, small_pdf
from tests.support.rsa_key import RsaKey
from tests.support.verdicts import judged

TRUST = Trust((setting().root.certificate,))
KINDS = {"pkcs1": RsaKey.pkcs1, "pss": RsaKey.pss}


@cache
def key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def certificate(bits: int) -> bytes:
    """The test seal's certificate with another key."""
    like, ca = x509.load_der_x509_certificate(setting().certificate), setting().ca
    builder = (
        x509.CertificateBuilder()
        .subject_name(like.subject)
        .issuer_name(like.issuer)
        .public_key(key(bits).public_key())
        .serial_number(bits)
        .not_valid_before(like.not_valid_before_utc)
        .not_valid_after(like.not_valid_after_utc)
    )
    for extension in like.extensions:
        if extension.oid != x509.SubjectKeyIdentifier.oid:
            builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(ca.key, hashes.SHA256()).public_bytes(Encoding.DER)


@cache
def sealed(kind: str, bits: int) -> bytes:
    seal = pades.SigningSeal.prepare(KINDS[kind](key(bits)), certificate(bits), [setting().ca.der], ORGANISATION)
    return pades.sign(small_pdf(), seal, NOW_US)


def outcome(pdf: bytes) -> Outcome:
    return judged(pdf, trust=TRUST, now_us=NOW_US + 60_000_000).outcome


def parts(pdf: bytes) -> tuple[bytes, bytes]:
    gap, after = (int(n) for n in re.search(rb"/ByteRange\[0 (\d+) (\d+) ", pdf).groups())
    return pdf[:gap] + pdf[after:], bytes.fromhex(pdf[gap + 1 : after - 1].decode())


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("bits", [2048, 3072])
def test_a_document_sealed_with_rsa_is_valid_and_fills_its_contents_exactly(kind, bits):
    """RSA signatures have one length: not a byte of /Contents is left over."""
    pdf = sealed(kind, bits)
    assert outcome(pdf) is Outcome.VALID
    cms = parts(pdf)[1]
    assert cms_reader.unpadded(cms) == cms


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_flipped_byte_of_an_rsa_signature_is_valid(kind):
    """Parameters of the algorithm count as well: they are no part of what is signed."""
    pdf = sealed(kind, 2048)
    _gap, after = (int(n) for n in re.search(rb"/ByteRange\[0 (\d+) (\d+) ", pdf).groups())
    for at in range(after - 2 - 2 * 420, after - 1, 3):
        bad = bytearray(pdf)
        bad[at] = ord("0") if bad[at] != ord("0") else ord("1")
        assert outcome(bytes(bad)) is not Outcome.VALID, at


def test_a_padding_under_the_name_of_the_other_is_refused():
    """A PSS signature announced as PKCS #1 v1.5, and the other way round."""
    seals = [pades.SigningSeal.prepare(k(key(2048)), certificate(2048), [], ORGANISATION) for k in KINDS.values()]
    for one, other in (seals, seals[::-1]):
        swapped = RsaKey(key(2048), one.cms.key.algorithm, 256, other.cms.key._padding)
        seal = pades.SigningSeal.prepare(swapped, certificate(2048), [setting().ca.der], ORGANISATION)
        assert outcome(pades.sign(small_pdf(), seal, NOW_US)) is Outcome.INVALID


@pytest.mark.parametrize(
    "algorithm",
    [
        RsaKey.pss(key(2048)).algorithm.replace(b"\xa2\x03\x02\x01\x20", b"\xa2\x03\x02\x01\x80"),
        RsaKey.pss(key(2048)).algorithm.replace(bytes.fromhex("608648016503040201"), bytes.fromhex("608648016503040202")),
    ],
)  # fmt: skip
def test_pss_parameters_that_do_not_fit_are_refused(algorithm):
    """A negative length of salt, another digest than the signature's."""
    seal = pades.SigningSeal.prepare(
        RsaKey(key(2048), algorithm, 256, RsaKey.pss(key(2048))._padding),
        certificate(2048),
        [setting().ca.der],
        ORGANISATION,
    )
    pdf = pades.sign(small_pdf(), seal, NOW_US)
    assert outcome(pdf) is not Outcome.VALID
    cms = cms_reader.read(cms_reader.unpadded(parts(pdf)[1]))
    with pytest.raises(CmsError):
        cms.signature_holds(x509.load_der_x509_certificate(certificate(2048)))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_openssl_and_pdfsig_accept_seals_with_rsa(kind, tmp_path):
    """Independent judges read both paddings; what OpenSSL cannot vouch for it says."""
    if not shutil.which("openssl") or not shutil.which("pdfsig"):
        pytest.skip("openssl or pdfsig is absent: make test-deps")
    content, cms = parts(sealed(kind, 3072))
    for name, data in (("a.pdf", sealed(kind, 3072)), ("content", content), ("cms.der", cms)):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "root.pem").write_bytes(pki.certificate_pem(setting().root.certificate))
    command = f"openssl cms -verify -binary -inform DER -in cms.der -content content -CAfile root.pem -purpose any \
        -attime {NOW_US // 1_000_000} -cades -out /dev/null".split()
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, cwd=tmp_path)
    assert "erification successful" in (done.stdout + done.stderr).decode()
    done = subprocess.run(["pdfsig", "a.pdf"], capture_output=True, timeout=60, check=False, cwd=tmp_path)
    assert "Signature Validation: Signature is Valid." in done.stdout.decode()
