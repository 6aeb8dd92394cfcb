"""`shuniu status`, `shuniu trace`: what runs, how far behind it is, and where one case stands."""

import argparse

from shuniu.cli.syntax.later import later


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("status", help="各部件状态 / state of all parts", description=__doc__)
    parser.set_defaults(run=later("status", "status"))
    parser = commands.add_parser("trace", help="追踪一件办件 / follow one case", description=__doc__)
    parser.add_argument("case", metavar="CASE", help="办件编号或其他聚合编号 / case code, or another aggregate's id")
    parser.set_defaults(run=later("status", "trace"))
