"""kill -9 of esign between any two steps of issuing, several documents under way: nothing is released unlogged, nothing
is sealed twice, nothing is logged twice.
"""

import asyncio
import signal
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select

from services.esign.config import EsignSettings
from services.esign.documents.store import certificates as document_rows
from services.esign.keys.secrets import Secrets
from services.esign.ledger.domain import ledger
from services.esign.ledger.domain.ledger import EntryType
from services.esign.ledger.store.files import LedgerStore
from shuniu.kit.process.config import HubSettings
from tests.support.seal_land import TRUST

PROGRAM = "tests.faults.issue_until_killed"
AT_ONCE = 4
# Where it dies, several documents being under way: with numbers handed out, with bytes made but not kept, kept but not
# logged, at the door of the ledger, logged but not released, released but not answered.
DEATHS = [
    ("slot", "exit", 1),
    ("seal", "exit", 2),
    # `store` is passed once for keeping the sealed bytes and once for the release.
    ("store", "exit", 1),
    ("ledger", "enter", 2),
    ("ledger", "exit", 1),
    ("store", "exit", AT_ONCE + 1),
]


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as name:
        yield Path(name)


async def lives(folder, step, edge, number, cases):
    """One life: (exit status, case → (number, SHA-256, index) of what it answered)."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", PROGRAM, str(folder), step, edge, str(number), *cases),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    answered = (line.split()[1:] for line in out.decode().splitlines() if line.startswith("answer "))
    return process.returncode, {case: rest for case, *rest in answered}


def rows(folder):
    engine = create_engine(f"sqlite:///{folder}/db/esign.db")
    try:
        with engine.connect() as conn:
            return list(conn.execute(select(document_rows.certificate)))
    finally:
        engine.dispose()


@pytest.mark.timeout(240)
async def test_killed_between_any_two_steps(folder):
    """After each death: what is ISSUED is in the log under the store's own receipt, what was SEALED keeps its bytes.
    In the end every case has one document, sealed and logged once, and every answer ever given is that document.
    """
    sealed: dict[str, str] = {}
    answers: dict[str, list[str]] = {}
    cases: list[str] = []
    for life, (step, edge, number) in enumerate([*DEATHS, ("none", "enter", 0)]):
        cases += [f"NMG2026060100{life:02d}{n:02d}" for n in range(AT_ONCE)] if step != "none" else []
        # The callers of earlier lives ask again together with new ones.
        status, answered = await lives(folder, step, edge, number, cases)
        assert status == (-signal.SIGKILL if step != "none" else 0), (step, edge)
        for case, answer in answered.items():
            assert answers.setdefault(case, answer) == answer
        logged = documents_in(folder)
        assert len(logged) == len(set(logged.values()))
        for row in rows(folder):
            if row.stage == document_rows.ISSUED:
                assert logged[row.ledger_index] == row.sha256 == sha256(row.pdf).hexdigest()
                assert ledger.parse_receipt(row.receipt).index == row.ledger_index
            if row.stage != document_rows.SLOT:
                assert sealed.setdefault(row.number, row.sha256) == row.sha256, (step, edge)
    assert set(answers) == set(cases)
    found = rows(folder)
    assert {row.stage for row in found} == {document_rows.ISSUED}
    assert len(found) == len(cases) == len(logged)


def documents_in(folder):
    """Index → SHA-256 of the documents in the log, audited while nobody has it open."""
    hub = HubSettings("150000", "内蒙古枢纽", TRUST, "https://hub.test", folder, folder)
    secrets = Secrets.load(hub, EsignSettings(ses_sidecar=False))
    log = LedgerStore.open(folder / "ledger", secrets.ledger)
    try:
        entries = [ledger.decode(entry) for entry in log.entries(0)]
    finally:
        log.abandon()
    return {at: entry.document_sha256 for at, entry in enumerate(entries) if entry.type is EntryType.DOCUMENT_SEALED}
