"""Errors on the wire: a HubError as a gRPC status with its details."""

from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from shuniu.kit.errors import HubError

REQUEST_ID_HEADER = "x-request-id"
DETAILS_HEADER = "grpc-status-details-bin"
ERROR_DOMAIN = "shuniu"

_GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}


def status_of(error: HubError, request_id: str) -> status_pb2.Status:
    """The wire form of an error: ErrorInfo, LocalizedMessage (zh-CN), RequestInfo and any violations."""
    status = status_pb2.Status(code=error.code.value, message=error.en)
    details: list[Any] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN, metadata=error.metadata),
        error_details_pb2.LocalizedMessage(locale="zh-CN", message=error.zh),
        error_details_pb2.RequestInfo(request_id=request_id),
    ]
    if error.violations:
        bad = error_details_pb2.BadRequest()
        for violation in error.violations:
            entry = bad.field_violations.add(field=violation.field, description=violation.en, reason=violation.reason)
            entry.localized_message.locale = "zh-CN"
            entry.localized_message.message = violation.zh
        details.append(bad)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


async def abort(context: Any, error: HubError, request_id: str) -> None:
    """Ends a call with an error."""
    status = status_of(error, request_id)
    await context.abort(
        _GRPC_CODES[error.code.value],
        # Control characters and non-ASCII text travel in the details only.
        error.en.encode("ascii", "replace").decode(),
        trailing_metadata=((DETAILS_HEADER, status.SerializeToString()), (REQUEST_ID_HEADER, request_id)),
    )
