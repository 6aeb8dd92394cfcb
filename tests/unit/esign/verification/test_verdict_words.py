"""What a clerk is told: one sentence of verdict, one of cause, one of what to do; for every reason that there is."""

import ast
import dataclasses
import inspect
import io
import re
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from services.esign.certification.domain import pki
from services.esign.certification.domain.trust import Trust
from services.esign.domain import verdict
from services.esign.domain.cms import signed_data as cms
from services.esign.domain.verdict import STEPS, Form, Outcome, Sentence, Status, Step, Verdict
from services.esign.licences.domain import check as licence_check
from services.esign.pages.domain.certificates import CertificateState
from services.esign.seals.domain.life import SealState
from services.esign.ses.domain import check as ses_check
from services.esign.signing.domain import pades
from services.esign.verification.domain import verify
from services.esign.verification.domain.code_verdict import Asked, conclude_code
from services.esign.verification.domain.sentences import (
    document_sentences,
    licence_sentences,
    step_sentences,
    verdict_sentences,
    verdict_words,
)
from services.esign.verification.domain.sentences.verdict_sentences import Words
from services.esign.verification.domain.verify import Known
from tests.support import documents as attack
from tests.support.esign import NOW_US, sealed, setting, small_pdf

ESIGN = Path(inspect.getfile(verify)).parents[2]
TRUST = Trust((setting().root.certificate,))
LATER_US = NOW_US + 60_000_000
# Errors whose reason becomes the reason of a step.
TOLD = frozenset(
    {
        *("PdfError", "OfdError", "CmsError", "UnprovedError", "ChainError", "SesError", "TimestampInvalidError"),
        *("TokenMalformedError", "TokenWrongError", "NoteMalformedError", "NoteUntrustedError", "QrMalformedError"),
    }
)
# Errors that refuse to make something, or are caught where they are raised: no step of a verdict has their reason.
NOT_TOLD = frozenset(
    {
        *("CertificateStateError", "CharacterNotCoveredError", "ClockDoubtError", "ConsentError", "DocumentUnfitError"),
        *(
            "_NotFoundError",
            "EsignError",
            "FlowError",
            "FormError",
            "LedgerDamagedError",
            "LicenceImpossibleError",
            "LicenceStateError",
        ),
        *("LicenceUnfitError", "ProofWrongError", "ScenarioError", "SealStateError", "TimestampRefusedError"),
        *(
            "CffError",
            "NamespaceTooLongError",
            "DerError",
            "DerLimitError",
            "PngError",
            "Sm2AbsentError",
            "UnknownAlgorithmError",
            "OtherKindError",
            "ChangedError",
            "UnclearError",
            "XmpError",
        ),
    }
)
# How steps are found outside the domain.
FINDERS = frozenset({"add", "Step"})
# Modules that make or refuse something; no verdict asks them.
MAKERS = frozenset(
    {
        *("domain/pdf/shadow.py", "domain/pdf/appearance.py", "timestamps/domain/token.py", "pages/domain/form.py"),
        *("pages/domain/certificates.py", "signing/domain/multisign.py", "signing/domain/pades.py"),
        *("seals/domain/life.py", "seals/domain/picture.py", "licences/domain/types.py", "flows/domain/life.py"),
        *("flows/domain/consent.py", "flows/domain/parties.py", "flows/domain/scenarios.py"),
    }
)
EVERY_STEP = frozenset({*STEPS, *licence_check.STEPS, *ses_check.STEPS})
# Reasons whose verdict says something good beside what is not known.
REAL = {"chain": "ISSUER_NOT_TRUSTED", "time": "TIME_NOT_PROVEN", "seal_then": "SEAL_UNKNOWN"}
CHINESE = re.compile("[\u4e00-\u9fff]")
REASON = re.compile(r"[A-Z][A-Z0-9]+(_[A-Z0-9]+)*")
# Words that promise that time alone helps.
WAITING = re.compile("一分钟|稍后|稍等|片刻|in a minute|in a moment|try later")


