"""Sets up a region through the public API: platforms, items, resources, grants, seals."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from examples.demo.hub import RunningHub
from examples.hub_client.credentials import Credentials, Hub, enrol
from examples.hub_client.session import Session, request_id
from examples.inner_mongolia.load import NINE_CITIES, Agency, ImplementingItem, Item, Region
from shuniu.api.catalogue.v1 import item_pb2, item_pb2_grpc
from shuniu.api.esign.v1 import seal_pb2, seal_pb2_grpc
from shuniu.api.identity.v1 import platform_pb2, platform_pb2_grpc

CERTIFICATE_ITEM = "无犯罪记录证明"
CATALOGUE_EDITOR = "FZ-0007"
CATALOGUE_PUBLISHER = "FZ-0008"
_KINDS = {
    "ministry": platform_pb2.PLATFORM_KIND_MINISTRY,
    "national": platform_pb2.PLATFORM_KIND_NATIONAL,
    "province": platform_pb2.PLATFORM_KIND_PROVINCE,
    "city": platform_pb2.PLATFORM_KIND_CITY,
    "bureau": platform_pb2.PLATFORM_KIND_BUREAU,
}
BUREAU_SCOPES = ["case.handle", "case.read", "resource.query", "seal.use", "flow.sign", "inbox.read"]
APP_SCOPES = ["openid", "profile", "case.apply", "case.read", "flow.sign", "inbox.read"]
REGISTER_SCOPES = ["resource.provide", "inbox.read"]
CATALOGUE_SCOPES = ["item.write", "item.publish", "inbox.read"]


async def enrol_at(hub: Hub, operator: Session, platform: platform_pb2.Platform, directory: Path) -> Credentials:
    """Registers a platform as the system operator, then enrols it as the platform itself."""
    stub = platform_pb2_grpc.PlatformAdminServiceStub(operator.channel)
    created = await operator.call(
        stub.CreatePlatform, platform_pb2.CreatePlatformRequest(request_id=request_id(), platform=platform)
    )
    return await enrol(hub, platform.code, created.enrolment_token, directory)


async def enrol_platform(
    running: RunningHub, operator: Session, platform: platform_pb2.Platform, directory: Path
) -> Session:
    """`enrol_at`, ready to work."""
    return Session(running.hub, await enrol_at(running.hub, operator, platform, directory))


def bureau_platform(agency: Agency) -> platform_pb2.Platform:
    return platform_pb2.Platform(
        code=agency.platform,
        name=agency.name,
        kind=platform_pb2.PLATFORM_KIND_BUREAU,
        division=agency.division,
        uscc=agency.uscc,
        scopes=BUREAU_SCOPES,
        sector=agency.platform,
        zone="government-extranet",
        secrecy="sensitive",
        contact_phone=agency.enquiries,
    )


def app_platform(code: str, name: str, redirect_uri: str) -> platform_pb2.Platform:
    return platform_pb2.Platform(
        code=code,
        name=name,
        kind=platform_pb2.PLATFORM_KIND_PROVINCE,
        division="150000",
        scopes=APP_SCOPES,
        redirect_uris=[redirect_uri],
        sector=code,
        zone="internet",
        secrecy="internal",
    )


def plain_platform(code: str, name: str, kind: str, division: str, scopes: Sequence[str]) -> platform_pb2.Platform:
    return platform_pb2.Platform(
        code=code,
        name=name,
        kind=_KINDS[kind],
        division=division,
        scopes=list(scopes),
        sector=code,
        zone="government-extranet",
        secrecy="sensitive",
    )


async def publish_catalogue(session: Session, region: Region) -> int:
    """Publishes all base items, and the implementing items of the certificate, by two persons. Returns how many."""
    owner = next(agency for agency in region.agencies if agency.division == "150000")
    implementing = [entry for entry in region.implementing_of(CERTIFICATE_ITEM) if entry.agency.division in NINE_CITIES]
    return await publish_items(session, owner, region.items, implementing)


async def publish_items(
    session: Session, owner: Agency, base: Sequence[Item], implementing: Sequence[ImplementingItem]
) -> int:
    """Base items first, since implementing items name theirs. Returns how many."""
    stub = item_pb2_grpc.ItemEditServiceStub(session.channel)
    at_once = asyncio.Semaphore(16)

    async def publish(item: item_pb2.Item) -> None:
        async with at_once:
            made = await session.call(
                stub.CreateItem,
                item_pb2.CreateItemRequest(request_id=request_id(), item=item, editor=CATALOGUE_EDITOR),
            )
            await session.call(
                stub.SubmitItem,
                item_pb2.SubmitItemRequest(request_id=request_id(), id=made.item.id, editor=CATALOGUE_EDITOR),
            )
            await session.call(
                stub.PublishItem,
                item_pb2.PublishItemRequest(request_id=request_id(), id=made.item.id, publisher=CATALOGUE_PUBLISHER),
            )

    await asyncio.gather(*(publish(base_item(item, owner)) for item in base))
    await asyncio.gather(*(publish(implementing_item(entry)) for entry in implementing))
    return len(base) + len(implementing)


def _content(item: Item) -> item_pb2.Item:
    return item_pb2.Item(
        title=item.name,
        type=item.type,
        service_objects=item.service_objects,
        statutory_limit=item_pb2.TimeLimit(amount=item.statutory_days, unit="working_day"),
        promised_limit=item_pb2.TimeLimit(amount=item.promised_days, unit="working_day"),
        conditions=item.conditions,
        flow=item.flow,
        fee_fen=item.fee_fen,
        case_type="2",
        handling_forms=item.forms,
        visits=item.visits,
        online=item.online,
        legal_basis="\n".join(item.legal_basis),
        aliases=item.aliases,
        materials=[item_pb2.Material(name=name, form="electronic", required=True) for name in item.materials],
        min_ial=item.min_assurance,
        result_name=item.result_name,
        sources=item.source,
    )


def base_item(item: Item, owner: Agency) -> item_pb2.Item:
    content = _content(item)
    content.MergeFrom(
        item_pb2.Item(
            level=item_pb2.ITEM_LEVEL_BASE,
            code=item.code_b,
            code_39046=item.code_a,
            division="150000",
            exercise_level="2",
            agency_uscc=owner.uscc,
            agency_name=owner.name,
        )
    )
    return content


def implementing_item(entry: ImplementingItem) -> item_pb2.Item:
    content = _content(entry.item)
    content.MergeFrom(
        item_pb2.Item(
            level=item_pb2.ITEM_LEVEL_IMPLEMENTING,
            code=entry.code_b,
            code_39046=entry.code_a,
            base_code=entry.item.code_b,
            division=entry.agency.division,
            exercise_level=entry.agency.level,
            agency_uscc=entry.agency.uscc,
            agency_name=entry.agency.name,
            handler_platform=entry.agency.platform,
            phone=entry.agency.enquiries,
            complaints_phone=entry.agency.complaints,
            result_template="no_criminal_record",
        )
    )
    return content


async def make_seal(system: Session, security: Session, seal_id: str) -> None:
    """Two people: the system operator reviews a bureau's application, the security operator makes the seal."""
    accept = seal_pb2.REVIEW_DECISION_ACCEPT
    review = seal_pb2.ReviewSealRequest(request_id=request_id(), id=seal_id, decision=accept)
    await system.call(seal_pb2_grpc.SealAdminServiceStub(system.channel).ReviewSeal, review)
    stub = seal_pb2_grpc.SealAdminServiceStub(security.channel)
    await security.call(stub.MakeSeal, seal_pb2.MakeSealRequest(request_id=request_id(), id=seal_id), within=60)
    await security.call(stub.ActivateSeal, seal_pb2.ActivateSealRequest(request_id=request_id(), id=seal_id))
