"""Keys in a GM/T 0018 device: a mock in C that computes with libcrypto and fails when it is told to."""

import ctypes
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from services.esign.certification.sm2_checks import verifies
from services.esign.config import EsignSettings, KeyFiles
from services.esign.keys import secrets as keys
from shuniu.kit.crypto import device_pool, sdf, sm
from shuniu.kit.crypto.device import Algorithm, KeyAwayError, KeyRefusedError, Reference
from shuniu.kit.crypto.key_files import KeyRoom
from shuniu.kit.crypto.keyring import UnreadableError
from shuniu.kit.crypto.sdf_device import SdfDevice, SdfUri
from shuniu.kit.errors import Code
from shuniu.kit.process.config import ConfigError, HubSettings

SOURCE = Path(__file__).parents[1] / "support" / "sdf_mock.c"
PASSWORD = "sdf-test"

pytestmark = [
    pytest.mark.gcc,
    pytest.mark.skipif(
        shutil.which("gcc") is None or not Path("/usr/include/openssl/evp.h").exists(),
        reason="gcc or libssl-dev is absent (make test-deps)",
    ),
    pytest.mark.skipif(not sm.available(), reason="no libcrypto with SM2"),
]


@dataclass
class Mock:
    """The device, and what only a test can tell it."""

    library: Path
    pin_file: Path
    told: ctypes.CDLL = field(init=False)

    def __post_init__(self) -> None:
        self.told = ctypes.CDLL(str(self.library))

    @property
    def uri(self) -> str:
        keys_at = "&key=esign-sm2-seal-ca:1&key=esign-sm2-maker:2&key=esign-sm2-tsa:3"
        return f"sdf:?library={self.library}&pin-source=file:{self.pin_file}{keys_at}&kek=1&x-sessions=2"

    def fail(self, function: str, rv: int, times: int = 1) -> None:
        self.told.mock_fail(function.encode(), ctypes.c_uint(rv), ctypes.c_uint(times))


@pytest.fixture(scope="module")
def mock(tmp_path_factory: pytest.TempPathFactory) -> Mock:
    folder = tmp_path_factory.mktemp("sdf")
    library = folder / "libsdf_mock.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-lcrypto"], check=True)
    pin = folder / "pin"
    pin.write_text(PASSWORD)
    pin.chmod(0o600)
    return Mock(library, pin)


@pytest.fixture
def device(mock: Mock, monkeypatch: pytest.MonkeyPatch) -> Iterator[SdfDevice]:
    monkeypatch.setattr(device_pool, "PAUSE", 0.0)
    found = SdfDevice(SdfUri.parse(mock.uri))
    yield found
    found.close()


def test_the_device_signs_what_any_sm2_verifier_accepts(device: SdfDevice):
    """Signed at an index with Z of the default signer id; libcrypto verifies it, and no other message."""
    made = device.generate("esign-sm2-maker", Algorithm.SM2)
    again = Reference.read(made.content)
    assert again == made
    public = sm.PublicKey.from_spki(made.spki)
    signature = device.key(again).sign(b"message")
    assert public.verify(b"message", signature)
    assert not public.verify(b"other", signature)


def test_structures_are_the_standard_s():
    """ECCrefPublicKey and ECCSignature: 64-byte halves, as GM/T 0018 has them; a number that is too large is refused."""
    assert (ctypes.sizeof(sdf.EccPublicKey), ctypes.sizeof(sdf.EccSignature)) == (132, 128)
    wrong = sdf.EccPublicKey(256)
    wrong.x[0] = 1
    with pytest.raises(sdf.SdfError):
        _ = wrong.point


def test_wrapped_values_open_in_the_device_only_and_in_their_place(mock: Mock, tmp_path: Path):
    """SM4 keys that exist in the clear in the device only; a changed byte or a moved value does not open."""
    _, room = KeyRoom.of("file", mock.uri)
    room.add_wrapping(tmp_path / "kek", 16)
    ring = room.keyring(tmp_path / "kek")
    for plain in (b"", b"seal key", bytes(16), bytes(1000)):
        value = ring.encrypt(plain, b"seal/1/key")
        assert ring.decrypt(value, b"seal/1/key") == plain
    for at in (4, 20, len(value) - 1):
        with pytest.raises(UnreadableError):
            ring.decrypt(value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :], b"seal/1/key")
    with pytest.raises(UnreadableError):
        ring.decrypt(value, b"seal/2/key")
    other = KeyRoom.of("file", mock.uri)[1].keyring(tmp_path / "kek")
    assert other.decrypt(value, b"seal/1/key") == bytes(1000)


@pytest.mark.parametrize(
    ("function", "rv"),
    [
        ("SDF_InternalSign_ECC", sdf.Rv.COMMUNICATION),
        ("SDF_InternalSign_ECC", sdf.Rv.HARDWARE),
        ("SDF_InternalSign_ECC", sdf.Rv.NO_RIGHT),
        ("SDF_InternalSign_ECC", 0x010000FF),
        ("SDF_OpenSession", sdf.Rv.OPEN_SESSION),
    ],
)
def test_one_failure_is_not_noticed(mock: Mock, device: SdfDevice, function: str, rv: int):
    """A lost session, a lost right, a vendor's own code: tried again with a new session, and the signature is right."""
    made = device.generate("esign-sm2-maker", Algorithm.SM2)
    key = device.key(made)
    key.sign(b"before")
    mock.fail(function, rv)
    assert sm.PublicKey.from_spki(made.spki).verify(b"x", key.sign(b"x"))


