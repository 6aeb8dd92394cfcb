"""SM2, SM3 and SM4 against the standards' own examples and against openssl."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from shuniu.kit.crypto import libcrypto, sm

EXAMPLE_KEY = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8"
EXAMPLE_POINT = (
    "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
_DISTID = ["-pkeyopt", f"distid:{sm.SIGNER_ID.decode()}"]


def openssl(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=False)


def example_key() -> sm.PrivateKey:
    """PKCS #8 around the example's number and point."""
    sec1 = bytes.fromhex(f"306b0201010420{EXAMPLE_KEY}a144034200{EXAMPLE_POINT}")
    algorithm = bytes.fromhex("301306072a8648ce3d020106082a811ccf5501822d")
    body = b"\x02\x01\x00" + algorithm + b"\x04" + bytes((len(sec1),)) + sec1
    return sm.PrivateKey.from_der(b"\x30\x81" + bytes((len(body),)) + body)


def test_sm3_examples() -> None:
    """GB/T 32905 annex A: both examples, also in parts."""
    assert sm.sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    long = "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    assert sm.sm3(b"abcd" * 16).hex() == sm.sm3(b"abcd" * 7, b"", b"abcd" * 9).hex() == long


def test_sm4_examples() -> None:
    """GB/T 32907 annex A (one block), and SM4-GCM of RFC 8998 A.1."""
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    block = Cipher(algorithms.SM4(key), modes.ECB()).encryptor()
    assert block.update(key).hex() == "681edf34d206965e86b3e94f536e4246"
    plain = b"".join(bytes((value,)) * 8 for value in (0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0xEE, 0xAA))
    nonce = bytes.fromhex("00001234567800000000abcd")
    context = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    sealed = sm.Sm4Gcm(key).encrypt(nonce, plain, context)
    assert sealed.hex() == (
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
        "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
        "83de3541e4c2b58177e065a9bf7b62ec"
    )
    assert sm.Sm4Gcm(key).decrypt(nonce, sealed, context) == plain
    for wrong in (sealed[:-1] + b"\x00", sealed[:10], b"\x00" + sealed[1:]):
        with pytest.raises(InvalidTag):
            sm.Sm4Gcm(key).decrypt(nonce, wrong, context)
    with pytest.raises(InvalidTag):
        sm.Sm4Gcm(key).decrypt(nonce, sealed, b"elsewhere")


def test_sm2_example() -> None:
    """GB/T 32918.5 A.2: the example's number gives its point, and its signature verifies under the default id only."""
    key = example_key()
    assert key.public.point.hex() == EXAMPLE_POINT
    signature = bytes.fromhex(
        "3046022100f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
        "022100b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
    )
    assert key.public.verify(b"message digest", signature)
    assert not key.public.verify(b"message digest", signature, signer_id=b"")
    assert not key.public.verify(b"message digesT", signature)
    assert not key.public.verify(b"message digest", signature + b"\x00")


def test_openssl_verifies_ours_and_we_its(tmp_path: Path) -> None:
    """Keys and signatures go both ways through `openssl pkeyutl`; SM3 is that of `openssl dgst`."""
    key = sm.PrivateKey.generate()
    message = tmp_path / "message"
    message.write_bytes(b"\xe5\x8d\xb0" * 1000)
    (tmp_path / "key.pem").write_bytes(key.pem)
    (tmp_path / "public.pem").write_bytes(key.public.pem)
    (tmp_path / "ours").write_bytes(key.sign(message.read_bytes()))
    raw = ["-rawin", "-digest", "sm3", "-in", message]
    judged = openssl("pkeyutl", "-verify", "-pubin", "-inkey", tmp_path / "public.pem", *raw, "-sigfile",
                     tmp_path / "ours", *_DISTID)  # fmt: skip
    assert b"Verified Successfully" in judged.stdout, judged.stderr
    openssl("pkeyutl", "-sign", "-inkey", tmp_path / "key.pem", *raw, "-out", tmp_path / "theirs", *_DISTID)
    assert key.public.verify(message.read_bytes(), (tmp_path / "theirs").read_bytes())
    made = openssl("genpkey", "-algorithm", "SM2").stdout
    theirs = sm.PrivateKey.from_pem(made)
    assert theirs.public.verify(b"m", theirs.sign(b"m"))
    assert sm.PrivateKey.from_der(theirs.der).public.spki == theirs.public.spki
    assert openssl("dgst", "-sm3", "-binary", message).stdout == sm.sm3(message.read_bytes())


def test_no_key_is_said() -> None:
    """Anything but one whole SM2 key is a typed error."""
    other = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256").stdout
    key = sm.PrivateKey.generate()
    off_curve = key.public.spki[:-1] + bytes((key.public.spki[-1] ^ 1,))
    for read, content in (
        (sm.PrivateKey.from_pem, other),
        (sm.PrivateKey.from_pem, b"-----BEGIN PRIVATE KEY-----\n?\n-----END PRIVATE KEY-----"),
        (sm.PrivateKey.from_pem, b""),
        (sm.PrivateKey.from_der, key.der + b"\x00"),
        (sm.PrivateKey.from_der, b""),
        (sm.PublicKey.from_spki, off_curve),
        (sm.PublicKey.from_spki, key.public.spki[:-1]),
    ):
        with pytest.raises(sm.SmKeyError):
            read(content)  # type: ignore[operator]


def test_threads_share_a_key() -> None:
    """One key signs in several threads at once."""
    key = sm.PrivateKey.generate()
    messages = [b"%d" % number for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        signatures = list(pool.map(key.sign, messages))
    assert all(key.public.verify(m, s) for m, s in zip(messages, signatures, strict=True))
    assert len(set(signatures)) == len(messages)


def test_absence_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a library nothing is tried in Python: one error that names what was looked for."""
    monkeypatch.setattr(sm, "_found", lambda: "no libcrypto 3 with SM2; tried nowhere.so")
    assert not sm.available()
    with pytest.raises(sm.SmUnavailableError, match="nowhere"):
        sm.PrivateKey.generate()


def test_a_library_that_fails_its_example_is_not_used() -> None:
    """A libcrypto is used only after it has proved itself; a file that is none is passed over."""
    with pytest.raises(libcrypto.LibcryptoAbsentError, match="libcrypto"):
        libcrypto.load(lambda _lib: False)
    with pytest.raises(libcrypto.LibcryptoAbsentError, match="absent"):
        libcrypto.load(lambda _lib: True, "/absent/libcrypto.so")