def calls() -> Iterator[tuple[Path, ast.Call, str]]:
    for path in sorted(ESIGN.rglob("*.py")):
        if path.relative_to(ESIGN).as_posix() not in MAKERS and not path.name.endswith("_sentences.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                    yield path, node, name


def constants(node: ast.AST) -> list[str]:
    return [each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)]


def named_reasons(argument: ast.expr) -> list[str]:
    """The reasons that an argument gives: one, or two of which a condition chooses."""
    chosen = argument.body if isinstance(argument, ast.IfExp) else argument
    others = named_reasons(argument.orelse) if isinstance(argument, ast.IfExp) else []
    if isinstance(chosen, ast.Constant) and isinstance(chosen.value, str) and REASON.fullmatch(chosen.value):
        return [chosen.value, *others]
    return others


def is_good(argument: ast.expr) -> bool:
    return isinstance(argument, ast.Attribute) and argument.attr == "VALID"


def tells_people(call: ast.Call) -> bool:
    """Whether it gives a text for people, or how something stands."""
    return any(CHINESE.search(text) for argument in call.args for text in constants(argument)) or any(
        isinstance(each, ast.Attribute) and getattr(each.value, "id", "") == "Status" for each in call.args
    )


def reasons() -> set[tuple[str, str]]:
    """(step, reason) of every place in esign that finds something other than VALID; "" where the step is not said.

    A reason stands in an error that is told, in a call of those that find steps, or beside a text for people.
    """
    found = set()
    for path, call, name in calls():
        in_domain = "domain" in path.relative_to(ESIGN).parts
        counts = name in TOLD or (name not in NOT_TOLD and tells_people(call)) if in_domain else name in FINDERS
        if not counts or name == "_good" or any(is_good(each) for each in call.args):
            continue
        first = call.args[0] if call.args else None
        step = first.value if isinstance(first, ast.Constant) and first.value in EVERY_STEP else ""
        # Sentences follow the reason: it is the first argument that looks like one.
        given = next(filter(None, map(named_reasons, call.args[:4])), [])
        found |= {(str(step), reason) for reason in given}
    return found


def test_every_reason_has_its_words() -> None:
    """Whatever reason esign gives for a step that is not VALID, somebody thought of what to say about it: words of its own
    or a name in its step's sentence.
    """
    found = reasons()
    assert len(found) > 150
    assert {"NO_SIGNATURE", "LOCKED", "XREF", "NO_MATCH", "ISSUER_NOT_TRUSTED"} <= {reason for _, reason in found}
    # In a verdict: what was found of a seal beside the document has a prefix of its own.
    assert sorted(pair for pair in found if not verdict_words.is_told(*pair)) == []
    states = {f"SEAL_{state}" for state in SealState if state is not SealState.ACTIVE}
    assert [s for s in sorted(states) if not all(verdict_words.is_told(f"seal_{w}", s) for w in ("then", "now"))] == []


def test_every_error_of_the_domain_is_told_or_not() -> None:
    """A new kind of error is either a reason in verdicts, with words, or said to be none."""
    defined = {
        node.name
        for path in ESIGN.rglob("*.py")
        if "domain" in path.relative_to(ESIGN).parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and node.name.endswith("Error")
    }
    assert defined - TOLD - NOT_TOLD == set()


def every_word() -> list[tuple[str, Words]]:
    tables = (
        *(document_sentences.OF_STEP, document_sentences.OF_REASON),
        *(licence_sentences.OF_STEP, licence_sentences.OF_REASON, licence_sentences.OF_FORM),
    )
    named = [(str(key), words) for table in tables for key, words in table.items()]
    by_status = [
        (step, step_sentences.of_status(step, status)) for step in STEPS for status in Status if status != "valid"
    ]
    return named + by_status


