"""A person's browser, as far as forms and cookies go: it reads the hub's real pages and fills in their forms."""

import asyncio
import ssl
import time
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from examples.provincial_app.citizen import Citizen


class PageError(Exception):
    """A page refused what was typed; the text is what it says."""


class _Forms(HTMLParser):
    """Forms of a page: action, preset fields; and the text of alerts."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.alert = ""
        self._in_alert = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if self._in_alert and tag not in ("br", "img", "input", "hr"):
            self._in_alert += 1
        if given.get("role") == "alert":
            self._in_alert = 1
        if tag == "form":
            self.forms.append((given.get("action", ""), {}))
        elif tag in ("input", "button") and self.forms and given.get("name"):
            # The first button of a name counts: it is the page's main action.
            self.forms[-1][1].setdefault(given["name"], given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if self._in_alert:
            self._in_alert -= 1

    def handle_data(self, data: str) -> None:
        if self._in_alert:
            self.alert += data


def _read(page: httpx.Response) -> _Forms:
    reader = _Forms()
    reader.feed(page.text)
    return reader


class Browser:
    """One person's browser. It keeps cookies and follows redirects within the hub only."""

    def __init__(self, url: str, tls: ssl.SSLContext) -> None:
        self._url = url
        self._client = httpx.AsyncClient(base_url=url, verify=tls, timeout=30)
        self._issuer = ""

    async def close(self) -> None:
        await self._client.aclose()

    async def issuer(self) -> str:
        if not self._issuer:
            found = await self._get("/.well-known/openid-configuration")
            self._issuer = str(found.json()["issuer"])
        return self._issuer

    async def submit(self, path: str, fields: dict[str, str]) -> httpx.Response:
        """Opens a page, fills its form and sends it. Raises PageError with what the page then says."""
        return await self._fill(await self._get(path), fields)

    async def authorize(self, path: str, citizen: Citizen) -> str:
        """Through sign-in and consent to the redirect out of the hub, which it returns."""
        page = await self._get(path)
        for _ in range(6):
            if page.is_redirect:
                target = urljoin(str(page.url), page.headers["location"])
                if urlsplit(target).netloc != urlsplit(self._url).netloc:
                    return target
                page = await self._get(target)
                continue
            fields: dict[str, str] = {}
            if any("password" in form for _, form in _read(page).forms):
                fields = {"login_name": citizen.login_name, "password": citizen.password}
            page = await self._fill(page, fields)
        raise PageError("sign-in does not come to an end")

    async def _fill(self, page: httpx.Response, fields: dict[str, str]) -> httpx.Response:
        forms = _read(page).forms
        fitting = [form for form in forms if set(fields) <= {*form[1], "document_type"}]
        if not fitting:
            raise PageError(f"no such form at {page.url.path}")
        action, preset = fitting[-1] if not fields else fitting[0]
        answer = await self._send("POST", urljoin(str(page.url), action or page.url.path), {**preset, **fields})
        alert = _read(answer).alert.strip()
        if answer.status_code >= 400 or (alert and not answer.is_redirect):
            raise PageError(f"{answer.status_code} {' '.join(alert.split())[:200]}")
        return answer

    async def _get(self, url: str) -> httpx.Response:
        answer = await self._send("GET", url, None)
        if answer.status_code >= 400:
            raise PageError(f"{answer.status_code} at {urlsplit(url).path}")
        return answer

    async def _send(self, method: str, url: str, form: dict[str, str] | None) -> httpx.Response:
        until = time.monotonic() + 60
        data: Any = form
        while True:
            try:
                answer = await self._client.request(method, url, data=data)
                if answer.status_code not in (502, 503, 504) or time.monotonic() > until:
                    return answer
            except httpx.TransportError:
                if time.monotonic() > until:
                    raise
            await asyncio.sleep(0.2)
