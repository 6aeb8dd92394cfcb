"""The pages' sentences: whole, used, and in step with the contract."""

import re
import string
from pathlib import Path

import pytest
from starlette.requests import Request

from gateway.web import texts
from gateway.web.cookies import FormTokens
from gateway.web.failures import text_of
from gateway.web.pages import Pages, form_source
from gateway.web.verdicts import in_language, plain, shown
from services.esign.certification.domain.trust import Trust
from services.esign.domain.verdict import STEPS, Outcome, SignatureKind, Status, Step
from services.esign.verification.domain.code_verdict import conclude_code
from services.esign.verification.domain.verify import Known, judge
from services.esign.verification.service.views import verdict_view
from shuniu.api.esign.v1 import esign_pb2
from shuniu.kit import errors
from shuniu.rules import Violation
from tests.support.esign import NOW_US, sealed, setting

WEB = Path(texts.__file__).parent
# Keys put together from a word of the contract.
FAMILIES = (
    *("step_", "status_", "signature_is_", "verdict_", "summary_", "kind_", "scope_", "fact_"),
    *("qr_word_", "qr_holds_", "qr_advice_", "qr_text_"),
)


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
    """Steps, statuses, kinds of signatures and outcomes of esign are all named on the pages."""
    wanted = {f"step_{step}" for step in STEPS} | {f"status_{status.value}" for status in Status}
    wanted |= {f"kind_{kind.value}" for kind in SignatureKind}
    for outcome in Outcome:
        wanted |= {f"verdict_{what}{outcome.value}" for what in ("", "qr_", "hash_", "number_", "licence_")}
        wanted |= {f"summary_{outcome.value}", f"qr_holds_{outcome.value}", f"qr_advice_{outcome.value}"}
    assert wanted <= set(texts.TEXTS)


CLAIM = "某某市公安局"


def report(verdict: str, *, certified: bool, signer: str = CLAIM) -> esign_pb2.SignatureReport:
    return esign_pb2.SignatureReport(kind="ses", verdict=verdict, signer=signer, issuer="某机构", certified=certified)


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_a_claimed_name_never_gets_a_tick(language: str) -> None:
    """Whatever esign says of the signature: a name that nobody trusted vouches for is shown as a claim."""
    found = shown(
        esign_pb2.Verdict(
            verdict="INDETERMINATE",
            steps=[
                esign_pb2.VerdictStep(
                    step="signer", status="valid", reason="SIGNER", text=f"签章单位：{CLAIM} / by {CLAIM}"
                ),
                esign_pb2.VerdictStep(step="chain", status="unknown", reason="ISSUER_NOT_TRUSTED", text="不 / no"),
            ],
            signatures=[report("VALID", certified=False), report("VALID", certified=True)],
        ),
        language,
    )
    claimed, certified = found.signatures
    unverified = {"zh": "未核实", "en": "unverified"}[language]
    assert (claimed.status, unverified in claimed.who) == ("unknown", True)
    assert (certified.status, certified.who) == ("valid", CLAIM)
    assert (found.steps[0].status, unverified in found.steps[0].text) == ("unknown", True)


def test_a_sound_signature_has_no_green_tick_on_what_is_refused() -> None:
    """On a withdrawn document the signature still holds; nothing beside the verdict looks like another verdict."""
    refused = shown(esign_pb2.Verdict(verdict="INVALID", signatures=[report("VALID", certified=True)]), "zh")
    assert (refused.signatures[0].status, refused.signatures[0].word) == ("held", "签名成立")


def test_a_card_gives_the_cause_and_nothing_against_it() -> None:
    """Whose name is a claim is told why; a signature that does not fit its document is not said to be untouched since."""
    claimed = report("INDETERMINATE", certified=False)
    claimed.steps.add(step="signer", status="unknown", reason="SIGNER_CLAIMED", text="证书自称 / claims")
    claimed.steps.add(step="chain", status="unknown", reason="ISSUER_NOT_TRUSTED", text="不在信任范围内 / not trusted")
    broken = report("INVALID", certified=False)
    broken.steps.add(step="integrity", status="invalid", reason="DIGEST", text="已被篡改 / changed")
    stranger, forged = shown(esign_pb2.Verdict(verdict="INVALID", signatures=[claimed, broken]), "zh").signatures
    assert dict(stranger.lines)["原因"] == "不在信任范围内"
    assert dict(stranger.lines)["此后"] == "没有变动"
    assert dict(forged.lines)["原因"] == "已被篡改"
    assert "此后" not in dict(forged.lines)


