"""The import contracts are not kept by chance: an import that one of them forbids breaks it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import rooms
from tests.support.rooms_tree import ROOT, SERVICE, copied, prepend, put

# Further contracts that the same import breaks.
ALSO = {
    "a subject of identity that uses the vault": {"identity does not know the vault"},
    "a service in the kit": {"No service imports another"},
    "the command line in the gateway": {"The gateway talks by contract"},
}


def broken_contracts(tree: Path) -> set[str]:
    """Names of the import contracts that the tree breaks."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--config", "pyproject.toml"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )
    told = dict(re.findall(r"^(.+) (KEPT|BROKEN)(?: \(\d+ ignored imports?\))?$", done.stdout, re.MULTILINE))
    assert set(told) == {each["name"] for each in rooms.import_contracts(ROOT)}, done.stdout + done.stderr
    assert (done.returncode == 0) == ("BROKEN" not in told.values())
    return {name for name, verdict in told.items() if verdict == "BROKEN"}


def test_every_contract_is_broken_once() -> None:
    """A contract that nothing breaks may ask nothing."""
    assert {contract for _, _, contract in FORBIDDEN.values()} == {
        each["name"] for each in rooms.import_contracts(ROOT)
    }


def test_the_vault_and_identity_are_kept_apart_in_all_their_rooms() -> None:
    """Each room of identity but the vault stands in both contracts."""
    identity = ROOT / "services/identity"
    inside = {path.stem for path in identity.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    expected = {f"services.identity.{room}" for room in inside - {"__init__", "vault"}}
    told = {each["name"]: each for each in rooms.import_contracts(ROOT)}
    assert set(told["identity does not know the vault"]["source_modules"]) == expected
    assert set(told["The vault does not know identity"]["forbidden_modules"]) == expected


def test_this_tree_breaks_no_import_contract(tmp_path: Path) -> None:
    """What the next tests find was put there by them."""
    assert broken_contracts(copied(tmp_path)) == set()


FORBIDDEN = {
    "a subject that uses one above it": (
        "services/exchange/evaluations/domain.py",
        "from services.exchange.cases.domain import life",
        "exchange is a stack of subjects",
    ),
    "subjects side by side": (
        "services/exchange/grants/service.py",
        "from services.exchange.cases import store as case_store",
        "exchange is a stack of subjects",
    ),
    "what servicers share uses a subject": (
        "services/exchange/service/pages.py",
        "from services.exchange.inbox import links",
        "exchange is a stack of subjects",
    ),
    "a subject of esign that uses one above it": (
        "services/esign/ledger/sequencer.py",
        "from services.esign.flows import journal",
        "esign is a stack of subjects",
    ),
    "a subject of the catalogue that uses one above it": (
        "services/catalogue/items/views.py",
        "from services.catalogue.search import page_key",
        "catalogue is a stack of subjects",
    ),
    "a subject of identity that uses one above it": (
        "services/identity/platforms/views.py",
        "from services.identity.sessions import ending",
        "identity is a stack of subjects",
    ),
    "a subject of identity that uses the vault": (
        "services/identity/operators/store.py",
        "from services.identity.vault import store as vault",
        "identity is a stack of subjects",
    ),
    "a room of the vault that uses one above it": (
        "services/identity/vault/person_index.py",
        "from services.identity.vault import service",
        "The vault is a stack of rooms",
    ),
    "SQL in a subject's domain file": (
        "services/exchange/grants/domain.py",
        "from sqlalchemy import select",
        "Domains are pure",
    ),
    "gRPC in a subject's domain folder": ("services/exchange/cases/domain/life.py", "import grpc", "Domains are pure"),
    "the kit in a service's domain": (
        "services/exchange/domain/time_limits.py",
        "from shuniu.kit import errors",
        "Domains are pure",
    ),
    "a device in a subject's domain": ("services/exchange/cases/domain/life.py", "import socket", "Domains are pure"),
    "an address that a rule opens": (
        "services/exchange/cases/domain/life.py",
        "import urllib.request",
        "Domains are pure",
    ),
    "another database in a domain": ("services/exchange/grants/domain.py", "import sqlite3", "Domains are pure"),
    "a process in the rules of all": ("shuniu/rules.py", "import subprocess", "Rules know nothing of the hub"),
    "a service in the kit": ("shuniu/kit/parts.py", "from services.exchange import config", "The kit knows no service"),
    "a subject of the kit that uses one above it": (
        "shuniu/kit/store/lease.py",
        "from shuniu.kit.events import bus",
        "The kit is a stack of subjects",
    ),
    "a service in another": (
        "services/exchange/cases/views.py",
        "from services.catalogue.items import store",
        "No service imports another",
    ),
    "a service in the gateway": (
        "gateway/envoy/contract.py",
        "from services.exchange import config",
        "The gateway talks by contract",
    ),
    "the gateway in a service": (
        "services/exchange/cases/views.py",
        "from gateway.envoy import contract",
        "Services know neither gateway nor command line",
    ),
    "a store in the command line": (
        "shuniu/cli/stores.py",
        "from services.exchange.cases import store",
        "The command line reaches services through their commands",
    ),
    "the command line in the gateway": (
        "gateway/envoy/contract.py",
        "from shuniu.cli import stores",
        "Nothing imports the command line",
    ),
    "the kit in an example": (
        "examples/practice/__init__.py",
        "from shuniu.kit import errors",
        "Examples use the public contract only",
    ),
    "identity's app with the code of the vault": (
        "services/identity/app.py",
        "from services.identity.vault import person_records",
        "identity does not know the vault",
    ),
    "the vault with identity's settings": (
        "services/identity/vault/app.py",
        "from services.identity import config as others",
        "The vault does not know identity",
    ),
}


@pytest.mark.parametrize("wrong", FORBIDDEN)
def test_a_forbidden_import_breaks_its_contract(tmp_path: Path, wrong: str) -> None:
    """One import, one contract broken, and those further ones that ask the same of it."""
    path, line, contract = FORBIDDEN[wrong]
    tree = copied(tmp_path)
    prepend(tree / path, line)
    assert broken_contracts(tree) == {contract, *ALSO.get(wrong, ())}


def test_a_subject_without_layer_breaks_the_stack(tmp_path: Path) -> None:
    """Layers are exhaustive: what stands nowhere is not let through."""
    tree = copied(tmp_path)
    put(tree / SERVICE / "bundles/__init__.py")
    put(tree / SERVICE / "bundles/store.py")
    assert "exchange is a stack of subjects" in broken_contracts(tree)
