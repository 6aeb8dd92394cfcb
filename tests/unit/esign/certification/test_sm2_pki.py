"""SM2 certificates: accepted by openssl, and paths refused for every reason that matters."""

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from services.esign.certification import sm2_checks
from services.esign.certification.domain import sm2_chain, sm2_pki
from services.esign.certification.domain.chain import ChainError
from services.esign.config import KeyFiles
from services.esign.keys import sm2 as sm_keys
from shuniu.kit.crypto import sm
from shuniu.kit.process.config import ConfigError
from tests.support.esign import NOW_US, ORGANISATION
from tests.support.sm import sm_setting


def _loaded() -> tuple[sm2_chain.Sm2Certificate, ...]:
    made = sm_setting()
    return tuple(sm2_chain.load(s.certificate) for s in (made.root, made.ca, made.maker, made.seal))


def test_openssl_accepts_the_path(tmp_path: Path) -> None:
    """`openssl verify` follows root, seal CA, maker and seal, under the signer id that is always explicit."""
    made = sm_setting()
    for name, signer in (("root", made.root), ("ca", made.ca), ("maker", made.maker), ("seal", made.seal)):
        (tmp_path / name).write_bytes(sm_keys.certificate_pem(signer.certificate))
    # One level a call: openssl 3.0 gives the signer id to the certificate that is judged, not to those above it.
    for name, above in (("ca", "root"), ("maker", "ca"), ("seal", "ca")):
        judged = subprocess.run(
            [
                "openssl", "verify", "-x509_strict", "-partial_chain", "-attime", str(NOW_US // 1_000_000), "-vfyopt",
                f"distid:{sm.SIGNER_ID.decode()}", "-CAfile", tmp_path / above, tmp_path / name,
            ],
            capture_output=True,
            check=False,
        )  # fmt: skip
        assert judged.stdout.decode() == f"{tmp_path}/{name}: OK\n", judged.stderr
    shown = subprocess.run(
        ["openssl", "x509", "-in", tmp_path / "seal", "-noout", "-text", "-nameopt", "utf8"],
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert "SM2-with-SM3" in shown
    assert ORGANISATION in shown


def test_path_is_built_and_checked() -> None:
    """Seal and maker lead to the root; without the root, or with a changed certificate, there is no path."""
    root, ca, maker, seal = _loaded()
    for signer in (maker, seal):
        sm2_chain.check_signer(signer)
        assert sm2_chain.build(signer, [ca], [root], sm2_checks.verifies) == [signer, ca, root]
    assert seal.name == ORGANISATION
    with pytest.raises(ChainError, match="no trusted") as caught:
        sm2_chain.build(seal, [ca], [], sm2_checks.verifies)
    assert caught.value.unknown
    changed = replace(seal, body=seal.body.replace(b"CN", b"DE"))
    with pytest.raises(ChainError, match="no trusted"):
        sm2_chain.build(changed, [ca], [root], sm2_checks.verifies)


def test_a_seal_is_no_authority() -> None:
    """A certificate issued with a seal's key is refused, and so is an authority that signs documents."""
    root, ca, _, seal = _loaded()
    made = sm_setting()
    key = sm.PrivateKey.generate()
    below = sm2_chain.load(sm2_pki.issue_seal_certificate(made.seal, key.public.spki, "伪造机关", "X", NOW_US))
    with pytest.raises(ChainError, match="no trusted root"):
        sm2_chain.build(below, [seal, ca], [root], sm2_checks.verifies)
    with pytest.raises(ChainError, match="not for signing"):
        sm2_chain.check_signer(ca)
    under = sm2_pki.make_seal_ca(made.ca, sm_keys.pair(key), "下级", NOW_US)
    deep = sm2_pki.issue_seal_certificate(under, key.public.spki, "机关", "X", NOW_US)
    with pytest.raises(ChainError, match="longer than"):
        sm2_chain.build(sm2_chain.load(deep), [sm2_chain.load(under.certificate), ca], [root], sm2_checks.verifies)


def test_every_cut_and_flipped_byte_is_noticed() -> None:
    """No byte of a certificate can change without the path failing: one reading, wholly signed."""
    root, ca, _, seal = _loaded()
    sm2_chain.build(seal, [ca], [root], sm2_checks.verifies)
    for at in range(0, len(seal.der), 3):
        changed = bytearray(seal.der)
        changed[at] ^= 0x01
        with pytest.raises(ChainError):
            sm2_chain.build(sm2_chain.load(bytes(changed)), [ca], [root], sm2_checks.verifies)
    for size in range(0, len(seal.der), 16):
        with pytest.raises(ChainError):
            sm2_chain.load(seal.der[:size])


def test_keys_are_made_once_and_may_be_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub without SM2 keys runs without; making them twice changes nothing; wanting them without is told."""
    for name in ("pki", "keys"):
        (tmp_path / name).mkdir(mode=0o700)
    files = KeyFiles(tmp_path)
    assert sm_keys.SmSecrets.load(files, wanted=None) is None
    with pytest.raises(ConfigError, match="shuniu init"):
        sm_keys.SmSecrets.load(files, wanted=True)
    now_us = time.time_ns() // 1000
    sm_keys.make(files, "枢纽", now_us)
    first = sm_keys.SmSecrets.load(files, wanted=None)
    sm_keys.make(files, "枢纽", now_us)
    again = sm_keys.SmSecrets.load(files, wanted=True)
    assert first is not None
    assert again is not None
    assert first.maker.certificate == again.maker.certificate
    assert files.sm2("maker")[1].stat().st_mode & 0o777 == 0o600
    assert sm_keys.SmSecrets.load(files, wanted=False) is None
    monkeypatch.setattr(sm, "_found", lambda: "no libcrypto 3 with SM2; tried nowhere.so")
    assert sm_keys.SmSecrets.load(files, wanted=None) is None
    with pytest.raises(ConfigError, match="nowhere"):
        sm_keys.SmSecrets.load(files, wanted=True)


def test_large_messages_are_not_remembered() -> None:
    """What a hostile sender makes large is checked and forgotten, and so is what does not verify; a key that is none
    verifies nothing.
    """
    key = sm.PrivateKey.generate()
    sm2_checks.remembered.cache_clear()
    for size in (10, 100_000):
        message = bytes(size)
        assert sm2_checks.verifies(key.public.spki, message, key.sign(message))
        assert not sm2_checks.verifies(key.public.spki, message + b"x", key.sign(message))
    assert sm2_checks.remembered.cache_info().currsize == 1
    assert not sm2_checks.verifies(bytes(100_000), b"", b"")
