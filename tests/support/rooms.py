"""Rules about where code stands, as functions of a tree: each returns its faults, [] when the tree keeps the rule.

`tests/contract/test_rooms.py` asks them of this repository, `tests/contract/test_rooms_are_checked.py` of trees in which
something stands in the wrong place.
"""

import ast
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
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
# Modules that find a module by its name, and why. Everywhere else an import stands where import rules see it.
DYNAMIC = frozenset(
    {
        "gateway/envoy/contract.py",  # every generated module, for the descriptors
        "services/esign/commands/__init__.py",  # loads the part of the commands that is asked for
        "services/esign/verification/workers/confined.py",  # runs the function that its parent names
        "services/esign/verification/workers/nursery.py",  # loads what its children share
        "shuniu/cli/main.py",  # commands load what they need
        "shuniu/cli/syntax/later.py",
        "shuniu/kit/rpc/server.py",  # the messages beside a generated servicer
    }
)
IMPORTING = frozenset(
    {"__import__", "exec_module", "import_module", "resolve_name", "run_module", "run_path", "spec_from_file_location"}
)
# Packages that do something: two faces of the kit, and commands that load their parts when they are asked for.
DOING = frozenset(
    {"services/esign/commands/__init__.py", "shuniu/kit/store/__init__.py", "shuniu/kit/testing/__init__.py"}
)
# Migrations that are released stay as they are.
UNREAD = frozenset({"migrations"})
# First words of functions that change what is stored.
CHANGING = frozenset({"copy", "end", "raise"})
# What names the argument of a unit of work and what a store is opened with build no statement.
HARMLESS = frozenset({"Connection", "MetaData"})
RUNNING = frozenset({"exec_driver_sql", "execute", "scalar", "scalars"})
STATEMENTS = frozenset({"delete", "insert", "join", "outerjoin", "select", "update"})
# The process and the clock, which a rule is given and does not ask.
SURROUNDINGS = frozenset({"datetime.now", "os.environ", "os.getenv", "time.time", "time.time_ns"})


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
    """Modules below a folder, without the migrations of services."""
    return (path for path in sorted(folder.rglob("*.py")) if not _is_migration(path))


def _is_migration(path: Path) -> bool:
    return any(each.name == "migrations" and (each.parent / "__main__.py").exists() for each in path.parents)


def nodes(path: Path, words: Iterable[str]) -> Iterator[ast.AST]:
    """Nodes of a module that has one of the words; a module that has none is not parsed, for that takes long."""
    text = path.read_text("utf-8")
    return ast.walk(ast.parse(text)) if any(word in text for word in words) else iter(())


def place_of(root: Path, path: Path) -> tuple[str, ...]:
    """Names that lead from the service, the innermost, to a module; () outside services."""
    for folder in path.parents:
        if (folder / "__main__.py").exists() and folder.is_relative_to(root / "services"):
            return path.relative_to(folder).with_suffix("").parts
    return ()


def in_store(root: Path, path: Path) -> bool:
    """Tells whether a module is the store of a service or of a subject, or stands in it."""
    match place_of(root, path):
        case ("store", *_):
            return True
        case (subject, "store", *_):
            return subject not in SHARED
    return False


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
    """A package imports nothing: a worker and a command load only what they need. Those of subjects say what they are."""
    return [
        name(root, path)
        for path in sources(root)
        if path.name == "__init__.py" and name(root, path) not in DOING
        if not _only_says(path, or_nothing=not in_subject(root, path))
    ]


def in_subject(root: Path, path: Path) -> bool:
    """Tells whether a module belongs to a subject of a service or of the kit."""
    place = place_of(root, path)
    return (len(place) > 1 and place[0] not in SHARED) or path.is_relative_to(root / "shuniu/kit")


def _only_says(path: Path, *, or_nothing: bool) -> bool:
    match ast.parse(path.read_text("utf-8")).body:
        case []:
            return or_nothing
        case [ast.Expr(value=ast.Constant(value=str()))]:
            return True
    return False


def folders_that_are_no_packages(root: Path) -> list[str]:
    """A folder that leads to a module has an __init__.py: without it no import rule sees what is inside."""
    folders = {
        folder
        for path in sources(root)
        for folder in path.parents
        if folder != root and folder.is_relative_to(root) and not (folder / "__init__.py").exists()
    }
    return sorted(name(root, folder) for folder in folders)


def rooms_too_deep(root: Path) -> list[str]:
    """Rooms are a service's or a subject's: below them nothing bears a room's name, for no import rule would see it."""
    found = set()
    for path in modules(root / "services"):
        place = place_of(root, path)
        for depth, room in enumerate(place):
            if room in SHARED and not (depth == 0 or (depth == 1 and place[0] not in SHARED and room in ROOMS)):
                found.add(name(root, path))
    return sorted(found)


def domains_that_look_around(root: Path) -> list[str]:
    """A rule is given the time and the settings: it reads neither the clock nor the process's environment."""
    return [
        f"{name(root, path)}:{node.lineno}"
        for path in modules(root / "services")
        if "domain" in place_of(root, path)
        for node in nodes(path, SURROUNDINGS)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in SURROUNDINGS
    ]


