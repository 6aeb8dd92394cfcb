"""`shuniu init`: where a new hub listens, and which cryptography it has."""

import ipaddress
from pathlib import Path

import pytest

from shuniu.cli import doctor, init
from shuniu.cli.main import parser
from shuniu.cli.place import Place
from shuniu.kit.crypto import sm
from shuniu.kit.process.config import EX_USAGE, ConfigError, HubSettings


@pytest.mark.parametrize("options", [[], ["--free-ports"], ["--host", "hub.example"]])
def test_listeners_are_given_as_addresses(options: list[str]) -> None:
    """Whatever the host name, listeners are IP addresses with ports: the edge binds addresses, not names."""
    edge, bus = init._addresses(parser().parse_args(["init", *options]))
    for address in (edge.people, edge.platforms, bus.listen, bus.websocket, bus.monitoring):
        host, _, port = address.rpartition(":")
        assert ipaddress.ip_address(host)
        assert 0 < int(port) < 65536


def test_issuer_and_platform_url_share_the_host() -> None:
    """Behind an external name both listeners are announced under it."""
    assert init._external("https://hub.example:8443", "0.0.0.0:9443") == "https://hub.example:9443"
    assert init._external("", "127.0.0.1:9443") == "https://127.0.0.1:9443"


def test_an_unknown_profile_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    """A profile that does not exist ends with 64 and the names of those that do."""
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["init", "--profile", "SM"])
    assert ended.value.code == EX_USAGE
    assert "'international', 'sm'" in capsys.readouterr().err


def test_a_machine_without_the_algorithms_makes_no_hub_of_the_profile_sm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says what is lacking and what to do, and nothing was made."""
    monkeypatch.setattr(sm, "missing", lambda: "no libcrypto 3 with SM2; tried nothing")
    arguments = parser().parse_args(["init", "--profile", "sm", "--free-ports", "--data", str(tmp_path / "hub")])
    with pytest.raises(ConfigError, match=r"no libcrypto 3 with SM2.*SHUNIU_LIBCRYPTO") as refused:
        init.run(arguments)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "hub").exists()


def test_the_check_up_says_what_a_hub_of_the_profile_sm_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Bad where the profile needs it, a remark where it does not; with the library's name when all is there."""
    place = Place(tmp_path)

    def found(name: str) -> doctor.Finding:
        hub = HubSettings("150000", "枢纽", "hub.example", "https://hub.example", tmp_path, tmp_path, profile=name)
        (finding,) = doctor._algorithms(place, hub)
        return finding

    assert found("sm").found.startswith("profile sm; SM2, SM3, SM4: OpenSSL")
    monkeypatch.setattr(sm, "missing", lambda: "no SM3")
    assert [(found(name).level, found(name).found) for name in ("sm", "international")] == [
        (doctor.BAD, "profile sm; no SM3"),
        (doctor.WARN, "profile international; no SM3"),
    ]


def test_what_is_made_is_the_owners_alone_and_the_check_up_sees_when_it_is_not(tmp_path: Path) -> None:
    """The data directory and the settings, which may come to name a database with its password; and three roles that lie
    in one place are one role.
    """
    data = tmp_path / "hub"
    init.run(parser().parse_args(["init", "--json", "--free-ports", "--data", str(data)]))
    place = Place(data)
    assert [path.stat().st_mode & 0o077 for path in (data, place.config, data / "keys", data / "operators")] == [0] * 4

    def told() -> dict[str, str]:
        return {
            one.what.split()[-1]: one.level for one in doctor._secrets(place, place.hub()) if one.level != doctor.GOOD
        }

    assert told() == {"roles": doctor.WARN, "keys": doctor.WARN}
    place.config.chmod(0o644)
    assert "file" not in told()
    text = place.config.read_text("utf-8")
    place.config.write_text(
        text.replace("[vault]", '[vault]\ndatabase_url = "postgresql://shuniu:x@db/vault"'), "utf-8"
    )
    assert told()["file"] == doctor.BAD
    place.config.chmod(0o600)
    for name in ("security", "audit"):
        (data / "operators" / name).rename(tmp_path / name)
    assert told() == {"keys": doctor.WARN}
