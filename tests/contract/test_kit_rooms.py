"""The kit is made of subjects, as the services are: packages that load nothing by themselves, tests that mirror them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KIT = ROOT / "shuniu/kit"
MOST_FILES = 25


@pytest.mark.parametrize("subject", ["", "crypto", "events", "feeds", "process", "rpc"])
def test_a_package_says_what_it_is_and_does_nothing(subject: str) -> None:
    """A command that reads settings loads no server, store or bus."""
    (only,) = ast.parse((KIT / subject / "__init__.py").read_text("utf-8")).body
    assert isinstance(only, ast.Expr)
    assert isinstance(only.value, ast.Constant)


def test_tests_mirror_the_subjects() -> None:
    """Each folder of tests is named like the subject that it tests."""
    subjects = {path.parent.name for path in KIT.glob("*/__init__.py")} - {"testing"}
    tested = {path.parent.name for path in (ROOT / "tests/unit/kit").glob("*/test_*.py")}
    assert tested == subjects


def test_no_subject_grows_without_end() -> None:
    """A folder that passes 25 modules is split by subject."""
    sizes = {folder.name: len(list(folder.glob("*.py"))) for folder in (KIT, *KIT.glob("*/")) if folder.is_dir()}
    assert {name: size for name, size in sizes.items() if size > MOST_FILES} == {}
