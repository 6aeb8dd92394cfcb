"""Settings are typed; whatever is wrong with them is said in one line that names file and key."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pytest

from shuniu.kit.foundation import ServiceSettings
from shuniu.kit.process.config import ConfigError, HubSettings, Within, load, secret
from shuniu.kit.process.durable import write_secret


@dataclass(frozen=True, slots=True)
class Settings:
    name: str
    port: Annotated[int, Within(1, 65_535)] = 8443
    share: float = 0.5
    strict: bool = False
    place: Path = Path("here")
    hosts: tuple[str, ...] = ()
    limits: dict[str, int] = field(default_factory=dict)
    note: str | None = None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "hub.toml"


def loaded(file: Path, text: str) -> Settings:
    file.write_text(text, "utf-8")
    return load(Settings, file, "web")


def test_everything_given(file: Path) -> None:
    """Each key arrives in its own type; an integer is good enough for a share."""
    text = """[web]
    name = "枢纽"
    port = 1
    share = 1
    strict = true
    place = "/x"
    hosts = ["a", "b"]
    limits = {read = 3}
    note = "n"
    """
    expected = Settings("枢纽", 1, 1.0, strict=True, place=Path("/x"), hosts=("a", "b"), limits={"read": 3}, note="n")
    assert loaded(file, text) == expected


def test_absent_keys_have_their_default(file: Path) -> None:
    """Only keys without default must be given; other sections are not this process's business."""
    assert loaded(file, '[web]\nname = "x"\n[other]\nunknown = 1') == Settings("x")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[web]\nname = "x"\nprot = 1', "prot: unknown key"),
        ("[web]\nport = 1", "name: missing"),
        ("", "name: missing"),
        ("web = 3", "must be a table"),
        ("[web]\nname = 3", "name: must be of type str"),
        ('[web]\nname = "x"\nport = "1"', "port: must be of type int"),
        ('[web]\nname = "x"\nport = true', "port: must be of type int"),
        ('[web]\nname = "x"\nport = 1.5', "port: must be of type int"),
        ('[web]\nname = "x"\nport = 0', "port: must be from 1 to 65535"),
        ('[web]\nname = "x"\nport = 65536', "port: must be from 1 to 65535"),
        ('[web]\nname = "x"\nshare = true', "share: must be of type float"),
        ('[web]\nname = "x"\nstrict = 1', "strict: must be of type bool"),
        ('[web]\nname = "x"\nplace = 1', "place: must be a path"),
        ('[web]\nname = "x"\nplace = ""', "place: must not be an empty path"),
        ('[web]\nname = "x"\nhosts = "a"', "hosts: must be a list"),
        ('[web]\nname = "x"\nhosts = [1]', "hosts: must be of type str"),
        ('[web]\nname = "x"\nlimits = 1', "limits: must be a table"),
        ('[web]\nname = "x"\nnote = 1', "note: must be of type str"),
        ("[web", "is not valid TOML"),
        ('[web]\nname = "a"\nname = "b"', "is not valid TOML"),
    ],
)
def test_what_is_wrong_is_named(file: Path, text: str, key: str) -> None:
    """An unknown key, a missing one or one of another type is fatal, in one line with file and key."""
    with pytest.raises(ConfigError) as refused:
        loaded(file, text)
    assert key in str(refused.value)
    assert str(refused.value).startswith(str(file))
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is absent or not text is named."""
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read"):
        load(Settings, tmp_path / "nowhere.toml", "web")
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"x\.toml: is not valid TOML"):
        load(Settings, tmp_path / "x.toml", "web")


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("NAME", "env", "env"),
        ("PORT", "9", 9),
        ("SHARE", "0.25", 0.25),
        ("STRICT", "true", True),
        ("PLACE", "/y", Path("/y")),
        ("HOSTS", "a,b", ("a", "b")),
        ("NOTE", "n", "n"),
    ],
)
def test_the_environment_wins(
    file: Path, monkeypatch: pytest.MonkeyPatch, key: str, text: str, expected: object
) -> None:
    """SHUNIU_<SECTION>_<KEY> overrides the file, in the key's type."""
    monkeypatch.setenv(f"SHUNIU_WEB_{key}", text)
    settings = loaded(file, '[web]\nname = "x"\nport = 1')
    assert getattr(settings, key.lower()) == expected


@pytest.mark.parametrize(
    ("key", "text"), [("PORT", "x"), ("PORT", "0"), ("SHARE", "x"), ("STRICT", "yes"), ("LIMITS", "{}"), ("PLACE", "")]
)
def test_a_wrong_variable_is_named(file: Path, monkeypatch: pytest.MonkeyPatch, key: str, text: str) -> None:
    """A variable of the wrong type is fatal, under its own name; a table cannot come from a variable."""
    monkeypatch.setenv(f"SHUNIU_WEB_{key}", text)
    with pytest.raises(ConfigError, match=f"SHUNIU_WEB_{key}"):
        loaded(file, '[web]\nname = "x"')


@pytest.mark.parametrize("kind", [HubSettings, ServiceSettings])
def test_secrets_are_files(kind: type) -> None:
    """No setting holds a secret itself: a password or key is the path of a file."""
    for name, hint in kind.__annotations__.items():
        if any(word in name for word in ("password", "secret", "token", "key", "creds")):
            assert hint is Path


def test_a_secret_is_for_its_owner_only(tmp_path: Path) -> None:
    """A written secret is 0600 and never overwritten; one that others may read is refused with the mend."""
    path = tmp_path / "x.key"
    write_secret(path, b"s")
    assert (secret(path), path.stat().st_mode & 0o777) == (b"s", 0o600)
    with pytest.raises(FileExistsError):
        write_secret(path, b"t")
    assert secret(path) == b"s"
    for mode in (0o640, 0o604, 0o644):
        path.chmod(mode)
        with pytest.raises(ConfigError, match="chmod 600"):
            secret(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        secret(tmp_path / "absent")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1" + "0" * 400])
def test_a_number_is_finite(file: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """In the file and in the environment: no bound holds for what compares with nothing."""
    with pytest.raises(ConfigError, match="must be a finite number"):
        loaded(file, f'[web]\nname = "x"\nshare = {value}\n')
    monkeypatch.setenv("SHUNIU_WEB_SHARE", value)
    with pytest.raises(ConfigError, match="SHUNIU_WEB_SHARE: must be a finite number"):
        loaded(file, '[web]\nname = "x"\n')
