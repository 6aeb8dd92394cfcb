"""The hub's one error vocabulary (AIP-193).

Domain code raises its own exceptions; servicers turn them into a `HubError`; the server interceptor puts it on the
wire as a gRPC status with `ErrorInfo`, `BadRequest` and `LocalizedMessage`. Nothing else ever reaches a caller: an
unknown exception becomes INTERNAL with an incident id.
"""

from collections.abc import Iterable, Mapping
from enum import Enum

from shuniu.rules import Violation


class Code(Enum):
    """gRPC status codes in use, by number (google.rpc.Code)."""

    CANCELLED = 1
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class HubError(Exception):
    """A failure that a caller may see. `en` and `zh` each say what to do."""

    def __init__(
        self,
        code: Code,
        reason: str,
        en: str,
        zh: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Iterable[Violation] = (),
    ) -> None:
        super().__init__(f"{reason}: {en}")
        self.code = code
        self.reason = reason
        self.en = en
        self.zh = zh
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)


def invalid(violations: Iterable[Violation]) -> HubError:
    """INVALID_ARGUMENT naming every violation at once."""
    found = tuple(violations)
    first = found[0]
    many = len(found) > 1
    return HubError(
        Code.INVALID_ARGUMENT,
        first.reason if not many else "INVALID_REQUEST",
        f"{first.field}: {first.en}" if not many else f"{len(found)} fields need correction; each is named below.",
        f"{first.field}：{first.zh}" if not many else f"有 {len(found)} 处需要改正，逐项见下。",
        violations=found,
    )


def invalid_field(field: str, reason: str, en: str, zh: str) -> HubError:
    return invalid([Violation(field, reason, en, zh)])


def not_found(reason: str, en: str, zh: str, **metadata: str) -> HubError:
    return HubError(Code.NOT_FOUND, reason, en, zh, metadata=metadata)


def exists(reason: str, en: str, zh: str, **metadata: str) -> HubError:
    return HubError(Code.ALREADY_EXISTS, reason, en, zh, metadata=metadata)


def conflict(reason: str, en: str, zh: str, **metadata: str) -> HubError:
    """ABORTED: somebody else changed it, or the request id was used for other content. Read again, then retry."""
    return HubError(Code.ABORTED, reason, en, zh, metadata=metadata)


def precondition(reason: str, en: str, zh: str, **metadata: str) -> HubError:
    """FAILED_PRECONDITION: the state does not allow it; do not retry before the state changes."""
    return HubError(Code.FAILED_PRECONDITION, reason, en, zh, metadata=metadata)


def denied(reason: str, en: str, zh: str, **metadata: str) -> HubError:
    return HubError(Code.PERMISSION_DENIED, reason, en, zh, metadata=metadata)


def unauthenticated(reason: str, en: str, zh: str, **metadata: str) -> HubError:
    return HubError(Code.UNAUTHENTICATED, reason, en, zh, metadata=metadata)


def exhausted(reason: str, en: str, zh: str, **metadata: str) -> HubError:
    return HubError(Code.RESOURCE_EXHAUSTED, reason, en, zh, metadata=metadata)


def unavailable(reason: str, en: str, zh: str, **metadata: str) -> HubError:
    """UNAVAILABLE: safe to retry with the same request_id."""
    return HubError(Code.UNAVAILABLE, reason, en, zh, metadata=metadata)
