"""Rules about what code may do where it stands, as functions of a tree: each returns its faults, as those in `rooms`."""

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.support.rooms import import_contracts, in_store, modules, name, nodes, place_of, services, sources

SHARED_RULES = frozenset(
    {"rules", "national_numbers", "ideographs", "china_time", "reading", "document_names", "signing_list", "one_line"}
)
"""Modules of `shuniu` that every domain may import."""
# What a rule may import besides: it calculates, reads no file and knows no hub.
PURE = frozenset(
    {"__future__", "base64", "binascii", "bisect", "calendar", "collections", "contextlib", "cryptography"}
    | {"dataclasses", "datetime", "enum", "functools", "hashlib", "hmac", "itertools", "json", "math", "nkeys"}
    | {"numpy", "posixpath", "pypinyin", "re", "string", "struct", "tomllib", "types", "typing", "unicodedata"}
    | {"urllib.parse", "xml", "zlib", "zxingcpp"}
)
# Modules of domains that import more, and why.
IMPURE = {
    "services/esign/certification/domain/sm2_pki.py": {"secrets"},  # serial numbers nobody foresees
    "services/esign/domain/unwarned.py": {"os", "threading", "warnings"},  # silences a library while it reads
    "services/exchange/cases/domain/routing.py": {"threading"},  # its book is read while it is changed
}
DEEDS = frozenset(
    {"now_us", "now", "today", "utcnow", "read_text", "read_bytes", "write_text", "write_bytes", "execute"}
)
GIVEN = frozenset({"conn", "connection", "clock"})
# A library of the machine is one for the whole process.
GLOBAL = frozenset({"services/esign/domain/sm2.py"})
STORED = (
    "sqlalchemy",
    "shuniu.kit.store",
    "shuniu.kit.feeds.feed",
    "shuniu.kit.rpc.paging",
    "shuniu.kit.process.ids",
    "shuniu.kit.process.durable",
)
PLAIN = frozenset(
    {"collections", "contextlib", "dataclasses", "enum", "fcntl", "functools", "hashlib", "json", "os", "pathlib"}
    | {"shutil", "struct", "typing"}
)
# Stores that know other code of their service, and whose.
KNOWING = {
    "services/esign/upkeep/store/wrapped_values.py": ("services.esign.licences", "services.esign.seals"),
    "services/exchange/queries/store.py": ("services.exchange.queries",),
}
COLUMNS = frozenset({"Text", "BigInteger", "Integer", "LargeBinary", "KeyText", "RowNumber"})
TOPS = frozenset({"shuniu", "services", "gateway", "examples", "tests", "docs", "clients"})
SHUNIU = frozenset({"__init__.py", "__main__.py", "__pycache__", "api", "cli", "kit", "py.typed"}) | {
    f"{each}.py" for each in SHARED_RULES
}
TESTING = ("tests", "docs", "shuniu.kit.testing", "gateway.envoy.testing", "pytest", "hypothesis")
MAKERS = {"Violation": 2, "invalid_field": 2, "HubError": 2} | dict.fromkeys(
    ("not_found", "exists", "conflict", "precondition", "denied", "unauthenticated", "exhausted", "unavailable"), 1
)
"""What makes an error, and which argument its English text is; the Chinese one follows."""
SILENCED = re.compile(
    r"#\s*(?:noqa|type: *ignore|ruff: *(?:noqa|disable)|isort: *)|@\w*\.?no_type_check\b", re.IGNORECASE
)
REASONED = re.compile(r"# (?:noqa: ?[A-Z0-9, ]+ [—-]|type: ignore\[[\w, -]+\]  #) \w")
HAN = re.compile("[\u4e00-\u9fff]")
# Folders of tests that are collected.
RUN = frozenset({"contract", "e2e", "faults", "integration", "security", "unit"})
# Functions as long as this, in statements or in nodes of the syntax tree, are written once.
COPIED_STATEMENTS, COPIED_NODES = 4, 30


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, each.name) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{each.name}") for each in node.names)


def _is_below(word: str, tops: Iterator[str] | frozenset[str] | tuple[str, ...] | set[str]) -> bool:
    return any(word == each or word.startswith(f"{each}.") for each in tops)


def _domains(root: Path) -> Iterator[Path]:
    yield from (path for path in modules(root / "services") if "domain" in place_of(root, path))
    yield from (root / f"shuniu/{each}.py" for each in sorted(SHARED_RULES))


def _stores(root: Path) -> Iterator[Path]:
    return (path for path in modules(root / "services") if in_store(root, path))


