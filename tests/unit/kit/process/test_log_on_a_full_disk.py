"""A log that cannot be written costs its line and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import logging
from shuniu.kit.process import log
log.configure("test")
for _ in range(3):
    log.get("a").info("a line")
    logging.getLogger("library").warning("a line of a library")
print("answered")
"""


@pytest.mark.parametrize("where", ["/dev/full", "/dev/null"])
def test_a_request_is_answered_though_its_line_is_lost(where):
    """Standard error on a disk without room."""
    with Path(where).open("w") as log:
        done = subprocess.run([sys.executable, "-c", CODE], stdout=subprocess.PIPE, stderr=log, timeout=60, check=False)
    assert done.stdout == b"answered\n"