def test_sentences_are_short_whole_and_in_both_languages() -> None:
    """A sentence is one that a person reads at a glance: ended, in both languages, without what only engineers know."""
    for key, words in every_word():
        for sentence in (words.verdict, words.cause, words.advice):
            zh = sentence.zh.format(it="证明", what="无法展开的压缩数据")
            en = sentence.en.format(it="certificate", what="compressed data")
            assert CHINESE.search(zh), key
            assert not CHINESE.search(en), key
            assert zh.endswith("。"), key
            assert en.endswith("."), key
            assert zh.count("。") == 1, key
            assert len(zh) <= 60, (key, zh)
            assert len(en) <= 190, (key, en)
            assert not re.search(r"CMS|ByteRange|ASN|DER|xref|NOT_REACHED|前面的步骤", zh), key


@pytest.mark.parametrize("status", [Status.INVALID, Status.UNKNOWN])
def test_no_sentence_is_harsher_or_milder_than_the_finding(status: Status) -> None:
    """What is not known is never called wrong, and what is wrong never merely unknown, whatever the reason is."""
    given = sorted({reason for _, reason in reasons()})
    for name in sorted(EVERY_STEP):
        for reason in given:
            told = verdict_words.words_of(Step(name, status, reason, "某事", "something"), Form.PDF).verdict.zh
            unfit = verdict_sentences.OPEN if status is Status.INVALID else verdict_sentences.REFUSING
            assert told not in unfit, (name, reason, told)


def test_only_what_waiting_helps_is_waited_for() -> None:
    """To come back later is the advice where the hub is still at work, or this machine is, and nowhere else."""
    waiting = {key for key, words in every_word() if any(WAITING.search(text) for text in words.texts())}
    assert waiting == {"LOG_PENDING", "COSIGNATURES_PENDING", "LEDGER_AWAY", "READER_AWAY"}


def test_what_is_unchanged_is_said_of_nothing_that_was_not_looked_at() -> None:
    """For any findings whatever: the cause is a step that failed by itself, the verdict is never friendlier than the
    outcome, and only a document whose integrity holds is called unchanged.
    """

    @given(
        st.lists(st.sampled_from(list(Status)), min_size=len(STEPS), max_size=len(STEPS)), st.integers(0, len(STEPS))
    )
    def hold(statuses: list[Status], reached: int) -> None:
        steps = [
            Step(name, status, REAL.get(name, "OTHER"), "某事不对", "something is wrong")
            for name, status in zip(STEPS[:reached], statuses, strict=False)
        ]
        found = verdict.conclude(steps, NOW_US)
        told = verdict_words.explain(found)
        assert (told.cause is None) == (found.outcome is Outcome.VALID)
        if found.outcome is not Outcome.VALID:
            failed = any(step.status in {Status.INVALID, Status.UNKNOWN} for step in steps)
            assert verdict_words.cause_of(found).reason != verdict_words.NOT_REACHED or not failed
            assert "真实" not in told.verdict.zh
        if re.search("没有被改动|签名完好", told.verdict.zh):
            assert {found.step("integrity").status, found.step("changes").status} == {Status.VALID}

    hold()


def strangers() -> bytes:
    """Soundly signed, by somebody whom nobody here knows."""
    root = pki.make_root("某地枢纽", NOW_US)
    ca = pki.make_seal_ca(root, "某地枢纽", NOW_US)
    key = ec.generate_private_key(ec.SECP256R1())
    der = pki.issue_seal_certificate(ca, key.public_key(), "某公司", "seal-9", NOW_US).public_bytes(Encoding.DER)
    seal = pades.SigningSeal.prepare(cms.P256Key(key), der, [ca.der], "某公司", setting().seal.field)
    return pades.sign(small_pdf(), seal, NOW_US)


def known(document: CertificateState) -> Known:
    return Known(document, SealState.ACTIVE, SealState.ACTIVE, sha256(setting().certificate).hexdigest())


def changed(pdf: bytes) -> bytes:
    """With one letter of a title turned into another: read as before, and not what was signed."""
    at = pdf.index(b"/Title") + 12
    return pdf[:at] + bytes([pdf[at] ^ 1]) + pdf[at + 1 :]


