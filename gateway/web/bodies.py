"""Request bodies: read in pieces, bounded in size and time, kept in memory only and never logged."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from gateway.too_large import sentences
from shuniu.kit import errors
from shuniu.kit.errors import HubError

FORM_BYTES = 64 * 1024
"""Largest form: the longest field, a token, has a few kilobytes."""
ENVELOPE_BYTES = 128 * 1024
"""The bytes that a multipart body may hold beside the document: its receipt (a few kilobytes) and the part headers."""
RECEIPT_BYTES = 64 * 1024
_FIELDS = 40
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Upload:
    """A document and its receipt, empty when none came; `name`: what the sender's file is called."""

    pdf: bytes
    receipt: str
    name: str


async def read(request: Request, limit: int, seconds: float) -> bytes:
    """The whole body. Raises RESOURCE_EXHAUSTED BODY_TOO_LARGE, INVALID_ARGUMENT BODY_INCOMPLETE."""
    content = bytearray()
    async for chunk in _bounded(request, limit, seconds):
        content += chunk
    return bytes(content)


async def form(request: Request, seconds: float = 15.0) -> Mapping[str, str]:
    """The fields of a urlencoded form. A field that comes twice is refused (RFC 6749 3.2).

    Raises INVALID_ARGUMENT FORM_INVALID and what `read` raises.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise _form_invalid()
    content = await read(request, FORM_BYTES, seconds)
    return fields(content.decode("utf-8", "surrogateescape"))


def fields(encoded: str) -> Mapping[str, str]:
    """Decodes name=value pairs. Raises INVALID_ARGUMENT FORM_INVALID."""
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    except (ValueError, UnicodeError):
        raise _form_invalid() from None
    found = dict(pairs)
    if len(found) != len(pairs) or any("\0" in value for value in found.values()):
        raise _form_invalid()
    return found


async def upload(request: Request, limit: int, seconds: float) -> Upload:
    """A document with the name `pdf` and perhaps a receipt `receipt` (file or text) of a multipart body.

    Raises INVALID_ARGUMENT DOCUMENT_EMPTY or FORM_INVALID, RESOURCE_EXHAUSTED DOCUMENT_TOO_LARGE.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise _form_invalid()
    parser = _InMemory(
        request.headers,
        _bounded(request, limit + ENVELOPE_BYTES, seconds),
        max_files=2,
        max_fields=4,
        max_part_size=RECEIPT_BYTES,
    )
    try:
        found = await parser.parse()
    except MultiPartException:
        raise _form_invalid() from None
    try:
        document = found.get("pdf")
        pdf = await document.read() if isinstance(document, UploadFile) else b""
        given = found.get("receipt")
        receipt = await given.read(RECEIPT_BYTES + 1) if isinstance(given, UploadFile) else (given or "").encode()
    finally:
        await found.close()
    if not pdf:
        raise errors.invalid_field(
            "pdf",
            "DOCUMENT_EMPTY",
            "Choose a PDF or OFD file that is not empty.",
            "请选择一个非空的 PDF 或 OFD 文件；空文件请重新下载。",
        )
    if len(pdf) > limit:
        raise too_large(limit)
    if len(receipt) > RECEIPT_BYTES:
        raise _form_invalid()
    try:
        return Upload(pdf, receipt.decode(), (document.filename or "") if isinstance(document, UploadFile) else "")
    except UnicodeDecodeError:
        raise errors.invalid_field(
            "receipt",
            "RECEIPT_UNREADABLE",
            "The receipt is not a tlog-proof file; leave it out or choose FILE.tlog-proof. No .ses is needed.",
            "回执文件不是有效的 tlog-proof；可以不选，或选择与该文件同名的 .tlog-proof 文件；.ses 文件不必选。",
        ) from None


def too_large(limit: int) -> HubError:
    return errors.exhausted("DOCUMENT_TOO_LARGE", *sentences(limit))


class _InMemory(MultiPartParser):
    """An uploaded document holds personal data: it never touches a disk here, not even a temporary file."""

    spool_max_size = 1 << 40


async def _bounded(request: Request, limit: int, seconds: float) -> AsyncGenerator[bytes, None]:
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced) > limit:
        raise _body_too_large(limit)
    seen = 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                seen += len(chunk)
                if seen > limit:
                    raise _body_too_large(limit)
                yield chunk
    except (TimeoutError, ClientDisconnect):
        raise errors.invalid_field(
            "body",
            "BODY_INCOMPLETE",
            "The request did not arrive in time; send it again.",
            "请求未能完整送达，请重试。",
        ) from None


def _body_too_large(limit: int) -> HubError:
    if limit > FORM_BYTES:
        return too_large(limit - ENVELOPE_BYTES)
    return errors.exhausted("BODY_TOO_LARGE", "The request is too large.", "请求内容过大。")


def _form_invalid() -> HubError:
    return errors.invalid_field(
        "body",
        "FORM_INVALID",
        "The form could not be read; open the page again and resend it.",
        "无法读取提交的表单，请重新打开页面后再提交。",
    )
