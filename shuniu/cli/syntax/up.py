"""`shuniu up`: the whole hub on one machine."""

import argparse

from shuniu.cli.syntax.later import later


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "up", help="启动枢纽（Ctrl-C 停止） / run the hub (Ctrl-C drains it)", description=__doc__
    )
    parser.set_defaults(run=later("up", "run"))
