"""Rules of GB/T 39046-2020 for an item's fields, and for a guide (办事指南) that people can follow.

Every violation is reported with the path of its field, so that a bureau mends a whole spreadsheet in one round.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from typing import TypeVar

from services.catalogue.domain import divisions
from services.catalogue.items.domain.codes import Kind, check_codes, parse
from services.catalogue.items.domain.item import (
    AgencyNature,
    BaseItem,
    CaseType,
    Content,
    Faq,
    Form,
    ImplementingItem,
    Limit,
    Material,
)
from shuniu.national_numbers import is_uscc
from shuniu.reading import is_readable, unreadable
from shuniu.rules import RuleError, Violation

# an..200 (GB/T 39046-2020, item table).
MAX_NAME = 200
# Long texts: the longest guides in use stay under this by a factor of five; the wire allows 4 MiB a message.
MAX_TEXT = 20_000
MAX_ROWS = 200
# The law gives no longer period to any item; a larger figure is a wrong unit.
_MAX_LIMIT = 1000
_PHONE = re.compile(r"[0-9][0-9\-]{2,19}(?:转[0-9]{1,6})?", re.ASCII)
# Codes of platforms and of templates.
_NAME = re.compile(r"[a-z0-9][a-z0-9_.\-]{0,63}", re.ASCII)
_Row = TypeVar("_Row")
_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}", re.ASCII)


class ItemError(RuleError):
    """The item breaks rules of the standard."""


def require_valid(item: BaseItem | ImplementingItem) -> None:
    """Raise ItemError with every violation of the item."""
    violations = validate(item)
    if violations:
        raise ItemError(violations)


def require_right(item: BaseItem | ImplementingItem) -> None:
    """Raise ItemError for what is wrong in a draft: it may lack fields, but holds nothing false."""
    violations = [each for each in validate(item) if each.reason != "FIELD_MISSING"]
    if violations:
        raise ItemError(violations)


def check_base(item: ImplementingItem, base: BaseItem) -> list[Violation]:
    """The violation where an implementing item's code does not agree with its base item's."""
    if not item.codes.b or not base.codes.b or item.codes.b[19:31] == base.codes.b:
        return []
    return [Violation("codes.b", "CODE_BASE", "the code names another base item", "实施编码与基本编码不一致")]


def check_fixed(before: BaseItem | ImplementingItem, after: BaseItem | ImplementingItem) -> list[Violation]:
    """Faults of a change to an item that people know: codes (a missing one may be added), division and base stay."""
    found = [
        _fixed(f"codes.{scheme}")
        for scheme, old, new in (
            ("a", before.codes.a, after.codes.a),
            ("b", before.codes.b, after.codes.b),
        )
        if old and old != new
    ]
    if before.division != after.division:
        found.append(_fixed("division"))
    if isinstance(before, ImplementingItem) and isinstance(after, ImplementingItem) and before.base_id != after.base_id:
        found.append(_fixed("base_id"))
    return found


def _fixed(name: str) -> Violation:
    return Violation(
        name,
        "ITEM_FIXED",
        "it cannot change after publication: make another item and withdraw this one",
        "发布后不得变更，请新建事项并取消本事项",
    )


def validate(item: BaseItem | ImplementingItem) -> tuple[Violation, ...]:
    """Every violation of the item; empty when it may be published."""
    found = list(_identifier(item.id, "id"))
    if isinstance(item, BaseItem):
        found += check_codes(item.codes, Kind.BASE)
        found += _base(item)
    else:
        found += _implementing(item)
    found += _content(item.content, complete=isinstance(item, ImplementingItem))
    return tuple(found)


def _base(item: BaseItem) -> Iterator[Violation]:
    if not is_uscc(item.owner):
        yield _uscc("owner")
    yield from _text(item.owner_name, "owner_name", MAX_NAME)
    if item.division:
        yield from _division(item.division)
    yield from _plan(item)


def _implementing(item: ImplementingItem) -> Iterator[Violation]:
    yield from _identifier(item.base_id, "base_id")
    yield from check_codes(item.codes, Kind.IMPLEMENTING)
    yield from _code_agrees(item)
    yield from _division(item.division)
    if not is_uscc(item.agency):
        yield _uscc("agency")
    yield from _text(item.agency_name, "agency_name", MAX_NAME, needed=True)
    if item.agency_nature is AgencyNature.ENTRUSTED and not item.entrusted_by:
        yield Violation("entrusted_by", "FIELD_MISSING", "name the entrusting agency", "受委托组织须填写委托部门")
    yield from _text(item.entrusted_by, "entrusted_by", MAX_NAME)
    if not item.handler:
        yield Violation("handler", "FIELD_MISSING", "name the platform that handles cases", "请填写办理平台")
    elif not _NAME.fullmatch(item.handler):
        yield _name("handler")
    yield from _plan(item)


def _division(code: str) -> Iterator[Violation]:
    try:
        divisions.normalise(code)
    except divisions.DivisionError as refusal:
        yield from (Violation("division", each.reason, each.en, each.zh) for each in refusal.violations)


def _plan(item: BaseItem | ImplementingItem) -> Iterator[Violation]:
    if item.plan_effective and item.plan_cancel and item.plan_cancel <= item.plan_effective:
        yield Violation(
            "plan_cancel", "DATES_REVERSED", "the end lies before the start", "计划取消日期应晚于计划生效日期"
        )


def _code_agrees(item: ImplementingItem) -> Iterator[Violation]:
    if not item.codes.b or any(each.field == "codes.b" for each in check_codes(item.codes, Kind.IMPLEMENTING)):
        return
    code = parse(item.codes.b)
    if code.agency != item.agency:
        yield Violation(
            "codes.b", "CODE_AGENCY", "the code names another agency", "实施编码中的信用代码与实施主体不一致"
        )
    if code.level is not item.level:
        yield Violation("codes.b", "CODE_LEVEL", "the code names another level", "实施编码中的行使层级与事项不一致")


def _content(content: Content, *, complete: bool) -> Iterator[Violation]:
    """Rules of both kinds; ``complete`` adds what an implementing item owes to the people it serves."""
    yield from _text(content.name, "name", MAX_NAME, needed=True)
    for name in ("conditions", "flow", "result_name", "result_sample", "range", "guide"):
        yield from _text(getattr(content, name), name, MAX_TEXT)
    for name in ("legal_basis", "aliases", "joint_departments"):
        yield from _texts(getattr(content, name), name)
    if not content.service_objects:
        yield Violation("service_objects", "FIELD_MISSING", "say whom the item serves", "请填写服务对象")
    yield from _limits(content, complete=complete)
    yield from _fee(content)
    yield from _visits(content)
    if not 1 <= content.min_assurance <= 4:
        yield Violation("min_assurance", "VALUE_RANGE", "assurance levels are 1 to 4", "身份核验等级应为 1 至 4")
    for name in ("enquiries", "complaints"):
        phone = getattr(content.phones, name)
        if phone and not _PHONE.fullmatch(phone):
            yield Violation(
                f"phones.{name}", "PHONE_FORM", "write digits and hyphens", "电话号码只能包含数字、连字符和分机号"
            )
    yield from _materials(content.materials)
    yield from _faqs(content.faqs)
    if content.result_template and not _NAME.fullmatch(content.result_template):
        yield _name("result_template")
    yield from _rows(content.sources, "sources", lambda row: row.field)
    for index, row in enumerate(content.sources):
        yield from _text(row.field, f"sources[{index}].field", MAX_NAME, needed=True)
        yield from _text(row.source, f"sources[{index}].source", MAX_TEXT, needed=True)
    if complete:
        yield from _owed_to_people(content)


def _owed_to_people(content: Content) -> Iterator[Violation]:
    missing: tuple[tuple[str, bool, str, str], ...] = (
        ("legal_basis", not content.legal_basis, "give the legal basis", "请填写设定依据"),
        ("conditions", not content.conditions, "say who may apply", "请填写受理条件"),
        ("flow", not content.flow, "say what happens after applying", "请填写办理流程"),
        ("forms", not content.forms, "say where people may apply", "请填写办理形式"),
        ("phones.enquiries", not content.phones.enquiries, "give a telephone for questions", "请填写咨询电话"),
        ("phones.complaints", not content.phones.complaints, "give a telephone for complaints", "请填写监督投诉电话"),
        ("result_name", not content.result_name, "name the result", "请填写办理结果名称"),
    )
    for name, is_missing, en, zh in missing:
        if is_missing:
            yield Violation(name, "FIELD_MISSING", en, zh)


def _limits(content: Content, *, complete: bool) -> Iterator[Violation]:
    named: tuple[tuple[str, Limit | None], ...] = (
        ("statutory_limit", content.statutory_limit),
        ("promised_limit", content.promised_limit),
    )
    for name, limit in named:
        if limit is None:
            if complete:
                yield Violation(name, "FIELD_MISSING", "give the time limit", "请填写办理时限")
        else:
            if not 0 <= limit.value <= _MAX_LIMIT:
                yield Violation(f"{name}.value", "VALUE_RANGE", f"0 to {_MAX_LIMIT}", f"时限应为 0 至 {_MAX_LIMIT}")
            yield from _text(limit.note, f"{name}.note", MAX_TEXT)
    statutory, promised = content.statutory_limit, content.promised_limit
    if statutory and promised and statutory.unit is promised.unit and promised.value > statutory.value:
        yield Violation(
            "promised_limit",
            "PROMISE_LONGER_THAN_LAW",
            "promise no more than the law allows",
            "承诺时限不得长于法定时限",
        )
    if content.case_type is CaseType.IMMEDIATE and promised and promised.value > 1:
        yield Violation(
            "promised_limit",
            "IMMEDIATE_HAS_LIMIT",
            "an immediate case ends within one unit",
            "即办件的承诺时限不得超过 1",
        )


def _fee(content: Content) -> Iterator[Violation]:
    if content.fee.amount_fen < 0:
        yield Violation("fee.amount_fen", "VALUE_RANGE", "a fee is not negative", "收费金额不得为负")
    if content.fee.amount_fen > 0 and not content.fee.basis:
        yield Violation("fee.basis", "FIELD_MISSING", "a fee needs its legal basis", "收费须填写收费依据")
    if content.online_payment and content.fee.amount_fen == 0:
        yield Violation("online_payment", "NOTHING_TO_PAY", "the item is free of charge", "不收费事项无需网上支付")


def _visits(content: Content) -> Iterator[Violation]:
    if not 0 <= content.visits <= 99:
        yield Violation("visits", "VALUE_RANGE", "0 to 99 visits", "到现场次数应为 0 至 99")
    if content.online and content.forms and not content.forms & {Form.COMPUTER, Form.MOBILE}:
        yield Violation(
            "forms",
            "ONLINE_WITHOUT_FORM",
            "an online item needs a computer or mobile form",
            "网办事项应支持电脑或移动端办理",
        )
    if content.forms and content.forms <= {Form.COUNTER} and content.visits == 0:
        yield Violation(
            "visits",
            "COUNTER_NEEDS_VISIT",
            "an item of the counter needs a visit",
            "仅窗口办理的事项到现场次数不能为 0",
        )


def _materials(materials: tuple[Material, ...]) -> Iterator[Violation]:
    yield from _rows(materials, "materials", lambda row: row.name)
    for index, row in enumerate(materials):
        at = f"materials[{index}]"
        yield from _text(row.name, f"{at}.name", MAX_NAME, needed=True)
        for name in ("issuer", "form", "source", "note"):
            yield from _text(getattr(row, name), f"{at}.{name}", MAX_TEXT)
        if not 0 <= row.copies <= 99:
            yield Violation(f"{at}.copies", "VALUE_RANGE", "0 to 99 copies", "份数应为 0 至 99")


def _faqs(faqs: tuple[Faq, ...]) -> Iterator[Violation]:
    yield from _rows(faqs, "faqs", lambda row: row.question)
    for index, row in enumerate(faqs):
        for column in fields(row):
            yield from _text(getattr(row, column.name), f"faqs[{index}].{column.name}", MAX_TEXT, needed=True)


def _texts(values: tuple[str, ...], name: str) -> Iterator[Violation]:
    yield from _rows(values, name, str)
    for index, value in enumerate(values):
        yield from _text(value, f"{name}[{index}]", MAX_TEXT, needed=True)


def _rows(rows: tuple[_Row, ...], name: str, key: Callable[[_Row], str]) -> Iterator[Violation]:
    if len(rows) > MAX_ROWS:
        yield Violation(name, "TOO_MANY_ROWS", f"at most {MAX_ROWS} rows", f"不得超过 {MAX_ROWS} 行")
    seen: set[str] = set()
    for index, row in enumerate(rows):
        if key(row) in seen:
            yield Violation(f"{name}[{index}]", "ROW_REPEATED", "this row is given twice", "内容重复")
        seen.add(key(row))


def _text(value: str, name: str, limit: int, *, needed: bool = False) -> Iterator[Violation]:
    if needed and not value.strip():
        yield Violation(name, "FIELD_MISSING", "fill in this field", "请填写此项")
    if len(value) > limit:
        yield Violation(name, "TEXT_TOO_LONG", f"at most {limit} characters", f"不得超过 {limit} 个字符")
    if not is_readable(value):
        yield unreadable(name)


def _identifier(value: str, name: str) -> Iterable[Violation]:
    if not _ULID.fullmatch(value):
        yield Violation(name, "ID_FORM", "an id is a ULID of 26 characters", "标识应为 26 位 ULID")


def _uscc(name: str) -> Violation:
    return Violation(name, "USCC_INVALID", "give the unified social credit code", "请填写有效的统一社会信用代码")


def _name(name: str) -> Violation:
    return Violation(
        name,
        "NAME_FORM",
        "use up to 64 small letters, digits, dots, hyphens and underscores",
        "最多 64 位，只能包含小写字母、数字、点、连字符和下划线",
    )
