"""A provider's answer with its evidence."""

import re
from dataclasses import dataclass
from typing import Final

from services.exchange.domain.identity_numbers import holds_identity_number
from services.exchange.queries.digests import CallDigests, Digests
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.kit import errors
from shuniu.kit.errors import HubError

_TRANSACTION_ID: Final = re.compile(r"[A-Za-z0-9._:-]{0,100}")
_RESULT: Final = re.compile(r"[A-Z0-9_]{1,40}")


@dataclass(frozen=True, slots=True)
class Reply:
    """A provider's answer, the bytes of its question, instants in µs, and what makes digests of them."""

    call_id: str
    answer: pb.ServeAnswer
    question: bytes
    asked_us: int
    answered_us: int
    digests: Digests

    @property
    def of_fields(self) -> CallDigests:
        """Digests of the question and of the fields as they came."""
        return self.digests.of(self.question, self.answer.answer_json)

    @property
    def of_message(self) -> CallDigests:
        """Digests of the question and of the whole answer, for those whose result code says all."""
        return self.digests.of(self.question, self.answer.SerializeToString(deterministic=True))

    @property
    def result(self) -> str:
        """The provider's result code; UNREADABLE for what is no code."""
        return self.answer.result if _RESULT.fullmatch(self.answer.result) else "UNREADABLE"

    @property
    def transaction_id(self) -> str:
        """The provider's own transaction id; empty for one that must not be stored."""
        given = self.answer.transaction_id
        return given if _TRANSACTION_ID.fullmatch(given) and not holds_identity_number(given) else ""


def answer_invalid(cause: str, result: str = "") -> HubError:
    return errors.precondition(
        "PROVIDER_ANSWER_INVALID",
        "The provider's answer cannot be handed on; ask the provider, giving the case code.",
        "数据提供方返回的内容不符合约定，无法转交，请联系提供方。",
        cause=cause,
        result=result,
    )
