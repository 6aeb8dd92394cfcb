"""What esign signs with in each profile, from one set of keys: a hub may change its profile."""

from pathlib import Path

import pytest

from services.esign import commands
from services.esign.config import EsignSettings
from services.esign.domain import sm2
from services.esign.domain.digests import SHA256, SM3
from services.esign.keys.secrets import Secrets
from shuniu.kit.process.config import ConfigError, HubSettings


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("hub")
    for folder in ("keys", "pki"):
        (found / folder).mkdir(mode=0o700)
    (found / "hub.toml").write_text(
        '[hub]\ncode = "150000"\nname = "枢纽"\ntrust_domain = "hub.example"\nissuer = "https://hub.example"\n'
        f'data_dir = "{found}"\nrun_dir = "{found}"\n\n[esign]\n'
    )
    commands.initialise(found / "hub.toml")
    return found


def hub(data: Path, profile: str) -> HubSettings:
    return HubSettings("150000", "枢纽", "hub.example", "https://hub.example", data, data, profile=profile)


def test_the_profile_chooses_among_the_keys_that_are_there(data: Path) -> None:
    """Timestamps and entries follow the profile; both roots stay trusted, so that nothing older is lost."""
    before, after = (Secrets.load(hub(data, name), EsignSettings()) for name in ("international", "sm"))
    assert (before.digest, after.digest) == (before.marks.digest, after.marks.digest) == (SHA256, SM3)
    assert before.tsa is not None
    assert after.tsa is not None
    assert (before.tsa.digest, after.tsa.digest) == (SHA256, SM3)
    assert after.tsa.key.algorithm == sm2.ALGORITHM != before.tsa.key.algorithm
    assert before.sm is not None
    assert after.sm is not None
    assert before.sm.root == after.sm.root
    assert before.seal_ca.der == after.seal_ca.der


@pytest.mark.parametrize("setting", ["ca_url", "signer_url"])
def test_another_authoritys_seals_are_not_of_the_profile_sm(data: Path, setting: str) -> None:
    """They would be P-256: such settings end the start, rather than seal with the wrong key or be passed over."""
    with pytest.raises(ConfigError, match="profile sm"):
        Secrets.load(hub(data, "sm"), EsignSettings(**{setting: "https://ca.example"}))


def test_the_keys_of_sm2_are_wanted_in_the_profile_sm(data: Path, tmp_path: Path) -> None:
    """A hub without them does not start, whatever is said of seal signatures beside the document."""
    for folder in ("keys", "pki"):
        (tmp_path / folder).mkdir()
        for path in (data / folder).iterdir():
            if path.is_file() and "sm2" not in path.name:
                (tmp_path / folder / path.name).write_bytes(path.read_bytes())
                (tmp_path / folder / path.name).chmod(0o600)
    (tmp_path / "keys" / "esign-kek").mkdir(mode=0o700)
    key = tmp_path / "keys" / "esign-kek" / "000001.key"
    key.write_bytes((data / "keys" / "esign-kek" / "000001.key").read_bytes())
    key.chmod(0o600)
    assert Secrets.load(hub(tmp_path, "international"), EsignSettings()).sm is None
    with pytest.raises(ConfigError, match="SM2 keys"):
        Secrets.load(hub(tmp_path, "sm"), EsignSettings(ses_sidecar=False))
