"""What the hub needs is what it says it needs: an installation without developers' tools starts."""

import ast
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import rooms

ROOT = Path(__file__).parents[2]
# Imports modules without some libraries, by their top-level names.
IMPORTING = """
import importlib, sys
refused = set(sys.argv[1].split(","))

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in refused:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refusing())
for name in sys.argv[2].split(","):
    importlib.import_module(name)
"""
OWN = {"shuniu", "services", "gateway"}
# What tests of services outside of this tree use, with their own pytest; what only type checkers have.
FOR_TESTS, FOR_TYPES = Path("shuniu/kit/testing"), {"_typeshed"}
# The migration tool runs it, with a connection.
RUN_BY_A_TOOL = "shuniu.kit.store.migration_env.env"


def needed() -> set[str]:
    """Names of the distributions that an installation brings, and of those that they bring, extras as asked for."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    found: set[str] = set()
    waiting = [(Requirement(each), "") for each in declared]
    seen = set()
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        asked = (name, frozenset(requirement.extras))
        if (requirement.marker and not requirement.marker.evaluate({"extra": extra})) or asked in seen:
            continue
        seen.add(asked)
        found.add(name)
        for each in metadata.requires(name) or ():
            waiting += ((Requirement(each), wanted) for wanted in ("", *requirement.extras))
    return found


def modules(distributions: set[str]) -> set[str]:
    """Top-level names of modules that these bring."""
    return {
        name
        for name, bring in metadata.packages_distributions().items()
        if any(canonicalize_name(each) in distributions for each in bring)
    }


def own_files() -> list[Path]:
    found = [path.relative_to(ROOT) for path in rooms.sources(ROOT)]
    return [path for path in found if path.parts[0] in OWN and FOR_TESTS not in path.parents]


def own_modules() -> list[str]:
    names = {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        for path in own_files()
        if path.name != "__main__.py"
    }
    return sorted(names - {RUN_BY_A_TOOL})


def test_every_library_that_is_imported_is_declared() -> None:
    """Also where a function imports it."""
    allowed = modules(needed()) | OWN | FOR_TYPES | set(sys.stdlib_module_names)
    missing = set()
    for path in own_files():
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            missing |= {f"{path}: {n}" for n in names if n.partition(".")[0] not in allowed}
    assert missing == set()


def test_the_hub_starts_with_what_is_declared() -> None:
    """Libraries that declared ones load by themselves come with them: no developers' tool brings them by chance."""
    everything = {name for name in metadata.packages_distributions() if name.isidentifier()}
    refused = everything - modules(needed()) - OWN
    run = subprocess.run(
        [sys.executable, "-c", IMPORTING, ",".join(sorted(refused)), ",".join(own_modules())],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr[-2000:]
