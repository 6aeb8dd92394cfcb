"""Names that strangers chose, as they may stand in a sentence: of certificates, fields, files.

A name can hold line breaks, terminal escapes and characters that turn the direction of text; in a sentence it would say
what we did not.
"""

from functools import lru_cache

from shuniu.one_line import one_line

_MOST = 96
# Of a longer name nobody looks at more, and it costs no more.
_LOOKED_AT = 1024
# It parts the Chinese of a text from its English.
_DIVIDER = " / "


def shown(name: str) -> str:
    """The name in one line, without control and format characters, at most 96 characters long."""
    return _shown(name[:_LOOKED_AT], is_longer=len(name) > _LOOKED_AT)


# The same seals sign many documents.
@lru_cache(maxsize=1024)
def _shown(name: str, *, is_longer: bool) -> str:
    plain = " ".join(one_line(name).split()).replace(_DIVIDER, "／")
    if is_longer and len(plain) < _MOST:
        return f"{plain}…"
    return plain if len(plain) <= _MOST else plain[: _MOST - 1] + "…"
