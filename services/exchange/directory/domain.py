"""Shared resources (共享资源): described by one person, usable after a second person's review (先审后用).

The secrecy label is mandatory: what is unlabelled does not leave, and a label is never lower than the most sensitive
field under it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from shuniu.reading import same_person
from shuniu.rules import RuleError, Violation


class ShareClass(StrEnum):
    """共享类型: unconditional resources are granted at once, conditional ones by their provider, the rest never."""

    UNCONDITIONAL = "unconditional"
    CONDITIONAL = "conditional"
    NOT_SHARED = "not-shared"


# From what anybody may know to what only few may.
LABELS: Final = ("public", "internal", "sensitive")
MAX_TITLE: Final = 200
MAX_FIELDS: Final = 200
MAX_DAILY_CALLS: Final = 10_000_000
USUAL_DAILY_CALLS: Final = 10_000
"""Calls a day and consumer of an unconditional resource whose provider set no number."""
_CODE: Final = re.compile(r"[a-z0-9.-]{3,60}")
_FIELD: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")
_EMPLOYEE: Final = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,62}[^\s\x00-\x1f\x7f])?")


class ResourceState(StrEnum):
    """State of a resource."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    WITHDRAWN = "WITHDRAWN"


class ResourceError(RuleError):
    """The description is wrong, or it may not be published so."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field an answer may hold."""

    name: str
    title: str
    sensitivity: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource; the hub itself may query ``authority`` ones to prove real names. ``daily_calls``: the calls a day
    that the provider gives each consumer; 0 when it set no number.
    """

    code: str
    title: str
    provider: str
    fields: tuple[Field, ...]
    share: ShareClass
    secrecy: str
    authority: bool
    editor: str
    state: ResourceState = ResourceState.DRAFT
    reviewer: str = ""
    version: int = 1
    daily_calls: int = 0

    @property
    def most_calls(self) -> int:
        """Calls a day of one consumer, over all its grants. Where the provider decides on each grant, its decision sets
        the number.
        """
        usual = USUAL_DAILY_CALLS if self.share is ShareClass.UNCONDITIONAL else MAX_DAILY_CALLS
        return self.daily_calls or usual

    @property
    def field_names(self) -> frozenset[str]:
        return frozenset(each.name for each in self.fields)


def describe(resource: Resource) -> Resource:
    """The resource as a draft. Raises ResourceError with every violation."""
    violations = [*_faults(resource), *_field_faults(resource)]
    if violations:
        raise ResourceError(violations)
    return replace(resource, state=ResourceState.DRAFT, reviewer="", version=1)


def publish(resource: Resource, reviewer: str) -> Resource:
    """The resource after a second person's review; one that is published already stays as it is.

    Raises ResourceError SAME_PERSON, RESOURCE_STATE or about the reviewer's number.
    """
    if not _EMPLOYEE.fullmatch(reviewer):
        raise ResourceError([_fault("reviewer", "PERSON_MISSING", "say who reviewed it", "请填写审核人工号")])
    if same_person(reviewer) == same_person(resource.editor):
        raise ResourceError(
            [_fault("reviewer", "SAME_PERSON", "a second person reviews", "审核人不能与编制人为同一人")]
        )
    if resource.state is ResourceState.PUBLISHED:
        return resource
    if resource.state is not ResourceState.DRAFT:
        raise ResourceError([_fault("code", "RESOURCE_STATE", "only a draft is published", "仅草稿状态的资源可以发布")])
    return replace(resource, state=ResourceState.PUBLISHED, reviewer=reviewer, version=resource.version + 1)


def _faults(resource: Resource) -> Iterable[Violation]:
    if not _CODE.fullmatch(resource.code):
        yield _fault(
            "resource.code",
            "CODE_FORM",
            "3 to 60 of a-z, 0-9, '.' and '-'",
            "应为 3 至 60 位小写字母、数字、“.”或“-”",
        )
    if not 0 < len(resource.title.strip()) <= MAX_TITLE:
        yield _fault("resource.title", "TITLE_FORM", f"1 to {MAX_TITLE} characters", f"应为 1 至 {MAX_TITLE} 个字符")
    if not 0 <= resource.daily_calls <= MAX_DAILY_CALLS:
        yield _fault("resource.daily_calls", "VALUE_RANGE", f"0 to {MAX_DAILY_CALLS}", f"应为 0 至 {MAX_DAILY_CALLS}")
    if not resource.secrecy:
        yield _fault("resource.secrecy", "LABEL_MISSING", "label it: public, internal or sensitive", "请标注密级标签")
    elif resource.secrecy not in LABELS:
        yield _fault("resource.secrecy", "LABEL_UNKNOWN", "public, internal or sensitive", "密级标签不正确")
    elif any(
        each.sensitivity in LABELS and LABELS.index(each.sensitivity) > LABELS.index(resource.secrecy)
        for each in resource.fields
    ):
        yield _fault(
            "resource.secrecy",
            "LABEL_TOO_LOW",
            "the label is lower than that of a field",
            "资源的密级标签低于其字段的敏感级别",
        )
    if not _EMPLOYEE.fullmatch(resource.editor):
        yield _fault("editor", "PERSON_MISSING", "say who describes it", "请填写编制人工号")


def _field_faults(resource: Resource) -> Iterable[Violation]:
    if not 0 < len(resource.fields) <= MAX_FIELDS:
        yield _fault("resource.fields", "FIELDS_COUNT", f"1 to {MAX_FIELDS} fields", f"应有 1 至 {MAX_FIELDS} 个字段")
    seen: set[str] = set()
    for index, each in enumerate(resource.fields[: MAX_FIELDS + 1]):
        at = f"resource.fields[{index}]"
        if not _FIELD.fullmatch(each.name):
            yield _fault(f"{at}.name", "NAME_FORM", "lower_snake, at most 60", "应为小写字母、数字和下划线")
        if each.name in seen:
            yield _fault(f"{at}.name", "ROW_REPEATED", "a field is given twice", "字段重复")
        seen.add(each.name)
        if len(each.title) > MAX_TITLE:
            yield _fault(f"{at}.title", "TITLE_FORM", f"at most {MAX_TITLE} characters", f"不得超过 {MAX_TITLE} 个字符")
        if each.sensitivity not in LABELS:
            yield _fault(f"{at}.sensitivity", "LABEL_MISSING", "public, internal or sensitive", "请标注字段敏感级别")


def _fault(field: str, reason: str, en: str, zh: str) -> Violation:
    return Violation(field, reason, en, zh)
