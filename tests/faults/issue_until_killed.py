"""`python -m tests.faults.issue_until_killed DIR STEP EDGE NUMBER CASES…`: issues documents of these cases at once and
kills itself (SIGKILL) where the NUMBERth document comes to (`enter`) or leaves (`exit`) a step of issuing. STEP `none`:
to the end. Prints a line `answer case number sha256 index` for each answer.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from services.esign.documents import issuing
from services.esign.seals.store import seals as seal_rows
from shuniu.api.esign.v1 import esign_pb2
from tests.support.seal_land import AGENCY, FACTS, POLICE, SealLand, seal_land


def deadly(step: str, edge: str, number: int) -> None:
    """Makes that step the last one of this process."""
    whole, passed = issuing.step, [0]

    def count() -> None:
        passed[0] += 1
        if passed[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextlib.contextmanager
    def measured(name: str) -> Iterator[None]:
        if (name, edge) == (step, "enter"):
            count()
        with whole(name):
            yield
        if (name, edge) == (step, "exit"):
            count()

    issuing.step = measured


async def issue(land: SealLand, case: str) -> None:
    request = esign_pb2.IssueCertificateRequest(request_id=f"request-{case}", case_code=case, facts=FACTS)
    found = (await land.documents.IssueCertificate(request, metadata=AGENCY)).certificate
    print("answer", case, found.number, found.sha256, found.ledger_index, flush=True)


async def main(folder: Path, step: str, edge: str, number: int, cases: list[str]) -> None:
    async with seal_land(kept=folder) as land:
        if not await land.base.store.read(seal_rows.seals_of, POLICE):
            await land.active()
        if step != "none":
            deadly(step, edge, number)
        task = asyncio.create_task(land.issuing.finish_interrupted())
        await asyncio.gather(*(issue(land, case) for case in cases))
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5:]))
