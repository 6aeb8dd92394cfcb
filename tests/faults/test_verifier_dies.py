"""The worker that reads foreign documents goes with the service that started it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from shuniu.kit.testing import eventually

SERVICE = """
import asyncio, time
from services.esign.verifier import Question, Verifier

async def main():
    verifier = Verifier(20)
    await verifier.judge(Question(b"%PDF-", b"", (), 0, None, None))
    [worker] = verifier._pool._processes
    print(worker, flush=True)
    await asyncio.sleep(60)

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
    """kill -9 of the service ends its worker too."""
    script = tmp_path / "service.py"
    script.write_text(SERVICE)
    service = await asyncio.create_subprocess_exec(
        sys.executable, str(script), stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )
    assert service.stdout is not None
    worker = int(await asyncio.wait_for(service.stdout.readline(), 60))
    assert not _gone(worker)
    service.send_signal(signal.SIGKILL)
    await service.wait()
    await eventually(lambda: _gone(worker), message="the worker lives on")
