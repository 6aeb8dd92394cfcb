"""Rules for the content of a case: the application, form answers, materials, notes. Every fault is reported
at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from services.exchange.cases.domain.routing import Item, ItemBook, RoutingError
from services.exchange.domain.identity_numbers import holds_identity_number
from services.exchange.domain.texts import refuse, text_faults
from shuniu.rules import RuleError, Violation

MAX_ANSWERS: Final = 100
MAX_ANSWER: Final = 4000
MAX_NAME: Final = 200
MAX_MATERIALS: Final = 100
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
_CERTIFICATE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Material:
    """A material as given: its name in the item, SHA-256 (hex) of the file, its media type."""

    name: str
    sha256: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Application:
    """An application as it came. `ial` is the applicant's identity assurance level; `channel` is the contract's name
    without prefix, empty when unset.
    """

    ial: int
    item_code: str
    division: str
    form: Mapping[str, str]
    materials: Sequence[Material]
    channel: str


class AssuranceError(RuleError):
    """The applicant's identity is not proved to the level that the item needs (`required`)."""

    def __init__(self, required: int) -> None:
        super().__init__(
            [
                Violation(
                    "item_code",
                    "ASSURANCE_TOO_LOW",
                    f"this item needs identity assurance level {required}; sign in again with acr_values=L{required}",
                    f"该事项需要 L{required} 级实名认证，请重新认证。",
                )
            ]
        )
        self.required = required


def decide(asked: Application, items: ItemBook, today: date, is_linked: Callable[[str], bool]) -> Item:
    """The implementing item that the application goes to. `is_linked`: whether a platform can be told of a case.

    Raises RoutingError, ContentError (all faults of the content at once), AssuranceError.
    """
    item = items.route(asked.item_code, asked.division, today)
    if not is_linked(item.handler):
        raise RoutingError(
            Violation(
                "item_code",
                "NO_HANDLING_AGENCY",
                "the agency of this item is not linked to the hub yet",
                "办理该事项的机构尚未接入",
            )
        )
    refuse(_content_faults(asked))
    if asked.ial < item.min_ial:
        raise AssuranceError(item.min_ial)
    return item


def _content_faults(asked: Application) -> Iterable[Violation]:
    yield from form_faults(asked.form)
    yield from material_faults(asked.materials)
    if not asked.channel:
        yield Violation("channel", "CHANNEL_MISSING", "name the channel", "请填写申请渠道")


def form_faults(form: Mapping[str, str]) -> Iterable[Violation]:
    """Faults of form answers."""
    if len(form) > MAX_ANSWERS:
        yield Violation("form", "TOO_MANY_ROWS", f"at most {MAX_ANSWERS} answers", f"表单项不得超过 {MAX_ANSWERS} 个")
        return
    for name, answer in form.items():
        # A name that is itself a fault is not repeated in the field path.
        faults = list(text_faults("form", name, MAX_NAME, reason="IDENTITY_NUMBER_IN_FORM"))
        yield from faults
        if not name.strip():
            yield Violation("form", "NAME_MISSING", "name each answer", "表单项名称不能为空")
        elif not faults:
            yield from text_faults(f"form.{name}", answer, MAX_ANSWER, reason="IDENTITY_NUMBER_IN_FORM")


def material_faults(materials: Collection[Material]) -> Iterable[Violation]:
    """Faults of materials as given."""
    if len(materials) > MAX_MATERIALS:
        yield Violation(
            "materials", "TOO_MANY_ROWS", f"at most {MAX_MATERIALS} materials", f"材料不得超过 {MAX_MATERIALS} 份"
        )
        return
    seen: set[str] = set()
    for index, material in enumerate(materials):
        at = f"materials[{index}]"
        if not material.name.strip():
            yield Violation(f"{at}.name", "NAME_MISSING", "name the material", "请填写材料名称")
        yield from text_faults(f"{at}.name", material.name, MAX_NAME)
        if material.name in seen:
            yield Violation(f"{at}.name", "ROW_REPEATED", "a material is given twice", "材料重复")
        seen.add(material.name)
        if not _SHA256.fullmatch(material.sha256):
            yield Violation(
                f"{at}.sha256", "DIGEST_FORM", "64 small hexadecimal digits", "应为 64 位小写十六进制的 SHA-256"
            )
        if not _MEDIA_TYPE.fullmatch(material.media_type):
            yield Violation(
                f"{at}.media_type", "MEDIA_TYPE_FORM", "a media type such as application/pdf", "媒体类型格式不正确"
            )


def certificate_faults(number: str, *, own: str, wanted: bool, possible: bool) -> Iterable[Violation]:
    """Faults of a certificate number: ``own`` is that of the valid document issued for the case, empty without one;
    ``wanted`` where the item ends with a document, ``possible`` on this move.
    """
    field = "certificate_number"
    if wanted and not number:
        yield Violation(
            field,
            "CERTIFICATE_REQUIRED",
            "this item ends with a document: give its number",
            "该事项须出具证照，请填写证照编号",
        )
    if not number:
        return
    if not possible:
        yield Violation(
            field, "FIELD_NOT_EXPECTED", "only the delivery of a grant has one", "仅准予办结并送达时填写证照编号"
        )
    if not _CERTIFICATE.fullmatch(number) or holds_identity_number(number):
        yield Violation(
            field,
            "CERTIFICATE_FORM",
            "1 to 64 letters, digits, '.', '_' or '-', no identity number",
            "应为 1 至 64 位字母、数字、“.”、“_”或“-”，且不得为证件号码",
        )
    elif possible and number != own:
        yield Violation(
            field,
            "CERTIFICATE_NOT_OF_CASE",
            "give the number of the valid document that the hub issued for this case",
            "请填写枢纽为本办件出具且有效的证照编号",
        )
