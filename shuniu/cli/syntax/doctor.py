"""`shuniu doctor`: clock, disk, ports, certificates, settings, versions; each finding with its mend."""

import argparse

from shuniu.cli.syntax.later import later


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("doctor", help="体检 / check-up", description=__doc__)
    parser.set_defaults(run=later("doctor", "run"))