SITUATIONS = {
    "good, offline": (sealed, None, "VALID", "文件真实", None, "向出具单位核实"),
    "good": (
        sealed,
        CertificateState.VALID,
        "INDETERMINATE",
        "存证尚未确认",
        "没有这份文件的存证回执",
        "出具单位",
    ),
    "withdrawn": (
        sealed,
        CertificateState.REVOKED,
        "INVALID",
        "已被出具单位撤销",
        "登记显示",
        "申请新的文件",
    ),
    "changed": (lambda: changed(sealed()), None, "INVALID", "改动过", "不一致", "不要接受此文件；请向出具单位索取原件"),
    "updated": (
        lambda: attack.update(sealed(), {9000: b"<</Type/Annot>>"}),
        None,
        "INVALID",
        "改动过",
        "签章之后",
        "索取原件",
    ),
    "by a stranger": (strangers, None, "INDETERMINATE", "核实之前不要接受", "未列入信任名单", "电话从别处查"),
    "not signed": (small_pdf, None, None, "没有电子签章", "只是一幅图", "带电子签章的原文件"),
    "a photo": (
        lambda: b"\xff\xd8\xff\xe0" + bytes(2000),
        None,
        None,
        "不是 PDF 或 OFD",
        "照片",
        "请核验出具单位发来的",
    ),
    "a Word document": (
        lambda: b"PK\x03\x04" + bytes(2000),
        None,
        None,
        "不是 PDF 或 OFD",
        "Word",
        "请核验出具单位发来的",
    ),
    "cut short": (lambda: sealed()[:-300], None, None, "文件(不完整|损坏)", "文件", "完整|原件"),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_is_said_in_each_situation(name: str) -> None:
    """Real documents, really judged: what holds, the one cause and what to do fit what happened to each."""
    make, state, outcome, holds, cause, advice = SITUATIONS[name]
    found = verify.judge(make(), trust=TRUST, now_us=LATER_US, known=None if state is None else known(state))
    told = verdict_words.explain(found)
    if outcome is not None:
        assert found.outcome == outcome
    assert re.search(holds, told.verdict.zh)
    assert (cause is None) == (told.cause is None)
    assert cause is None or (told.cause is not None and cause in told.cause.zh)
    assert re.search(advice, told.advice.zh)
    whole = " ".join(each.zh for each in (told.verdict, told.cause, told.advice) if each is not None)
    assert "前面的步骤" not in whole
    assert verdict_words.as_json(found)["summary"] == told.as_json()


@pytest.mark.parametrize(("reason", "said"), [("RENEWED", "续期"), ("FILLED", "表单"), ("SIGNED_ONLY", "内容未被改动")])
def test_what_lawfully_came_later_is_said(reason: str, said: str) -> None:
    """A renewed or filled-in document is VALID, and its verdict says what came after signing."""
    steps = [Step(name, Status.VALID, reason if name == "changes" else "OK", "好", "well") for name in STEPS]
    told = verdict_words.explain(verdict.conclude(steps, NOW_US))
    assert told.cause is None
    assert said in told.verdict.zh


def test_nothing_is_said_of_an_upload_where_none_need_have_been() -> None:
    """The command and the library say the same sentences as the page: of a file they speak of verifying it."""
    spoken = [*document_sentences.OF_REASON.values(), *document_sentences.OF_STEP.values()]
    told = [text for each in spoken for text in each.texts()]
    told += [text for step in STEPS for status in Status for text in step_sentences.of_status(step, status).texts()]
    assert [text for text in told if "上传" in text or "upload" in text.lower()] == []


def test_a_file_that_is_no_document_is_not_called_forged() -> None:
    """Neither forged nor to be refused: it is said what it is and what to upload."""
    for data in (b"", b"PK\x03\x04", b"\xff\xd8\xff", b"hello"):
        told = verdict_words.explain(verify.judge(data, trust=TRUST, now_us=LATER_US))
        assert "不要接受" not in f"{told.verdict.zh}{told.advice.zh}"
        assert "这不表示它是假的" in told.verdict.zh


def test_an_archive_is_to_be_unpacked() -> None:
    """A document inside a ZIP file: nobody is asked to seal it anew, and nothing is said of upper and lower case."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("证明.pdf", sealed())
    told = verdict_words.explain(verify.judge(packed.getvalue(), trust=TRUST, now_us=LATER_US))
    assert told.cause is not None
    assert "压缩包" in told.cause.zh
    assert "大小写" not in told.cause.zh
    assert "解压" in told.advice.zh
    assert "重新签章" not in told.advice.zh


def test_an_empty_file_is_called_empty() -> None:
    """Neither a photo nor an archive: it has to be had again."""
    step = Step("parse", Status.UNKNOWN, "EMPTY_FILE", "文件是空的", "empty")
    told = verdict_words.explain(dataclasses.replace(verdict.conclude([step], NOW_US), form=Form.UNREADABLE))
    assert told.cause == Sentence("文件是空的（0 字节）。", "The file is empty (0 bytes).")
    assert "重新下载" in told.advice.zh


def test_who_trusts_nobody_is_told_so() -> None:
    """Without a root nobody's signature can be confirmed: that is said, and not that an issuer is to sign anew."""
    told = verdict_words.explain(verify.judge(sealed(), trust=Trust(), now_us=LATER_US))
    assert told.cause is not None
    assert "没有配置任何可信任的根证书" in told.cause.zh
    assert "--trust" in told.advice.zh
    assert "重新签章" not in told.advice.zh


def test_what_is_too_much_for_the_reader_is_not_called_forged() -> None:
    """A limit of ours is told with what to do instead of uploading it again."""
    step = Step("parse", Status.UNKNOWN, "LIMIT_REACHED", "未能完成", "not finished")
    told = verdict_words.explain(verdict.conclude([step], NOW_US))
    assert "真伪尚无结论" in told.verdict.zh
    assert told.cause == Sentence(
        "文件超过了核验器的上限（所需的时间或内存）。", "It passes a limit of this reader (time or memory)."
    )
    assert "扫描二维码" in told.advice.zh
    assert not WAITING.search(told.advice.zh)


def test_a_form_that_is_not_read_is_named() -> None:
    """Who sent the file learns what the hub met and how to make one that it reads; saving it again is warned of."""
    step = Step("parse", Status.UNKNOWN, "HYBRID_XREF", "文件结构不合规", "the file has no single reading")
    told = verdict_words.explain(verdict.conclude([step], NOW_US))
    assert told.cause is not None
    assert "混合交叉引用表" in told.cause.zh
    assert "打印为 PDF" in told.advice.zh
    assert "会丢失签章" in told.advice.zh


def test_an_unconfirmed_name_is_laid_to_the_chain() -> None:
    """While nobody trusted vouches for the certificate, the cause is its issuer, not the name it claims."""
    steps = [Step(name, Status.VALID, "OK", "好", "well") for name in STEPS[:4]]
    steps.append(Step("signer", Status.UNKNOWN, "SOME_CLAIM", "证书自称：某公司", "the certificate claims: 某公司"))
    steps.append(Step("chain", Status.UNKNOWN, "ISSUER_NOT_TRUSTED", "不在信任范围内", "no trusted root"))
    steps.append(Step("time", Status.UNKNOWN, "TIME_WITHOUT_CHAIN", "证书链未确认", "no path"))
    found = verdict.conclude(steps, NOW_US)
    assert verdict_words.cause_of(found).reason == "ISSUER_NOT_TRUSTED"
    assert "某公司" not in str(verdict_words.explain(found).as_json())


@pytest.mark.parametrize("asked", list(Asked))
def test_without_the_file_it_is_said_what_was_looked_at(asked: Asked) -> None:
    """By code, hash or number: VALID speaks for the register, and what is in hand is to be compared with it."""
    steps = [Step(name, Status.VALID, "OK", "好", "well") for name in ("integrity", "ledger", "document")]
    found = conclude_code(steps, NOW_US, asked)
    told = verdict_words.explain(found)
    assert (found.outcome, told.cause) == (Outcome.VALID, None)
    assert re.search("核对|上传", told.advice.zh)
    missing = conclude_code([Step("document", Status.UNKNOWN, "DOCUMENT_UNKNOWN", "没有", "none")], NOW_US, asked)
    assert "查到" in verdict_words.explain(missing).verdict.zh


def test_checks_that_were_not_made_are_one_line() -> None:
    """What was reached, and how many were not, in place of ten rows that bury the cause."""
    found = verdict.conclude([Step("parse", Status.INVALID, "XREF", "不合规", "wrong")], NOW_US)
    assert [step.step for step in verdict_words.reached(found)] == ["parse"]
    assert verdict_words.not_made(found) == Sentence("其余 11 项因此未核验", "11 further checks were not made")
    whole = Verdict(Outcome.VALID, NOW_US, tuple(Step(name, Status.VALID, "OK", "好", "well") for name in STEPS))
    assert verdict_words.not_made(whole) is None


def test_every_form_has_its_good_words() -> None:
    """VALID is put into words for whatever was judged, and says what is left to do."""
    for form in Form:
        steps = tuple(Step(name, Status.VALID, "OK", "好", "well") for name in STEPS)
        told = verdict_words.explain(Verdict(Outcome.VALID, NOW_US, steps, form=form))
        assert told.cause is None
        assert told.advice.zh.endswith("。")
    assert {type(words) for words in verdict_sentences.GOOD.values()} == {Words}


def test_what_was_changed_inside_is_not_said_to_be_unchanged_since() -> None:
    """Bytes that were flipped come with no later version: the step `changes` says that, and not that all is as signed."""
    data = sealed()
    at = data.index(b"stream") + 40
    found = verify.judge(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], trust=TRUST, now_us=LATER_US)
    assert (found.step("integrity").status, found.step("changes").status) == (Status.INVALID, Status.VALID)
    assert "追加" in found.step("changes").zh
    assert not re.search("修改|改动|changed", found.step("changes").text)


