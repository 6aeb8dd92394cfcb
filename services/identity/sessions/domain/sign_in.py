"""Login names and passwords. Pure."""

from __future__ import annotations

import re
import unicodedata

from services.identity.domain import identity_documents
from shuniu.rules import RuleError, Violation

_LOGIN_NAME = re.compile(r"[A-Za-z0-9._-]{4,64}")
_MIN_PASSWORD = 8
_MAX_PASSWORD = 128
# Types whose numbers look like a login name.
_NUMBERED = ("111", "154", "553")


def check_login_name(name: str) -> list[Violation]:
    """Faults of a login name. An identity number is refused: it would be typed, shown and stored as a name."""
    if not _LOGIN_NAME.fullmatch(name):
        return [
            Violation(
                "login_name",
                "LOGIN_NAME_FORM",
                "use 4 to 64 letters, digits, dots, hyphens or underscores",
                "请使用 4 至 64 位字母、数字、点、连字符或下划线",
            )
        ]
    if any(_is_number(kind, name) for kind in _NUMBERED):
        return [
            Violation(
                "login_name",
                "LOGIN_NAME_IS_NUMBER",
                "do not use an identity number as login name",
                "请勿使用证件号码作为登录名",
            )
        ]
    return []


def _is_number(kind: str, name: str) -> bool:
    try:
        identity_documents.check(kind, name)
    except RuleError:
        return False
    return True


def check_password(password: str, login_name: str) -> list[Violation]:
    """Faults of a password (NIST SP 800-63B 5.1.1.2: length decides, not composition)."""
    if not _MIN_PASSWORD <= len(password) <= _MAX_PASSWORD:
        return [
            Violation(
                "password",
                "PASSWORD_LENGTH",
                f"use {_MIN_PASSWORD} to {_MAX_PASSWORD} characters",
                f"密码长度应为 {_MIN_PASSWORD} 至 {_MAX_PASSWORD} 个字符",
            )
        ]
    if (login_name and folded(login_name) in password.casefold()) or len(set(password)) < 4:
        return [
            Violation(
                "password",
                "PASSWORD_WEAK",
                "do not repeat the login name or one character",
                "密码不能包含登录名，也不能只由少数字符重复组成",
            )
        ]
    return []


def folded(login_name: str) -> str:
    """The form in which login names are compared: without case."""
    return login_name.casefold()


def normalised(password: str) -> str:
    """One spelling for one password, whatever the keyboard made of it (SP 800-63B 5.1.1.2: NFKC)."""
    return unicodedata.normalize("NFKC", password)