@pytest.mark.parametrize(
    ("language", "word"), [("zh", "签名之后文件被改动"), ("en", "the document was changed after it")]
)
def test_a_card_does_not_blame_a_signature_for_what_came_after_it(language: str, word: str) -> None:
    """Bytes were appended to a genuine document of a hub that does not know it any more: the card says that it was changed
    since, and does not give what is merely unknown for a reason.
    """
    judged = judge(
        sealed() + b"\nhello\n",
        trust=Trust((setting().root.certificate,)),
        now_us=NOW_US + 60_000_000,
        known=Known(None, None, None),
    )
    found = shown(verdict_view(judged, {}), language)
    (card,) = found.signatures
    assert (found.verdict, card.status, card.word) == ("INVALID", "invalid", word)
    assert {"zh": "被追加 7 字节", "en": "7 bytes appended"}[language] in dict(card.lines)[
        {"zh": "此后", "en": "Afterwards"}[language]
    ]
    assert not any("登记" in line or "register" in line for _, line in card.lines)
    assert {"zh": "原因", "en": "Cause"}[language] not in dict(card.lines)


@pytest.mark.parametrize(
    ("language", "word"), [("zh", "二维码真实，登记有效"), ("en", "Code genuine, certificate in force")]
)
def test_a_good_code_says_nothing_of_the_paper_around_it(language: str, word: str) -> None:
    """The largest words of the page: a genuine code may be printed on a forged paper."""
    assert shown(esign_pb2.Verdict(verdict="VALID", form="code"), language, "qr_").word == word


def test_what_is_no_code_of_this_hub_is_not_verified() -> None:
    """Half a code, a shop's, another hub's: no evidence against the paper, and word and sentence say the same."""
    step = Step("integrity", Status.UNKNOWN, "QR_MALFORMED", "不是本枢纽签发的二维码", "not a code of this hub")
    for language, word in (("zh", "没有核验"), ("en", "Not verified")):
        found = shown(verdict_view(conclude_code([step], NOW_US), {}), language, "qr_")
        assert (found.verdict, found.tone, found.word) == ("INDETERMINATE", "not_checked", word)
        assert {"zh": "没有核验；这不表示", "en": "nothing was verified; this does not mean"}[language] in found.holds


def test_steps_that_were_not_made_are_counted_not_listed() -> None:
    """One line stands for all of them; the cause is not buried."""
    rows = [("parse", "invalid", "XREF"), *((step, "unknown", "NOT_REACHED") for step in STEPS[1:])]
    steps = [
        esign_pb2.VerdictStep(step=step, status=status, reason=reason, text="不 / no") for step, status, reason in rows
    ]
    found = shown(esign_pb2.Verdict(verdict="INVALID", steps=steps), "zh")
    assert ([step.step for step in found.steps], found.left_out) == (["parse"], "其余 11 项因此未核验。")


def test_what_is_no_document_looks_neither_good_nor_bad() -> None:
    """Not the red of a forgery, whatever the word of the verdict is."""
    found = shown(esign_pb2.Verdict(verdict="INVALID", form="unreadable"), "zh")
    assert (found.tone, found.word) == ("not_checked", "没有核验")
    assert shown(esign_pb2.Verdict(verdict="INVALID", form="pdf"), "zh").tone == "invalid"


@pytest.mark.parametrize(
    ("name", "shown_as"),
    [
        ("呼和浩特市\u202e局安公", "呼和浩特市 局安公"),
        ("a\n\n有效\u200b", "a 有效"),
        ("\x00", ""),
        ("长" * 200, "长" * 64 + "…"),
        # A rare character of a later Unicode, a private one of GB 18030, and a Mongolian word.
        ("\U00031350\ue815", "\U00031350\ue815"),
        ("ᠬᠥᠬᠡ\u180eᠠ", "ᠬᠥᠬᠡ\u180eᠠ"),
    ],
)
def test_a_name_from_a_certificate_stays_on_its_line(name: str, shown_as: str) -> None:
    """Nobody writes on the page, or turns its words around, through the name in his certificate."""
    assert plain(name) == shown_as


