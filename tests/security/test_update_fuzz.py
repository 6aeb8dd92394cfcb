"""Random incremental updates of signed documents: whatever they hold, no page that looks different is called VALID.

By default some 1,500 updates. `FULL=1` makes 200,000 in two processes; `FUZZ_FROM` is the first seed, to go on where a
run was stopped.
"""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.support.update_checks import Tally
from tests.support.update_mutations import LAWFUL, UNLAWFUL
from tests.support.update_seeds import generated

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
UPDATES, FULL_UPDATES, CHUNK, PROCESSES = 1_500, 200_000, 1_000, 2
# Of those that pass, one in so many is drawn by other renderers too.
ELSEWHERE, FULL_ELSEWHERE = 12, 40


def run(first: int, last: int, directory: Path, every: int) -> Tally:
    """The updates of these seeds, the last one left out."""
    directory.mkdir(exist_ok=True)
    tally = Tally()
    for seed in range(first, last):
        tally.check(generated(seed), directory if seed % every == 0 else None)
    return tally


def said(tally: Tally) -> str:
    """A run in lines to be read."""
    kinds = "\n".join(f"  {kind}: {tally.passing[kind]} of {tally.kinds[kind]}" for kind in sorted(tally.kinds))
    return (
        f"{tally.updates} updates, {tally.passed} pass the first line, {tally.accepted} both; {tally.elsewhere} drawn "
        f"elsewhere; slowest {tally.slowest:.2f} s; {len(tally.violations)} violations\n{kinds}"
    )


def check(tally: Tally) -> None:
    assert not tally.violations, "\n".join(tally.violations[:40])
    # Where nothing lawful passes, nothing was proven.
    assert tally.accepted >= tally.updates / 20
    assert LAWFUL.keys() <= tally.passing.keys()
    assert UNLAWFUL.keys() <= tally.kinds.keys()


if not os.environ.get("FULL"):

    def test_no_update_that_changes_a_page_is_accepted(tmp_path):
        """Neither line alone, nor both: of updates that pass, no renderer shows another page; nothing raises or hangs."""
        check(run(0, UPDATES, tmp_path, ELSEWHERE))

else:

    @pytest.mark.timeout(0)
    def test_no_update_of_very_many_that_changes_a_page_is_accepted(tmp_path):
        """The same for 200,000 updates."""
        first = int(os.environ.get("FUZZ_FROM", "0"))
        total = Tally()
        with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
            waiting = [
                pool.submit(run, seed, min(seed + CHUNK, FULL_UPDATES), tmp_path / str(seed), FULL_ELSEWHERE)
                for seed in range(first, FULL_UPDATES, CHUNK)
            ]
            for seed, chunk in zip(range(first, FULL_UPDATES, CHUNK), waiting, strict=True):
                done = chunk.result()
                total.add(done)
                sys.stderr.write(f"{seed + done.updates}: {said(total).splitlines()[0]}\n")
                sys.stderr.write("".join(f"  {each}\n" for each in done.violations))
        print(said(total))
        check(total)
