"""Whose certificate it is."""

from enum import StrEnum


class SealKind(StrEnum):
    """Whose seal it is (GB/T 38540 6.1.2.4: 单位印章, 个人印章)."""

    ORGANISATION = "ORGANISATION"
    PERSON = "PERSON"
