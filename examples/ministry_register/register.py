"""A register that answers two questions: is this person who they say (authority), and is there a record."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import grpc
from joserfc import jwe

from examples.hub_client.session import Session, request_id
from shuniu.api.exchange.v1 import query_pb2, query_pb2_grpc

AUTHORITY = "population-register"
RECORDS = "criminal-records"
EDITOR = "MPS-0001"
REVIEWER = "MPS-0002"


@dataclass(frozen=True, slots=True)
class Entry:
    """A person in the register. Synthetic."""

    full_name: str
    document_type: str
    has_record: bool


class Register:
    """Entries by normalised document number."""

    def __init__(self, session: Session, entries: Mapping[str, Entry]) -> None:
        self._session = session
        self._entries = entries
        self._stub = query_pb2_grpc.ProviderServiceStub(session.channel)
        self.answered = 0

    async def publish_resources(self) -> None:
        """Describes both resources; a second person reviews each before use."""
        stub = query_pb2_grpc.ResourceServiceStub(self._session.channel)
        described = [
            query_pb2.Resource(
                code=AUTHORITY,
                title="实名核验",
                fields=[query_pb2.ResourceField(name="result", title="核验结果", sensitivity="internal")],
                share_class=query_pb2.SHARE_CLASS_NOT_SHARED,
                secrecy="sensitive",
                authority=True,
            ),
            query_pb2.Resource(
                code=RECORDS,
                title="犯罪记录查询",
                fields=[
                    query_pb2.ResourceField(name="has_record", title="有无犯罪记录", sensitivity="sensitive"),
                    query_pb2.ResourceField(name="checked_until", title="查询截至日期", sensitivity="internal"),
                ],
                share_class=query_pb2.SHARE_CLASS_CONDITIONAL,
                secrecy="sensitive",
            ),
        ]
        for resource in described:
            await self._session.call(
                stub.CreateResource,
                query_pb2.CreateResourceRequest(request_id=request_id(), resource=resource, editor=EDITOR),
            )
            await self._session.call(
                stub.PublishResource,
                query_pb2.PublishResourceRequest(request_id=request_id(), code=resource.code, reviewer=REVIEWER),
            )

    async def grant_everything(self) -> int:
        """The ministry's decision in this example: every application is granted. Returns how many."""
        stub = query_pb2_grpc.ResourceServiceStub(self._session.channel)
        page = await self._session.call(stub.ListGrants, query_pb2.ListGrantsRequest(page_size=500))
        waiting = [grant for grant in page.grants if grant.state in ("APPLIED", "REVIEWED", "PROVIDER_DECISION")]
        for grant in waiting:
            await self._session.call(
                stub.DecideGrant,
                query_pb2.DecideGrantRequest(
                    request_id=request_id(), id=grant.id, decision=query_pb2.GRANT_DECISION_GRANT
                ),
            )
        return len(waiting)

    async def serve(self) -> None:
        """Keeps one stream to the hub open and answers on it, for ever."""
        while True:
            outgoing: asyncio.Queue[query_pb2.ServeRequest] = asyncio.Queue()
            hello = query_pb2.ServeHello(resources=[AUTHORITY, RECORDS], window=256)
            outgoing.put_nowait(query_pb2.ServeRequest(hello=hello))

            async def requests(
                queue: "asyncio.Queue[query_pb2.ServeRequest]" = outgoing,
            ) -> AsyncIterator[query_pb2.ServeRequest]:
                while True:
                    yield await queue.get()

            stream = None
            try:
                token = await self._session.token()
                stream = self._stub.Serve(requests(), metadata=(("authorization", f"Bearer {token}"),))
                async for question in stream:
                    outgoing.put_nowait(query_pb2.ServeRequest(answer=self._answer(question)))
            except (grpc.aio.AioRpcError, RuntimeError):
                await asyncio.sleep(0.2)
            finally:
                # A stream that ended on the hub's side still holds the task that waits for our next answer.
                if stream is not None:
                    stream.cancel()

    def _answer(self, question: query_pb2.ServeResponse) -> query_pb2.ServeAnswer:
        subject = json.loads(
            jwe.decrypt_compact(
                question.subject.jwe, self._session.credentials.sealing_key, algorithms=["ECDH-ES", "A256GCM"]
            ).plaintext
            or b"{}"
        )
        self.answered += 1
        entry = self._entries.get(str(subject.get("document_number", "")))
        answer = query_pb2.ServeAnswer(call_id=question.call_id, transaction_id=uuid.uuid4().hex)
        if entry is None:
            answer.result = "NOT_FOUND"
        elif question.resource == AUTHORITY:
            same = (entry.full_name, entry.document_type) == (subject.get("full_name"), subject.get("document_type"))
            answer.result = "MATCH" if same else "MISMATCH"
        else:
            answer.result = "OK"
            # More than was granted on purpose: the hub must keep the rest from leaving.
            content = {"has_record": entry.has_record, "checked_until": "2026-11-01", "file_number": "never-shared"}
            answer.answer_json = json.dumps(content).encode()
        return answer