def domains_that_import_more(root: Path) -> list[str]:
    """A rule imports other rules and what calculates, and nothing that asks the machine."""
    shared = frozenset(f"shuniu.{each}" for each in SHARED_RULES)
    return [
        f"{name(root, path)}:{line}"
        for path in _domains(root)
        for line, word in _imports(path)
        if not (
            _is_below(word, PURE | shared)
            or _is_below(word, IMPURE.get(name(root, path), set()))
            or (word.startswith("services.") and "domain" in word.split("."))
        )
    ]


def domains_that_do_something(root: Path) -> list[str]:
    """A rule waits for nothing, opens nothing, keeps nothing, and is given no connection and no clock."""
    found = []
    for path in _domains(root):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.AsyncFunctionDef() | ast.Await():
                    is_deed = True
                case ast.Global():
                    is_deed = name(root, path) not in GLOBAL
                case ast.Call(func=ast.Name(id=word)):
                    is_deed = word in {"open", "print", "input"}
                case ast.Call(func=ast.Attribute(attr=word)):
                    is_deed = word in DEEDS
                case ast.arg(arg=word):
                    is_deed = word in GIVEN
                case _:
                    is_deed = False
            if is_deed:
                found.append(f"{name(root, path)}:{node.lineno}")  # type: ignore[attr-defined]  # all of these have one
    return found


def stores_that_do_more(root: Path) -> list[str]:
    """A store builds statements and rows: it knows no worker, no contract and no error of the hub's, and ends no unit."""
    found = []
    for path in _stores(root):
        allowed = (*STORED, "shuniu.china_time", *PLAIN, *KNOWING.get(name(root, path), ()))
        found += [
            f"{name(root, path)}:{line}"
            for line, word in _imports(path)
            if not (
                _is_below(word, allowed) or (word.startswith("services.") and {"store", "domain"} & {*word.split(".")})
            )
        ]
        found += [
            f"{name(root, path)}:{node.lineno}"
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.AsyncFunctionDef | ast.Await)
            or (isinstance(node, ast.Attribute) and node.attr in {"commit", "rollback", "begin", "now_us"})
        ]
    return found


def tables_of_no_list(root: Path) -> list[str]:
    """Every table stands in the list that migrations and tests read, with columns that all databases have alike."""
    found = []
    for path in _stores(root):
        for node in nodes(path, ("Table", "Column")):
            match node:
                case ast.Call(func=func, args=[_, second, *_]):
                    made, given = ast.unparse(func).split(".")[-1], ast.unparse(second).split("(")[0]
                    if (made == "Table" and given not in {"TABLES", "METADATA", "metadata", "KIT"}) or (
                        made == "Column" and given not in COLUMNS
                    ):
                        found.append(f"{name(root, path)}:{node.lineno}")
    return found


def statements_for_all_rows(root: Path) -> list[str]:
    """A store changes and deletes rows that it names; what is for every row says so by `true()`."""
    found = []
    for path in _stores(root):
        calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
        narrowed = {
            id(each)
            for node in calls
            if isinstance(node.func, ast.Attribute) and node.func.attr == "where"
            for each in ast.walk(node.func.value)
        }
        found += [
            f"{name(root, path)}:{node.lineno}"
            for node in calls
            if isinstance(node.func, ast.Name) and node.func.id in {"update", "delete"} and id(node) not in narrowed
        ]
    return found


def tables_named_elsewhere(root: Path) -> list[str]:
    """Columns are named in stores: whoever needs rows calls a function of one."""
    return [
        f"{name(root, path)}:{node.lineno}"
        for path in modules(root / "services")
        if not in_store(root, path) and "migrations" not in path.parts
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "c"
    ]


def environment_elsewhere(root: Path) -> list[str]:
    """A service has its settings from its file and the environment by way of the kit alone."""
    return [
        f"{name(root, path)}:{node.lineno}"
        for path in modules(root / "services")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}
    ]


def migrations_that_are_more(root: Path) -> list[str]:
    """Migrations are numbered steps from 1 on, which know nothing of a service and which nobody imports."""
    found = []
    for service in services(root):
        folder = service / "migrations"
        for path in sorted(folder.rglob("*.py")):
            place = path.relative_to(folder).as_posix()
            if place not in {"__init__.py", "versions/__init__.py"} and not re.fullmatch(
                r"versions/\d{4}_\w+\.py", place
            ):
                found.append(name(root, path))
            found += [
                f"{name(root, path)}:{line}"
                for line, word in _imports(path)
                if _is_below(word, ("services", "gateway"))
            ]
        numbers = sorted(int(path.name[:4]) for path in folder.glob("versions/[0-9]*.py"))
        if numbers != list(range(1, len(numbers) + 1)):
            found.append(name(root, folder))
    for path in sources(root):
        found += [
            f"{name(root, path)}:{line}"
            for line, word in _imports(path)
            if word.startswith("services.") and ".migrations." in word
        ]
    return found


