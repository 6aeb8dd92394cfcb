"""Every service has the same rooms, so that who knows one finds the way in all."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = sorted(path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("services/**/__main__.py"))

FILES = ["README.md", "__main__.py", "app.py", "config.py", "events.py", "metrics.py"]
# A room that grew is a folder of the same name.
GROWING = ["service", "store", "commands"]
# A service that grew is made of subjects, each a folder with rooms of its own.
SUBJECTS = sorted(
    path.parent.relative_to(ROOT).as_posix()
    for path in ROOT.glob("services/esign/*/__init__.py")
    if path.parent.name not in {"commands", "domain", "migrations", "service"}
)
MOST_FILES = 25

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


@pytest.mark.parametrize("room", ["domain", "service", "store"])
@pytest.mark.parametrize("subject", SUBJECTS)
def test_room_of_a_subject_is_a_file_or_a_folder(subject: str, room: str) -> None:
    """A subject has the rooms that it needs, each in one form, not in two."""
    assert not ((ROOT / subject / f"{room}.py").is_file() and (ROOT / subject / room).is_dir())


@pytest.mark.parametrize("subject", SUBJECTS)
def test_package_of_a_subject_says_what_it_is_and_does_nothing(subject: str) -> None:
    """What imports one module of a subject gets no other along: a worker and a command load only what they need."""
    for path in sorted((ROOT / subject).rglob("__init__.py")):
        (only,) = ast.parse(path.read_text("utf-8")).body
        assert isinstance(only, ast.Expr), path
        assert isinstance(only.value, ast.Constant), path


def test_every_subject_has_its_layer() -> None:
    """The layers are the map of esign: each subject stands there, and under README's Rooms with what it is about."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = (each["layers"] for each in contracts if each["type"] == "layers")
    told = [name for layer in layers for name in re.findall(r"\w+", layer)]
    rooms = (ROOT / "services/esign/README.md").read_text("utf-8").partition("\n## Rooms\n")[2].partition("\n## ")[0]
    for subject in SUBJECTS:
        name = Path(subject).name
        assert name in told
        assert f"\n{name}/" in rooms


def test_no_folder_grows_without_end() -> None:
    """A folder of esign that passes 25 modules is split by subject."""
    folders = {path.parent for path in (ROOT / "services/esign").rglob("*.py") if "migrations" not in path.parts}
    assert {
        folder.name: len(list(folder.glob("*.py"))) for folder in folders if len(list(folder.glob("*.py"))) > MOST_FILES
    } == {}


def test_sql_stands_in_stores() -> None:
    """Whoever wants something of a table asks a store; only a store and the migrations build SQL."""
    speakers = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "services").rglob("*.py")
        if path.stem != "store" and not {"store", "migrations"} & set(path.parts) and SQL.intersection(imported(path))
    }
    assert speakers <= OUTSIDE_STORES


# The conditions of indexes, which stores share; the columns that hold wrapped values, of whatever table; and what was
# there before the rule.
OUTSIDE_STORES = {
    "services/esign/partial_indexes.py",
    "services/esign/upkeep/rewrapping.py",
    "services/catalogue/search_index.py",
    "services/identity/private_requests.py",
}
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
