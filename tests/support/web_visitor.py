"""A browser that a test leads by hand."""

import re
from typing import Any

import httpx

from tests.support.web_land import PASSWORD


class Visitor:
    """A browser's cookies and forms, by hand."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.cookies: dict[str, str] = {}

    async def send(self, method: str, url: str, **more: Any) -> httpx.Response:
        headers = {**more.pop("headers", {}), "cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        answer = await self.http.request(method, url, headers=headers, **more)
        for line in answer.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            value, _, attributes = rest.partition(";")
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value.strip('"')
        return answer

    async def get(self, url: str, **more: object) -> httpx.Response:
        return await self.send("GET", url, **more)

    async def submit(self, page: httpx.Response, url: str, **fields: str) -> httpx.Response:
        """Sends a form of `page` with its hidden fields."""
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        return await self.send("POST", url, data={**hidden, **fields})

    async def sign_in(self, query: str = "") -> httpx.Response:
        page = await self.get(f"/sign-in{query}")
        return await self.submit(page, f"/sign-in{query}", login_name="bater", password=PASSWORD)