def code_elsewhere(root: Path) -> list[str]:
    """Code stands where rules look: in a service, the kit, the command line, the edge, the pages or the examples."""
    skipped = {".venv", "node_modules", "var", "build", "_hub"}
    found = [
        name(root, path)
        for path in sorted(root.glob("*.py")) + sorted(root.glob("[a-z]*/**/*.py"))
        if path.relative_to(root).parts[0] not in TOPS and not skipped & {*path.relative_to(root).parts}
    ]
    found += [name(root, path) for path in sorted((root / "shuniu").iterdir()) if path.name not in SHUNIU]
    # What is generated is looked at by no tool.
    found += [
        name(root, path)
        for path in sorted((root / "shuniu/api").rglob("*"))
        if path.is_file() and "_pb2" not in path.name and path.suffix != ".pyc" and path.stat().st_size
    ]
    found += [
        name(root, path)
        for path in sorted((root / "services").iterdir())
        if path.name not in {"__init__.py", "__pycache__"} and not (path / "__main__.py").exists()
    ]
    return found


def production_on_tests(root: Path) -> list[str]:
    """What runs imports nothing that only tests have."""
    return [
        f"{name(root, path)}:{line}"
        for path in sources(root)
        if not {"testing", "testing.py"} & {*path.relative_to(root).parts}
        for line, word in _imports(path)
        if _is_below(word, TESTING)
    ]


def packages_not_required(root: Path) -> list[str]:
    """What runs imports packages that the project requires by name: others are there by chance. Examples run from a
    checkout, with what developers have.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    required = _distributions(project["dependencies"])
    for_developers = required | _distributions(project.get("optional-dependencies", {}).get("dev", []))
    distributions = packages_distributions()
    # Its own library is installed beside it, and not by it; type checkers alone have `_typeshed`.
    known = {"shuniu", "services", "gateway", "examples", "shuniu_client", "_typeshed", *sys.stdlib_module_names}
    return [
        f"{name(root, path)}:{line}"
        for path in sources(root)
        if not {"testing", "testing.py"} & {*path.relative_to(root).parts}
        for line, word in _imports(path)
        if (top := word.split(".")[0]) not in known
        and not (for_developers if name(root, path).startswith("examples/") else required)
        & {_plain(each) for each in distributions.get(top, ())}
    ]


def _distributions(requirements: list[str]) -> set[str]:
    return {_plain(re.split(r"[=\[<>]", each)[0]) for each in requirements}


def _plain(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def ignores_without_reason(root: Path) -> list[str]:
    """What silences a check says why, for one line and by the check's name."""
    found = []
    for path in sources(root):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if re.search(r"# mypy:|# fmt:", line) or (
                (silenced := SILENCED.search(line)) and not REASONED.match(line, silenced.start())
            ):
                found.append(f"{name(root, path)}:{number}")
    return found


def texts_in_one_language(root: Path) -> list[str]:
    """An error has an English text without ideographs and a Chinese one with some."""
    found = []
    for path in sources(root):
        for node in nodes(path, MAKERS):
            if not isinstance(node, ast.Call) or (made := ast.unparse(node.func).split(".")[-1]) not in MAKERS:
                continue
            english, chinese = (*map(_text, node.args[MAKERS[made] : MAKERS[made] + 2]), None, None)[:2]
            if (chinese is not None and not HAN.search(chinese)) or (english is not None and HAN.search(english)):
                found.append(f"{name(root, path)}:{node.lineno}")
    return found


def _text(node: ast.expr) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(str(each.value) for each in values if isinstance(each, ast.Constant))
    return None


def servicers_elsewhere(root: Path) -> list[str]:
    """A servicer stands in a room for servicers, however its base is imported."""
    return [
        name(root, path)
        for path in modules(root / "services")
        if "service" not in place_of(root, path)
        for node in nodes(path, ("Servicer",))
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith("Servicer") for base in node.bases)
    ]


