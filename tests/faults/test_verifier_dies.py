"""The processes that read foreign documents go with the service that started them."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from shuniu.kit.testing import eventually

SERVICE = """
import asyncio
from services.esign.verification.workers.verifier import Question, Verifier

async def main():
    verifier = Verifier(20)
    await verifier.judge(Question(b"%PDF-", b"", (), 0, None, None))
    reading = asyncio.create_task(verifier.run(pow, 7, 10**9))
    while not any(worker.pid for worker in verifier._busy):
        await asyncio.sleep(0.01)
    pids = [worker.pid for worker in (*verifier._idle, *verifier._busy) if worker.pid]
    print(verifier._nursery._process.pid, *pids, flush=True)
    await reading

if __name__ == "__main__":
    asyncio.run(main())
"""


def _gone(pid: int) -> bool:
    """No such process, or one that only waits to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


async def test_a_killed_service_leaves_no_worker(tmp_path) -> None:
    """kill -9 of the service ends its workers too, the one in the middle of a document and those that wait."""
    script = tmp_path / "service.py"
    script.write_text(SERVICE)
    service = await asyncio.create_subprocess_exec(
        sys.executable, str(script), stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )
    assert service.stdout is not None
    pids = [int(pid) for pid in (await asyncio.wait_for(service.stdout.readline(), 60)).split()]
    assert len(pids) >= 2
    assert not any(map(_gone, pids))
    service.send_signal(signal.SIGKILL)
    await service.wait()
    await eventually(lambda: all(map(_gone, pids)), message="a worker lives on")
