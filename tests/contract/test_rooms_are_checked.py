"""The rules about rooms are not kept by chance: a tree with something in the wrong place breaks the rule that forbids it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import rooms

ROOT = Path(__file__).parents[2]
SERVICE = "services/exchange"
STACKS = [
    "identity is a stack of subjects",
    "The vault is a stack of rooms",
    "catalogue is a stack of subjects",
    "exchange is a stack of subjects",
    "esign is a stack of subjects",
]
CHECKED = ("Domains are pure", *STACKS)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the services that keeps every rule."""
    shutil.copytree(ROOT / "services", tmp_path / "services", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def put(path: Path, text: str = '"""Nothing."""\n') -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def prepend(path: Path, line: str) -> None:
    path.write_text(f"{line}\n{path.read_text('utf-8')}", "utf-8")


def big_folder(service: Path) -> None:
    for number in range(rooms.MOST_FILES + 1):
        put(service / "queries" / f"part_{number}.py")


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


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
        rooms.packages_that_do_something,
        lambda service: put(service / "cases/deadlines/days.py"),
        "services/exchange/cases/deadlines: no __init__.py",
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
    "a table that belongs to no subject": (
        rooms.tables_of_nobody,
        lambda service: prepend(service / "store.py", "_stray = Table()"),
        "services/exchange/store.py",
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
    "a file of tests of 501 lines": (
        rooms.long_files_of_tests,
        lambda service: put(service.parents[1] / "tests/unit/test_long.py", "x = 1\n" * (rooms.MOST_LINES + 1)),
        "tests/unit/test_long.py",
    ),
}


@pytest.mark.parametrize("wrong", BREAKS)
def test_what_stands_in_the_wrong_place_is_named(tree: Path, wrong: str) -> None:
    """The rule names nothing before, and what was put wrong after."""
    faults, break_it, named = BREAKS[wrong]
    before = faults(tree)
    assert named not in before
    break_it(tree / SERVICE)
    assert named in faults(tree)


def broken_contracts(tree: Path) -> set[str]:
    """Names of the import contracts that the tree breaks."""
    contracts = [each for each in rooms.import_contracts(tree) if each["name"] in CHECKED]
    assert {each["name"] for each in contracts} == set(CHECKED)
    lines = ["[importlinter]", "root_packages =", "    services", "    shuniu", "include_external_packages = True"]
    for number, each in enumerate(contracts):
        lines.append(f"[importlinter:contract:{number}]")
        for key, value in each.items():
            text = "\n    ".join(["", *value]) if isinstance(value, list) else str(value)
            lines.append(f"{key} = {text}")
    (tree / ".importlinter").write_text("\n".join(lines) + "\n", "utf-8")
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--config", ".importlinter"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    told = dict(re.findall(r"^(.+) (KEPT|BROKEN)(?: \(\d+ ignored imports?\))?$", done.stdout, re.MULTILINE))
    assert set(told) == set(CHECKED), done.stdout + done.stderr
    assert (done.returncode == 0) == ("BROKEN" not in told.values())
    return {name for name, verdict in told.items() if verdict == "BROKEN"}


def test_every_stack_is_among_the_checked() -> None:
    """A service that gets layers is looked at here too."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    assert {
        each["name"] for each in contracts if each["type"] == "layers" and each["containers"] != ["shuniu.kit"]
    } == set(STACKS)


def test_this_tree_breaks_no_import_contract(tree: Path) -> None:
    """What the next tests find was put there by them."""
    assert broken_contracts(tree) == set()


FORBIDDEN = {
    "a subject that uses one above it": (
        "exchange/evaluations/domain.py",
        "from services.exchange.cases.domain import life",
        "exchange is a stack of subjects",
    ),
    "subjects side by side": (
        "exchange/grants/service.py",
        "from services.exchange.cases import store as case_store",
        "exchange is a stack of subjects",
    ),
    "what servicers share uses a subject": (
        "exchange/service/pages.py",
        "from services.exchange.inbox import links",
        "exchange is a stack of subjects",
    ),
    "a subject of esign that uses one above it": (
        "esign/ledger/sequencer.py",
        "from services.esign.flows import journal",
        "esign is a stack of subjects",
    ),
    "a subject of the catalogue that uses one above it": (
        "catalogue/items/views.py",
        "from services.catalogue.search import page_key",
        "catalogue is a stack of subjects",
    ),
    "a subject of identity that uses one above it": (
        "identity/platforms/views.py",
        "from services.identity.sessions import ending",
        "identity is a stack of subjects",
    ),
    "a subject of identity that uses the vault": (
        "identity/operators/store.py",
        "from services.identity.vault import store as vault",
        "identity is a stack of subjects",
    ),
    "a room of the vault that uses one above it": (
        "identity/vault/person_index.py",
        "from services.identity.vault import service",
        "The vault is a stack of rooms",
    ),
    "SQL in a subject's domain file": (
        "exchange/grants/domain.py",
        "from sqlalchemy import select",
        "Domains are pure",
    ),
    "gRPC in a subject's domain folder": ("exchange/cases/domain/life.py", "import grpc", "Domains are pure"),
    "the kit in a service's domain": (
        "exchange/domain/time_limits.py",
        "from shuniu.kit import errors",
        "Domains are pure",
    ),
}


@pytest.mark.parametrize("wrong", FORBIDDEN)
def test_a_forbidden_import_breaks_its_contract(tree: Path, wrong: str) -> None:
    """One import, one contract broken."""
    path, line, contract = FORBIDDEN[wrong]
    prepend(tree / "services" / path, line)
    assert broken_contracts(tree) == {contract}


def test_a_subject_without_layer_breaks_the_stack(tree: Path) -> None:
    """Layers are exhaustive: what stands nowhere is not let through."""
    put(tree / SERVICE / "bundles/__init__.py")
    put(tree / SERVICE / "bundles/store.py")
    assert "exchange is a stack of subjects" in broken_contracts(tree)
