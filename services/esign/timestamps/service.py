"""TimestampService: the hub's timestamp authority (RFC 3161)."""

from dataclasses import dataclass
from typing import Any

from services.esign.timestamps.sources import Authority
from shuniu.api.esign.v1 import timestamp_pb2 as pb
from shuniu.api.esign.v1 import timestamp_pb2_grpc
from shuniu.kit import errors


@dataclass(slots=True)
class TimestampService(timestamp_pb2_grpc.TimestampServiceServicer):
    """A refusal is an answer of the authority and no error of the call."""

    authority: Authority | None

    async def Timestamp(self, request: pb.TimestampRequest, context: Any) -> pb.TimestampResponse:
        if self.authority is None:
            raise errors.unavailable(
                "TIMESTAMP_AUTHORITY_ABSENT",
                "This hub has no timestamp authority of its own.",
                "本枢纽没有自建的时间戳服务。",
            )
        return pb.TimestampResponse(der=self.authority.answer(request.der))
