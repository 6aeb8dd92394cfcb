"""PlatformService and PlatformAdminService: reading the registry, subscriptions, administration."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from services.identity import metrics
from services.identity.bus.places import BusPlaces
from services.identity.keys.provider import ProviderKeys
from services.identity.keys.secrets import Secrets
from services.identity.platforms import store as platform_store
from services.identity.platforms import views
from services.identity.platforms.announcing import platform_changed
from services.identity.platforms.domain import enrolment, platforms
from services.identity.platforms.domain.platforms import Move, Platform
from services.identity.platforms.refusals import answered, platform_unknown
from services.identity.platforms.store import Certificate
from services.identity.requests.private import PrivateRequests
from shuniu.api.identity.v1 import platform_pb2 as pb
from shuniu.api.identity.v1 import platform_pb2_grpc
from shuniu.kit import errors
from shuniu.kit.foundation import Foundation
from shuniu.kit.rpc import paging
from shuniu.kit.rpc.caller import CallerKind, current_caller


class PlatformService(platform_pb2_grpc.PlatformServiceServicer):
    """Reading the registry, and what a platform may do with its own row."""

    def __init__(self, base: Foundation, keys: Secrets) -> None:
        self._base = base
        self._keys = keys

    async def GetPlatform(self, request: pb.GetPlatformRequest, context: Any) -> pb.GetPlatformResponse:
        found = await self._base.store.read(_with_certificates, request.code, self._base.clock.now_us())
        if found is None:
            raise platform_unknown(request.code)
        return pb.GetPlatformResponse(platform=_seen_by_caller(*found))

    async def ListPlatforms(self, request: pb.ListPlatformsRequest, context: Any) -> pb.ListPlatformsResponse:
        size = paging.page_size(request.page_size, default=100, most=500)
        caller = current_caller().key
        after = paging.decode_token(self._keys.page_token, caller, b"platforms", request.page_token)
        found = await self._base.store.read(platform_store.page, after, size + 1)
        shown = found[:size]
        valid = await self._base.store.read(
            platform_store.certificates, [row.code for row in shown], self._base.clock.now_us()
        )
        response = pb.ListPlatformsResponse(platforms=[_seen_by_caller(row, valid[row.code]) for row in shown])
        if len(found) > size:
            response.next_page_token = paging.encode_token(
                self._keys.page_token, caller, b"platforms", (shown[-1].code,)
            )
        return response

    async def SetSubscriptions(self, request: pb.SetSubscriptionsRequest, context: Any) -> pb.SetSubscriptionsResponse:
        code = current_caller().platform
        with answered():
            wanted = platforms.subscriptions((each.topic, each.division) for each in request.subscriptions)

        def work(conn: Connection) -> pb.SetSubscriptionsResponse:
            view = _change(self._base, conn, code, lambda row: replace(row, subscriptions=wanted))
            return pb.SetSubscriptionsResponse(platform=view)

        return await self._base.mutate(request, pb.SetSubscriptionsResponse, work, target=f"platform/{code}")


class PlatformAdminService(platform_pb2_grpc.PlatformAdminServiceServicer):
    """Administration of the registry."""

    def __init__(
        self,
        base: Foundation,
        private: PrivateRequests,
        places: BusPlaces,
        provider: ProviderKeys,
    ) -> None:
        self._base = base
        self._private = private
        self._places = places
        self._provider = provider

    async def CreatePlatform(self, request: pb.CreatePlatformRequest, context: Any) -> pb.CreatePlatformResponse:
        now = self._base.clock.now_us()
        with answered():
            row = platforms.applied(_draft(request.platform), now)
        secret = secrets.token_urlsafe(32)

        def work(conn: Connection) -> pb.CreatePlatformResponse:
            if not platform_store.add(conn, row):
                raise errors.exists(
                    "PLATFORM_EXISTS",
                    "A platform with this code is registered already; choose another code.",
                    "该代码的平台已登记，请更换代码。",
                    platform=row.code,
                )
            platform_store.add_token(conn, enrolment.issued(secret, row.code, now))
            platform_changed(self._base, conn, row, [])
            return pb.CreatePlatformResponse(platform=views.platform(row, []), enrolment_token=secret)

        return await self._private.mutate(request, pb.CreatePlatformResponse, work, target=f"platform/{row.code}")

    async def SuspendPlatform(self, request: pb.SuspendPlatformRequest, context: Any) -> pb.SuspendPlatformResponse:
        with answered():
            reason = platforms.reason(request.reason)

        def work(conn: Connection) -> pb.SuspendPlatformResponse:
            second = self._base.clock.now_us() // 1_000_000
            view = _change(
                self._base,
                conn,
                request.code,
                lambda row: platforms.moved(row, Move.SUSPEND),
                bus_suspended_s=second,
            )
            self._base.audit(conn, "PlatformSuspended", f"platform/{request.code}", reason=reason)
            return pb.SuspendPlatformResponse(platform=view)

        with answered():
            response = await self._base.mutate(
                request, pb.SuspendPlatformResponse, work, target=f"platform/{request.code[:64]}"
            )
        await self._effective(request.code)
        metrics.SUSPENSIONS.inc()
        return response

    async def ResumePlatform(self, request: pb.ResumePlatformRequest, context: Any) -> pb.ResumePlatformResponse:
        def work(conn: Connection) -> pb.ResumePlatformResponse:
            view = _change(
                self._base, conn, request.code, lambda row: platforms.moved(row, Move.RESUME), bus_suspended_s=0
            )
            return pb.ResumePlatformResponse(platform=view)

        with answered():
            response = await self._base.mutate(
                request, pb.ResumePlatformResponse, work, target=f"platform/{request.code[:64]}"
            )
        await self._effective(request.code)
        return response

    async def RotateKeys(self, request: pb.RotateKeysRequest, context: Any) -> pb.RotateKeysResponse:
        made = self._provider.candidate()

        def work(conn: Connection) -> pb.RotateKeysResponse:
            following = self._provider.keep_next(conn, made)
            response = pb.RotateKeysResponse(next_kid=following.kid)
            response.active_from.FromMicroseconds(following.active_from_us)
            return response

        response = await self._base.mutate(request, pb.RotateKeysResponse, work, target="signing-key")
        await self._provider.reload()
        return response

    async def _effective(self, code: str) -> None:
        await self._places.push(code)


def _change(
    base: Foundation, conn: Connection, code: str, change: Callable[[Platform], Platform], **columns: int
) -> pb.Platform:
    """Changes one row and publishes it, in the caller's unit of work."""
    before = platform_store.find_platform(conn, code)
    if before is None:
        raise platform_unknown(code)
    after = platform_store.replace_row(conn, before, change(before), **columns)
    valid = platform_store.certificates(conn, [code], base.clock.now_us())[code]
    platform_changed(base, conn, after, valid)
    return views.platform(after, valid)


def _with_certificates(conn: Connection, code: str, now_us: int) -> tuple[Platform, list[Certificate]] | None:
    row = platform_store.find_platform(conn, code)
    return None if row is None else (row, platform_store.certificates(conn, [code], now_us)[code])


def _seen_by_caller(row: Platform, valid: list[Certificate]) -> pb.Platform:
    caller = current_caller()
    if caller.kind is CallerKind.PLATFORM and caller.platform != row.code:
        return views.public(row)
    return views.platform(row, valid)


def _draft(wanted: pb.Platform) -> platforms.Draft:
    kinds = pb.PlatformKind.DESCRIPTOR.values_by_number
    known = kinds.get(wanted.kind)
    return platforms.Draft(
        code=wanted.code,
        name=wanted.name,
        kind="" if known is None else known.name.removeprefix("PLATFORM_KIND_"),
        division=wanted.division,
        uscc=wanted.uscc,
        scopes=tuple(wanted.scopes),
        redirect_uris=tuple(wanted.redirect_uris),
        sector=wanted.sector,
        zone=wanted.zone,
        secrecy=wanted.secrecy,
        contact_phone=wanted.contact_phone,
    )
