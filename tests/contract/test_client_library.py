"""The client library's rules: the hub's verifier is carried as it is, with nothing that a stranger should not need."""

import ast
import importlib
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.client_library import PROJECT, ROOT, alone, built

SOURCES = sorted((PROJECT / "src" / "shuniu_client").glob("*.py"))


@pytest.fixture
def backend(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(PROJECT / "backend"))
    monkeypatch.delitem(sys.modules, "shuniu_client_build", raising=False)
    return importlib.import_module("shuniu_client_build")


def test_what_is_carried_needs_cryptography_and_a_renderer_alone(backend: ModuleType) -> None:
    """Every module that the verifier imports may come along: no database, no gRPC, no contract, no network."""
    carried = backend.closure()
    assert {
        "services.esign.verification.offline",
        "services.esign.verification.domain.verify",
        "services.esign.ses.document",
    } <= carried
    assert {module for module in carried if module.startswith("shuniu.")} <= backend.CARRIED
    outside = {
        name.partition(".")[0]
        for module in carried
        for name, _ in backend._imports(module, ast.parse(backend._file(ROOT, module).read_text("utf-8")))
    }
    assert outside - set(sys.stdlib_module_names) <= {
        "cryptography",
        "numpy",
        "pypdfium2",
        "pypdfium2_raw",
        "services",
        "shuniu",
    }


@pytest.mark.parametrize(
    "root", ["services.esign.verification.service.verification", "services.esign.keys.secrets", "services.esign.store"]
)
def test_a_module_of_the_service_ends_the_build(backend: ModuleType, monkeypatch, root: str) -> None:
    """What brings the contract, settings or a database along is refused by name."""
    monkeypatch.setattr(backend, "ROOTS", (root,))
    with pytest.raises(backend.VendorError, match="imports"):
        backend.closure()


def test_only_names_of_imports_change(backend: ModuleType) -> None:
    """A carried module differs from the hub's in lines that import from the hub, and in nothing of what they import."""
    for module in backend.closure():
        text = backend._file(ROOT, module).read_text("utf-8")
        carried = backend.rewritten(module, text)
        assert [
            (old, new)
            for old, new in zip(text.splitlines(), carried.splitlines(), strict=True)
            if old != new
            and not old.lstrip().startswith("from services.")
            and not old.lstrip().startswith("from shuniu.")
        ] == []
        # Undone, it is the hub's again.
        for old, new in backend.NAMES.items():
            carried = carried.replace(f"from {new}", f"from {old}")
        assert carried == text


def test_a_source_distribution_builds_by_itself(tmp_path: Path) -> None:
    """It holds the verifier and the licence, and becomes the same wheel where no hub is around it."""
    code = "import sys, shuniu_client_build as build; print(build.build_sdist(sys.argv[1]))"
    line = [sys.executable, "-c", code, str(tmp_path)]
    with alone():
        made = subprocess.run(
            line, cwd=PROJECT, env={"PYTHONPATH": "backend"}, capture_output=True, text=True, check=True
        )
    name = made.stdout.split()[-1]
    with tarfile.open(tmp_path / name) as archive:
        archive.extractall(tmp_path / "alone", filter="data")
    (project,) = (tmp_path / "alone").iterdir()
    wheels = [
        built(source, tmp_path / folder) for source, folder in ((project, "from source"), (PROJECT, "from the hub"))
    ]
    holds = [sorted((info.filename, info.CRC) for info in wheel.infolist()) for wheel in map(zipfile.ZipFile, wheels)]
    assert holds[0] == holds[1]
    names = {name for name, _ in holds[0]}
    assert {"shuniu_client/_hub/esign/verification/domain/verify.py", "shuniu_client/py.typed"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {"shuniu_client/verdict.md", "shuniu_client/verdict.schema.json"} <= set(names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"shuniu_client"}


def test_the_librarys_own_modules_need_nothing() -> None:
    """Outside the copy: the standard library and the library itself; asking a hub does not even need the copy."""
    assert len(SOURCES) >= 4
    for path in SOURCES:
        names = {
            name
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            for name in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [each.name for each in node.names]
                if isinstance(node, ast.Import)
                else []
            )
        }
        others = {name for name in names if name.partition(".")[0] not in {*sys.stdlib_module_names, "shuniu_client"}}
        assert others == set(), path.name
        if path.name != "verify.py":
            assert not any(name.startswith("shuniu_client._hub") for name in names), path.name
