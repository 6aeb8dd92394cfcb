"""The rules about what code may do are not kept by chance: each is broken once, in a copy of the tree."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import rooms, rooms_of_deeds
from tests.support.rooms_tree import SERVICE, copied, prepend, put

SUM = "def total(lots):\n    found = 0\n    for lot in lots:\n        found += lot\n    return found\n"
SUM_AGAIN = (
    'def count(row: list[int]) -> int:\n    """Sum."""\n    n = 0\n    for x in row:\n        n += x\n    return n\n'
)

BREAKS: dict[str, tuple[Callable[[Path], list[str]], Callable[[Path], None], str]] = {
    "a rule that throws dice": (
        rooms_of_deeds.domains_that_import_more,
        lambda service: put(service / "cases/domain/lots.py", "import random\n"),
        f"{SERVICE}/cases/domain/lots.py:1",
    ),
    "a rule that reads a file": (
        rooms_of_deeds.domains_that_import_more,
        lambda service: put(
            service / "cases/domain/lots.py", "from services.esign.verification.plain_files import content\n"
        ),
        f"{SERVICE}/cases/domain/lots.py:1",
    ),
    "a rule that asks a connection": (
        rooms_of_deeds.domains_that_do_something,
        lambda service: put(service / "cases/domain/lots.py", "def lot(conn): ...\n"),
        f"{SERVICE}/cases/domain/lots.py:1",
    ),
    "a number without bounds": (
        rooms_of_deeds.settings_without_bounds,
        lambda service: put(service / "config.py", "class MoreSettings:\n    days: float | None = None\n"),
        f"{SERVICE}/config.py:2",
    ),
    "a function with the body of another": (
        rooms_of_deeds.functions_written_twice,
        lambda service: put(service / "cases/domain/lots.py", f"{SUM}\n\n{SUM_AGAIN}"),
        f"{SERVICE}/cases/domain/lots.py:8",
    ),
    "a rule that waits": (
        rooms_of_deeds.domains_that_do_something,
        lambda service: put(service / "cases/domain/lots.py", "async def lot(): ...\n"),
        f"{SERVICE}/cases/domain/lots.py:1",
    ),
    "a store that knows the contract": (
        rooms_of_deeds.stores_that_do_more,
        lambda service: prepend(service / "grants/store.py", "from shuniu.api.exchange.v1 import case_pb2"),
        f"{SERVICE}/grants/store.py:1",
    ),
    "a store that commits": (
        rooms_of_deeds.stores_that_do_more,
        lambda service: prepend(service / "grants/store.py", "conn.commit()"),
        f"{SERVICE}/grants/store.py:1",
    ),
    "a table in a list of its own": (
        rooms_of_deeds.tables_of_no_list,
        lambda service: prepend(service / "grants/store.py", "note = Table('note', MORE)"),
        f"{SERVICE}/grants/store.py:1",
    ),
    "a column that databases have differently": (
        rooms_of_deeds.tables_of_no_list,
        lambda service: prepend(service / "grants/store.py", "made = Column('made', DateTime)"),
        f"{SERVICE}/grants/store.py:1",
    ),
    "statements beside the migrations": (
        rooms_of_deeds.migrations_that_are_more,
        lambda service: put(service / "migrations/lookups.py"),
        f"{SERVICE}/migrations/lookups.py",
    ),
    "a migration that knows its service": (
        rooms_of_deeds.migrations_that_are_more,
        lambda service: put(service / "migrations/versions/0099_more.py", "from services.exchange import store\n"),
        f"{SERVICE}/migrations/versions/0099_more.py:1",
    ),
    "a folder that two services share": (
        rooms_of_deeds.code_elsewhere,
        lambda service: put(service.parent / "shared/lookups.py"),
        "services/shared",
    ),
    "code at the top": (
        rooms_of_deeds.code_elsewhere,
        lambda service: put(service.parents[1] / "wipe.py"),
        "wipe.py",
    ),
    "a service on a clock for tests": (
        rooms_of_deeds.production_on_tests,
        lambda service: put(service / "cases/late.py", "from shuniu.kit.testing import ManualClock\n"),
        f"{SERVICE}/cases/late.py:1",
    ),
    "a package that only tests bring": (
        rooms_of_deeds.packages_not_required,
        lambda service: put(service / "cases/late.py", "import hypothesis\n"),
        f"{SERVICE}/cases/late.py:1",
    ),
    "a check that is silenced without a word": (
        rooms_of_deeds.ignores_without_reason,
        lambda service: put(service / "cases/late.py", "import os  # noqa: F401\n"),
        f"{SERVICE}/cases/late.py:1",
    ),
    "an error without Chinese": (
        rooms_of_deeds.texts_in_one_language,
        lambda service: put(service / "cases/late.py", "Violation('note', 'ODD', 'odd', 'odd')\n"),
        f"{SERVICE}/cases/late.py:1",
    ),
    "a shared rule that looks at the clock": (
        rooms_of_deeds.domains_that_do_something,
        lambda service: prepend(service.parents[1] / "shuniu/china_time.py", "dt.datetime.now()"),
        "shuniu/china_time.py:1",
    ),
    "a deletion of everything": (
        rooms_of_deeds.statements_for_all_rows,
        lambda service: prepend(service / "grants/store.py", "gone = delete(note)"),
        f"{SERVICE}/grants/store.py:1",
    ),
    "a column that a worker names": (
        rooms_of_deeds.tables_named_elsewhere,
        lambda service: put(service / "cases/late.py", "late = store.case_file.c.state\n"),
        f"{SERVICE}/cases/late.py:1",
    ),
    "a worker that asks the environment": (
        rooms_of_deeds.environment_elsewhere,
        lambda service: put(service / "cases/late.py", "late = os.environ['LATE']\n"),
        f"{SERVICE}/cases/late.py:1",
    ),
    "a module among what is generated": (
        rooms_of_deeds.code_elsewhere,
        lambda service: put(service.parents[1] / "shuniu/api/exchange/late.py"),
        "shuniu/api/exchange/late.py",
    ),
    "a servicer among workers": (
        rooms_of_deeds.servicers_elsewhere,
        lambda service: put(service / "cases/late.py", "class Late(LateServicer): ...\n"),
        f"{SERVICE}/cases/late.py",
    ),
    "a metric of a worker's own": (
        rooms_of_deeds.metrics_elsewhere,
        lambda service: put(service / "cases/late.py", "from prometheus_client import Counter\n"),
        f"{SERVICE}/cases/late.py:1",
    ),
    "a metric that nobody scrapes": (
        rooms_of_deeds.metrics_elsewhere,
        lambda service: prepend(service / "metrics.py", "LATE = Counter('late', 'Late.')"),
        f"{SERVICE}/metrics.py:1",
    ),
    "a silence for a whole file": (
        rooms_of_deeds.ignores_without_reason,
        lambda service: put(service / "cases/late.py", "# ruff: noqa\n"),
        f"{SERVICE}/cases/late.py:1",
    ),
    "another's private name": (
        rooms_of_deeds.private_names_of_others,
        lambda service: put(service / "cases/late.py", "from services.exchange.cases.casework import _case\n"),
        f"{SERVICE}/cases/late.py:1",
    ),
    "a layer that lets one import through": (
        rooms_of_deeds.layers_with_exceptions,
        lambda service: loosened(service.parents[1] / "pyproject.toml"),
        "exchange is a stack of subjects",
    ),
    "a test that is not collected": (
        rooms_of_deeds.uncollected_tests,
        lambda service: put(service.parents[1] / "tests/extra/test_never.py", "def test_it(): ...\n"),
        "tests/extra/test_never.py",
    ),
    "tests of a set": (
        rooms_of_deeds.unordered_tests,
        lambda service: put(
            service.parents[1] / "tests/unit/test_any.py", "mark.parametrize('each', set(ALL) - {1})(print)\n"
        ),
        "tests/unit/test_any.py:1",
    ),
}


def loosened(project: Path) -> None:
    text = project.read_text("utf-8")
    heading = 'name = "exchange is a stack of subjects"\n'
    assert heading in text
    project.write_text(
        text.replace(heading, f'{heading}ignore_imports = ["services.exchange.a -> services.exchange.b"]\n')
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("tree"))


@pytest.mark.parametrize("wrong", BREAKS)
def test_what_code_may_not_do_is_named(tree: Path, wrong: str) -> None:
    """The rule names nothing before, and what was put wrong after; what was changed is put back."""
    faults, break_it, named = BREAKS[wrong]
    assert named not in faults(tree)
    kept = {path: path.read_bytes() for path in tree.rglob("*") if path.suffix in {".py", ".toml"}}
    break_it(tree / SERVICE)
    try:
        assert named in faults(tree)
    finally:
        for path in tree.rglob("*"):
            if path.suffix in {".py", ".toml"} and path not in kept:
                path.unlink()
        for folder in (tree / "services/shared", tree / "tests/extra", tree / "tests/unit"):
            if folder.is_dir():
                folder.rmdir()
        for path, text in kept.items():
            if path.read_bytes() != text:
                path.write_bytes(text)


def test_every_rule_is_broken_once() -> None:
    """A rule that nothing breaks may ask nothing."""
    assert set(rooms_of_deeds.RULES) == {rule for rule, _, _ in BREAKS.values()}


@pytest.mark.parametrize("module", [rooms, rooms_of_deeds], ids=lambda module: module.__name__)
def test_no_rule_is_left_out(module: object) -> None:
    """What takes a tree and returns faults is asked of the tree."""
    path = Path(str(module.__file__))  # type: ignore[attr-defined]
    written = {
        node.name
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and ast.unparse(node.args) == "root: Path"
        and node.returns is not None
        and ast.unparse(node.returns) == "list[str]"
    }
    # Files of tests have some that are longer, which the test names.
    assert written - {"long_files_of_tests"} == {rule.__name__ for rule in module.RULES}  # type: ignore[attr-defined]