def metrics_elsewhere(root: Path) -> list[str]:
    """Metrics are made in `metrics.py`, where the page of metrics finds them, and in the registry that is scraped."""
    unseen = [
        f"{name(root, path)}:{node.lineno}"
        for path in sources(root)
        for node in nodes(path, ("Counter", "Gauge", "Histogram"))
        if path.name == "metrics.py"
        and isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] in {"Counter", "Gauge", "Histogram"}
        and "registry" not in {each.arg for each in node.keywords}
    ]
    return unseen + [
        f"{name(root, path)}:{line}"
        for path in sources(root)
        if path.name != "metrics.py" and name(root, path) != "shuniu/kit/process/health.py"
        for line, word in _imports(path)
        if _is_below(word, ("prometheus_client",))
    ]


def private_names_of_others(root: Path) -> list[str]:
    """A name that begins with an underscore is its module's."""
    return [
        f"{name(root, path)}:{line}"
        for path in sources(root)
        for line, word in _imports(path)
        if word.split(".")[0] in {"shuniu", "services", "gateway", "examples"} and re.search(r"\._[A-Za-z]", word)
    ]


def layers_with_exceptions(root: Path) -> list[str]:
    """A stack of layers has no exception: an import that goes up is not let through by name."""
    return [each["name"] for each in import_contracts(root) if each["type"] == "layers" and each.get("ignore_imports")]


def settings_without_bounds(root: Path) -> list[str]:
    """A setting that is a number says from where to where it makes sense: `Annotated[int, Within(1, 600)]`."""
    return [
        f"{name(root, path)}:{field.lineno}"
        for path in sources(root)
        if path.name in {"config.py", "settings.py", "service_settings.py"}
        for node in nodes(path, ("Settings",))
        if isinstance(node, ast.ClassDef) and node.name.endswith("Settings")
        for field in node.body
        if isinstance(field, ast.AnnAssign)
        and re.search(r"\b(int|float)\b", kind := ast.unparse(field.annotation))
        and "Within(" not in kind
    ]


def functions_written_twice(root: Path) -> list[str]:
    """No logic stands twice: two functions that differ in nothing but names and types are one, in the room where its rule
    belongs. Migrations stay as they were released, and examples stand each for itself.
    """
    found: dict[str, list[str]] = {}
    for path in sources(root):
        if "migrations" in path.parts or path.is_relative_to(root / "examples"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (body := _logic(node)):
                found.setdefault(body, []).append(f"{name(root, path)}:{node.lineno}")
    return [place for places in found.values() if len(places) > 1 for place in places]


def _logic(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """A function's body with its own names numbered, without docstring and annotations; empty for a short one."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    inside = [node for statement in body for node in ast.walk(statement)]
    if sum(isinstance(node, ast.stmt) for node in inside) < COPIED_STATEMENTS and len(inside) < COPIED_NODES:
        return ""
    own = {node.arg: "" for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    own |= {node.id: "" for node in inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    numbers = {word: f"_{number}" for number, word in enumerate(own)}
    for node in inside:
        if isinstance(node, ast.Name):
            node.id = numbers.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg, node.annotation = numbers.get(node.arg, node.arg), None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
    return "\n".join(ast.dump(statement) for statement in body)


def uncollected_tests(root: Path) -> list[str]:
    """What begins with `test` stands in a file that is collected."""
    return [
        name(root, path)
        for path in sorted((root / "tests").rglob("*.py"))
        if not (path.name.startswith("test_") and path.relative_to(root / "tests").parts[0] in RUN)
        and any(
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
            for node in ast.parse(path.read_text("utf-8")).body
        )
    ]


def unordered_tests(root: Path) -> list[str]:
    """Tests are made from something with an order: two processes that collect a set collect it differently."""
    found = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        for node in nodes(path, ("parametrize",)):
            match node:
                case ast.Call(func=func, args=[_, given, *_]) if ast.unparse(func).endswith("parametrize"):
                    if _is_set(given):
                        found.append(f"{name(root, path)}:{node.lineno}")
    return found


def _is_set(node: ast.expr) -> bool:
    match node:
        case ast.Set() | ast.SetComp() | ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.BinOp(left=left, right=right):
            return _is_set(left) or _is_set(right)
    return False


# Rules of the whole tree, none of which it breaks.
RULES: tuple[Callable[[Path], list[str]], ...] = (
    domains_that_import_more,
    domains_that_do_something,
    stores_that_do_more,
    tables_of_no_list,
    statements_for_all_rows,
    tables_named_elsewhere,
    environment_elsewhere,
    migrations_that_are_more,
    code_elsewhere,
    production_on_tests,
    packages_not_required,
    ignores_without_reason,
    texts_in_one_language,
    servicers_elsewhere,
    metrics_elsewhere,
    private_names_of_others,
    layers_with_exceptions,
    settings_without_bounds,
    functions_written_twice,
    uncollected_tests,
    unordered_tests,
)
