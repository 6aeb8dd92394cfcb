"""Encryption at rest and to a receiver: keys rotate, values do not move, hostile input is refused by type."""

import datetime as dt
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import (
    CertificateSigningRequestBuilder,
    ExtendedKeyUsage,
    Name,
    SubjectAlternativeName,
    UniformResourceIdentifier,
    load_pem_x509_certificate,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwe

from shuniu.kit.crypto import sealing, x509
from shuniu.kit.crypto.keyring import Keyring, UnreadableError, add_key
from shuniu.kit.process.config import ConfigError

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ONE = Keyring({1: b"1" * 32})


def test_a_rotated_key_still_opens_what_it_closed(tmp_path: Path) -> None:
    """After a rotation new values use the new key, old ones open, and once the old key is gone they do not."""
    assert add_key(tmp_path) == 1
    old = Keyring.load(tmp_path).encrypt(b"number", b"person/1")
    assert add_key(tmp_path) == 2
    both = Keyring.load(tmp_path)
    new = both.encrypt(b"number", b"person/1")
    assert (old[:4], new[:4]) == ((1).to_bytes(4, "big"), (2).to_bytes(4, "big"))
    assert both.decrypt(old, b"person/1") == both.decrypt(new, b"person/1") == b"number"
    (tmp_path / "000001.key").unlink()
    with pytest.raises(UnreadableError, match="unknown key"):
        Keyring.load(tmp_path).decrypt(old, b"person/1")


def test_a_value_moved_to_another_place_does_not_open() -> None:
    """A ciphertext copied to another row, or claimed by another key number, is refused."""
    value = ONE.encrypt(b"number", b"person/1")
    with pytest.raises(UnreadableError, match="changed or moved"):
        ONE.decrypt(value, b"person/2")
    two = Keyring({1: b"1" * 32, 2: b"2" * 32})
    with pytest.raises(UnreadableError, match="changed or moved"):
        two.decrypt((2).to_bytes(4, "big") + value[4:], b"person/1")


@given(st.integers(4, 4 + 12 + 6 + 16 - 1), st.integers(1, 255))
def test_a_changed_byte_shows(at: int, mask: int) -> None:
    """A change of any byte after the key number is refused."""
    value = bytearray(ONE.encrypt(b"number", b"x"))
    value[at] ^= mask
    with pytest.raises(UnreadableError):
        ONE.decrypt(bytes(value), b"x")


@given(st.binary(max_size=80))
def test_bytes_that_are_no_value(value: bytes) -> None:
    """Made-up bytes are refused with one typed error."""
    with pytest.raises(UnreadableError):
        ONE.decrypt(value, b"x")


def test_equal_values_look_different() -> None:
    """The same number encrypted twice shows no equality."""
    assert ONE.encrypt(b"n", b"x") != ONE.encrypt(b"n", b"x")


@pytest.mark.parametrize("fault", ["empty", "absent", "short", "named", "open"])
def test_a_key_directory_that_is_not_right(tmp_path: Path, fault: str) -> None:
    """No key, a short one, a strange file or one that others may read stops the process with a configuration error."""
    if fault != "empty":
        add_key(tmp_path)
    path = tmp_path / "000001.key"
    if fault == "short":
        path.chmod(0o600)
        path.write_bytes(b"x")
    if fault == "named":
        path.rename(tmp_path / "1.key")
    if fault == "open":
        path.chmod(0o644)
    with pytest.raises(ConfigError, match=str(tmp_path)):
        Keyring.load(tmp_path / "absent" if fault == "absent" else tmp_path)


def test_only_the_receiver_opens_what_is_sealed() -> None:
    """Sealed data opens with the receiver's private key and no other, and names the key it is for."""
    mine, other = sealing.new_key("k1"), sealing.new_key("k1")
    text = sealing.seal(mine.as_dict(private=False), {"full_name": "㛃一"})
    assert sealing.unseal(mine, text) == {"full_name": "㛃一"}
    with pytest.raises(sealing.SealingError):
        sealing.unseal(other, text)


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "RSA"},
        {"crv": "P-384"},
        {"kid": ""},
        {"d": "AA"},
        {"x": "AA"},
        {"x": None},
        {"y": "!"},
    ],
)
def test_a_key_that_cannot_be_sealed_to(change: dict[str, str | None]) -> None:
    """Only a public P-256 key with a key id is sealed to; a private one is refused, for it was given away."""
    jwk = {**sealing.new_key("k1").as_dict(private=False), **change}
    with pytest.raises(sealing.SealingError):
        sealing.seal({name: value for name, value in jwk.items() if value is not None}, {})


