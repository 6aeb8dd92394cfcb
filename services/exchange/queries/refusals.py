"""Refusals of queries, as the kit's errors."""

from shuniu.kit import errors
from shuniu.kit.errors import HubError
from shuniu.kit.rpc import requests


def grant_required(cause: str, **metadata: str) -> HubError:
    return errors.denied(
        "GRANT_REQUIRED",
        "No grant in force allows this call; apply for one, or call within its contract.",
        "没有允许此次调用的有效授权，请申请授权或在授权范围内调用。",
        cause=cause,
        **metadata,
    )


def not_handling() -> HubError:
    return errors.denied(
        "NOT_HANDLING_AGENCY",
        "Only the agency that handles the case may ask about its applicant.",
        "仅办理该办件的机构可以查询申请人信息。",
    )


def case_over(state: str) -> HubError:
    return errors.precondition(
        "CASE_STATE", "The case is over; its purpose has ended.", "办件已办结，不能再查询。", state=state
    )


def quota_spent() -> HubError:
    return errors.exhausted(
        "GRANT_QUOTA", "Today's calls of the grant on this resource are spent.", "今日在该资源上的授权调用次数已用完。"
    )


def overtaken() -> HubError:
    return errors.conflict(
        "QUERY_OVERTAKEN",
        "The same request was sent again meanwhile; ask with the same request_id.",
        "同一请求已再次发出，请使用相同的 request_id 查询。",
    )


def answer_forgotten(request_id: str) -> HubError:
    return errors.conflict(
        requests.REQUEST_ID_REUSED,
        "The answer to this request_id is no longer kept. Use a new request_id to ask again.",
        "该 request_id 的答复已不再保存。如需再次查询请使用新的 request_id。",
        request_id=request_id,
    )
