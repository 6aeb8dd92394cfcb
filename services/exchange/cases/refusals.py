"""Maps refusals of cases to the kit's errors."""

from typing import Final

from services.exchange.cases.domain.application import AssuranceError
from services.exchange.cases.domain.codes import CaseCodeError
from services.exchange.cases.domain.life import Case, MoveRefusedError
from services.exchange.cases.domain.routing import RoutingError
from services.exchange.service.refusals import Refusals
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError
from shuniu.rules import RuleError

# Errors travel in headers, which take some kilobytes; the whole reason is in the catalogue's feed.
_MOST_WHY: Final = 300
_REFUSALS: Final = Refusals(
    {
        MoveRefusedError: {
            "MOVE_NOT_ALLOWED": (Code.FAILED_PRECONDITION, "CASE_STATE"),
            "CORRECTION_ALREADY_ASKED": (Code.FAILED_PRECONDITION, "CASE_STATE"),
            "ALREADY_EVALUATED": (Code.ALREADY_EXISTS, "CASE_EVALUATED"),
        },
        AssuranceError: {"ASSURANCE_TOO_LOW": (Code.PERMISSION_DENIED, "ASSURANCE_TOO_LOW")},
        CaseCodeError: {"SERIAL_EXHAUSTED": (Code.RESOURCE_EXHAUSTED, "CASE_SERIAL_EXHAUSTED")},
        RuleError: {
            "ITEM_UNKNOWN": (Code.NOT_FOUND, "ITEM_UNKNOWN"),
            "ITEM_NOT_OPEN": (Code.FAILED_PRECONDITION, "ITEM_NOT_OPEN"),
            "NO_HANDLING_AGENCY": (Code.FAILED_PRECONDITION, "NO_HANDLING_AGENCY"),
            "AGENCY_AMBIGUOUS": (Code.FAILED_PRECONDITION, "AGENCY_AMBIGUOUS"),
        },
    },
    {"missing": "missing_materials", "given": "materials", "result": "certificate_number", "days": "special_days"},
)


def refusal(error: RuleError, case: Case | None = None) -> HubError:
    """The caller's error. A fault of state is reported alone, with `state` and `allowed` where a case is at hand."""
    if isinstance(error, AssuranceError):
        return _REFUSALS.error(error, required_ial=str(error.required))
    if isinstance(error, RoutingError) and error.why:
        return _REFUSALS.error(error, state_reason=error.why[:_MOST_WHY])
    if isinstance(error, RoutingError) and error.codes:
        return _REFUSALS.error(error, codes=" ".join(error.codes))
    if case is None:
        return _REFUSALS.error(error)
    return _REFUSALS.error(error, state=case.state.value, allowed=" ".join(move.value for move in case.allowed))


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


def esign_away() -> HubError:
    return errors.unavailable(
        "ESIGN_AWAY",
        "The register of documents does not answer; retry with the same request_id.",
        "证照登记服务暂时不可用，请使用相同的 request_id 重试。",
    )
