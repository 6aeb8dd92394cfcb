"""Text with names out of somebody's file or certificate, made safe to stand beside words of ours."""

import unicodedata

# Line and paragraph separators, controls, marks that turn or hide their neighbours, halves of characters. Neither
# private nor unassigned characters: rare Chinese ones may be either here.
_UNSEEN = frozenset({"Zl", "Zp", "Cc", "Cf", "Cs"})
# Letters of Korean and Braille writing that look like nothing.
_BLANKS = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")
# Part of how Mongolian words are written, and harmless.
_VOWEL_SEPARATOR = "\u180e"


def one_line(text: str) -> str:
    """On one line, with nothing in it that moves a terminal's cursor, turns the direction of writing or is unseen."""
    return text if _is_plain(text) else "".join(" " if _is_unseen(c) else c for c in text)


def escaped(json_text: str) -> str:
    """JSON that says the same, with such characters spelled by number: a terminal that shows it obeys none of them."""
    return json_text if _is_plain(json_text) else "".join(_spelled(c) if _is_unseen(c) else c for c in json_text)


def encodable(json_text: str, encoding: str) -> str:
    """JSON that says the same, with characters that this encoding lacks spelled by number."""
    try:
        json_text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(c if _is_in(c, encoding) else _spelled(c) for c in json_text)
    return json_text


def _is_in(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _is_unseen(character: str) -> bool:
    if character in _BLANKS:
        return True
    return unicodedata.category(character) in _UNSEEN and character != _VOWEL_SEPARATOR


def _spelled(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
