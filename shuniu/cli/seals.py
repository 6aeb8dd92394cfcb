"""`shuniu seal list|show|review|make|revoke|replace|picture|compromised`: seals of the hub, through its public API.

`system` reviews, `security` makes and revokes: two operators, whose credentials may lie on two machines.
"""

import argparse
import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.json_format import MessageToDict

from services.esign.verification import file_errors, plain_files
from shuniu.api.esign.v1 import esign_pb2 as pb
from shuniu.api.esign.v1 import esign_pb2_grpc, seal_pb2, seal_pb2_grpc
from shuniu.cli.output import out, table
from shuniu.cli.place import Place
from shuniu.cli.platform import Edge, operator, request_id
from shuniu.kit.process.config import ConfigError, content

T = TypeVar("T")
REASONS = {
    name.removeprefix("REVOCATION_REASON_").lower().replace("_", "-"): number
    for name, number in pb.RevocationReason.items()
}
REVIEWER, MAKER = "system", "security"
# How many bytes tell a PNG: another file is not written over.
_PNG = 8


def listing(arguments: argparse.Namespace) -> int:
    async def work(edge: Edge) -> list[pb.Seal]:
        found: list[pb.Seal] = []
        token = ""
        while True:
            page = await edge.call(_owner(edge).ListSeals, pb.ListSealsRequest(page_size=500, page_token=token))
            found += page.seals
            token = page.next_page_token
            if not token:
                return found

    seals = _as(arguments, MAKER, work)
    head = ["编号 id", "所属 owner", "名称 name", "版本 version", "状态 state", "到期 until"]
    rows = [[s.id, s.owner, s.name or "（个人 / person）", s.version, _state(s.state), _day(s) or "-"] for s in seals]
    out({"seals": [_dict(seal) for seal in seals]}, table(head, rows), as_json=arguments.json)
    return 0


def show(arguments: argparse.Namespace) -> int:
    found = _as(arguments, MAKER, lambda edge: edge.call(_owner(edge).GetSeal, pb.GetSealRequest(id=arguments.id)))
    lines = [_line(found.seal)]
    for change in found.changes:
        logged = "待存证 / being logged" if change.ledger_index < 0 else f"#{change.ledger_index}"
        when = change.time.ToJsonString()
        lines.append(f"  {when}  {_state(change.state):<9}  {change.actor}  {logged}  {change.reason}".rstrip())
    out(_dict(found), "\n".join(lines), as_json=arguments.json)
    return 0


def review(arguments: argparse.Namespace) -> int:
    decision = seal_pb2.REVIEW_DECISION_REJECT if arguments.reject else seal_pb2.REVIEW_DECISION_ACCEPT
    request = seal_pb2.ReviewSealRequest(
        request_id=request_id(), id=arguments.id, decision=decision, reason=arguments.reject
    )
    return _moved(arguments, REVIEWER, lambda edge: edge.call(_admin(edge).ReviewSeal, request))


def make(arguments: argparse.Namespace) -> int:
    async def work(edge: Edge) -> Any:
        stub = _admin(edge)
        await edge.call(stub.MakeSeal, seal_pb2.MakeSealRequest(request_id=request_id(), id=arguments.id))
        request = seal_pb2.ActivateSealRequest(request_id=request_id(), id=arguments.id)
        return await edge.call(stub.ActivateSeal, request)

    return _moved(arguments, MAKER, work)


def revoke(arguments: argparse.Namespace) -> int:
    request = _revocation(arguments, REASONS[arguments.reason])
    return _moved(arguments, MAKER, lambda edge: edge.call(_admin(edge).RevokeSeal, request))


def replace(arguments: argparse.Namespace) -> int:
    request = seal_pb2.ReplaceSealRequest(
        request_id=request_id(), id=arguments.id, reason=arguments.because, name=arguments.name
    )
    if arguments.picture is not None:
        request.picture_png = _read(arguments.picture)
    seal = _as(arguments, MAKER, lambda edge: edge.call(_admin(edge).ReplaceSeal, request)).seal
    out(_dict(seal), "\n".join([_line(seal), *_next(seal)]), as_json=arguments.json)
    return 0


def picture(arguments: argparse.Namespace) -> int:
    request = pb.GetSealPictureRequest(id=arguments.id)
    found = _as(arguments, MAKER, lambda edge: edge.call(_owner(edge).GetSealPicture, request))
    try:
        plain_files.put(arguments.out, found.png, alike=_PNG)
        if arguments.eseal is not None and found.eseal:
            plain_files.put(arguments.eseal, found.eseal, alike=len(found.eseal))
    except OSError as error:
        raise ConfigError(f"{error.filename}: {file_errors.told(error)}") from None
    source = "自有图像 / uploaded" if found.uploaded else "枢纽绘制 / drawn by the hub"
    fields = {"width_mm": found.width_mm, "height_mm": found.height_mm, "uploaded": found.uploaded}
    text = f"{arguments.out}: {found.width_mm} × {found.height_mm} mm, {source}"
    out({**fields, "file": str(arguments.out)}, text, as_json=arguments.json)
    return 0


