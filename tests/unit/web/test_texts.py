"""The pages' sentences: whole, used, and in step with the contract."""

import re
import string
from pathlib import Path

import pytest

from gateway.web import texts
from gateway.web.pages import form_source
from gateway.web.verification import in_language
from services.esign.domain.verdict import STEPS, Outcome, Status

WEB = Path(texts.__file__).parent
# Keys put together from a word of the contract.
FAMILIES = ("step_", "status_", "verdict_", "summary_", "scope_", "fact_", "qr_word_", "qr_summary_", "qr_text_")


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_every_sentence_stands_in_both_languages() -> None:
    """Both languages say something, with the same values to fill in."""
    for key, (chinese, english) in texts.TEXTS.items():
        assert chinese.strip(), key
        assert english.strip(), key
        assert placeholders(chinese) == placeholders(english), key


def test_every_sentence_is_used_and_every_used_one_exists() -> None:
    """No page asks for a sentence that is missing, and none is kept that no page says."""
    files = [*WEB.glob("*.py"), *WEB.glob("templates/*.html"), *WEB.glob("static/*.js")]
    sources = "\n".join(path.read_text() for path in files if path.name != "texts.py")
    asked = set(re.findall(r"""(?<![\w.])(?:t|say|text)\(\s*["']([a-z_]+)["']""", sources))
    assert asked <= set(texts.TEXTS)
    quoted = set(re.findall(r"""["']([a-z_]+)["']""", sources))
    unused = {key for key in texts.TEXTS if key not in quoted and not key.startswith(FAMILIES)}
    assert unused == set()


def test_every_word_of_a_verdict_has_its_sentence() -> None:
    """Steps, statuses and outcomes of esign are all named on the pages."""
    wanted = {f"step_{step}" for step in STEPS} | {f"status_{status.value}" for status in Status}
    for outcome in Outcome:
        wanted |= {f"{kind}_{what}{outcome.value}" for kind in ("verdict", "summary") for what in ("", "qr_")}
    assert wanted <= set(texts.TEXTS)


def test_document_types_are_known_to_identity() -> None:
    """What a person can choose is what identity can read."""
    from services.identity.domain.document_types import TYPES

    assert {code for code, _, _ in texts.DOCUMENT_TYPES} <= set(TYPES)


@pytest.mark.parametrize(
    ("both", "chinese", "english"),
    [
        ("结构正确 / the structure is right", "结构正确", "the structure is right"),
        ("结构正确\nright", "结构正确", "right"),
        ("只有一种", "只有一种", "只有一种"),
    ],
)
def test_a_text_in_two_languages_is_split(both: str, chinese: str, english: str) -> None:
    """One language is shown; a text in one language only is shown as it is."""
    assert (in_language(both, "zh"), in_language(both, "en")) == (chinese, english)


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("https://app.example/cb?x=1", "https://app.example"),
        ("http://127.0.0.1:8080/cb", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/cb", "http://[::1]:8080"),
        ("cn.gov.app:/cb", "cn.gov.app:"),
        ("https://user@app.example/", "https://app.example"),
        ("https://a b; script-src */", ""),
        ("https://app.example;default-src/x", ""),
        ("//app.example", ""),
        ("https://app.example:x/", ""),
    ],
)
def test_a_redirect_address_cannot_break_out_of_the_policy(uri: str, source: str) -> None:
    """Only scheme, host and port go into Content-Security-Policy."""
    assert form_source(uri) == source
