"""Keys in a PKCS #11 token (SoftHSM): they sign, they never leave, and the token's loss is survived."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from shuniu.kit.crypto import device_keys, device_pool
from shuniu.kit.crypto.device import Algorithm, KeyAwayError, KeyRefusedError, Reference
from shuniu.kit.crypto.key_files import KeyRoom, in_device
from shuniu.kit.crypto.keyring import UnreadableError
from shuniu.kit.crypto.pkcs11_token import Pkcs11Token
from shuniu.kit.crypto.pkcs11_uri import TokenUri
from shuniu.kit.errors import Code
from shuniu.kit.process.config import ConfigError
from tests.support.softhsm import CLIENT, RemoteToken, TokenPlace, needs_p11_kit, needs_softhsm

pytestmark = [pytest.mark.softhsm, needs_softhsm]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> TokenPlace:
    found = TokenPlace(tmp_path_factory.mktemp("hsm"))
    found.new_token("shuniu")
    return found


@pytest.fixture
def token(place: TokenPlace) -> Iterator[Pkcs11Token]:
    found = Pkcs11Token(place.parsed("shuniu"))
    yield found
    found.close()


@pytest.mark.parametrize("algorithm", [Algorithm.P256, Algorithm.P384, Algorithm.ED25519])
def test_a_key_made_in_the_token_signs_what_its_public_half_verifies(token: Pkcs11Token, algorithm: Algorithm):
    """Made in the token, found by its reference, right signature; nothing but the public half ever comes out."""
    made = token.generate("a-key", algorithm)
    again = Reference.read(made.content)
    assert again == made
    key = token.key(again)
    device_keys.check(key.spki, key.sign(b"message"), b"message")
    assert device_keys.algorithm_of(made.spki) is algorithm
    with pytest.raises(KeyRefusedError, match="does not leave"):
        if algorithm is Algorithm.ED25519:
            device_keys.Ed25519DeviceKey(key).private_bytes_raw()
        else:
            device_keys.EcDeviceKey(key).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )


def test_the_token_says_what_it_cannot(token: Pkcs11Token):
    """SM2 has no place in PKCS #11; a curve's key signs with its own hash only, whole messages or digests."""
    with pytest.raises(KeyRefusedError, match="sm2"):
        token.generate("sm", Algorithm.SM2)
    made = token.generate("a-key", Algorithm.P256)
    key = device_keys.EcDeviceKey(token.key(made))
    for other in (hashes.SHA384(), Prehashed(hashes.SHA384())):
        with pytest.raises(KeyRefusedError):
            key.sign(bytes(48), ec.ECDSA(other))
    signature = key.sign(sha256(b"x").digest(), ec.ECDSA(Prehashed(hashes.SHA256())))
    device_keys.check(made.spki, signature, b"x")
    with pytest.raises(KeyRefusedError):
        token.key(token.generate("ed", Algorithm.ED25519)).sign_digest(bytes(64))


def test_another_token_in_its_place_signs_nothing(token: Pkcs11Token, monkeypatch):
    """No such key, or not the one that the certificate bears: away, for logs to say why, and nothing is signed."""
    monkeypatch.setattr(device_pool, "PAUSE", 0.0)
    one, two = token.generate("one", Algorithm.P256), token.generate("two", Algorithm.P256)
    with pytest.raises(KeyAwayError, match="another key"):
        token.key(Reference(two.text, one.spki)).sign(b"x")
    with pytest.raises(KeyAwayError, match="holds no key nobody"):
        token.key(Reference("pkcs11:object=nobody", one.spki)).sign(b"x")
    token.check()


def test_handles_and_sessions_are_held(token: Pkcs11Token):
    """A thousand signatures by four threads open no more sessions than are allowed."""
    key = token.key(token.generate("busy", Algorithm.P256))
    with ThreadPoolExecutor(4) as pool:
        signatures = list(pool.map(key.sign, [b"%d" % n for n in range(200)]))
    assert len(set(signatures)) == 200
    assert token.sessions_opened <= 2


def test_wrapped_values_open_in_the_token_only_and_in_their_place(place: TokenPlace, tmp_path: Path):
    """Encrypted in the token, bound to its context; a changed byte or a moved value is unreadable, not an outage."""
    (room,) = KeyRoom.of(place.uri("shuniu"))
    room.add_wrapping(tmp_path / "kek", 32)
    assert in_device(tmp_path / "kek" / "000001.key")
    ring = room.keyring(tmp_path / "kek")
    value = ring.encrypt(b"seal key", b"seal/1/key")
    assert ring.decrypt(value, b"seal/1/key") == b"seal key"
    for wrong, context in ((value, b"seal/2/key"), (value[:-1] + bytes([value[-1] ^ 1]), b"seal/1/key")):
        with pytest.raises(UnreadableError):
            ring.decrypt(wrong, context)
    with pytest.raises(ConfigError, match="none such is set"):
        KeyRoom().keyring(tmp_path / "kek")
    room.close()


