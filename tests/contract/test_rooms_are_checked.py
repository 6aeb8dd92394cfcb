"""The rules about rooms are not kept by chance: a tree with something in the wrong place breaks the rule that forbids it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import rooms
from tests.support.rooms_tree import SERVICE, copied, prepend, put

CASES = "services.exchange.cases.store"


def big_folder(service: Path) -> None:
    for number in range(rooms.MOST_FILES + 1):
        put(service / "queries" / f"part_{number}.py")


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def store_as_folder(service: Path) -> None:
    put(service / "store/__init__.py", (service / "store.py").read_text("utf-8"))
    (service / "store.py").unlink()
    put(service / "store/stray.py", "_stray = Table()\n")


BREAKS: dict[str, tuple[Callable[[Path], list[str]], Callable[[Path], None], str]] = {
    "a file that every service has is gone": (
        rooms.missing_files,
        lambda service: (service / "metrics.py").unlink(),
        "services/exchange: metrics.py",
    ),
    "a room as file and folder": (
        rooms.rooms_in_two_forms,
        lambda service: put(service / "grants/store/__init__.py"),
        "services/exchange/grants: store",
    ),
    "a service without commands": (
        rooms.rooms_in_two_forms,
        lambda service: (service / "commands.py").unlink(),
        "services/exchange: commands",
    ),
    "a subject without code": (
        rooms.empty_rooms,
        lambda service: put(service / "bundles/__init__.py"),
        "services/exchange/bundles",
    ),
    "a main that does not use the kit's": (
        rooms.mains_that_do_more,
        lambda service: put(service / "__main__.py"),
        "services/exchange",
    ),
    "a README without heading": (
        rooms.readmes_without_heading,
        lambda service: put(service / "README.md", "exchange\n\nText.\n"),
        "services/exchange",
    ),
    "a package that imports": (
        rooms.packages_that_do_something,
        lambda service: prepend(service / "cases/__init__.py", "import os"),
        "services/exchange/cases/__init__.py",
    ),
    "a folder that is no package": (
        rooms.folders_that_are_no_packages,
        lambda service: put(service / "cases/deadlines/days.py"),
        "services/exchange/cases/deadlines",
    ),
    "a subject that is no package": (
        rooms.folders_that_are_no_packages,
        lambda service: put(service / "bundles/store.py"),
        "services/exchange/bundles",
    ),
    "a folder of the kit that is no package, above one that is": (
        rooms.folders_that_are_no_packages,
        lambda service: put(service.parents[1] / "shuniu/kit/tools/odd/__init__.py"),
        "shuniu/kit/tools",
    ),
    "a service's package that does something": (
        rooms.packages_that_do_something,
        lambda service: put(service / "__init__.py", "import os\n"),
        "services/exchange/__init__.py",
    ),
    "a package of rules that does something": (
        rooms.packages_that_do_something,
        lambda service: put(service.parent / "identity/vault/domain/__init__.py", "X = 1\n"),
        "services/identity/vault/domain/__init__.py",
    ),
    "a package of the kit that does something": (
        rooms.packages_that_do_something,
        lambda service: put(service.parents[1] / "shuniu/kit/rpc/__init__.py", "X = 1\n"),
        "shuniu/kit/rpc/__init__.py",
    ),
    "a subject's package that says nothing": (
        rooms.packages_that_do_something,
        lambda service: put(service / "cases/__init__.py", ""),
        "services/exchange/cases/__init__.py",
    ),
    "rules inside a part of a subject": (
        rooms.rooms_too_deep,
        lambda service: put(service / "cases/clerks/domain.py"),
        "services/exchange/cases/clerks/domain.py",
    ),
    "a store inside servicers": (
        rooms.rooms_too_deep,
        lambda service: put(service / "cases/service/store.py"),
        "services/exchange/cases/service/store.py",
    ),
    "migrations of a subject": (
        rooms.rooms_too_deep,
        lambda service: put(service / "cases/migrations/peek.py"),
        "services/exchange/cases/migrations/peek.py",
    ),
    "a rule that reads the clock": (
        rooms.domains_that_look_around,
        lambda service: put(service / "cases/domain/late.py", "late = datetime.now(UTC) > due\n"),
        "services/exchange/cases/domain/late.py:1",
    ),
    "a rule that reads the environment": (
        rooms.domains_that_look_around,
        lambda service: put(service / "grants/domain.py", 'HOST = os.environ["HOST"]\n'),
        "services/exchange/grants/domain.py:1",
    ),
    "an import by name": (
        rooms.imports_by_name,
        lambda service: put(service / "cases/peek.py", 'X = importlib.import_module("services.catalogue.items")\n'),
        "services/exchange/cases/peek.py",
    ),
    "an import by a function of another name": (
        rooms.imports_by_name,
        lambda service: put(service / "cases/peek.py", "from pkgutil import resolve_name as found\n"),
        "services/exchange/cases/peek.py",
    ),
    "an import without a word": (
        rooms.imports_by_name,
        lambda service: put(service / "cases/domain/peek.py", '__import__("grpc")\n'),
        "services/exchange/cases/domain/peek.py",
    ),
    "a listed import by name that is gone": (
        rooms.imports_by_name,
        lambda service: put(service.parents[1] / "gateway/envoy/contract.py"),
        "gateway/envoy/contract.py",
    ),
    "a subject without layer": (
        rooms.subjects_without_place,
        lambda service: put(service / "bundles/__init__.py"),
        "services/exchange/bundles: no layer",
    ),
    "a subject that the README does not name": (
        rooms.subjects_without_place,
        lambda service: rewrite(service / "README.md", "\ngrants/ ", "\n"),
        "services/exchange/grants: not in README",
    ),
    "layers that are not exhaustive": (
        rooms.subjects_without_place,
        lambda service: rewrite(service.parents[1] / "pyproject.toml", "exhaustive = true", "exhaustive = false"),
        "services/exchange/cases: no layer",
    ),
    "a folder of 27 modules": (rooms.folders_too_big, big_folder, "services/exchange/queries"),
    "SQL in a servicer": (
        rooms.sql_outside_stores,
        lambda service: prepend(service / "grants/service.py", "from sqlalchemy import select"),
        "services/exchange/grants/service.py",
    ),
    "SQL by another name": (
        rooms.sql_outside_stores,
        lambda service: prepend(service / "cases/items.py", "import sqlalchemy as sa"),
        "services/exchange/cases/items.py",
    ),
    "SQL as text": (
        rooms.sql_outside_stores,
        lambda service: put(service / "cases/peek.py", 'conn.exec_driver_sql("DELETE FROM case_file")\n'),
        "services/exchange/cases/peek.py",
    ),
    "a statement by a method of a table": (
        rooms.sql_outside_stores,
        lambda service: put(
            service / "queries/peek.py", f"from {CASES} import case_file\nENDED = case_file.update().values(state=0)\n"
        ),
        "services/exchange/queries/peek.py",
    ),
    "a statement by a method of a store's table": (
        rooms.sql_outside_stores,
        lambda service: put(
            service / "queries/peek.py", "from services.exchange.cases import store as s\nALL = s.case_file.select()\n"
        ),
        "services/exchange/queries/peek.py",
    ),
    "SQL in a subject's folder called migrations": (
        rooms.sql_outside_stores,
        lambda service: put(service / "cases/migrations/peek.py", "from sqlalchemy import select\n"),
        "services/exchange/cases/migrations/peek.py",
    ),
    "SQL in a module called store among servicers": (
        rooms.sql_outside_stores,
        lambda service: put(service / "service/store.py", "from sqlalchemy import Table\n"),
        "services/exchange/service/store.py",
    ),
    "SQL in the gateway": (
        rooms.sql_outside_stores,
        lambda service: put(service.parents[1] / "gateway/web/peek.py", "from sqlalchemy import text\n"),
        "gateway/web/peek.py",
    ),
    "SQL in the command line": (
        rooms.sql_outside_stores,
        lambda service: put(service.parents[1] / "shuniu/cli/peek.py", "from sqlalchemy import text\n"),
        "shuniu/cli/peek.py",
    ),
    "a table that belongs to no subject": (
        rooms.tables_of_nobody,
        lambda service: prepend(service / "store.py", "_stray = Table()"),
        "services/exchange/store.py",
    ),
    "a table that belongs to no subject, in a store that is a folder": (
        rooms.tables_of_nobody,
        store_as_folder,
        "services/exchange/store/stray.py",
    ),
    "a servicer with a name of its own": (
        rooms.servicers_of_other_names,
        lambda service: rewrite(service / "inbox/service.py", "class InboxService(", "class Mailbox("),
        "services/exchange/inbox/service.py: Mailbox",
    ),
    "a module called helpers": (
        rooms.modules_without_name,
        lambda service: put(service / "cases/helpers.py"),
        "services/exchange/cases/helpers.py",
    ),
    "a module of 501 lines": (
        rooms.modules_too_long,
        lambda service: put(service / "cases/long.py", "x = 1\n" * (rooms.MOST_LINES + 1)),
        "services/exchange/cases/long.py",
    ),
    "a docstring that begins with What": (
        rooms.docstrings_without_subject,
        lambda service: put(service / "cases/verse.py", '"""What cases are."""\n'),
        "services/exchange/cases/verse.py:1",
    ),
    "a check that says it tells": (
        rooms.tellers_that_tell_nothing,
        lambda service: put(
            service / "cases/verse.py", 'def check(case: str) -> None:\n    """Tells whether it is one."""\n'
        ),
        "services/exchange/cases/verse.py:1",
    ),
    "a function of a store that may find nothing and does not say so": (
        rooms.finders_without_find,
        lambda service: prepend(service / "grants/store.py", "def grant(code: str) -> int | None: ..."),
        "services/exchange/grants/store.py: grant",
    ),
    "an age without its lower end": (
        rooms.ages_of_one_side,
        lambda service: put(service / "cases/kept.py", "fresh = clock.now_us() - made_us < 60\n"),
        "services/exchange/cases/kept.py:1",
    ),
    "a file of tests of 501 lines": (
        rooms.long_files_of_tests,
        lambda service: put(service.parents[1] / "tests/unit/test_long.py", "x = 1\n" * (rooms.MOST_LINES + 1)),
        "tests/unit/test_long.py",
    ),
}


@pytest.mark.parametrize("wrong", BREAKS)
def test_what_stands_in_the_wrong_place_is_named(tmp_path: Path, wrong: str) -> None:
    """The rule names nothing before, and what was put wrong after."""
    faults, break_it, named = BREAKS[wrong]
    tree = copied(tmp_path)
    before = faults(tree)
    assert named not in before
    break_it(tree / SERVICE)
    assert named in faults(tree)


def test_every_rule_is_broken_once() -> None:
    """A rule that nothing breaks may ask nothing."""
    assert set(rooms.RULES) <= {rule for rule, _, _ in BREAKS.values()}
