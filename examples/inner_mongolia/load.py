"""The region's data, read and checked: ``load()`` gives a Region or raises DataError with everything that is wrong.

Each row names the ``source`` of each of its fields: an announcement, a standard, or ``illustrative`` for what was
invented.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from examples.inner_mongolia.check_digits import USCC_ALPHABET, uscc_check

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

HERE = Path(__file__).resolve().parent
REGION = "150000"
# The bureaus that issue the certificate online (announcement 1).
NINE_CITIES = ("150100", "150200", "150400", "150500", "150600", "150700", "150800", "150900", "152900")
NO_RECORD_CERTIFICATE = "无犯罪记录证明"
ILLUSTRATIVE = "illustrative"
_Row = TypeVar("_Row", bound="DataclassInstance")


class DataError(Exception):
    """The data files are wrong; ``problems`` lists every fault with file and row."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Division:
    """A division (GB/T 2260)."""

    code: str
    name: str
    name_en: str
    source: str


@dataclass(frozen=True, slots=True)
class Agency:
    """An agency that handles cases. ``level`` is the exercising level, 2 province and 3 city."""

    division: str
    name: str
    uscc: str
    level: str
    platform: str
    enquiries: str
    complaints: str
    source: dict[str, str]


@dataclass(frozen=True, slots=True)
class Platform:
    """A linked platform. ``kind`` is ministry, province or city."""

    code: str
    name: str
    kind: str
    division: str
    source: dict[str, str]


@dataclass(frozen=True, slots=True)
class Item:
    """A base item; codes of GB/T 39046, limits in working days, fee in fen."""

    code_a: str
    code_b: str
    name: str
    aliases: tuple[str, ...]
    field: str
    type: str
    service_objects: tuple[str, ...]
    statutory_days: int
    promised_days: int
    visits: int
    online: bool
    fee_fen: int
    min_assurance: int
    forms: tuple[str, ...]
    materials: tuple[str, ...]
    legal_basis: tuple[str, ...]
    conditions: str
    flow: str
    result_name: str
    implemented_by: str
    source: dict[str, str]

    def is_illustrative(self, name: str) -> bool:
        """Tells whether a page must show this field as invented."""
        return self.source[name] == ILLUSTRATIVE


@dataclass(frozen=True, slots=True)
class ImplementingItem:
    """A base item as one agency handles it; both codes of GB/T 39046 (24) and GB/T 39554.1 (31) are derived."""

    code_a: str
    code_b: str
    item: Item
    agency: Agency

    @property
    def division(self) -> str:
        return self.agency.division


@dataclass(frozen=True, slots=True)
class Region:
    """Everything of the region."""

    sources: dict[str, dict[str, str]]
    divisions: tuple[Division, ...]
    agencies: tuple[Agency, ...]
    platforms: tuple[Platform, ...]
    items: tuple[Item, ...]
    implementing: tuple[ImplementingItem, ...]
    # As in holidays.toml: region, source, years → holidays and workdays (ISO dates).
    calendar: dict[str, Any] = field(repr=False)

    def item(self, name: str) -> Item:
        """The base item of this name; KeyError when there is none."""
        for item in self.items:
            if item.name == name:
                return item
        raise KeyError(name)

    def agency(self, division: str) -> Agency:
        """The agency of this division; KeyError when there is none."""
        for agency in self.agencies:
            if agency.division == division:
                return agency
        raise KeyError(division)

    def implementing_of(self, name: str) -> tuple[ImplementingItem, ...]:
        """The implementing items of a base item, by division."""
        return tuple(each for each in self.implementing if each.item.name == name)


def load(directory: Path = HERE) -> Region:
    """Read and check the data files. Raises DataError with every problem."""
    sources = _read(directory, "sources.toml")
    divisions = tuple(_rows(Division, _read(directory, "divisions.toml")["division"]))
    agencies = tuple(_rows(Agency, _read(directory, "agencies.toml")["agency"]))
    platforms = tuple(_rows(Platform, _read(directory, "platforms.toml")["platform"]))
    items = tuple(_rows(Item, _read(directory, "items.toml")["item"]))
    region = Region(
        sources,
        divisions,
        agencies,
        platforms,
        items,
        tuple(_implementing(items, agencies)),
        _read(directory, "holidays.toml"),
    )
    problems = list(_problems(region))
    if problems:
        raise DataError(problems)
    return region


