"""Calls of a platform: its own token and persons' tokens, both bound to its certificate."""

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

import grpc
import httpx

from examples.hub_client.credentials import Credentials, Hub


def request_id() -> str:
    """New for each request, the same for its retries (AIP-155)."""
    return str(uuid.uuid4())


class GrantRefusedError(Exception):
    """The code is too old or was used: the person goes through a new authorisation (RFC 6749 5.2 invalid_grant)."""


class Session:
    """An enrolled platform at work. Open it once."""

    def __init__(self, hub: Hub, credentials: Credentials) -> None:
        self.hub = hub
        self.credentials = credentials
        self.channel = credentials.channel(hub.platforms)
        self.http = httpx.AsyncClient(base_url=hub.platforms_url, verify=credentials.tls(), timeout=30)
        self._token = ""
        self._token_until = 0.0
        self._asking = asyncio.Lock()

    async def close(self) -> None:
        await self.http.aclose()
        await self.channel.close()

    async def token(self) -> str:
        """The platform's own access token (client_credentials), renewed before it ends."""
        async with self._asking:
            if time.monotonic() > self._token_until:
                answer = await self._token_endpoint({"grant_type": "client_credentials"})
                self._token = answer["access_token"]
                self._token_until = time.monotonic() + answer["expires_in"] - 30
        return self._token

    async def redeem(self, code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        """A person's tokens for an authorisation code (PKCE). Raises GrantRefusedError."""
        return await self._token_endpoint(
            {
                "grant_type": "authorization_code",
                "code": code,
                "code_verifier": verifier,
                "redirect_uri": redirect_uri,
            }
        )

    async def _token_endpoint(self, form: dict[str, str]) -> dict[str, Any]:
        # Some 27 s in all: what the hub promises ends after 30.
        for attempt in range(30):
            try:
                answer = await self.http.post("/oauth2/token", data={**form, "client_id": self.credentials.code})
            except httpx.TransportError:
                answer = None
            # For 30 s the hub gives the same refresh token again to the same verifier.
            if answer is not None and answer.status_code != 503:
                break
            await asyncio.sleep(min(0.1 * 2**attempt, 1.0))
        if answer is not None and answer.status_code == 400 and answer.json().get("error") == "invalid_grant":
            raise GrantRefusedError(answer.text)
        if answer is None or answer.status_code != 200:
            raise RuntimeError(f"token endpoint: {answer.text if answer else 'unreachable'}")
        return dict(answer.json())

    async def call(self, method: Callable[..., Any], request: Any, *, person: str = "", within: float = 60) -> Any:
        """One RPC as the platform, or as a person with that person's token; retried safely while the hub is away."""
        until = time.monotonic() + within
        pause = 0.05
        while True:
            try:
                token = person or await self.token()
                return await method(request, metadata=(("authorization", f"Bearer {token}"),), timeout=30)
            except grpc.aio.AioRpcError as error:
                retryable = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
                if error.code() not in retryable or time.monotonic() > until:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)