def test_a_device_that_is_away_is_survived(mock: Mock, device: SdfDevice):
    """Unplugged in use by several threads: HSM_AWAY. Back, its sessions and keys gone: the same objects work on."""
    made = device.generate("esign-sm2-seal-ca", Algorithm.SM2)
    key, cipher = device.key(made), device.cipher(device.generate_cipher("kek"))
    sealed = cipher.encrypt(bytes(12), b"key", b"row")
    key.sign(b"x")
    mock.told.mock_unplug()

    def attempt(_: int) -> tuple[Code, str]:
        with pytest.raises(KeyAwayError) as away:
            key.sign(b"x")
        return away.value.code, away.value.reason

    try:
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(attempt, range(8))) == {(Code.UNAVAILABLE, "HSM_AWAY")}
        with pytest.raises(KeyAwayError):
            cipher.decrypt(bytes(12), sealed, b"row")
    finally:
        mock.told.mock_plug()
    assert sm.PublicKey.from_spki(made.spki).verify(b"after", key.sign(b"after"))
    assert cipher.decrypt(bytes(12), sealed, b"row") == b"key"


def test_a_wrong_password_is_tried_once(mock: Mock, tmp_path: Path):
    """After the first refusal nobody gives it again until the process starts anew: the device would lock the key."""
    wrong = tmp_path / "pin"
    wrong.write_text("wrong")
    wrong.chmod(0o600)
    device = SdfDevice(SdfUri.parse(mock.uri.replace(str(mock.pin_file), str(wrong))))
    made = device.generate("esign-sm2-maker", Algorithm.SM2)
    key = device.key(made)
    for _ in range(3):
        with pytest.raises(KeyAwayError, match="PIN or password"):
            key.sign(b"x")
    opened = device.sessions_opened
    with pytest.raises(KeyAwayError):
        key.sign(b"x")
    assert device.sessions_opened == opened
    device.close()


def test_what_the_device_cannot_is_said(mock: Mock, device: SdfDevice):
    """No key at a name that is not set, no other algorithm; another key at an index signs nothing."""
    for label, algorithm in (("esign-qr", Algorithm.SM2), ("esign-sm2-maker", Algorithm.P256)):
        with pytest.raises(KeyRefusedError, match="no key="):
            device.generate(label, algorithm)
    one, two = device.generate("esign-sm2-seal-ca", Algorithm.SM2), device.generate("esign-sm2-maker", Algorithm.SM2)
    with pytest.raises(KeyAwayError, match="another key"):
        device.key(Reference(two.text, one.spki)).sign(b"x")
    mock.fail("SDF_GenerateKeyWithKEK", sdf.Rv.NO_MODE)
    with pytest.raises(KeyRefusedError, match="NO_MODE"):
        device.generate_cipher("kek")


@pytest.mark.parametrize(
    ("uri", "what"),
    [
        ("sdf:library=/l", r"sdf:\?library"),
        ("sdf:?library=/l", "pin-source is missing"),
        ("sdf:?library=/l&pin-source=/p&key=a:b", "index is a number"),
        ("sdf:?library=/l&pin-source=/p&x-sm4=zz", "x-sm4"),
        ("sdf:?library=/l&pin-source=/p&colour=red", "colour"),
        ("sdf:?library=/absent.so&pin-source=/p", "no GM/T 0018 library"),
    ],
)
def test_a_setting_that_is_wrong_says_what(uri: str, what: str):
    """Each mistake in a device's setting is named when the process starts."""
    with pytest.raises(ConfigError, match=what):
        KeyRoom.of(uri)


def test_a_hub_whose_sm2_side_lies_in_the_device(mock: Mock, tmp_path: Path):
    """`shuniu init`: seal CA, maker, timestamps and SM4 wrapping in the device; what the maker signs verifies."""
    for name in ("keys", "pki"):
        (tmp_path / name).mkdir()
    hub = HubSettings("150000", "hub", "hub.test", "https://hub.test", tmp_path, tmp_path)
    settings = EsignSettings(sm_keys=mock.uri)
    keys.make(hub, settings)
    files = KeyFiles(tmp_path)
    assert files.sm2("seal-ca")[1].read_bytes().startswith(b"sdf:index=1\n")
    assert files.sm2("maker")[1].read_bytes().startswith(b"sdf:index=2\n")
    assert not [name for name in keys.software_keys(files) if name in ("esign-sm2-seal-ca.key", "esign-sm2-maker.key")]
    assert keys.add_wrapping_key(replace(hub, profile="sm"), settings) == 2
    assert (files.keyring / "000002.key").read_bytes().startswith(b"sdf:kek=1;")
    secrets = keys.Secrets.load(hub, settings)
    assert secrets.sm is not None
    signature = secrets.sm.maker.sign(b"eSealInfo")
    assert verifies(secrets.sm.maker.spki, b"eSealInfo", signature)
    assert secrets.keyring.decrypt(secrets.keyring.encrypt(b"key", b"row"), b"row") == b"key"
    secrets.close()
