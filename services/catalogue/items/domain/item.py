"""Items (政务服务事项): what a base item and an implementing item hold, in the terms and codes of GB/T 39046-2020.

Rules over these fields stand in ``rules``, the canonical bytes in ``canonical``, moves to the public in the subject
``publishing``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from services.catalogue.items.domain.codes import Codes, Level

__all__ = [
    "AgencyNature",
    "BaseItem",
    "CaseType",
    "Content",
    "Faq",
    "Fee",
    "Form",
    "ImplementingItem",
    "ItemType",
    "Level",
    "Limit",
    "LimitUnit",
    "Material",
    "Phones",
    "Provenance",
    "Requirement",
    "ServiceObject",
    "SpecialProcedure",
]


class ItemType(StrEnum):
    """事项类型, n2."""

    POWER = "00"
    PERMIT = "01"
    PENALTY = "02"
    COERCION = "03"
    LEVY = "04"
    BENEFIT = "05"
    INSPECTION = "06"
    CONFIRMATION = "07"
    REWARD = "08"
    RULING = "09"
    OTHER_POWER = "10"
    PUBLIC_SERVICE = "20"


class AgencyNature(StrEnum):
    """实施主体性质."""

    STATUTORY = "1"
    AUTHORISED = "2"
    ENTRUSTED = "3"
    OTHER = "9"


class ServiceObject(StrEnum):
    """服务对象."""

    PERSON = "1"
    ENTERPRISE = "2"
    INSTITUTION = "3"
    SOCIAL_ORGANISATION = "4"
    ADMINISTRATION = "5"
    OTHER = "6"


class Form(StrEnum):
    """办理形式."""

    COUNTER = "1"
    COMPUTER = "2"
    MOBILE = "3"
    COURIER = "4"
    OTHER = "9"


class CaseType(StrEnum):
    """办件类型."""

    IMMEDIATE = "1"
    PROMISED = "2"
    OTHER = "9"


class SpecialProcedure(StrEnum):
    """特别程序种类."""

    EXTENSION = "1"
    OTHER = "2"


class LimitUnit(StrEnum):
    """时限单位. Only limits of one unit are compared with each other."""

    WORKING_DAY = "working-day"
    DAY = "day"
    HOUR = "hour"


class Requirement(StrEnum):
    """Tells whether a material must be given."""

    REQUIRED = "required"
    IF_APPLICABLE = "if-applicable"
    # 容缺: the case may be accepted before it is there.
    DEFERRABLE = "deferrable"


@dataclass(frozen=True, slots=True)
class Limit:
    """A time limit: ``value`` whole units (0 = on the spot) and its note (时限说明)."""

    value: int
    unit: LimitUnit = LimitUnit.WORKING_DAY
    note: str = ""


@dataclass(frozen=True, slots=True)
class Fee:
    """Charge in fen (0 = free of charge) and its legal basis (收费依据)."""

    amount_fen: int = 0
    basis: str = ""


@dataclass(frozen=True, slots=True)
class Material:
    """One row of the material list (申请材料)."""

    name: str
    issuer: str = ""
    form: str = "electronic"
    copies: int = 0
    requirement: Requirement = Requirement.REQUIRED
    # 来源渠道: applicant, shared (fetched by the agency itself), other agency.
    source: str = "applicant"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Faq:
    """常见问题."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Phones:
    """咨询电话 and 监督投诉电话."""

    enquiries: str = ""
    complaints: str = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Origin of a field: its name and a source, or ``illustrative`` for what was invented."""

    field: str
    source: str


@dataclass(frozen=True, slots=True)
class Content:
    """Content that both kinds of item show to people; a base item leaves details to its implementing items.

    ``visits`` is the number of trips a person makes (到办事现场次数). ``range`` is 通办范围: the GB/T 2260 code of
    the area in which any counter takes the application. ``min_assurance`` is the lowest identity level (1..4) an
    applicant needs.
    """

    name: str
    type: ItemType
    service_objects: frozenset[ServiceObject]
    case_type: CaseType = CaseType.PROMISED
    legal_basis: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    conditions: str = ""
    flow: str = ""
    joint_departments: tuple[str, ...] = ()
    statutory_limit: Limit | None = None
    promised_limit: Limit | None = None
    fee: Fee = field(default_factory=Fee)
    range: str = ""
    forms: frozenset[Form] = frozenset()
    special_procedures: frozenset[SpecialProcedure] = frozenset()
    by_appointment: bool = False
    online_payment: bool = False
    courier: bool = False
    online: bool = False
    visits: int = 0
    min_assurance: int = 2
    phones: Phones = field(default_factory=Phones)
    result_name: str = ""
    result_sample: str = ""
    materials: tuple[Material, ...] = ()
    faqs: tuple[Faq, ...] = ()
    guide: str = ""
    result_template: str = ""
    sources: tuple[Provenance, ...] = ()


@dataclass(frozen=True, slots=True)
class BaseItem:
    """An entry of the base catalogue (基本目录), national or provincial. ``owner`` is the USCC of the authority that
    keeps it; ``division`` is where it holds, empty for the whole country.
    """

    id: str
    codes: Codes
    owner: str
    content: Content
    exercising_levels: frozenset[Level] = frozenset()
    division: str = ""
    owner_name: str = ""
    plan_effective: date | None = None
    plan_cancel: date | None = None


@dataclass(frozen=True, slots=True)
class ImplementingItem:
    """An entry of the implementing list (实施清单): a base item as one agency handles it in one division.

    ``agency`` is a USCC (an18). ``plan_effective`` and ``plan_cancel`` are civil dates in Asia/Shanghai; the item
    serves people from the first and no longer on the second. ``handler`` is the code of the platform that handles its
    cases.
    """

    id: str
    base_id: str
    codes: Codes
    division: str
    level: Level
    agency: str
    agency_name: str
    content: Content
    agency_nature: AgencyNature = AgencyNature.STATUTORY
    entrusted_by: str = ""
    handler: str = ""
    plan_effective: date | None = None
    plan_cancel: date | None = None
