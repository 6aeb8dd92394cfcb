"""The cases whose result may be issued."""

from services.esign.service.neighbours import Parties
from shuniu.api.exchange.v1 import case_pb2
from shuniu.kit import errors

_GRANTED = frozenset({case_pb2.CASE_STATE_GRANTED, case_pb2.CASE_STATE_DELIVERED})


def require_granted(parties: Parties, caller: str) -> None:
    """Raises PERMISSION_DENIED NOT_HANDLING_AGENCY, FAILED_PRECONDITION CASE_STATE."""
    if parties.handler_platform != caller:
        raise errors.denied(
            "NOT_HANDLING_AGENCY",
            "Only the agency that handles the case may issue its result.",
            "只有该办件的办理机构可以签发其结果文书。",
        )
    if parties.state not in _GRANTED:
        raise errors.precondition(
            "CASE_STATE",
            "The case is not granted; decide it first.",
            "办件尚未准予，不能签发结果文书。",
            state=case_pb2.CaseState.Name(parties.state),
        )