def test_a_changed_sealed_text_does_not_open() -> None:
    """Whatever byte of a sealed text is changed: one typed error, never another content and never another error."""
    mine = sealing.new_key("k1")
    text = sealing.seal(mine.as_dict(private=False), {"full_name": "㛃一"})
    for at, was in enumerate(text):
        with pytest.raises(sealing.SealingError):
            sealing.unseal(mine, f"{text[:at]}{'A' if was != 'A' else 'B'}{text[at + 1 :]}")


def test_a_sealed_text_of_another_library_opens() -> None:
    """Party information is not what this hub writes, and opens all the same."""
    mine = sealing.new_key("k1")
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "apu": "QWxpY2U"}
    text = jwe.encrypt_compact(header, b'{"a": "b"}', mine, algorithms=["ECDH-ES", "A256GCM"])
    assert sealing.unseal(mine, text) == {"a": "b"}


@pytest.mark.parametrize("text", ["", ".", "....", "a.b.c.d.e", "eyJhbGciOiJub25lIn0...."])
def test_a_sealed_text_that_is_none(text: str) -> None:
    """Text that is no JWE, or names another algorithm, is refused with one typed error."""
    with pytest.raises(sealing.SealingError):
        sealing.unseal(sealing.new_key("k"), text)


def request(key: object, *, subject: str = "") -> x509.x509.CertificateSigningRequest:
    builder = CertificateSigningRequestBuilder().subject_name(Name([]))
    if subject:
        builder = builder.add_extension(SubjectAlternativeName([UniformResourceIdentifier(subject)]), critical=False)
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def pem(made: object) -> str:
    return made.public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()])
def test_a_good_request_gives_its_key(curve: ec.EllipticCurve) -> None:
    """A request with proof of possession gives its public key, and nothing else of it is believed."""
    key = ec.generate_private_key(curve)
    assert x509.read_request(pem(request(key))) == key.public_key()


def test_keys_that_are_not_taken() -> None:
    """Curves and key types outside of the profile, and short RSA keys, are refused with what would do."""
    keys = [
        ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 1024),
    ]
    for key in keys:
        with pytest.raises(x509.CertificateRequestError, match="must be P-256, P-384 or RSA"):
            x509.read_request(pem(request(key)))


def test_a_request_signed_by_another_key() -> None:
    """Without proof of possession, such as somebody else's key in one's own request, there is no certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    der = bytearray(request(key).public_bytes(serialization.Encoding.DER))
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    points = [
        one.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        for one in (key.public_key(), other)
    ]
    at = bytes(der).index(points[0])
    der[at : at + len(points[1])] = points[1]
    forged = x509.x509.load_der_x509_csr(bytes(der))
    with pytest.raises(x509.CertificateRequestError, match="not signed with its own key"):
        x509.read_request(pem(forged))


@settings(max_examples=50)
@given(st.one_of(st.text(max_size=300), st.binary(max_size=300).map(lambda raw: json.dumps(raw.hex()))))
def test_text_that_is_no_request(text: str) -> None:
    """Any other text is refused with one typed error, armour around rubbish included."""
    armoured = f"-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n"
    for hostile in (text, armoured):
        with pytest.raises(x509.CertificateRequestError, match="not a PEM"):
            x509.read_request(hostile)


def test_an_issued_certificate_has_only_the_name_we_gave() -> None:
    """What a request says of itself is ignored: the certificate's only name is the hub's URI, and it is no CA."""
    authority = x509.new_authority("Platform CA", "枢纽", NOW)
    key = ec.generate_private_key(ec.SECP256R1())
    public = x509.read_request(pem(request(key, subject="spiffe://hub.test/operator/root")))
    issued = x509.issue_client(authority, public, "spiffe://hub.test/platform/nmg-app", NOW, 30)
    issued.verify_directly_issued_by(authority.certificate)
    names = issued.extensions.get_extension_for_class(SubjectAlternativeName).value
    assert list(names) == [UniformResourceIdentifier("spiffe://hub.test/platform/nmg-app")]
    assert not issued.extensions.get_extension_for_class(x509.x509.BasicConstraints).value.ca
    assert issued.extensions.get_extension_for_class(ExtendedKeyUsage)
    assert issued.not_valid_after_utc == NOW + dt.timedelta(days=30)


def test_an_authority_comes_back_from_its_files() -> None:
    """A CA written to PEM and loaded again signs as the same one, and may sign leaves only."""
    made = x509.new_authority("Edge CA", "枢纽", NOW)
    loaded = x509.Authority.load(made.pem(), x509.private_pem(made.key))
    key = ec.generate_private_key(ec.SECP256R1())
    server = x509.issue_server(loaded, key.public_key(), ["hub.test", "127.0.0.1"], NOW, 1)
    server.verify_directly_issued_by(load_pem_x509_certificate(made.pem()))
    assert made.certificate.extensions.get_extension_for_class(x509.x509.BasicConstraints).value.path_length == 0
    names = server.extensions.get_extension_for_class(SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["hub.test", "127.0.0.1"]