@pytest.mark.parametrize("divider", ["\n", " / ", "\n公安部 / "])
def test_a_divider_in_a_name_makes_no_statement_of_a_claim(divider: str) -> None:
    """Whoever writes ` / signed by …` into the name of his certificate is shown in either language as claiming it."""
    evil = f"张三{divider}signed by MPS"
    step = esign_pb2.VerdictStep(
        step="signer",
        status="unknown",
        reason="SIGNER_CLAIMED",
        text=f"证书自称：{evil} / the certificate claims: {evil}",
        zh=f"证书自称：{evil}",
        en=f"the certificate claims: {evil}",
    )
    for language, begins in (("zh", "证书自称："), ("en", "the certificate claims: ")):
        (told,) = shown(esign_pb2.Verdict(verdict="INDETERMINATE", steps=[step]), language).steps
        assert told.text.startswith(begins)


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_the_facts_name_the_organisation_as_the_paper_does(language: str) -> None:
    """Not the code of its platform, which nobody finds on a certificate; that stands in where there is no name."""
    for document, named in (
        ({"issuer": "150100-ga", "issuer_name": "呼和浩特市公安局"}, "呼和浩特市公安局"),
        ({"issuer": "150100-ga"}, "150100-ga"),
    ):
        facts = shown(esign_pb2.Verdict(verdict="VALID", document=document), language).facts
        assert facts == ((texts.text("fact_issuer", language), named),)


def test_what_nobody_signed_looks_neither_good_nor_forged() -> None:
    """A plain lease is not called void; one that is wrong in another way too is."""
    unsigned = esign_pb2.VerdictStep(step="coverage", status="invalid", reason="NO_SIGNATURE", text="没有 / none")
    wrong = esign_pb2.VerdictStep(step="changes", status="invalid", reason="CHANGED", text="改动 / changed")
    found = shown(esign_pb2.Verdict(verdict="INVALID", steps=[unsigned]), "zh")
    assert (found.verdict, found.tone, found.word) == ("INVALID", "unknown", "没有电子签章")
    found = shown(esign_pb2.Verdict(verdict="INVALID", steps=[unsigned, wrong]), "zh")
    assert (found.tone, found.word) == ("invalid", "无效")


def test_a_signer_that_nobody_looked_for_is_not_called_nameless() -> None:
    """A signature that broke before its certificate was read says nothing of what the certificate holds."""
    broken, nameless = (report("INVALID", certified=good, signer="") for good in (False, True))
    cards = shown(esign_pb2.Verdict(verdict="INVALID", signatures=[broken, nameless]), "zh").signatures
    assert [card.who for card in cards] == ["签名者未核验", "证书没有写明名称"]


@pytest.mark.parametrize(("language", "zone"), [("zh", "北京时间"), ("en", "Beijing time")])
def test_a_time_of_signing_names_its_zone(language: str, zone: str) -> None:
    """Proven or claimed: whoever compares it with a clock elsewhere need not guess."""
    proven, claimed = report("VALID", certified=True), report("VALID", certified=True)
    proven.proven_at.FromSeconds(1_795_000_000)
    claimed.claimed_at.FromSeconds(1_795_000_000)
    for card in shown(esign_pb2.Verdict(verdict="VALID", signatures=[proven, claimed]), language).signatures:
        assert zone in dict(card.lines)[texts.text("signature_time", language)]


@pytest.mark.parametrize(
    ("name", "language", "service"),
    [
        ("政务服务枢纽", "zh", 0),
        ("政务服务枢纽", "en", 0),
        ("Government services hub", "zh", 0),
        ("青山市政务服务枢纽", "zh", 0),
        ("内蒙古政务枢纽", "zh", 1),
        ("内蒙古政务枢纽", "en", 1),
    ],
)
def test_the_header_says_everything_once(name: str, language: str, service: int) -> None:
    """A hub that is named as the pages call themselves, in whichever language, or whose name holds that, is not named
    twice.
    """
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": f"lang={language}".encode(), "headers": []}
    answer = Pages(name, FormTokens(bytes(32))).message(Request(scope), "not_found_title", "…", status=404)
    brand = bytes(answer.body).decode().partition('class="brand"')[2].partition("</a>")[0]
    assert brand.count("<small>") == service
    assert brand.count("政务服务枢纽") + brand.count("Government services hub") == max(
        service, "政务服务枢纽" in name or service == 0
    )


def test_a_wrong_field_is_told_without_its_name() -> None:
    """The contract's names of fields are for programs."""
    error = errors.invalid_field("pdf", "DOCUMENT_EMPTY", "Choose a file.", "请选择文件。")
    assert (text_of(error, "zh"), text_of(error, "en")) == ("请选择文件。", "Choose a file.")
    both = errors.invalid([*error.violations, Violation("receipt", "X", "Leave it out.", "可以不选。")])
    assert text_of(both, "zh") == "请选择文件。 可以不选。"


def test_document_types_are_known_to_identity() -> None:
    """What a person can choose is what identity can read."""
    from services.identity.domain.document_types import TYPES

    assert set(texts.DOCUMENT_TYPES) <= set(TYPES)


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