def test_a_token_taken_out_is_away_and_works_when_it_is_back(place: TokenPlace, token: Pkcs11Token, monkeypatch):
    """Out: HSM_AWAY at once for everybody. Back: the same objects sign and open again, without a restart."""
    monkeypatch.setattr(device_pool, "PAUSE", 0.0)
    key = token.key(token.generate("lost", Algorithm.P256))
    cipher = token.cipher(token.generate_cipher("kek"))
    sealed = cipher.encrypt(bytes(12), b"key", b"row")
    assert key.sign(b"before")
    place.take_out()
    try:
        for work in (lambda: key.sign(b"x"), lambda: cipher.decrypt(bytes(12), sealed, b"row"), token.check):
            with pytest.raises(KeyAwayError) as away:
                work()
            assert (away.value.code, away.value.reason) == (Code.UNAVAILABLE, "HSM_AWAY")
    finally:
        place.put_back()
    device_keys.check(key.spki, key.sign(b"after"), b"after")
    assert cipher.decrypt(bytes(12), sealed, b"row") == b"key"
    with pytest.raises(InvalidTag):
        cipher.decrypt(bytes(12), sealed, b"other row")


def test_nobody_queues_up_for_a_token_that_is_away(place: TokenPlace, token: Pkcs11Token):
    """After one has found it away, the others hear so without asking it again for a while."""
    key = token.key(token.generate("pause", Algorithm.P256))
    place.take_out()
    try:
        with pytest.raises(KeyAwayError):
            key.sign(b"x")
    finally:
        place.put_back()
    started = time.perf_counter()
    with pytest.raises(KeyAwayError, match="a moment ago"):
        key.sign(b"x")
    assert time.perf_counter() - started < 0.05


@needs_p11_kit
def test_a_device_that_dies_and_starts_again_is_survived(place: TokenPlace, monkeypatch):
    """Killed in the middle of use by several threads: away; started again: the same object signs on."""
    monkeypatch.setattr(device_pool, "PAUSE", 0.0)
    remote = RemoteToken(place, "shuniu")
    remote.start()
    token = Pkcs11Token(TokenUri.parse(place.uri("shuniu", module=CLIENT, sessions=3)))
    try:
        key = token.key(token.generate("remote", Algorithm.P256))
        assert key.sign(b"x")
        remote.kill()

        def attempt(_: int) -> str:
            try:
                key.sign(b"x")
            except KeyAwayError as error:
                return error.reason
            return "signed"

        with ThreadPoolExecutor(3) as pool:
            assert set(pool.map(attempt, range(9))) == {"HSM_AWAY"}
        remote.start()
        device_keys.check(key.spki, key.sign(b"after"), b"after")
    finally:
        token.close()
        if remote.process is not None:
            remote.kill()


def test_a_wrong_pin_is_tried_once(place: TokenPlace, tmp_path: Path):
    """A PIN given again and again locks a token: after the first refusal nobody asks until the process starts anew."""
    place.new_token("pin")
    uri = place.parsed("pin")
    wrong = tmp_path / "pin"
    wrong.write_text("0000")
    wrong.chmod(0o600)
    token = Pkcs11Token(TokenUri(uri.token, "", uri.module, wrong, 1))
    for _ in range(5):
        with pytest.raises(KeyAwayError, match="PIN"):
            token.check()
    Pkcs11Token(uri).check()


@pytest.mark.parametrize(
    ("uri", "what"),
    [
        ("pkcs11:?module-path=/m&pin-source=/p", "token is missing"),
        ("pkcs11:token=a?module-path=/m", "pin-source is missing"),
        ("pkcs11:token=a?module-path=/m&pin-value=1234", "a PIN lies in a file"),
        ("pkcs11:token=a;colour=red?module-path=/m&pin-source=/p", "colour"),
        ("pkcs11:token=a?module-path=/m&pin-source=/p&x-sessions=0", "x-sessions"),
        ("tpm:whatever", "no place for keys"),
    ],
)
def test_a_setting_that_is_wrong_says_what(uri: str, what: str):
    """Each mistake in a key URI is named when the process starts."""
    with pytest.raises(ConfigError, match=what):
        KeyRoom.of(uri)