def compromised(arguments: argparse.Namespace) -> int:
    """Revocation first: it stops the thief; then what there is to repair. Run again, it goes on where it stopped."""
    stolen = _revocation(arguments, pb.REVOCATION_REASON_KEY_COMPROMISE)

    async def work(edge: Edge) -> tuple[pb.Seal, list[pb.Certificate], pb.Seal]:
        revoked = (await edge.call(_admin(edge).RevokeSeal, stolen)).seal
        documents = await _sealed_since(edge, arguments.id, stolen)
        return revoked, documents, await _successor(edge, revoked, arguments.because)

    revoked, documents, successor = _as(arguments, MAKER, work)
    head = ["编号 number", "办件 case", "签发日 issued", "SHA-256"]
    rows = [[d.number, d.case_code, _date(d), d.sha256] for d in documents]
    lines = [
        f"已撤销 / revoked: {_line(revoked)}",
        f"失效日期起用印的文件，现一律判为无效 / sealed since, INVALID from now on: {len(documents)}",
        *([table(head, rows)] if rows else []),
        f"接任印章 / successor: {_line(successor)}",
        *_next(successor),
    ]
    found = {"revoked": _dict(revoked), "documents": [_dict(d) for d in documents], "successor": _dict(successor)}
    out(found, "\n".join(lines), as_json=arguments.json)
    return 0


async def _sealed_since(edge: Edge, seal_id: str, stolen: seal_pb2.RevokeSealRequest) -> list[pb.Certificate]:
    found: list[pb.Certificate] = []
    request = seal_pb2.ListSealedDocumentsRequest(id=seal_id, since=stolen.invalid_since, page_size=500)
    while True:
        page = await edge.call(_admin(edge).ListSealedDocuments, request)
        found += page.certificates
        request.page_token = page.next_page_token
        if not request.page_token:
            return found


async def _successor(edge: Edge, revoked: pb.Seal, reason: str) -> pb.Seal:
    """The application that is on its way already, or a new one."""
    listed: Sequence[pb.Seal] = (await edge.call(_owner(edge).ListSeals, pb.ListSealsRequest(page_size=500))).seals
    ended = {pb.SEAL_STATE_REVOKED, pb.SEAL_STATE_EXPIRED, pb.SEAL_STATE_REPLACED, pb.SEAL_STATE_REJECTED}
    for seal in listed:
        if seal.replaces == revoked.id and seal.state not in ended:
            return seal
    request = seal_pb2.ReplaceSealRequest(request_id=request_id(), id=revoked.id, reason=reason)
    answer: seal_pb2.ReplaceSealResponse = await edge.call(_admin(edge).ReplaceSeal, request)
    return answer.seal


def _revocation(arguments: argparse.Namespace, code: int) -> seal_pb2.RevokeSealRequest:
    request = seal_pb2.RevokeSealRequest(
        request_id=request_id(),
        id=arguments.id,
        reason_code=pb.RevocationReason.ValueType(code),
        reason=arguments.because,
    )
    if arguments.since is not None:
        request.invalid_since.FromDatetime(arguments.since)
    return request


def _moved(arguments: argparse.Namespace, name: str, work: Callable[[Edge], Awaitable[Any]]) -> int:
    seal: pb.Seal = _as(arguments, name, work).seal
    lines = [_line(seal), *(_next(seal) if seal.state == pb.SEAL_STATE_REVIEWED else [])]
    lines += later_than_asked(seal, getattr(arguments, "since", None))
    out(_dict(seal), "\n".join(lines), as_json=arguments.json)
    return 0


def later_than_asked(seal: pb.Seal, asked: dt.datetime | None) -> list[str]:
    """The cause why a seal is void from another moment than was asked for: before its certificate it signed nothing."""
    if asked is None or seal.invalid_since.ToDatetime(dt.UTC) <= asked:
        return []
    return [
        (
            f"  所给时间 {asked.isoformat()} 早于证书的开始时间，按后者登记 / "
            "the time given lies before the certificate began; it counts from then on"
        )
    ]


def _as(arguments: argparse.Namespace, name: str, work: Callable[[Edge], Awaitable[T]]) -> T:
    """Runs `work` as the operator `name`."""
    place = Place(arguments.data.resolve())

    async def run() -> T:
        edge = operator(place, name)
        try:
            return await work(edge)
        finally:
            await edge.channel.close()

    running: Coroutine[Any, Any, T] = run()
    return asyncio.run(running)


def _next(seal: pb.Seal) -> list[str]:
    """The next act on it, and by whom."""
    if seal.state == pb.SEAL_STATE_APPLIED:
        return [f"  下一步（系统管理员） / next, as operator system:    shuniu seal review {seal.id}"]
    if seal.state == pb.SEAL_STATE_REVIEWED:
        return [f"  下一步（安全管理员） / next, as operator security:  shuniu seal make {seal.id}"]
    return []


def _owner(edge: Edge) -> Any:
    return esign_pb2_grpc.SealServiceStub(edge.channel)


def _admin(edge: Edge) -> Any:
    return seal_pb2_grpc.SealAdminServiceStub(edge.channel)


def _line(seal: pb.Seal) -> str:
    text = f"{seal.id}  v{seal.version}  {_state(seal.state)}  {seal.name or '(个人 / person)'}"
    if seal.HasField("invalid_since"):
        reason = pb.RevocationReason.Name(seal.revocation_reason).removeprefix("REVOCATION_REASON_")
        text += f"  {reason}  自 / since {seal.invalid_since.ToJsonString()}"
    return text


def _state(state: int) -> str:
    return pb.SealState.Name(pb.SealState.ValueType(state)).removeprefix("SEAL_STATE_")


def _day(seal: pb.Seal) -> str:
    return seal.not_after.ToJsonString()[:10] if seal.HasField("not_after") else ""


def _date(document: pb.Certificate) -> str:
    day = document.issued_on
    return f"{day.year:04d}-{day.month:02d}-{day.day:02d}"


def _dict(message: Any) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True)


def _read(path: Path) -> bytes:
    return content(path)
