"""Rules about where code stands, as functions of a tree: each returns its faults, [] when the tree keeps the rule.

`tests/contract/test_rooms.py` asks them of this repository, `tests/contract/test_rooms_are_checked.py` of trees in which
something stands in the wrong place.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILES = ("README.md", "__main__.py", "app.py", "config.py", "events.py", "metrics.py")
# What a service has once: a file, or the folder of the same name that it grew to.
GROWING = ("store", "commands")
ROOMS = ("domain", "service", "store")
# Folders of a service that are no subjects.
SHARED = frozenset({"commands", "domain", "migrations", "service", "store"})
MOST_FILES = 25
MOST_LINES = 500
# Names that say nothing of what is inside.
NAMELESS = re.compile(r"(utils?|helpers?|managers?|base|common|misc)\.py")
# Words that begin a clause which depends on another.
SUBJECTLESS = re.compile(r"(Of|What|Who|Whom|Whose|Whether|Which|Where|When|How|Why) ")
# Migrations that are released stay as they are.
UNREAD = frozenset({"migrations"})
# First words of functions that change what is stored.
CHANGING = frozenset({"copy", "end", "raise"})
# What a unit of work needs to name its argument builds no statement.
HARMLESS = frozenset({"Connection"})


def sources(root: Path) -> list[Path]:
    """Every module but the generated ones."""
    return [
        path
        for folder in ("shuniu", "services", "gateway", "examples")
        for path in sorted((root / folder).rglob("*.py"))
        if "shuniu/api/" not in path.as_posix() and "node_modules" not in path.parts
    ]


def services(root: Path) -> list[Path]:
    """Folders of services: those that are started by themselves."""
    return sorted(path.parent for path in root.glob("services/**/__main__.py"))


def subjects(service: Path) -> list[Path]:
    """A service's subjects; a service inside it is none."""
    return sorted(
        path.parent
        for path in service.glob("*/__init__.py")
        if path.parent.name not in SHARED and not (path.parent / "__main__.py").exists()
    )


def all_subjects(root: Path) -> list[Path]:
    return [subject for service in services(root) for subject in subjects(service)]


def modules(folder: Path) -> Iterator[Path]:
    """Modules below a folder, without migrations."""
    return (path for path in sorted(folder.rglob("*.py")) if "migrations" not in path.parts)


def missing_files(root: Path) -> list[str]:
    """Every service has the same files, and none is empty."""
    return [
        f"{name(root, service)}: {file}"
        for service in services(root)
        for file in FILES
        if not (service / file).is_file() or not (service / file).read_text("utf-8").strip()
    ]


def rooms_in_two_forms(root: Path) -> list[str]:
    """A room is a file or a folder, never both. A service has its store and commands; servicers are there or in subjects."""
    found = [
        f"{name(root, service)}: {room}" for service in services(root) for room in GROWING if _forms(service, room) != 1
    ]
    found += [
        f"{name(root, place)}: {room}"
        for place in (*services(root), *all_subjects(root))
        for room in ROOMS
        if _forms(place, room) > 1
    ]
    found += [
        f"{name(root, service)}: service"
        for service in services(root)
        if not any(_forms(place, "service") for place in (service, *subjects(service)))
    ]
    return found


def _forms(place: Path, room: str) -> int:
    return (place / f"{room}.py").is_file() + (place / room).is_dir()


def empty_rooms(root: Path) -> list[str]:
    """A service has rules in a domain, a schema that begins with migration 0001; a subject has more than its docstring."""
    found = [
        f"{name(root, service)}: domain"
        for service in services(root)
        if not any(path.name != "__init__.py" for path in (service / "domain").glob("*.py"))
    ]
    found += [
        f"{name(root, service)}: migrations"
        for service in services(root)
        if not list((service / "migrations" / "versions").glob("0001_*.py"))
    ]
    found += [
        name(root, subject)
        for subject in all_subjects(root)
        if not any(path.name != "__init__.py" for path in modules(subject))
    ]
    return found


def mains_that_do_more(root: Path) -> list[str]:
    """__main__ names the service, its settings and its build function; it defines nothing larger."""
    return [
        name(root, service)
        for service in services(root)
        if not re.search(
            r"^from shuniu\.kit\.process\.run import .*\bmain$",
            text := (service / "__main__.py").read_text("utf-8"),
            re.MULTILINE,
        )
        or len(text.splitlines()) > 40
    ]


def readmes_without_heading(root: Path) -> list[str]:
    """A service's README begins with a heading, then says what the service does."""
    found = []
    for service in services(root):
        lines = [line for line in (service / "README.md").read_text("utf-8").splitlines() if line.strip()]
        if len(lines) < 2 or not lines[0].startswith("# "):
            found.append(name(root, service))
    return found


def packages_that_do_something(root: Path) -> list[str]:
    """A package of a subject says what it is and imports nothing: a worker and a command load only what they need."""
    found = []
    for subject in all_subjects(root):
        for path in sorted(subject.rglob("__init__.py")):
            body = ast.parse(path.read_text("utf-8")).body
            if not (len(body) == 1 and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)):
                found.append(name(root, path))
        found += [
            f"{name(root, folder)}: no __init__.py"
            for folder in sorted({path.parent for path in modules(subject)})
            if not (folder / "__init__.py").exists()
        ]
    return found


