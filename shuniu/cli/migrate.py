"""`shuniu migrate`: brings every store to its newest schema."""

import argparse
import asyncio

from shuniu.cli.output import out
from shuniu.cli.place import Place
from shuniu.cli.stores import migrate_all


def migrate(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    place.hub()
    revisions = asyncio.run(migrate_all(place))
    text = "\n".join(f"{service}: {revision}" for service, revision in revisions.items())
    out({"revisions": revisions}, text, as_json=arguments.json)
    return 0