def imports_by_name(root: Path) -> list[str]:
    """A module is imported by an import, which the contracts see; those that must find one by its name are listed."""
    found = {
        name(root, path)
        for path in sources(root)
        for node in nodes(path, IMPORTING)
        if getattr(node, "id", None) in IMPORTING
        or getattr(node, "attr", None) in IMPORTING
        or (isinstance(node, ast.alias) and node.name in IMPORTING)
    }
    return sorted(found ^ {each for each in DYNAMIC if (root / each).exists()})


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
    """Only a store and the migrations build and run SQL; whoever wants something of a table asks a store. The kit,
    which stores are made with, is read elsewhere.
    """
    return [
        name(root, path)
        for path in sources(root)
        if not path.is_relative_to(root / "shuniu/kit") and not _is_migration(path) and not in_store(root, path)
        if _speaks_sql(root, path)
    ]


def _speaks_sql(root: Path, path: Path) -> bool:
    found = list(nodes(path, {"sqlalchemy", "store", *(f".{each}(" for each in RUNNING)}))
    imported = {
        alias.asname or alias.name: (*(node.module or "").split("."), alias.name)
        for node in found
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in found:
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.split(".")[0] == "sqlalchemy":
                if {alias.name for alias in names} - HARMLESS:
                    return True
            case ast.Import(names=names) if any(alias.name.split(".")[0] == "sqlalchemy" for alias in names):
                return True
            case ast.Call(func=ast.Attribute(attr=called) as func):
                if called in RUNNING or (called in STATEMENTS and _is_table(root, func.value, imported)):
                    return True
    return False


def _is_table(root: Path, node: ast.expr, imported: dict[str, tuple[str, ...]]) -> bool:
    """Tells whether an expression names something in a module of a store, and not the module."""
    first, *rest = ast.unparse(node).split(".")
    path = (*imported.get(first, ()), *rest)
    folder = root.joinpath(*path)
    return "store" in path[:-1] and not (folder.is_dir() or folder.with_suffix(".py").is_file())


def tables_of_nobody(root: Path) -> list[str]:
    """In a service with subjects every table belongs to one of them; the service's own store only gathers them."""
    return [
        name(root, path)
        for service in services(root)
        if subjects(service)
        for path in (service / "store.py", *sorted((service / "store").rglob("*.py")))
        if path.is_file() and re.search(r"\bTable\(", path.read_text("utf-8"))
    ]


def servicers_of_other_names(root: Path) -> list[str]:
    """A servicer bears the name of its service in the contract, so that a search from there finds it."""
    return [
        f"{name(root, path)}: {node.name}"
        for path in modules(root / "services")
        for node in nodes(path, {"Servicer"})
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
    others = (root / each for each in ("shuniu", "gateway", "examples", "docs"))
    folders = (*others, *services, *esign)
    return [
        f"{name(root, path)}:{line}"
        for folder in folders
        for path in ([folder] if folder.suffix == ".py" else sorted(folder.rglob("*.py")))
        if "_pb2" not in path.name and re.search(rf'"""\s*{SUBJECTLESS.pattern}', path.read_text("utf-8"))
        for line, text in _docstrings(ast.parse(path.read_text("utf-8")))
        if SUBJECTLESS.match(text.lstrip())
    ]


def tellers_that_tell_nothing(root: Path) -> list[str]:
    """A function that returns nothing does not "tell whether": its docstring says what it raises, or what it does."""
    folders = (root / each for each in ("services", "shuniu", "gateway", "examples"))
    return [
        f"{name(root, path)}:{node.lineno}"
        for folder in folders
        for path in sorted(folder.rglob("*.py"))
        if "_pb2" not in path.name and "Tells whether" in path.read_text("utf-8")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (ast.get_docstring(node) or "").startswith("Tells whether")
        and isinstance(node.returns, ast.Constant)
    ]


def finders_without_find(root: Path) -> list[str]:
    """A function of a store that may find nothing is called `find_x`, so that who reads a call expects None. Those that
    change something say by None that they did not.
    """
    return [
        f"{name(root, path)}: {node.name}"
        for path in modules(root / "services")
        if in_store(root, path)
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None
        if not node.name.startswith("_") and node.name.partition("_")[0] not in {"find", *CHANGING}
        if any(isinstance(each, ast.Constant) and each.value is None for each in ast.walk(node.returns))
        and isinstance(node.returns, ast.BinOp)
    ]


def ages_of_one_side(root: Path) -> list[str]:
    """An age by the clock is held to both ends, as `services/esign/domain/ages.py` does: what was made while the clock
    was ahead has a negative age, and would be new until the clock is there again.
    """
    return [
        f"{name(root, path)}:{node.lineno}"
        for path in sources(root)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.left, ast.BinOp)
        if isinstance(node.left.op, ast.Sub) and re.search(r"\bnow_us(\(\))?$", ast.unparse(node.left.left))
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


# Rules of the whole tree, none of which it breaks.
RULES: tuple[Callable[[Path], list[str]], ...] = (
    missing_files,
    rooms_in_two_forms,
    empty_rooms,
    mains_that_do_more,
    readmes_without_heading,
    packages_that_do_something,
    folders_that_are_no_packages,
    rooms_too_deep,
    domains_that_look_around,
    imports_by_name,
    subjects_without_place,
    folders_too_big,
    sql_outside_stores,
    tables_of_nobody,
    servicers_of_other_names,
    modules_without_name,
    modules_too_long,
    docstrings_without_subject,
    tellers_that_tell_nothing,
    finders_without_find,
    ages_of_one_side,
)