@pytest.mark.parametrize(("step", "reason"), [("seal_then", "SEAL_REVOKED"), ("seal_then", "CERTIFICATE_REVOKED")])
def test_a_seal_declared_void_from_an_earlier_date_is_told_as_that(step: str, reason: str) -> None:
    """It was in use when it signed and revoked afterwards, so the original is no remedy: a new document is."""
    found = Verdict(Outcome.INVALID, NOW_US, (Step(step, Status.INVALID, reason, "不可用", "void"),))
    told = verdict_words.explain(found)
    assert told.cause is not None
    assert "用印之前起无效" in told.cause.zh.replace("签章之前", "用印之前")
    assert "申请新的" in told.advice.zh
    assert "原件" not in told.advice.zh


@pytest.mark.parametrize(("status", "advised"), [(Status.UNKNOWN, "校准时钟"), (Status.INVALID, "索取原件")])
def test_a_receipt_is_not_advised_where_the_signer_contradicts_himself(status: Status, advised: str) -> None:
    """A signature that states a time outside its certificate's: no receipt can mend that; proven by others it is wrong."""
    steps = (
        Step("time", status, "OUTSIDE_VALIDITY", "不在证书有效期内", "outside"),
        Step("ledger", Status.NOT_CHECKED, "NO_RECEIPT", "没有回执", "no receipt"),
    )
    told = verdict_words.explain(Verdict(Outcome.INDETERMINATE, NOW_US, steps))
    assert advised in told.advice.zh
    assert ".tlog-proof" not in told.advice.zh
    assert told.cause is not None
    assert "证书" in told.cause.zh
