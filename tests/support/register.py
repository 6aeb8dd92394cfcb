"""A provider on its outward stream, as a test wants it to answer."""

import asyncio
import contextlib
import json

import grpc
from joserfc import jwe

from shuniu.api.exchange.v1 import query_pb2 as pb
from tests.support.exchange_land import BASE, rid

RECORDS = "criminal-records"
POPULATION = "population-register"


def resource(code=RECORDS, **changes):
    made = pb.Resource(
        code=code,
        title="犯罪记录查询",
        fields=[
            pb.ResourceField(name="has_record", title="有无犯罪记录", sensitivity="sensitive"),
            pb.ResourceField(name="checked_until", title="查询截至日期", sensitivity="internal"),
            pb.ResourceField(name="detail", title="详情", sensitivity="sensitive"),
        ],
        share_class=pb.SHARE_CLASS_CONDITIONAL,
        secrecy="sensitive",
    )
    for name, value in changes.items():
        if name == "fields":
            del made.fields[:]
            made.fields.extend(value)
        else:
            setattr(made, name, value)
    return made


async def publish(provider, described, editor="E1", reviewer="E2"):
    create = pb.CreateResourceRequest(request_id=rid(), resource=described, editor=editor)
    await provider.call(provider.resources.CreateResource, create)
    review = pb.PublishResourceRequest(request_id=rid(), code=described.code, reviewer=reviewer)
    return (await provider.call(provider.resources.PublishResource, review)).resource


async def apply_grant(consumer, fields=("has_record",), quota=100, code=RECORDS, year=2027):
    request = pb.ApplyGrantRequest(
        request_id=rid(), resource=code, item_code=BASE, purpose="开具证明", fields=fields, daily_quota=quota
    )
    request.valid_until.year, request.valid_until.month, request.valid_until.day = year, 12, 31
    return (await consumer.call(consumer.resources.ApplyGrant, request)).grant


async def grant(provider, consumer, given=0, **wanted):
    applied = await apply_grant(consumer, **wanted)
    decide = pb.DecideGrantRequest(request_id=rid(), id=applied.id, decision=pb.GRANT_DECISION_GRANT, daily_quota=given)
    return (await provider.call(provider.resources.DecideGrant, decide)).grant


class Register:
    """`reply` makes the answer of a question: (result, fields or bytes), or None for silence."""

    def __init__(self, caller, key, resources=(RECORDS,), window=16):
        self.caller = caller
        self.key = key
        self.hello = pb.ServeHello(resources=list(resources), window=window)
        self.reply = lambda question, subject: ("OK", {"has_record": False, "checked_until": "2026-11-01"})
        self.questions = []
        self.subjects = []
        self.ended = None
        self._outgoing = asyncio.Queue()
        self._stream = None
        self._task = None

    async def start(self):
        self.ended = None
        # The requests of a stream that ended still wait on the old queue.
        self._outgoing = asyncio.Queue()
        self._outgoing.put_nowait(pb.ServeRequest(hello=self.hello))
        self._stream = self.caller.provider.Serve(self._requests(), metadata=self.caller.metadata)
        self._task = asyncio.create_task(self._run())

    async def _requests(self):
        queue = self._outgoing
        while True:
            yield await queue.get()

    def send(self, call_id, result, fields):
        data = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
        self._outgoing.put_nowait(
            pb.ServeRequest(
                answer=pb.ServeAnswer(call_id=call_id, result=result, answer_json=data, transaction_id=f"t-{call_id}")
            )
        )

    async def _run(self):
        try:
            async for question in self._stream:
                self.questions.append(question)
                opened = jwe.decrypt_compact(question.subject.jwe, self.key, algorithms=["ECDH-ES", "A256GCM"])
                self.subjects.append(json.loads(opened.plaintext))
                answer = self.reply(question, self.subjects[-1])
                if answer is not None:
                    self.send(question.call_id, *answer)
            self.ended = grpc.StatusCode.OK
        except grpc.aio.AioRpcError as error:
            self.ended = error.code()
        except asyncio.CancelledError:
            self.ended = grpc.StatusCode.CANCELLED

    async def stop(self):
        """Dies: the stream is cut without a word."""
        self._stream.cancel()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
