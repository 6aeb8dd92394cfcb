"""Every service has the same rooms, so that who knows one finds the way in all."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = sorted(path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("services/**/__main__.py"))

FILES = ["README.md", "__main__.py", "app.py", "commands.py", "config.py", "events.py", "metrics.py"]
# A room that grew is a folder of the same name.
GROWING = ["service", "store"]

# Names that say nothing of what is inside.
NAMELESS = re.compile(r"(utils?|helpers?|managers?|base|common|misc)\.py")
MOST_LINES = 500


def sources() -> list[Path]:
    return [
        path
        for folder in ("shuniu", "services", "gateway", "examples")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "shuniu/api/" not in path.as_posix() and "node_modules" not in path.parts
    ]


def test_all_services_are_there() -> None:
    """Four services and the vault are processes of their own."""
    assert SERVICES == [
        "services/catalogue",
        "services/esign",
        "services/exchange",
        "services/identity",
        "services/identity/vault",
    ]


@pytest.mark.parametrize("room", FILES)
@pytest.mark.parametrize("service", SERVICES)
def test_room_is_there(service: str, room: str) -> None:
    """A file of this name stands in every service and is not empty."""
    assert (ROOT / service / room).read_text("utf-8").strip()


@pytest.mark.parametrize("room", GROWING)
@pytest.mark.parametrize("service", SERVICES)
def test_room_is_a_file_or_a_folder(service: str, room: str) -> None:
    """Servicers and store stand under the same name everywhere, in one form, not in two."""
    file, folder = ROOT / service / f"{room}.py", ROOT / service / room
    assert file.is_file() != folder.is_dir()


@pytest.mark.parametrize("service", SERVICES)
def test_rules_and_migrations_have_their_rooms(service: str) -> None:
    """Rules stand in domain/, and the schema begins with migration 0001."""
    place = ROOT / service
    assert [path for path in (place / "domain").glob("*.py") if path.name != "__init__.py"]
    assert list((place / "migrations" / "versions").glob("0001_*.py"))


@pytest.mark.parametrize("service", SERVICES)
def test_main_is_a_list(service: str) -> None:
    """__main__ names the service, its settings and its build function; it defines nothing larger."""
    text = (ROOT / service / "__main__.py").read_text("utf-8")
    assert re.search(r"^from shuniu\.kit\.run import .*\bmain$", text, re.MULTILINE)
    assert len(text.splitlines()) <= 40


@pytest.mark.parametrize("service", SERVICES)
def test_readme_is_indexed_by_its_first_line(service: str) -> None:
    """A service's README begins with a heading, then says what the service does."""
    lines = [line for line in (ROOT / service / "README.md").read_text("utf-8").splitlines() if line.strip()]
    assert lines[0].startswith("# ")
    assert len(lines) > 1


def test_esigns_readme_has_every_module() -> None:
    """The table of rooms names each module of esign in the column of its folder, and none that is not there: a new
    module gets its place under a subject.
    """
    place = ROOT / "services/esign"
    rooms = (place / "README.md").read_text("utf-8").partition("\n## Rooms\n")[2]
    rows = [line.split("|")[2:5] for line in rooms.splitlines() if line.startswith("| ")]
    for column, folder in enumerate(("service", "domain", ".")):
        told = {name for row in rows[1:] for name in re.findall(r"`(\w+)`", row[column])}
        there = {path.stem for path in (place / folder).glob("*.py")} - {"__init__"}
        assert told == there, folder


@pytest.mark.parametrize("service", SERVICES)
def test_sql_stays_out_of_servicers_and_domain(service: str) -> None:
    """Servicers ask the store; only the store's own room and the migrations build SQL."""
    speakers = {
        path.relative_to(ROOT).as_posix()
        for room in ("service", "domain")
        for path in [*(ROOT / service / room).rglob("*.py"), ROOT / service / f"{room}.py"]
        if path.is_file() and SQL.intersection(imported(path))
    }
    assert speakers == set()


# What builds or runs a statement. `Connection` as the type of a unit of work is not among it.
SQL = {f"sqlalchemy.{name}" for name in ("select", "insert", "update", "delete", "text", "Table", "Column", "MetaData")}


def imported(path: Path) -> set[str]:
    """Names a module imports, with where they come from."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def test_names_say_what_is_inside() -> None:
    """No module is called utils, helpers, manager or base."""
    assert [path.relative_to(ROOT).as_posix() for path in sources() if NAMELESS.fullmatch(path.name)] == []


def test_no_file_grows_without_end() -> None:
    """A module that passes 500 lines is split by subject."""
    long = {path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines()) for path in sources()}
    assert {name: lines for name, lines in long.items() if lines > MOST_LINES} == {}


def test_nothing_is_left_for_later() -> None:
    """No placeholder stands in the code: what is there works."""
    later = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if later.search(line)
    ]
    assert found == []


def test_no_python_runs_between_fork_and_exec() -> None:
    """A child of a process with threads, gRPC's among them, may crash there."""
    assert [path.name for path in sources() if "preexec_fn" in path.read_text(encoding="utf-8")] == []


def test_want_of_memory_is_never_taken_for_something_wrong_in_a_document() -> None:
    """Who catches whatever a library may raise lets a failed allocation pass: what was not read says nothing."""
    found = []
    for path in sources():
        if not ("/services/esign/" in path.as_posix() and "domain" in path.parts):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            caught = (
                [ast.unparse(each.type) for each in node.handlers if each.type] if isinstance(node, ast.Try) else []
            )
            if "Exception" in caught and "MemoryError" not in caught[: caught.index("Exception")]:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []
