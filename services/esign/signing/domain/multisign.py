"""Several signers on one document, in pure steps: fields first, then one signature after the other, then a close.

    pdf = prepare(pdf, [Field("甲方", 0, (72, 72, 200, 130), Lock("All")), ...])   # once, before anybody signs
    step = begin(pdf, "甲方", size=template.max_size_with(room), at_us=now, signer="张三",
                 appearance=Picture.of_png(png))
    cms = template.sign(step.digest)                # made anywhere: here, in a token, at a remote signer
    pdf = step.finish(OpenedCms.of(cms).stamped(token))     # or step.finish(cms), without a timestamp
    ...
    last = close(pdf, room)                         # a document timestamp over everything
    pdf = last.finish(token)                        # a token over last.digest

Every step is a function of its arguments: the same arguments give the same bytes. A step that was begun can be kept
as `step.pdf` and taken up again by `Prepared.of(pdf)`. The first signature certifies the document (DocMDP, P = 2 when
others are to follow); each later one is an approval signature. A field's lock becomes the FieldMDP transform of its
signature (ISO 32000-2, 12.8.2.4): what it locks may not be signed afterwards.

All functions raise DocumentUnfitError, whose reason is stable.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from services.esign.domain import der
from services.esign.domain.digests import SHA256, Digest
from services.esign.domain.errors import DocumentUnfitError
from services.esign.domain.moments import whole_second
from services.esign.domain.pdf import appearance as appearances
from services.esign.domain.pdf import shadow, signatures
from services.esign.domain.pdf.appearance import Appearance
from services.esign.domain.pdf.document import Document
from services.esign.domain.pdf.syntax import Dict, PdfError, Ref
from services.esign.domain.pdf.writer import Update, text_of, text_string, written
from services.esign.revisions.domain import changes, field_locks
from services.esign.revisions.domain.additions import MOST_OF_PAGE

_P = ParamSpec("_P")
_T = TypeVar("_T")
Rectangle = tuple[float, float, float, float]
INVISIBLE: Rectangle = (0, 0, 0, 0)
_BYTE_RANGE = re.compile(rb"/ByteRange\[0 (\d{1,10}) (\d{1,10}) (\d{1,10})\] */Contents<")
_MOST_FIELDS = 32
_MOST_NAME = 64
# Print and Locked (ISO 32000-2, table 167): a field is neither moved nor left out of a print.
_FLAGS = 132


class Permission(IntEnum):
    """The changes that a certification allows afterwards (DocMDP, ISO 32000-2, 12.8.2.2)."""

    NOTHING = 1
    SIGN = 2


class LockAction(StrEnum):
    """The fields that a signature locks: all, those named, or all but those named."""

    ALL = "All"
    INCLUDE = "Include"
    EXCLUDE = "Exclude"


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock of a signature in the field (FieldMDP)."""

    action: LockAction | str = LockAction.ALL
    fields: tuple[str, ...] = ()

    def text(self, kind: bytes) -> bytes:
        """As a dictionary of type `kind`: the field's lock or the signature's transform parameters."""
        listed = b"" if self.action == LockAction.ALL else b"/Fields[" + b" ".join(map(text_string, self.fields)) + b"]"
        return b"<</Type/%b/Action/%b%b" % (kind, LockAction(self.action).encode(), listed)


@dataclass(frozen=True, slots=True)
class Field:
    """A signature field to be made. `page` counts from 0; `rectangle` in points from the lower left corner, none means
    an invisible signature; `appearance` is what it shows until it is signed.
    """

    name: str
    page: int = 0
    rectangle: Rectangle = INVISIBLE
    lock: Lock | None = None
    appearance: Appearance | None = None


@dataclass(frozen=True, slots=True)
class StandingField:
    """A signature field of a document: its name, whether it is signed, its rectangle."""

    name: str
    signed: bool
    rectangle: Rectangle


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document with a hole for a signature. `digest` (SHA-256 unless said) is what is signed or stamped; `room` how
    many bytes the hole takes.
    """

    pdf: bytes
    start: int
    end: int
    digest: bytes

    @property
    def room(self) -> int:
        return (self.end - self.start) // 2

    @classmethod
    def of(cls, pdf: bytes, algorithm: Digest = SHA256) -> "Prepared":
        """The step whose `pdf` was kept. Raises DocumentUnfitError NOT_PREPARED."""
        found = _BYTE_RANGE.search(pdf, max(0, pdf.rfind(b"/ByteRange[")))
        gap, after, rest = (int(n) for n in found.groups()) if found else (0, 0, 0)
        if found is None or after + rest != len(pdf) or pdf[gap + 1 : after - 1].strip(b"0"):
            raise DocumentUnfitError(
                "NOT_PREPARED", "the document does not end with an open signature", "文件末尾没有待填写的签名"
            )
        view = memoryview(pdf)
        return cls(pdf, gap + 1, after - 1, algorithm.of(view[:gap], view[after:]))

    @classmethod
    def around(cls, update: Update, number: int, dictionary: bytes, size: int, algorithm: Digest) -> "Prepared":
        """The update with the signature `number` as its last object; see `Update.finished_around`."""
        hole = update.finished_around(number, dictionary, size, algorithm)
        return cls(hole.pdf, hole.start, hole.end, hole.digest)

    @property
    def covered(self) -> bytes:
        """The bytes that the signature is over, for those who hash themselves."""
        return self.pdf[: self.start - 1] + self.pdf[self.end + 1 :]

    def finish(self, signature: bytes) -> bytes:
        """The signed document. `signature`: a CMS over `digest`, or for a document timestamp a token (DER)."""
        try:
            der.parse(signature).expect(der.SEQUENCE)
        except der.DerError as cause:
            raise DocumentUnfitError(
                "SIGNATURE_SYNTAX", f"not a CMS in DER: {cause}", "签名数据不是 DER 编码"
            ) from cause
        if len(signature) > self.room:
            raise DocumentUnfitError("SIGNATURE_ROOM", "the signature is longer than its room", "签名数据超出预留空间")
        digits = signature.hex().encode().ljust(self.end - self.start, b"0")
        return b"".join((self.pdf[: self.start], digits, self.pdf[self.end :]))


def typed(work: Callable[_P, _T]) -> Callable[_P, _T]:
    """Decorates what reads a document strictly: its refusals come in the words of this module."""

    @wraps(work)
    def worded(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return work(*args, **kwargs)
        except PdfError as cause:
            raise DocumentUnfitError(
                cause.reason, f"the PDF cannot be signed: {cause}", "此 PDF 文件结构不合规，不能签名"
            ) from cause

    return worded


@typed
def prepare(pdf: bytes, fields: Sequence[Field]) -> bytes:
    """The document with empty signature fields, as one incremental update.

    The document must be free of shadow content and not signed; empty signature fields that it has already stay.
    Raises DocumentUnfitError: what the reader or the shadow scan found, ALREADY_SIGNED, FIELDS, FIELD_NAME,
    FIELD_PAGE, FIELD_RECTANGLE, LOCK.
    """
    document = Document(pdf)
    _refuse_signed(document)
    shadow.refuse(document)
    pages = document.pages()
    standing = _form_fields(document)
    _check(fields, {name for name, _, _ in standing})
    update = Update(document)
    added: list[Ref] = []
    widgets: dict[int, list[Ref]] = {}
    for field in fields:
        page = _page_for(document, field, pages)
        added.append(Ref((update.add(_widget(update, field, page)), 0)))
        widgets.setdefault(page[0], []).append(added[-1])
    for page, value in pages:
        if page[0] in widgets:
            _put_on_page(document, update, page, value, widgets[page[0]])
    _put_in_form(document, update, added)
    return update.finished()


@typed
def fields_of(pdf: bytes) -> tuple[StandingField, ...]:
    """The document's signature fields in the form's order."""
    document = Document(pdf)
    return tuple(
        StandingField(name, value.get("V") is not None, _rectangle(document, value))
        for name, _, value in _form_fields(document)
    )


@typed
def begin(
    pdf: bytes,
    field: str,
    *,
    size: int,
    at_us: int,
    signer: str,
    appearance: Appearance | None = None,
    permission: Permission = Permission.SIGN,
    reason: str = "",
    algorithm: Digest = SHA256,
) -> Prepared:
    """The document with a signature in `field` that lacks nothing but its CMS, of up to `size` bytes.

    `at_us` (µs) becomes /M, `signer` /Name, `reason` /Reason. `permission` is what the first signature, which certifies
    the document, allows afterwards; later ones are approval signatures. `appearance` None leaves what the field shows.
    `algorithm` is the digest that goes with the signer's key.
    Raises DocumentUnfitError: what the reader found, FIELD_UNKNOWN, FIELD_SIGNED, FIELD_LOCKED, FIELD_SHAPE, and
    CHANGED when the document is not as its signers left it.
    """
    document = Document(pdf)
    earlier = checked(document)
    number, value = _open_field(document, field)
    update = Update(document)
    signature = update.reserve()
    widget = {**value, "V": Ref((signature, 0))}
    if appearance is not None:
        x1, y1, x2, y2 = _rectangle(document, value)
        drawn = appearance.put(update, abs(x2 - x1), abs(y2 - y1))
        widget["AP"] = {"N": Ref((drawn, 0))}
    update.put(number, written(widget))
    references = _field_transform(document, value)
    if not earlier:
        references = (
            b"<</Type/SigRef/TransformMethod/DocMDP/TransformParams<</Type/TransformParams/P %d/V/1.2>>>>" % permission
        ) + references
        root = document.trailer["Root"]
        update.put(root[0], written({**document.catalog(), "Perms": {"DocMDP": Ref((signature, 0))}}))
    moment = whole_second(at_us).strftime("%Y%m%d%H%M%S").encode()
    dictionary = b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/Name%b%b%b/M(D:%bZ)" % (
        text_string(signer),
        b"/Reason" + text_string(reason) if reason else b"",
        b"/Reference[" + references + b"]" if references else b"",
        moment,
    )
    return Prepared.around(update, signature, dictionary, size, algorithm)


@typed
def close(pdf: bytes, size: int, algorithm: Digest = SHA256) -> Prepared:
    """The document with a document timestamp (ISO 32000-2, 12.8.5) that lacks nothing but its token, of up to `size`
    bytes, over `digest`. It covers every signature before it. Raises DocumentUnfitError, CHANGED among others.
    """
    document = Document(pdf)
    checked(document)
    update = Update(document)
    number = put_timestamp(document, update)
    return Prepared.around(update, number, TIMESTAMP, size, algorithm)


TIMESTAMP = b"<</Type/DocTimeStamp/Filter/Adobe.PPKLite/SubFilter/ETSI.RFC3161"
"""Text of a document timestamp's dictionary, without /ByteRange, /Contents and closing brackets."""


def put_timestamp(document: Document, update: Update, catalog: Mapping[str, Any] | None = None) -> int:
    """An invisible field for a document timestamp; the number reserved for the timestamp itself. `catalog`: the
    catalog with what else the update changes in it.
    """
    names = {name for name, _, _ in _form_fields(document)}
    name = next(n for n in (f"Timestamp{i}" for i in range(1, len(names) + 2)) if n not in names)
    number = update.reserve()
    page, _ = document.first_page()
    field = update.add(
        b"<</Type/Annot/Subtype/Widget/FT/Sig/T%b/F %d/Rect[0 0 0 0]/P %d %d R/V %d 0 R>>"
        % (text_string(name), _FLAGS, *page, number)
    )
    _put_in_form(document, update, [Ref((field, 0))], catalog)
    return number


def checked(document: Document) -> list[signatures.PdfSignature]:
    """The signatures so far. Whoever signs now must not sign what is already broken."""
    found = signatures.find(document)
    for each in found:
        signatures.as_signed(document, each)
    if found and any(passage.change for passage in changes.history(document, found)):
        raise DocumentUnfitError("CHANGED", "the document was changed after it was signed", "文件在签名后被修改")
    return found


def _refuse_signed(document: Document) -> None:
    if "Perms" in document.catalog() or signatures.find(document):
        raise DocumentUnfitError(
            "ALREADY_SIGNED",
            "the document is signed already: fields come before signatures",
            "文件已有签名，不能再设置签名域",
        )


def _check(fields: Sequence[Field], taken: set[str]) -> None:
    if not fields or len(fields) + len(taken) > _MOST_FIELDS:
        raise DocumentUnfitError("FIELDS", f"1 to {_MOST_FIELDS} fields", f"签名域应为 1 至 {_MOST_FIELDS} 个")
    names = {field.name for field in fields}
    for field in fields:
        if not 0 < len(field.name) <= _MOST_NAME or "." in field.name:
            raise DocumentUnfitError(
                "FIELD_NAME",
                "a field's name has 1 to 64 characters and no dot",
                "签名域名称为 1 至 64 个字符，不含句点",
            )
        lock = field.lock
        if lock is not None and (
            lock.action not in set(LockAction)
            or bool(lock.fields) != (lock.action != LockAction.ALL)
            or not set(lock.fields) <= names | taken
        ):
            raise DocumentUnfitError(
                "LOCK", f"the lock of {field.name} names what is not there", "签名域锁定设置有误", field=field.name
            )
    if len(names) < len(fields) or names & taken:
        raise DocumentUnfitError("FIELD_NAME", "two fields of one name", "签名域名称重复")


def _page_for(document: Document, field: Field, pages: Sequence[tuple[Ref, Dict]]) -> Ref:
    if not 0 <= field.page < len(pages):
        raise DocumentUnfitError(
            "FIELD_PAGE", f"there is no page {field.page}", f"文件没有第 {field.page + 1} 页", field=field.name
        )
    x1, y1, x2, y2 = field.rectangle
    left, bottom, right, top = _media_box(document, pages[field.page][1])
    inside = left <= x1 <= x2 <= right and bottom <= y1 <= y2 <= top
    share = abs((x2 - x1) * (y2 - y1)) / max(1.0, (right - left) * (top - bottom))
    if field.rectangle != INVISIBLE and (not inside or share > MOST_OF_PAGE):
        raise DocumentUnfitError(
            "FIELD_RECTANGLE",
            f"the rectangle of {field.name} leaves the page or covers more than a quarter of it",
            "签名域超出页面或超过页面四分之一",
            field=field.name,
        )
    return pages[field.page][0]


def _media_box(document: Document, page: Dict) -> Rectangle:
    node: Any = page
    for _ in range(32):
        box = document.resolve(node.get("MediaBox"))
        if isinstance(box, list) and len(box) == 4 and all(isinstance(n, int | float) for n in box):
            x1, y1, x2, y2 = (float(n) for n in box)
            return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)
        node = document.resolve(node.get("Parent"))
        if not isinstance(node, Dict):
            break
    raise PdfError("PAGES", "a page without /MediaBox")


def _widget(update: Update, field: Field, page: Ref) -> bytes:
    x1, y1, x2, y2 = field.rectangle
    drawn = (
        field.appearance.put(update, x2 - x1, y2 - y1)
        if field.appearance is not None
        else update.add(appearances.EMPTY)
    )
    lock = b""
    if field.lock is not None:
        lock = b"/Lock %d 0 R" % update.add(field.lock.text(b"SigFieldLock") + b">>")
    return b"<</Type/Annot/Subtype/Widget/FT/Sig/T%b/F %d/Rect[%.2f %.2f %.2f %.2f]/P %d %d R/AP<</N %d 0 R>>%b>>" % (
        text_string(field.name),
        _FLAGS,
        x1,
        y1,
        x2,
        y2,
        *page,
        drawn,
        lock,
    )


def _put_on_page(document: Document, update: Update, page: Ref, value: Dict, widgets: list[Ref]) -> None:
    annotations = document.resolve(value.get("Annots")) or []
    if not isinstance(annotations, list):
        raise PdfError("PAGES", "/Annots is not a list")
    update.put(page[0], written({**value, "Annots": [*annotations, *widgets]}))


def _put_in_form(
    document: Document, update: Update, fields: list[Ref], catalog: Mapping[str, Any] | None = None
) -> None:
    """The form with more fields: where it is an object of its own it alone is replaced, else the catalog is."""
    catalog = document.catalog() if catalog is None else catalog
    holder = document.catalog().get("AcroForm")
    form = document.resolve(holder)
    if form is not None and not isinstance(form, Dict):
        raise PdfError("FORM", "the form is not a dictionary")
    listed = document.resolve(form.get("Fields")) if form is not None else None
    grown = {**(form or {}), "Fields": [*(listed if isinstance(listed, list) else []), *fields], "SigFlags": 3}
    if isinstance(holder, Ref):
        update.put(holder[0], written(grown))
        if catalog == document.catalog():
            return
        grown_catalog = dict(catalog)
    else:
        grown_catalog = {**catalog, "AcroForm": grown}
    update.put(document.trailer["Root"][0], written(grown_catalog))


def _form_fields(document: Document) -> list[tuple[str, Ref, Dict]]:
    """The signature fields: full name, reference, dictionary. Raises PdfError for forms whose fields are not plain."""
    form = document.resolve(document.catalog().get("AcroForm"))
    listed = document.resolve(form.get("Fields")) if isinstance(form, Dict) else None
    found = []
    for ref in listed if isinstance(listed, list) else []:
        field = document.resolve(ref)
        name = field.get("T") if isinstance(field, Dict) else None
        if not isinstance(ref, Ref) or not isinstance(name, bytes) or field.get("FT") != "Sig" or "Kids" in field:
            raise PdfError("FORM_FIELDS", "the form has fields that are no plain signature fields", unsupported=True)
        found.append((text_of(name), ref, field))
    return found


def _open_field(document: Document, name: str) -> tuple[int, Dict]:
    fields = {each: (ref[0], value) for each, ref, value in _form_fields(document)}
    if name not in fields:
        raise DocumentUnfitError("FIELD_UNKNOWN", f"there is no field {name}", f"没有名为 {name} 的签名域", field=name)
    number, value = fields[name]
    if value.get("V") is not None:
        raise DocumentUnfitError("FIELD_SIGNED", f"{name} is signed already", f"签名域 {name} 已签名", field=name)
    if field_locks.locks_field(document, signatures.find(document), name):
        raise DocumentUnfitError(
            "FIELD_LOCKED", f"an earlier signature locked {name}", f"签名域 {name} 已被先前的签名锁定", field=name
        )
    if value.get("Subtype") != "Widget":
        raise DocumentUnfitError("FIELD_SHAPE", f"{name} has no widget of its own", "签名域没有对应的控件", field=name)
    return number, value


def _rectangle(document: Document, field: Dict) -> Rectangle:
    box = document.resolve(field.get("Rect"))
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(n, int | float) for n in box):
        return INVISIBLE
    return (float(box[0]), float(box[1]), float(box[2]), float(box[3]))


def _field_transform(document: Document, field: Dict) -> bytes:
    """The field's lock as the signature's FieldMDP transform; nothing without a lock."""
    lock = document.resolve(field.get("Lock"))
    if not isinstance(lock, Dict):
        return b""
    action, listed = lock.get("Action"), document.resolve(lock.get("Fields"))
    names = tuple(text_of(name) for name in listed if isinstance(name, bytes)) if isinstance(listed, list) else ()
    if action not in set(LockAction):
        raise PdfError("LOCK", "a field's lock says nothing that is known")
    root = document.trailer["Root"]
    return b"<</Type/SigRef/TransformMethod/FieldMDP/Data %d %d R/TransformParams%b/V/1.2>>>>" % (
        *root,
        Lock(str(action), names).text(b"TransformParams"),
    )
