"""`shuniu bench`: measures this machine; the benchmarks lie with the tests of a checkout."""

import argparse

from shuniu.cli.syntax.later import later


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("bench", help="性能测量 / measure this machine", description=__doc__)
    parser.add_argument(
        "--only", default="", metavar="AREA", help="只测一个领域 / one area: the name before the first dot"
    )
    parser.set_defaults(run=later("bench", "run"))
