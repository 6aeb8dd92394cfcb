"""Asks an authority whether a name and a number belong together, and stores the evidence of it."""

from sqlalchemy import Connection

from services.exchange import metrics
from services.exchange.directory import domain as resources
from services.exchange.directory import store as directory_store
from services.exchange.directory.domain import Resource
from services.exchange.directory.refusals import resource_unknown
from services.exchange.evidence.domain import Kind
from services.exchange.evidence.log import EvidenceBook
from services.exchange.queries import store
from services.exchange.queries.asking import Asking
from services.exchange.queries.digests import CallDigests
from services.exchange.queries.replies import Reply
from services.exchange.queries.store import CallRow
from shuniu.api.common.v1 import envelope_pb2
from shuniu.kit.errors import HubError
from shuniu.kit.foundation import Foundation

_PURPOSE = "authority"


class AuthorityCalls:
    """Real-name questions of the hub's own services."""

    def __init__(self, base: Foundation, asking: Asking, evidence: EvidenceBook) -> None:
        self._base = base
        self._asking = asking
        self._evidence = evidence

    async def ask(
        self, resource: str, subject: envelope_pb2.SealedData, service: str, left: float | None
    ) -> tuple[Reply, CallDigests]:
        """The reply and its digests, after they were stored. `service` asks; `left`: seconds of its deadline.

        Raises RESOURCE_UNKNOWN and what `Asking.ask` raises.
        """
        found = await self._base.store.read(directory_store.find_resource, resource)
        if found is None or found.state is not resources.ResourceState.PUBLISHED or not found.authority:
            raise resource_unknown()
        try:
            reply = await self._asking.ask(
                self._asking.new_call(), found, subject, fields=(), purpose=_PURPOSE, left=left
            )
        except HubError as error:
            metrics.QUERIES.labels("authority", error.reason).inc()
            raise
        digests = reply.of_message
        await self._base.write(self._keep, found, f"service:{service}", reply, digests)
        return reply, digests

    def _keep(self, conn: Connection, found: Resource, consumer: str, reply: Reply, digests: CallDigests) -> None:
        row = CallRow(
            call_id=reply.call_id,
            kind="authority",
            caller_key=consumer,
            request_id=reply.call_id,
            digest=b"",
            resource=found.code,
            consumer=consumer,
            provider=found.provider,
            purpose=_PURPOSE,
        ).answered(reply, digests)
        store.insert_call(conn, row)
        parties = (row.consumer, row.provider)
        self._evidence.keep(conn, row.call_id, Kind.AUTHORITY, row.answered_us, parties, store.call_facts(row))
        self._base.audit(conn, "VerifySubject", f"resource/{found.code}", call=row.call_id)
