"""What the domain refuses, in the kit's words: the one place where they meet."""

from collections.abc import Mapping
from typing import Final

from services.exchange.domain.case_codes import CaseCodeError
from services.exchange.domain.cases import Case, MoveRefusedError
from services.exchange.domain.evaluations import EvaluationError
from services.exchange.domain.grants import GrantError
from services.exchange.domain.resources import ResourceError
from services.exchange.domain.violations import RuleError
from services.exchange.domain.violations import Violation as Fault
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError, Violation

# The domain speaks of its own names; the contract names some fields otherwise.
_FIELDS: Final[Mapping[str, str]] = {
    "missing": "missing_materials",
    "given": "materials",
    "result": "certificate_number",
    "quota": "daily_quota",
    "ends_us": "valid_until",
    "item": "item_code",
    "note": "note",
}
_OUTSIDE_CONTRACT: Final = (
    "GRANT_NOT_ACTIVE",
    "GRANT_NOT_BEGUN",
    "GRANT_EXPIRED",
    "GRANT_OTHER_CONSUMER",
    "GRANT_OTHER_RESOURCE",
    "GRANT_OTHER_PURPOSE",
    "GRANT_OTHER_ITEM",
    "CONSENT_MISSING",
)
# Faults of state, not of content, by the exception that carries them: reason → (code, reason on the wire).
_BY_STATE: Final[Mapping[type[RuleError], Mapping[str, tuple[Code, str]]]] = {
    MoveRefusedError: {
        "MOVE_NOT_ALLOWED": (Code.FAILED_PRECONDITION, "CASE_STATE"),
        "CORRECTION_ALREADY_ASKED": (Code.FAILED_PRECONDITION, "CASE_STATE"),
        "ALREADY_EVALUATED": (Code.ALREADY_EXISTS, "CASE_EVALUATED"),
    },
    EvaluationError: {
        "ALREADY_EVALUATED": (Code.ALREADY_EXISTS, "CASE_EVALUATED"),
        "CASE_NOT_OVER": (Code.FAILED_PRECONDITION, "CASE_STATE"),
    },
    GrantError: {
        "MOVE_NOT_ALLOWED": (Code.FAILED_PRECONDITION, "GRANT_STATE"),
        "NOT_SHARED": (Code.FAILED_PRECONDITION, "RESOURCE_NOT_SHARED"),
        "QUOTA_SPENT": (Code.RESOURCE_EXHAUSTED, "GRANT_QUOTA"),
        **dict.fromkeys(_OUTSIDE_CONTRACT, (Code.PERMISSION_DENIED, "GRANT_REQUIRED")),
    },
    ResourceError: {
        "SAME_PERSON": (Code.PERMISSION_DENIED, "SAME_PERSON"),
        "RESOURCE_STATE": (Code.FAILED_PRECONDITION, "RESOURCE_STATE"),
    },
    CaseCodeError: {"SERIAL_EXHAUSTED": (Code.RESOURCE_EXHAUSTED, "CASE_SERIAL_EXHAUSTED")},
    RuleError: {
        "ITEM_UNKNOWN": (Code.NOT_FOUND, "ITEM_UNKNOWN"),
        "ITEM_NOT_OPEN": (Code.FAILED_PRECONDITION, "ITEM_NOT_OPEN"),
        "NO_HANDLING_AGENCY": (Code.FAILED_PRECONDITION, "NO_HANDLING_AGENCY"),
    },
}


def refusal(error: RuleError, case: Case | None = None) -> HubError:
    """The caller's error. A fault of state says so alone, with `state` and `allowed` where a case is at hand."""
    for fault in error.violations:
        known = _of_state(type(error), fault)
        if known is not None:
            code, reason = known
            metadata = {"cause": fault.reason}
            if case is not None:
                metadata |= {"state": case.state.value, "allowed": " ".join(move.value for move in case.allowed)}
            return HubError(code, reason, _sentence(fault.en), fault.zh, metadata=metadata)
    return errors.invalid(
        Violation(_field(fault.field), fault.reason, _sentence(fault.en), fault.zh) for fault in error.violations
    )


def _of_state(kind: type[RuleError], fault: Fault) -> tuple[Code, str] | None:
    return _BY_STATE.get(kind, {}).get(fault.reason) or _BY_STATE[RuleError].get(fault.reason)


def _field(name: str) -> str:
    head, dot, rest = name.partition(".")
    return f"{_FIELDS.get(head, head)}{dot}{rest}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def case_unknown() -> HubError:
    return errors.not_found(
        "CASE_UNKNOWN",
        "There is no such case, or it is not yours to see; check the case code.",
        "办件不存在或您无权查看，请核对办件编号。",
    )


def etag_mismatch() -> HubError:
    return errors.conflict(
        "ETAG_MISMATCH", "The case has moved since you read it; read it again.", "办件状态已变化，请重新读取后再操作。"
    )


def assurance_too_low(required: int) -> HubError:
    return errors.denied(
        "ASSURANCE_TOO_LOW",
        f"This item needs identity assurance level {required}; sign in again with acr_values=L{required}.",
        f"该事项需要 L{required} 级实名认证，请重新认证。",
        required_ial=str(required),
    )


def resource_unknown() -> HubError:
    return errors.not_found(
        "RESOURCE_UNKNOWN", "There is no such published resource; look in the directory.", "资源不存在或尚未发布。"
    )


def grant_required(cause: str, **metadata: str) -> HubError:
    return errors.denied(
        "GRANT_REQUIRED",
        "No grant in force allows this call; apply for one, or call within its contract.",
        "没有允许此次调用的有效授权，请申请授权或在授权范围内调用。",
        cause=cause,
        **metadata,
    )
