"""The kinds of holders of certificates."""

from enum import StrEnum


class SealKind(StrEnum):
    """The kind of a seal's holder (GB/T 38540 6.1.2.4: 单位印章, 个人印章)."""

    ORGANISATION = "ORGANISATION"
    PERSON = "PERSON"
