"""`shuniu events dead|replay|requeue`: events that could not take effect, or were given up, and sending them again."""

import argparse

from shuniu.cli.stores import PACKAGES
from shuniu.cli.syntax.later import later


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    events = commands.add_parser("events", help="死信与重放 / dead letters", description=__doc__)
    verbs = events.add_subparsers(metavar="VERB", required=True)
    verbs.add_parser("dead", help="列出死信 / list dead letters").set_defaults(run=later("events", "dead"))
    parser = verbs.add_parser("replay", help="重放死信 / send dead letters again")
    parser.add_argument("service", choices=sorted(PACKAGES))
    parser.add_argument(
        "event", nargs="*", metavar="EVENT", help="事件编号，缺省为全部 / event ids; all when none is given"
    )
    parser.add_argument("--yes", action="store_true", help="真正重放；缺省只预览 / send; without it only a preview")
    parser.set_defaults(run=later("events", "replay"))
    parser = verbs.add_parser(
        "requeue", help="重新投递已放弃的事件 / send an organisation's deliveries again that were given up"
    )
    parser.add_argument("service", choices=sorted(PACKAGES))
    parser.add_argument("organisation", metavar="CODE", help="机构代码 / the organisation's code")
    parser.add_argument("--yes", action="store_true", help="真正投递；缺省只预览 / send; without it only a preview")
    parser.set_defaults(run=later("events", "requeue"))
