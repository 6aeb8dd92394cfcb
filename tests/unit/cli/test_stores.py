"""Where the command line finds the stores: where the services do."""

import dataclasses
from pathlib import Path

import pytest

from shuniu.cli.place import EdgePlace, Place
from shuniu.cli.settings_text import with_key
from shuniu.cli.stores import PACKAGES, databases
from shuniu.kit.process.config import ConfigError, variable_of

HUB = """[hub]
code = "150000"
name = "枢纽"
trust_domain = "hub.example"
issuer = "https://hub.example"
data_dir = "/srv/hub"
run_dir = "/run/hub"
[edge]
people = "0.0.0.0:8443"
platforms = "0.0.0.0:9443"
templates = "not of the command line"
[exchange]
calendar_file = "/etc/calendar.toml"
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "hub.toml").write_text(HUB, "utf-8")
    return Place(tmp_path)


def test_without_more_settings_each_store_is_a_file(place: Place) -> None:
    """In the data directory, under the service's name."""
    found = databases(place)
    assert [one.service for one in found] == [*PACKAGES]
    assert all(one.is_file and one.file == Path(f"/srv/hub/db/{one.service}.db") for one in found)


def test_the_environment_wins_for_the_command_line_too(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """For stores, and for where the edge listens."""
    monkeypatch.setenv(variable_of("exchange", "database_url"), "postgresql://shuniu@db/exchange")
    monkeypatch.setenv(variable_of("edge", "people"), "0.0.0.0:443")
    found = {one.service: one for one in databases(place)}
    assert found["exchange"].url == "postgresql://shuniu@db/exchange"
    assert found["identity"].is_file
    assert place.edge() == EdgePlace("127.0.0.1:443", "127.0.0.1:9443")


@pytest.mark.parametrize("password", ["plain", "p@ss", "a:b/c?d#e%40 f", "口令"])
def test_a_password_stands_in_a_file_as_it_is(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    """Whatever characters it has, it reaches the driver, and the host stays the host; a line end is no part of it."""
    from sqlalchemy import make_url

    file = tmp_path / "password"
    file.write_text(password + "\n", "utf-8")
    file.chmod(0o600)
    monkeypatch.setenv(variable_of("esign", "database_url"), "postgresql://shuniu@db:5433/esign?host=/run/pg")
    monkeypatch.setenv(variable_of("esign", "database_password_file"), str(file))
    esign = {one.service: one for one in databases(place)}["esign"]
    url = make_url(esign.url)
    assert (url.username, url.password, url.host, url.port, url.database) == ("shuniu", password, "db", 5433, "esign")
    assert password not in repr(esign)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        databases(place)


@pytest.mark.parametrize(
    "url", ["postgresql://shuniu:p@ss@db/esign", "postgresql://shuniu:@@db/esign", "postgresql://shuniu:a@b@c@db"]
)
def test_a_password_that_would_be_taken_for_a_host_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """The sentence says what to write, and nothing of the password: otherwise part of it is asked of a name server."""
    monkeypatch.setenv(variable_of("esign", "database_url"), url)
    with pytest.raises(ConfigError, match="%40") as refused:
        databases(place)
    assert "ss" not in str(refused.value).replace("password", "").replace("[esign]", "")


def test_a_password_file_needs_an_url_that_names_the_user(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One password, in one place."""
    for url in ("", "postgresql://db/esign", "postgresql://shuniu:other@db/esign"):
        monkeypatch.setenv(variable_of("esign", "database_url"), url)
        monkeypatch.setenv(variable_of("esign", "database_password_file"), str(tmp_path / "password"))
        with pytest.raises(ConfigError, match="names a user and no password"):
            databases(place)


def test_one_key_is_changed_and_the_rest_stays_as_it_was_written() -> None:
    """Set where there is none, replaced, taken away; comments and order stay."""
    text = '# mine\n[hub]\na = "1" # first\n\n[esign]\ndatabase_url = "x"\nb = ["]", "[hub]"]\n'
    assert with_key(text, "esign", "database_url", None) == text.replace('database_url = "x"\n', "")
    assert with_key(text, "hub", "a", 'with "quotes"') == text.replace('a = "1" # first', 'a = "with \\"quotes\\""')
    assert with_key("", "web", "x", "y") == '[web]\nx = "y"\n'
    with pytest.raises(ConfigError, match="by hand"):
        with_key('hub = { a = "1" }\n', "hub", "a", "2")


def test_a_database_says_nothing_of_its_url() -> None:
    """It may hold a password, and errors quote what they are given."""
    from shuniu.cli.stores import Database

    assert [one.name for one in dataclasses.fields(Database) if not one.repr] == ["url"]
