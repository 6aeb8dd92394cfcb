"""setuptools, after the hub's own verifier has been copied into the package: one source, and a wheel that needs no hub.
See docs/adr/0017-the-client-library-carries-the-hubs-verifier.md.

What is copied is what `services.esign.verification.offline` and the two ways of writing a verdict import, and nothing
else; a module that would bring a database, gRPC or the contract along ends the build.
"""

import ast
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403 — the hooks that need no copy

HERE = Path(__file__).parents[1]
HUB = HERE.parents[1]
INTO = HERE / "src" / "shuniu_client" / "_hub"
PACKAGE = "shuniu_client._hub"
ROOTS = (
    "services.esign.verification.offline",
    "services.esign.verification.domain.validation_report",
    "services.esign.verification.domain.sentences.verdict_words",
)
# The form of a verdict, for who has no checkout.
PAGES = ("verdict.md", "verdict.schema.json")
# The hub's packages, and what they are called in the wheel.
NAMES = {
    "services.esign": f"{PACKAGE}.esign",
    "shuniu.kit": f"{PACKAGE}.kit",
    "shuniu.china_time": f"{PACKAGE}.china_time",
    "shuniu.one_line": f"{PACKAGE}.one_line",
}
# Of the kit only what needs nothing of it, and of the rules that every domain may import.
CARRIED = {
    "shuniu.kit.crypto",
    "shuniu.kit.crypto.sm",
    "shuniu.kit.crypto.libcrypto",
    "shuniu.china_time",
    "shuniu.one_line",
}
# All that the library may need of others.
ALLOWED = {"cryptography", "numpy", "pypdfium2", "pypdfium2_raw"}
_HEAD = '''"""The hub's verifier, copied by the build from {module}. Change it there."""\n'''


class VendorError(Exception):
    """The verifier cannot be carried as it is. The text says why."""


def build_wheel(*arguments: Any, **named: Any) -> str:
    copy()
    return str(build_meta.build_wheel(*arguments, **named))


def build_sdist(*arguments: Any, **named: Any) -> str:
    copy()
    return str(build_meta.build_sdist(*arguments, **named))


def build_editable(*arguments: Any, **named: Any) -> str:
    copy()
    return str(build_meta.build_editable(*arguments, **named))


def prepare_metadata_for_build_wheel(*arguments: Any, **named: Any) -> str:
    copy()
    return str(build_meta.prepare_metadata_for_build_wheel(*arguments, **named))


def copy() -> None:
    """Writes `_hub` anew. In a source distribution it is there already, and no hub around it."""
    if not (HUB / "services" / "esign" / "verification" / "offline.py").exists():
        if not (INTO / "esign" / "verification" / "offline.py").exists():
            raise VendorError(
                "这里既没有枢纽的源代码，也没有其核验器的副本；请在枢纽的代码仓库中构建，或安装做好的 wheel / "
                "there are neither the hub's sources here nor a copy of its verifier: build inside a checkout of the "
                "hub, or install a wheel that was built there"
            )
        return
    # What an earlier build left would come along in the wheel.
    shutil.rmtree(HERE / "build", ignore_errors=True)
    # The verifier is the hub's, and so is its licence.
    shutil.copyfile(HUB / "LICENSE", HERE / "LICENSE")
    for page in PAGES:
        shutil.copyfile(HUB / "docs" / page, INTO.parent / page)
    modules = {module: _file(HUB, module).read_text("utf-8") for module in closure()}
    shutil.rmtree(INTO, ignore_errors=True)
    for module, text in modules.items():
        place = INTO.joinpath(*renamed(module).removeprefix(f"{PACKAGE}.").split("."))
        path = place / "__init__.py" if _is_package(module) else place.with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(rewritten(module, text), "utf-8")
    for folder in (INTO, *(path for path in INTO.rglob("*") if path.is_dir())):
        begin = folder / "__init__.py"
        if not begin.exists():
            begin.write_text(_HEAD.format(module="services and shuniu"), "utf-8")


def closure() -> set[str]:
    """The modules to copy. Raises VendorError."""
    found: set[str] = set()
    waiting = list(ROOTS)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _imported(module)
    return found


def _imported(module: str) -> list[str]:
    """The hub's own modules that this one imports. Raises VendorError for what may not come along."""
    found = []
    for name, members in _imports(module, ast.parse(_file(HUB, module).read_text("utf-8"))):
        first = name.partition(".")[0]
        if first in {"services", "shuniu"}:
            here = [each for each in (name, *(f"{name}.{member}" for member in members)) if _exists(each)]
            found += [each for each in here if not _is_outer(each)]
        elif first not in ALLOWED and not _is_standard(first):
            raise VendorError(f"{module} imports {name}, which the library must not need")
    for each in found:
        if each.startswith("shuniu.") and each not in CARRIED:
            raise VendorError(f"{module} imports {each}, which is no part of a verifier")
        if not each.startswith(tuple(NAMES)):
            raise VendorError(f"{module} imports {each}")
    return found


def _imports(module: str, tree: ast.Module) -> list[tuple[str, list[str]]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if node.level or node.module is None:
                raise VendorError(f"{module}:{node.lineno}: a relative import")
            found.append((node.module, [each.name for each in node.names]))
        elif isinstance(node, ast.Import):
            found += [(each.name, []) for each in node.names]
    return found


def rewritten(module: str, text: str) -> str:
    """The module's text with its imports of the hub under their new names. Raises VendorError."""
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import) and any(_is_hubs(each.name) for each in node.names):
            raise VendorError(f"{module}:{node.lineno}: import … of the hub; write from … import …")
        if isinstance(node, ast.ImportFrom) and node.module and _is_hubs(node.module):
            at = node.lineno - 1
            changed = re.sub(
                rf"\bfrom {re.escape(node.module)} import\b", f"from {renamed(node.module)} import", lines[at]
            )
            if changed == lines[at]:
                raise VendorError(f"{module}:{node.lineno}: an import in a form that is not known here")
            lines[at] = changed
    found = "".join(lines)
    left = [name for name, _ in _imports(module, ast.parse(found)) if _is_hubs(name)]
    if left:
        raise VendorError(f"{module} still imports {left}")
    return found


def renamed(module: str) -> str:
    """A module of the hub under its name in the wheel."""
    for old, new in NAMES.items():
        if module == old or module.startswith(f"{old}."):
            return new + module.removeprefix(old)
    raise VendorError(f"{module} has no place in the library")


def _is_hubs(name: str) -> bool:
    return name.partition(".")[0] in {"services", "shuniu"}


def _is_outer(module: str) -> bool:
    """Packages that hold what is copied: their own code is not, and is empty."""
    return module in {
        "services",
        "services.esign",
        "services.esign.domain",
        "shuniu",
        "shuniu.kit",
        "shuniu.kit.crypto",
    }


def _is_standard(name: str) -> bool:
    return name in sys.stdlib_module_names


def _exists(module: str) -> bool:
    return _file(HUB, module).exists()


def _is_package(module: str) -> bool:
    return HUB.joinpath(*module.split(".")).is_dir()


def _file(root: Path, module: str) -> Path:
    place = root.joinpath(*module.split("."))
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
