"""Cookies and form tokens. Every cookie is named `__Host-`: no sibling host can plant one (RFC 6265bis 4.1.3)."""

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from shuniu.kit import errors

SESSION = "__Host-shuniu"
FORM = "__Host-shuniu-form"
LANGUAGE = "__Host-shuniu-lang"
# Identifies the browser at the next sign-in, so that wrong passwords typed elsewhere do not lock it out.
BROWSER = "__Host-shuniu-browser"
_LONGEST_BROWSER = 1024
# As many persons share a browser (identity keeps no more).
_MOST_MARKS = 4
_YEAR = 365 * 86400


def session_of(request: Request) -> str:
    """The session secret that came with the request, empty when none."""
    return request.cookies.get(SESSION, "")


def set_session(response: Response, token: str, expires_at: float, browser: str) -> None:
    """`expires_at` in seconds since 1970; `browser` is what the browser is known by."""
    _set(response, SESSION, token, max(1, int(expires_at - time.time())))
    _set(response, BROWSER, browser, _YEAR)


def browser_of(request: Request) -> str:
    """The mark that the browser is known by, empty for none; one longer than we made it is none."""
    value = request.cookies.get(BROWSER, "")
    return value if len(value) <= _LONGEST_BROWSER else ""


def with_mark(mark: str, known: str) -> str:
    """The marks that the browser is known by, with one more; the oldest beyond four go."""
    return "~".join([mark, *filter(None, known.split("~"))][:_MOST_MARKS])


def clear_session(response: Response) -> None:
    _set(response, SESSION, "", 0)


def set_language(response: Response, language: str) -> None:
    _set(response, LANGUAGE, language, _YEAR)


def _set(response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")


@dataclass(frozen=True, slots=True)
class FormTokens:
    """Signed double-submit tokens: the form repeats what the cookie holds, under our key and bound to the session."""

    key: bytes

    def issue(self, request: Request, response_cookie: str) -> str:
        """The token to put into a form of this request; `response_cookie` is what `cookie` gave."""
        return self._sign(response_cookie, session_of(request))

    @staticmethod
    def cookie(request: Request) -> str:
        """The browser's form cookie, or a new value for one."""
        return request.cookies.get(FORM, "") or secrets.token_urlsafe(16)

    @staticmethod
    def set_cookie(response: Response, value: str) -> None:
        _set(response, FORM, value, _YEAR)

    def check(self, request: Request, given: str) -> None:
        """Raises PERMISSION_DENIED FORM_EXPIRED when the form was not made by us for this browser and session."""
        site = request.headers.get("sec-fetch-site", "same-origin")
        cookie = request.cookies.get(FORM, "")
        expected = self._sign(cookie, session_of(request))
        if not cookie or site != "same-origin" or not hmac.compare_digest(expected.encode(), given.encode()):
            raise errors.denied(
                "FORM_EXPIRED",
                "This page is out of date; open it again and repeat the step.",
                "页面已失效，请重新打开页面后再操作。",
            )

    def _sign(self, cookie: str, session: str) -> str:
        content = b"form\0" + cookie.encode() + b"\0" + hashlib.sha256(session.encode()).digest()
        return base64.urlsafe_b64encode(hmac.digest(self.key, content, "sha256")).decode().rstrip("=")
