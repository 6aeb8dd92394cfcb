"""From the hub's errors to HTTP: a status, a sentence in the reader's language, and the form OAuth asks for."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shuniu.kit.errors import Code, HubError

# The whole vocabulary: 499 is what the edge answers for a caller who left.
_STATUS = {
    Code.CANCELLED: 499,
    Code.INVALID_ARGUMENT: 400,
    Code.OUT_OF_RANGE: 400,
    Code.FAILED_PRECONDITION: 409,
    Code.ALREADY_EXISTS: 409,
    Code.ABORTED: 409,
    Code.UNAUTHENTICATED: 401,
    Code.PERMISSION_DENIED: 403,
    Code.NOT_FOUND: 404,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.DEADLINE_EXCEEDED: 504,
    Code.INTERNAL: 500,
    Code.DATA_LOSS: 500,
}
_TOO_LARGE = frozenset({"BODY_TOO_LARGE", "DOCUMENT_TOO_LARGE"})
# Where identity did not name one. The last two are of RFC 6749 4.1.2.1, in use at token endpoints too.
_OAUTH = {
    Code.INVALID_ARGUMENT: "invalid_request",
    Code.UNAUTHENTICATED: "invalid_client",
    Code.PERMISSION_DENIED: "unauthorized_client",
    Code.RESOURCE_EXHAUSTED: "temporarily_unavailable",
    Code.UNAVAILABLE: "temporarily_unavailable",
    Code.DEADLINE_EXCEEDED: "temporarily_unavailable",
}
NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}


def status_of(error: HubError) -> int:
    if error.reason in _TOO_LARGE:
        return 413
    return _STATUS[error.code]


def text_of(error: HubError, language: str) -> str:
    """For people: of wrong fields what is to be corrected in each, not what the contract calls them."""
    of = error.violations or (error,)
    return " ".join(each.en if language == "en" else each.zh for each in of)


def retry_headers(status: int) -> dict[str, str]:
    return {"retry-after": "2"} if status in (429, 503) else {}


def json_error(error: HubError, language: str) -> Response:
    """For scripts of our own pages."""
    status = status_of(error)
    return JSONResponse(
        {"reason": error.reason, "message": text_of(error, language)},
        status,
        {**NO_STORE, **retry_headers(status)},
    )


def oauth_name(error: HubError) -> str:
    return error.metadata.get("oauth_error") or _OAUTH.get(error.code, "server_error")


def oauth_error(error: HubError) -> Response:
    """RFC 6749 5.2. The description is ASCII there; its reason tells more to a program."""
    name = oauth_name(error)
    status = 401 if name == "invalid_client" else status_of(error)
    if name in ("invalid_grant", "invalid_scope", "unsupported_grant_type", "unauthorized_client", "invalid_request"):
        status = 413 if status == 413 else 400
    body = {
        "error": name,
        "error_description": error.en.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "/"),
        "reason": error.reason,
    }
    return JSONResponse(body, status, {**NO_STORE, **retry_headers(status)})


def bearer_error(error: HubError) -> Response:
    """RFC 6750 3: what a resource says of a token."""
    status = status_of(error)
    name = "invalid_token" if status == 401 else oauth_name(error)
    headers = {**NO_STORE, **retry_headers(status)}
    if status == 401:
        headers["www-authenticate"] = 'Bearer error="invalid_token"'
    return JSONResponse({"error": name, "reason": error.reason}, status, headers)


def wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")