def _read(directory: Path, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads((directory / name).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as cause:
        raise DataError([f"{name}: {cause}"]) from cause


def _rows(kind: type[_Row], rows: list[dict[str, Any]]) -> Iterator[_Row]:
    named = {each.name for each in fields(kind)}
    for number, row in enumerate(rows, start=1):
        if set(row) != named:
            raise DataError([f"{kind.__name__} {number}: fields {sorted(set(row) ^ named)} are missing or unknown"])
        yield kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in row.items()})


def _implementing(items: tuple[Item, ...], agencies: tuple[Agency, ...]) -> Iterator[ImplementingItem]:
    for item in items:
        for agency in agencies:
            if _implements(item, agency):
                yield ImplementingItem(
                    f"{item.code_a}{agency.division}00000001",
                    f"{agency.uscc}{agency.level}{item.code_b}",
                    item,
                    agency,
                )


def _implements(item: Item, agency: Agency) -> bool:
    if item.implemented_by == "province":
        return agency.division == REGION
    if item.implemented_by == "nine":
        return agency.division in NINE_CITIES
    return agency.division != REGION


def _problems(region: Region) -> Iterator[str]:
    yield from _source_problems(region)
    known = {each.code for each in region.divisions}
    for code in known:
        if len(code) != 6 or not code.isdecimal():
            yield f"division {code}: a code has six digits"
    for agency in region.agencies:
        if agency.division not in known:
            yield f"agency {agency.name}: division {agency.division} is unknown"
        if not _is_uscc(agency.uscc):
            yield f"agency {agency.name}: the credit code is wrong"
    yield from _platform_problems(region, known)
    for item in region.items:
        yield from _item_problems(item)
    yield from _repeated("item name", [each.name for each in region.items])
    yield from _repeated("item code", [each.code_b for each in region.items] + [each.code_a for each in region.items])
    yield from _repeated("implementing code", [each.code_b for each in region.implementing])


def _source_problems(region: Region) -> Iterator[str]:
    for division in region.divisions:
        if division.source not in region.sources:
            yield f"division {division.code}: source {division.source} is unknown"
    rows: tuple[Agency | Platform | Item, ...] = (*region.agencies, *region.platforms, *region.items)
    for row in rows:
        needed = {each.name for each in fields(row)} - {"source"}
        for name in sorted(needed - set(row.source)):
            yield f"{row.name}: field {name} names no source"
        for name, source in row.source.items():
            if source not in region.sources:
                yield f"{row.name}: source {source} of {name} is unknown"


def _platform_problems(region: Region, divisions: set[str]) -> Iterator[str]:
    for platform in region.platforms:
        if platform.division not in divisions | {"000000"}:
            yield f"platform {platform.code}: division {platform.division} is unknown"
        if (
            not platform.code.replace("-", "").isalnum()
            or not platform.code.isascii()
            or platform.code.lower() != platform.code
        ):
            yield f"platform {platform.code}: a code has small letters, digits and hyphens"
    yield from _repeated("platform code", [each.code for each in region.platforms])


def _item_problems(item: Item) -> Iterator[str]:
    if len(item.code_a) != 10 or len(item.code_b) != 12:
        yield f"{item.name}: a base code has 10 (A) and 12 (B) characters"
    if not 0 < len(item.name) <= 200:
        yield f"{item.name}: a name has 1 to 200 characters"
    if item.promised_days > item.statutory_days:
        yield f"{item.name}: the promise is longer than the law allows"
    if item.implemented_by not in {"province", "all", "nine"}:
        yield f"{item.name}: implemented_by {item.implemented_by} is unknown"
    if not 1 <= item.min_assurance <= 4:
        yield f"{item.name}: assurance levels are 1 to 4"


def _repeated(what: str, values: list[str]) -> Iterator[str]:
    for value in sorted({each for each in values if values.count(each) > 1}):
        yield f"{what} {value} is given twice"


def _is_uscc(code: str) -> bool:
    return len(code) == 18 and set(code) <= set(USCC_ALPHABET) and uscc_check(code[:17]) == code[17]


def main() -> int:
    """Check the data files and say what they hold."""
    try:
        region = load()
    except DataError as fault:
        print("\n".join(fault.problems), file=sys.stderr)
        return 1
    print(
        f"{len(region.divisions)} divisions, {len(region.agencies)} agencies, {len(region.platforms)} platforms, "
        f"{len(region.items)} items, {len(region.implementing)} implementing items",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
