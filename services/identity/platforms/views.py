"""Views of the registry's rows in the contract."""

from collections.abc import Sequence

from services.identity.platforms.domain.platforms import Platform
from services.identity.platforms.store import Certificate
from shuniu.api.common.v1 import registry_pb2
from shuniu.api.identity.v1 import platform_pb2 as pb


def platform(row: Platform, certificates: Sequence[Certificate]) -> pb.Platform:
    """The whole row, for operators, the hub's services and the platform itself."""
    view = public(row)
    view.scopes.extend(row.scopes)
    view.redirect_uris.extend(row.redirect_uris)
    view.sector = row.sector
    view.contact_phone = row.contact_phone
    for subscription in row.subscriptions:
        view.subscriptions.add(topic=subscription.topic, division=subscription.division)
    view.certificate_sha256.extend(each.sha256 for each in certificates)
    if certificates:
        view.certificate_not_after.FromMicroseconds(certificates[0].not_after_us)
    return view


def public(row: Platform) -> pb.Platform:
    """View of a platform that every other may read: whom it deals with and how to encrypt for it."""
    view = pb.Platform(
        code=row.code,
        name=row.name,
        kind=pb.PlatformKind.Value(f"PLATFORM_KIND_{row.kind}"),
        division=row.division,
        uscc=row.uscc,
        state=pb.PlatformState.Value(f"PLATFORM_STATE_{row.state}"),
        jwks=row.jwks,
        zone=row.zone,
        secrecy=row.secrecy,
        etag=str(row.version),
        version=row.version,
    )
    view.created_at.FromMicroseconds(row.created_us)
    return view


def entry(row: Platform, feed_version: int) -> registry_pb2.PlatformEntry:
    """The row as other processes follow it."""
    return registry_pb2.PlatformEntry(
        code=row.code,
        name=row.name,
        kind=row.kind,
        division=row.division,
        state=row.state,
        zone=row.zone,
        secrecy=row.secrecy,
        jwks=row.jwks,
        subscriptions=[f"{each.topic}@{each.division}" if each.division else each.topic for each in row.subscriptions],
        uscc=row.uscc,
        version=feed_version,
        scopes=row.scopes,
    )
