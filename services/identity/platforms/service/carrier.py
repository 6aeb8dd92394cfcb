"""CarrierService: bus credentials for the hub's own carriers, in the account of the platform that they carry for."""

import secrets
from typing import Any, Final

from sqlalchemy import Connection

from services.identity.bus import domain as bus_accounts
from services.identity.bus.domain import BusKeys, OrganisationAccount
from services.identity.platforms import store as platform_store
from services.identity.platforms.refusals import platform_unknown
from shuniu.api.identity.v1 import platform_pb2 as pb
from shuniu.api.identity.v1 import platform_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.foundation import Foundation

LIFE_SECONDS: Final = 3600
"""Short, because it is held in memory only: a carrier requests the next one before it expires."""


class CarrierService(platform_pb2_grpc.CarrierServiceServicer):
    """May do what the platform's own credential may: read its INBOX, submit in its name."""

    def __init__(self, base: Foundation, keys: BusKeys) -> None:
        self._base = base
        self._keys = keys

    async def IssueCarrierCredential(
        self, request: pb.IssueCarrierCredentialRequest, context: Any
    ) -> pb.IssueCarrierCredentialResponse:
        account = await self._base.write(self._open_account, request.platform)
        now_s = self._base.clock.now_us() // 1_000_000
        credential = bus_accounts.organisation_credential(
            self._keys, account, secrets.token_bytes(32), now_s=now_s, expires_s=now_s + LIFE_SECONDS
        )
        response = pb.IssueCarrierCredentialResponse(nats_creds=credential.creds)
        response.expires_at.FromSeconds(now_s + LIFE_SECONDS)
        return response

    def _open_account(self, conn: Connection, code: str) -> OrganisationAccount:
        """The account, with the issue on record."""
        account = platform_store.find_bus_account(conn, code)
        if account is None:
            raise platform_unknown(code)
        if account.suspended_at is not None:
            raise errors.precondition(
                "PLATFORM_STATE",
                "The platform is suspended; its bus account is closed.",
                "该平台已被暂停，其总线账户不可用。",
                state="SUSPENDED",
            )
        self._base.audit(conn, "IssueCarrierCredential", f"platform/{code}")
        return account
