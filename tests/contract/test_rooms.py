"""Every service has the same rooms, so that who knows one finds the way in all."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import rooms, rooms_of_deeds

ROOT = Path(__file__).parents[2]

# One story on one hub; one list of mutations; one kind of attack in all its forms.
LONG_TESTS = {
    "tests/e2e/test_main_job.py",
    "tests/security/test_drawn_additions.py",
    "tests/support/update_mutations.py",
}


def test_all_services_are_there() -> None:
    """Four services and the vault are processes of their own."""
    assert [rooms.name(ROOT, service) for service in rooms.services(ROOT)] == [
        "services/catalogue",
        "services/esign",
        "services/exchange",
        "services/identity",
        "services/identity/vault",
    ]


def test_services_are_made_of_subjects() -> None:
    """All but the vault, which is small enough to be one."""
    without = [rooms.name(ROOT, service) for service in rooms.services(ROOT) if not rooms.subjects(service)]
    assert without == ["services/identity/vault"]


@pytest.mark.parametrize("faults", [*rooms.RULES, *rooms_of_deeds.RULES], ids=lambda rule: rule.__name__)
def test_rule_is_kept(faults: Callable[[Path], list[str]]) -> None:
    """The rule's docstring says what it asks; what breaks it is named."""
    assert faults(ROOT) == []


def test_no_file_of_tests_is_too_long() -> None:
    """But those named above; each of them is still that long."""
    assert set(rooms.long_files_of_tests(ROOT)) == LONG_TESTS


def test_nothing_is_left_for_later() -> None:
    """No placeholder stands in the code: what is there works."""
    later = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in rooms.sources(ROOT)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if later.search(line)
    ]
    assert found == []


def test_no_python_runs_between_fork_and_exec() -> None:
    """A child of a process with threads, gRPC's among them, may crash there."""
    assert [path.name for path in rooms.sources(ROOT) if "preexec_fn" in path.read_text(encoding="utf-8")] == []


def test_want_of_memory_is_never_taken_for_something_wrong_in_a_document() -> None:
    """Who catches whatever a library may raise lets a failed allocation pass: what was not read says nothing."""
    found = []
    for path in rooms.sources(ROOT):
        if not ("/services/esign/" in path.as_posix() and "domain" in path.parts):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            caught = (
                [ast.unparse(each.type) for each in node.handlers if each.type] if isinstance(node, ast.Try) else []
            )
            if "Exception" in caught and "MemoryError" not in caught[: caught.index("Exception")]:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []
