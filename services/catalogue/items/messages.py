"""Converts items between the contract and the domain, field by field."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import TypeVar

from google.type import date_pb2

from services.catalogue.domain import divisions
from services.catalogue.items.domain.codes import Codes
from services.catalogue.items.domain.item import (
    AgencyNature,
    BaseItem,
    CaseType,
    Content,
    Faq,
    Fee,
    Form,
    ImplementingItem,
    ItemType,
    Level,
    Limit,
    LimitUnit,
    Material,
    Phones,
    Provenance,
    Requirement,
    ServiceObject,
    SpecialProcedure,
)
from services.catalogue.items.domain.record import Item, ItemState
from shuniu.api.catalogue.v1 import item_pb2 as pb
from shuniu.rules import RuleError, Violation

_Code = TypeVar("_Code", bound=StrEnum)
_UNITS = {"working_day": LimitUnit.WORKING_DAY, "day": LimitUnit.DAY}
_UNIT_NAMES = {unit: name for name, unit in _UNITS.items()}

# The contract's names of the domain's fields, where they differ.
_NAMES = {
    "codes.b": "code",
    "codes.a": "code_39046",
    "codes.local": "local_codes",
    "codes": "code",
    "base_id": "base_code",
    "name": "title",
    "agency": "agency_uscc",
    "owner": "agency_uscc",
    "owner_name": "agency_name",
    "handler": "handler_platform",
    "forms": "handling_forms",
    "fee.amount_fen": "fee_fen",
    "fee.basis": "fee_basis",
    "min_assurance": "min_ial",
    "phones.enquiries": "phone",
    "phones.complaints": "complaints_phone",
    "range": "service_range",
    "plan_effective": "effective_date",
    "plan_cancel": "cancel_date",
    "statutory_limit.value": "statutory_limit.amount",
    "promised_limit.value": "promised_limit.amount",
}


class MessageError(RuleError):
    """The message holds codes that no item can have."""


def wire_field(name: str) -> str:
    """A domain field's path in a request that holds an item."""
    found = _NAMES.get(name)
    if found is None:
        stem, bracket, rest = name.partition("[")
        found = _NAMES.get(stem, stem) + bracket + rest
    return f"item.{found}"


def item_of(message: pb.Item, item_id: str, base_id: str) -> Item:
    """The domain's item. Raises MessageError with every code that is not in its list."""
    return _Reading(message).item(item_id, base_id)


class _Reading:
    """One message being read; faults are gathered."""

    def __init__(self, message: pb.Item) -> None:
        self._message = message
        self._faults: list[Violation] = []

    def item(self, item_id: str, base_id: str) -> Item:
        message = self._message
        codes = Codes(message.code_39046, message.code, tuple(message.local_codes))
        content = self._content()
        effective, cancel = self._date("effective_date"), self._date("cancel_date")
        level = self._code("exercise_level", message.exercise_level, Level, Level.GRADED)
        item: Item
        if message.level == pb.ITEM_LEVEL_BASE:
            self._leave_empty("base_code", "handler_platform")
            item = BaseItem(
                id=item_id,
                codes=codes,
                owner=message.agency_uscc,
                content=content,
                exercising_levels=frozenset({level}) if message.exercise_level else frozenset(),
                division=_shortest(message.division),
                owner_name=message.agency_name,
                plan_effective=effective,
                plan_cancel=cancel,
            )
        else:
            if message.level != pb.ITEM_LEVEL_IMPLEMENTING:
                self._fault("level", "CODE_UNKNOWN", "say base or implementing", "请说明是基本目录还是实施清单")
            if not message.exercise_level:
                self._fault("exercise_level", "FIELD_MISSING", "give the exercising level", "请填写行使层级")
            item = ImplementingItem(
                id=item_id,
                base_id=base_id,
                codes=codes,
                division=_shortest(message.division),
                level=level,
                agency=message.agency_uscc,
                agency_name=message.agency_name,
                content=content,
                agency_nature=self._code(
                    "agency_nature", message.agency_nature or "1", AgencyNature, AgencyNature.OTHER
                ),
                entrusted_by=message.entrusted_by,
                handler=message.handler_platform,
                plan_effective=effective,
                plan_cancel=cancel,
            )
        if self._faults:
            raise MessageError(self._faults)
        return item

    def _content(self) -> Content:
        message = self._message
        return Content(
            name=message.title,
            type=self._code("type", message.type, ItemType, ItemType.OTHER_POWER),
            service_objects=self._codes("service_objects", message.service_objects, ServiceObject),
            case_type=self._code("case_type", message.case_type or "2", CaseType, CaseType.OTHER),
            legal_basis=tuple(line.strip() for line in message.legal_basis.split("\n") if line.strip()),
            aliases=tuple(message.aliases),
            conditions=message.conditions,
            flow=message.flow,
            joint_departments=tuple(message.joint_departments),
            statutory_limit=self._limit("statutory_limit"),
            promised_limit=self._limit("promised_limit"),
            fee=Fee(message.fee_fen, message.fee_basis),
            range=message.service_range,
            forms=self._codes("handling_forms", message.handling_forms, Form),
            special_procedures=self._codes("special_procedures", message.special_procedures, SpecialProcedure),
            by_appointment=message.by_appointment,
            online_payment=message.online_payment,
            courier=message.courier,
            online=message.online,
            visits=message.visits,
            min_assurance=message.min_ial or 2,
            phones=Phones(message.phone, message.complaints_phone),
            result_name=message.result_name,
            result_sample=message.result_sample,
            materials=tuple(self._material(index, row) for index, row in enumerate(message.materials)),
            faqs=tuple(Faq(row.question, row.answer) for row in message.faqs),
            guide=message.guide,
            result_template=message.result_template,
            sources=tuple(Provenance(name, message.sources[name]) for name in sorted(message.sources)),
        )

    def _material(self, index: int, row: pb.Material) -> Material:
        said = row.requirement or (Requirement.REQUIRED if row.required else Requirement.IF_APPLICABLE).value
        needed = self._code(f"materials[{index}].requirement", said, Requirement, Requirement.REQUIRED)
        return Material(row.name, row.issuer, row.form, row.copies, needed, row.source, row.note)

    def _limit(self, name: str) -> Limit | None:
        if not self._message.HasField(name):  # type: ignore[arg-type]  # a name given
            return None
        limit: pb.TimeLimit = getattr(self._message, name)
        unit = _UNITS.get(limit.unit)
        if unit is None:
            self._fault(f"{name}.unit", "CODE_UNKNOWN", "use working_day or day", "时限单位应为 working_day 或 day")
            return None
        return Limit(limit.amount, unit, limit.note)

    def _date(self, name: str) -> date | None:
        if not self._message.HasField(name):  # type: ignore[arg-type]  # a name given
            return None
        found: date_pb2.Date = getattr(self._message, name)
        try:
            return date(found.year, found.month, found.day)
        except ValueError:
            self._fault(name, "DATE_INVALID", "give year, month and day", "请填写完整的年月日")
            return None

    def _code(self, name: str, value: str, kind: type[_Code], otherwise: _Code) -> _Code:
        try:
            return kind(value)
        except ValueError:
            # A missing exercising level is reported where it is required.
            if value or name != "exercise_level":
                known = ", ".join(each.value for each in kind)
                self._fault(name, "CODE_UNKNOWN", f"use one of {known}", f"应为 {known} 之一")
            return otherwise

    def _codes(self, name: str, values: Iterable[str], kind: type[_Code]) -> frozenset[_Code]:
        known = {each.value for each in kind}
        found = list(values)
        if not set(found) <= known:
            allowed = ", ".join(sorted(known))
            self._fault(name, "CODE_UNKNOWN", f"use only {allowed}", f"只能为 {allowed}")
        return frozenset(kind(value) for value in found if value in known)

    def _leave_empty(self, *names: str) -> None:
        for name in names:
            if getattr(self._message, name):
                self._fault(name, "NOT_OF_BASE", "leave it empty for a base item", "基本目录事项不填此项")

    def _fault(self, name: str, reason: str, en: str, zh: str) -> None:
        # Already in the contract's words; `wire_field` leaves these as they are.
        self._faults.append(Violation(name, reason, en, zh))


def _shortest(division: str) -> str:
    """The shortest spelling of a division, so that lists find it; the item's rules report an invalid one."""
    try:
        return divisions.normalise(division)
    except RuleError:
        return division


def message_of(item: Item, base_code: str) -> pb.Item:
    """The contract's item, without what the hub sets about its standing."""
    content = item.content
    message = pb.Item(
        id=item.id,
        title=content.name,
        code=item.codes.b,
        code_39046=item.codes.a,
        local_codes=item.codes.local,
        type=content.type.value,
        division=item.division,
        service_objects=_sorted(content.service_objects),
        statutory_limit=_limit(content.statutory_limit),
        promised_limit=_limit(content.promised_limit),
        conditions=content.conditions,
        flow=content.flow,
        fee_fen=content.fee.amount_fen,
        fee_basis=content.fee.basis,
        case_type=content.case_type.value,
        handling_forms=_sorted(content.forms),
        visits=content.visits,
        legal_basis="\n".join(content.legal_basis),
        aliases=content.aliases,
        guide=content.guide,
        materials=[_material(row) for row in content.materials],
        phone=content.phones.enquiries,
        complaints_phone=content.phones.complaints,
        min_ial=content.min_assurance,
        result_template=content.result_template,
        result_name=content.result_name,
        result_sample=content.result_sample,
        effective_date=_date(item.plan_effective),
        cancel_date=_date(item.plan_cancel),
        sources={row.field: row.source for row in content.sources},
        faqs=[pb.Faq(question=row.question, answer=row.answer) for row in content.faqs],
        joint_departments=content.joint_departments,
        service_range=content.range,
        special_procedures=_sorted(content.special_procedures),
        by_appointment=content.by_appointment,
        online_payment=content.online_payment,
        courier=content.courier,
        online=content.online,
    )
    if isinstance(item, BaseItem):
        message.level = pb.ITEM_LEVEL_BASE
        message.exercise_level = next(iter(_sorted(item.exercising_levels)), "")
        message.agency_uscc, message.agency_name = item.owner, item.owner_name
        return message
    message.level = pb.ITEM_LEVEL_IMPLEMENTING
    message.base_code = base_code
    message.exercise_level = item.level.value
    message.agency_uscc, message.agency_name = item.agency, item.agency_name
    message.agency_nature, message.entrusted_by = item.agency_nature.value, item.entrusted_by
    message.handler_platform = item.handler
    return message


def _sorted(values: Iterable[StrEnum]) -> list[str]:
    return sorted(each.value for each in values)


def _limit(limit: Limit | None) -> pb.TimeLimit | None:
    # The wire has no hours; no item with hours was ever taken from it.
    if limit is None:
        return None
    return pb.TimeLimit(amount=limit.value, unit=_UNIT_NAMES[limit.unit], note=limit.note)


def _material(row: Material) -> pb.Material:
    return pb.Material(
        name=row.name,
        issuer=row.issuer,
        form=row.form,
        copies=row.copies,
        required=row.requirement is Requirement.REQUIRED,
        source=row.source,
        requirement=row.requirement.value,
        note=row.note,
    )


def _date(day: date | None) -> date_pb2.Date | None:
    return None if day is None else date_pb2.Date(year=day.year, month=day.month, day=day.day)


STATES: dict[ItemState, pb.ItemState.ValueType] = {
    ItemState.DRAFT: pb.ITEM_STATE_DRAFT,
    ItemState.REVIEW: pb.ITEM_STATE_REVIEW,
    ItemState.PUBLISHED: pb.ITEM_STATE_PUBLISHED,
    ItemState.SUSPENDED: pb.ITEM_STATE_SUSPENDED,
    ItemState.WITHDRAWN: pb.ITEM_STATE_WITHDRAWN,
}
STATE_OF = {number: state for state, number in STATES.items()}
