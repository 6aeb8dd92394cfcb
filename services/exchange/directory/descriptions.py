"""Descriptions of resources: made and published, and shown in the contract's words."""

from typing import Final

from sqlalchemy import Connection

from services.exchange.directory import domain as resources
from services.exchange.directory import store
from services.exchange.directory.domain import Field, Resource, ShareClass
from services.exchange.directory.refusals import not_owned, refusal, resource_unknown
from services.exchange.domain import texts
from shuniu.api.exchange.v1 import query_pb2 as pb
from shuniu.kit import errors
from shuniu.rules import RuleError, Violation

_SHARES: Final = {
    pb.SHARE_CLASS_UNCONDITIONAL: ShareClass.UNCONDITIONAL,
    pb.SHARE_CLASS_CONDITIONAL: ShareClass.CONDITIONAL,
    pb.SHARE_CLASS_NOT_SHARED: ShareClass.NOT_SHARED,
}
_SHARE_NUMBERS: Final = {share: number for number, share in _SHARES.items()}


def describe(conn: Connection, request: pb.CreateResourceRequest, provider: str, now_us: int) -> Resource:
    """A new draft of a provider. Raises HubError."""
    share = _SHARES.get(request.resource.share_class)
    try:
        made = resources.describe(_resource_asked(request, provider, share or ShareClass.NOT_SHARED))
        faults = list(texts.text_faults("resource.title", made.title, resources.MAX_TITLE))
        if share is None:
            faults.append(
                Violation("resource.share_class", "SHARE_CLASS_MISSING", "name the share class", "请选择共享类型")
            )
        texts.refuse(faults)
    except RuleError as error:
        raise refusal(error) from None
    if not store.insert_resource(conn, made, now_us):
        raise errors.exists(
            "RESOURCE_EXISTS",
            "A resource with this code exists; choose another code.",
            "资源编码已存在，请更换编码。",
        )
    return made


def publish(conn: Connection, request: pb.PublishResourceRequest, provider: str, now_us: int) -> Resource:
    """The provider's draft after its review. Raises HubError."""
    found = store.find_resource(conn, request.code)
    if found is None:
        raise resource_unknown()
    if found.provider != provider:
        raise not_owned()
    try:
        after = resources.publish(found, request.reviewer)
    except RuleError as error:
        raise refusal(error) from None
    if after is not found:
        store.update_resource(conn, found, after, now_us)
    return after


def _resource_asked(request: pb.CreateResourceRequest, provider: str, share: ShareClass) -> Resource:
    asked = request.resource
    return Resource(
        code=asked.code,
        title=asked.title,
        provider=provider,
        fields=tuple(Field(each.name, each.title, each.sensitivity) for each in asked.fields),
        share=share,
        secrecy=asked.secrecy,
        authority=asked.authority,
        editor=request.editor,
        daily_calls=asked.daily_calls,
    )


def resource_view(found: Resource) -> pb.Resource:
    return pb.Resource(
        code=found.code,
        title=found.title,
        provider=found.provider,
        fields=[
            pb.ResourceField(name=each.name, title=each.title, sensitivity=each.sensitivity) for each in found.fields
        ],
        share_class=_SHARE_NUMBERS[found.share],
        secrecy=found.secrecy,
        state=found.state.value,
        authority=found.authority,
        daily_calls=found.daily_calls,
        etag=f'"{found.version}"',
    )
