"""`shuniu bench`: measures this machine; the benchmarks lie with the tests of a checkout."""

import argparse
import importlib.util
import subprocess
import sys

from shuniu.cli.output import complain


def run(arguments: argparse.Namespace) -> int:
    if importlib.util.find_spec("tests.bench") is None:
        complain("基准测试随源码提供，请在源码目录运行 make bench / benchmarks come with the source: make bench")
        return 1
    command = [sys.executable, "-m", "tests.bench"]
    if arguments.only:
        command += ["--only", arguments.only]
    return subprocess.run(command, check=False).returncode
