"""Electronic licence identifiers (电子证照标识, GB/T 36904-2018).

``1.2.156.3005.2`` . type (18 USCC of the defining authority + 3) . issuer . serial . version (3) . check. The check
character is ISO 7064 MOD 37,36 over type, issuer, serial and version joined; the root and the dots are left out. The
issuer is usually a USCC of 18, but 6-digit divisions occur, so its length is not fixed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from shuniu.rules import RuleError, Violation

ROOT = "1.2.156.3005.2"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TYPE = re.compile(r"[0-9A-Z]{18}[0-9A-Z]{3}", re.ASCII)
_PART = re.compile(r"[0-9A-Z]{1,64}", re.ASCII)
_VERSION = re.compile(r"[0-9A-Z]{3}", re.ASCII)


class LicenceError(RuleError):
    """The text is no licence identifier."""


class TrustGrade(StrEnum):
    """Trust level of a licence: A is issued by the agency and directly usable, D is self-declared."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"


@dataclass(frozen=True, slots=True)
class LicenceId:
    """The parts of an identifier; ``str()`` gives the whole with its check character."""

    type: str
    issuer: str
    serial: str
    version: str = "001"

    @property
    def defining_authority(self) -> str:
        return self.type[:18]

    @property
    def check(self) -> str:
        return mod_37_36(self.type + self.issuer + self.serial + self.version)

    def __str__(self) -> str:
        return f"{ROOT}.{self.type}.{self.issuer}.{self.serial}.{self.version}.{self.check}"


def build(type_code: str, issuer: str, serial: str, version: str = "001") -> LicenceId:
    """An identifier from its parts. Raises LicenceError with every violation."""
    parts = (
        ("type", type_code, _TYPE, "18 characters of the authority and 3 of the type", "证照类型代码应为 21 位"),
        ("issuer", issuer, _PART, "digits and capital letters", "颁发机构代码只能包含数字和大写字母"),
        ("serial", serial, _PART, "digits and capital letters", "流水号只能包含数字和大写字母"),
        ("version", version, _VERSION, "3 digits or capital letters", "版本号应为 3 位"),
    )
    violations = [
        Violation(name, "LICENCE_PART", en, zh) for name, text, form, en, zh in parts if not form.fullmatch(text)
    ]
    if violations:
        raise LicenceError(violations)
    return LicenceId(type_code, issuer, serial, version)


def parse(text: str) -> LicenceId:
    """Read an identifier with its check character. Raises LicenceError with every violation."""
    parts = text.removeprefix(ROOT + ".").split(".")
    if not text.startswith(ROOT + ".") or len(parts) != 5:
        raise LicenceError(
            [
                Violation(
                    "licence",
                    "LICENCE_FORM",
                    f"an identifier is {ROOT}, type, issuer, serial, version and check, joined by dots",
                    "电子证照标识应由根代码、类型、颁发机构、流水号、版本号和校验位组成，以点分隔",
                ),
            ],
        )
    found = build(*parts[:4])
    if found.check != parts[4]:
        raise LicenceError(
            [
                Violation(
                    "check",
                    "CHECK_DIGIT",
                    "the check character does not match: compare the text",
                    "校验位不符，请核对标识",
                )
            ],
        )
    return found


def mod_37_36(text: str) -> str:
    """Check character of ISO 7064 MOD 37,36 over digits and capital letters. Raises ValueError on others."""
    product = 36
    for mark in text:
        product = (product + _ALPHABET.index(mark)) % 36 or 36
        product = product * 2 % 37
    return _ALPHABET[(37 - product) % 36]