def import_contracts(root: Path) -> list[dict[str, Any]]:
    text = (root / "pyproject.toml").read_text("utf-8")
    return list(tomllib.loads(text)["tool"]["importlinter"]["contracts"])


def layers_of(root: Path, service: Path) -> list[str]:
    """The names in a service's stack of layers; [] when it has none, or one that lets modules stand outside it."""
    container = ".".join(service.relative_to(root).parts)
    return [
        word
        for each in import_contracts(root)
        if each["type"] == "layers" and each["containers"] == [container] and each.get("exhaustive") is True
        if set(each.get("exhaustive_ignores", [])) <= {"migrations"}
        for layer in each["layers"]
        for word in re.findall(r"\w+", layer)
    ]


def subjects_without_place(root: Path) -> list[str]:
    """The layers are the map of a service: each subject stands there, and under Rooms in the README."""
    found = []
    for service in services(root):
        told = layers_of(root, service)
        rooms = (service / "README.md").read_text("utf-8").partition("\n## Rooms\n")[2].partition("\n## ")[0]
        for subject in subjects(service):
            if subject.name not in told:
                found.append(f"{name(root, subject)}: no layer")
            if f"\n{subject.name}/" not in rooms:
                found.append(f"{name(root, subject)}: not in README")
    return found


def folders_too_big(root: Path) -> list[str]:
    """A folder that passes 25 modules is split by subject."""
    folders = {path.parent for path in modules(root / "services")}
    return [name(root, folder) for folder in sorted(folders) if len(list(folder.glob("*.py"))) > MOST_FILES]


def sql_outside_stores(root: Path) -> list[str]:
    """Only a store and the migrations build SQL; whoever wants something of a table asks a store."""
    return [
        name(root, path)
        for path in modules(root / "services")
        if path.stem != "store" and "store" not in path.relative_to(root).parts and _speaks_sql(path)
    ]


def _speaks_sql(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sqlalchemy":
            if {alias.name for alias in node.names} - HARMLESS:
                return True
        elif isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "sqlalchemy" for alias in node.names):
            return True
    return False


def tables_of_nobody(root: Path) -> list[str]:
    """In a service with subjects every table belongs to one of them; the service's own store only gathers them."""
    return [
        name(root, service / "store.py")
        for service in services(root)
        if subjects(service) and re.search(r"\bTable\(", (service / "store.py").read_text("utf-8"))
    ]


def servicers_of_other_names(root: Path) -> list[str]:
    """A servicer bears the name of its service in the contract, so that a search from there finds it."""
    return [
        f"{name(root, path)}: {node.name}"
        for path in modules(root / "services")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Attribute) and base.attr.endswith("Servicer") and base.attr != f"{node.name}Servicer"
    ]


def modules_without_name(root: Path) -> list[str]:
    """No module is called utils, helpers, manager or base."""
    return [name(root, path) for path in sources(root) if NAMELESS.fullmatch(path.name)]


def modules_too_long(root: Path) -> list[str]:
    """A module that passes 500 lines is split by subject."""
    return [name(root, path) for path in sources(root) if len(path.read_text("utf-8").splitlines()) > MOST_LINES]


def docstrings_without_subject(root: Path) -> list[str]:
    """A docstring begins with a noun or a verb: "Digests of …", "Tells whether …", not "Of …", "What …" or "Whether …"."""
    services = (root / "services" / each for each in ("catalogue", "exchange", "identity"))
    esign = (each for each in sorted((root / "services/esign").iterdir()) if each.name not in UNREAD)
    folders = (root / "shuniu/kit", *services, *esign)
    return [
        f"{name(root, path)}:{line}"
        for folder in folders
        for path in ([folder] if folder.suffix == ".py" else sorted(folder.rglob("*.py")))
        for line, text in _docstrings(ast.parse(path.read_text("utf-8")))
        if SUBJECTLESS.match(text.lstrip())
    ]


def finders_without_find(root: Path) -> list[str]:
    """A function of a store that may find nothing is called `find_x`, so that who reads a call expects None. Those that
    change something say by None that they did not.
    """
    return [
        f"{name(root, path)}: {node.name}"
        for path in modules(root / "services")
        if path.stem == "store" or "store" in path.relative_to(root).parts
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None
        if not node.name.startswith("_") and node.name.partition("_")[0] not in {"find", *CHANGING}
        if any(isinstance(each, ast.Constant) and each.value is None for each in ast.walk(node.returns))
        and isinstance(node.returns, ast.BinOp)
    ]


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, text) of the docstrings of modules, classes and functions, and of those below attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for each in node.body:
                match each:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        yield each.lineno, text


def long_files_of_tests(root: Path) -> list[str]:
    """A file of tests, or of what they share, that passes 500 lines is split by subject."""
    return [
        name(root, path)
        for path in sorted((root / "tests").rglob("*.py"))
        if len(path.read_text("utf-8").splitlines()) > MOST_LINES
    ]


def name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
