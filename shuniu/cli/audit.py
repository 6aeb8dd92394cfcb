"""`shuniu audit verify`: the audit chains of all stores, recomputed."""

import argparse
import asyncio

from shuniu.api.common.v1 import operations_pb2 as pb
from shuniu.cli.local import ask_all, supervisor_state
from shuniu.cli.output import out, table
from shuniu.cli.place import Place
from shuniu.cli.stores import databases
from shuniu.kit.errors import HubError
from shuniu.kit.process.clock import SystemClock


def audit_verify(arguments: argparse.Namespace) -> int:
    place = Place(arguments.data.resolve())
    place.hub()
    answers = asyncio.run(_audits(place))
    rows = {
        service: {"intact": answer.intact, "records": answer.records, "first_break": answer.first_break}
        for service, answer in answers.items()
    }
    text = table(
        ["服务 service", "完整 intact", "记录 records", "首个断点 first break"],
        [[name, "✓" if row["intact"] else "✗", row["records"], row["first_break"]] for name, row in rows.items()],
    )
    intact = all(row["intact"] for row in rows.values())
    out({"intact": intact, "services": rows}, text, as_json=arguments.json)
    return 0 if intact else 1


async def _audits(place: Place) -> dict[str, pb.VerifyAuditResponse]:
    """By asking the services while they run; from their stores while they do not."""
    if supervisor_state(place) is not None:
        answers = await ask_all(place, lambda stub: stub.VerifyAudit, pb.VerifyAuditRequest())
        for answer in answers.values():
            if isinstance(answer, HubError):
                raise answer
        return answers
    # Only where the stores are read here: a database takes its time to be imported.
    from shuniu.kit.operations import audit_check
    from shuniu.kit.store import Store
    from shuniu.kit.store.tables import KIT

    checked: dict[str, pb.VerifyAuditResponse] = {}
    for database in databases(place):
        store = Store.unchecked(database.url, KIT, clock=SystemClock(), writer="audit")
        try:
            checked[database.service] = await store.read(audit_check)
        finally:
            await store.close()
    return checked
