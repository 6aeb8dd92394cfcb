"""What a clerk reads and does in staged situations, in a real browser, before the real service that judges documents."""

import io
import re
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pypdfium2
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from playwright.async_api import Browser, Page, expect

from services.esign.certification.domain import pki
from services.esign.domain import verdict
from services.esign.domain.cms import signed_data as cms
from services.esign.domain.verdict import (
    Form,
    Outcome,
    Sentence,
    SignatureFinding,
    SignatureKind,
    Status,
    Step,
    Verdict,
)
from services.esign.pages import layout
from services.esign.pages.domain.certificates import NO_CRIMINAL_RECORD, TEMPLATES
from services.esign.signing.domain import pades
from services.esign.verification.service.verification import VerificationService
from services.esign.verification.service.views import verdict_view
from services.esign.verification.workers.verifier import Verifier
from shuniu.api.esign.v1 import esign_pb2 as pb
from tests.support.chromium import DESK, MISSING, PHONE, chromium, complaints, executable, page
from tests.support.esign import NOW_US, small_pdf
from tests.support.seal_land import AGENCY, SealLand, rid, seal_land
from tests.support.web_land import WebLand, web_land

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(not executable(), reason=MISSING),
    pytest.mark.asyncio(loop_scope="module"),
]
FORGERS = "呼和浩特市公安局"
SIZES = {"phone": PHONE, "desk": DESK}


@dataclass
class Counter:
    """The hub, its page, and files as they come to a counter."""

    land: SealLand
    web: WebLand
    pictures: Path
    files: dict[str, tuple[str, bytes]]


@dataclass(frozen=True)
class Situation:
    """What a clerk must read: the word, the verdict, the cause ("" where there is none), what to do; and the tone."""

    word: str
    tone: str
    holds: str
    cause: str
    advice: str
    english: str


SITUATIONS = {
    "good": Situation("有效", "valid", "文件真实有效", "", "核对证明上的姓名", "genuine and in force"),
    "forged": Situation(
        "无效", "invalid", "在签章之后被改动过", "不一致", "不要接受此文件；请向出具单位索取原件", "was changed"
    ),
    "stranger": Situation(
        "无法确定",
        "unknown",
        "签名者的身份无法确认，核实之前不要接受",
        "未列入信任名单",
        "电话从别处查",
        "Who signed it cannot be confirmed: do not accept it",
    ),
    "word": Situation(
        "没有核验", "not_checked", "不是 PDF 或 OFD 文件", "Word 文档", "请核验出具单位发来的", "no PDF or OFD file"
    ),
    "photo": Situation(
        "没有核验", "not_checked", "不是 PDF 或 OFD 文件", "照片", "请核验出具单位发来的", "no PDF or OFD file"
    ),
    "withdrawn": Situation(
        "无效", "invalid", "已被出具单位撤销", "登记显示", "向出具单位申请新的文件", "has withdrawn"
    ),
}


def changed(pdf: bytes) -> bytes:
    """Somebody else's name in the title: read as before, and not what was sealed."""
    at = pdf.index(b"/Title") + 12
    return pdf[:at] + bytes([pdf[at] ^ 1]) + pdf[at + 1 :]


def contract() -> bytes:
    """Soundly signed under an authority that nobody here knows, in the name of somebody whom everybody knows."""
    root = pki.make_root("某地枢纽", NOW_US)
    ca = pki.make_seal_ca(root, "某地枢纽", NOW_US)
    key = ec.generate_private_key(ec.SECP256R1())
    der = pki.issue_seal_certificate(ca, key.public_key(), FORGERS, "seal-9", NOW_US).public_bytes(Encoding.DER)
    field = layout.seal_field(TEMPLATES[NO_CRIMINAL_RECORD])
    return pades.sign(small_pdf(), pades.SigningSeal.prepare(cms.P256Key(key), der, [ca.der], FORGERS, field), NOW_US)


def word_document() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", "<w:document/>")
    return made.getvalue()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def counter(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Counter]:
    async with seal_land() as land:
        seal = await land.active()
        good, withdrawn = [await land.downloaded((await land.issue(case, seal.id)).number) for case in ("C-1", "C-2")]
        request = pb.RevokeCertificateRequest(request_id=rid(), number=withdrawn.certificate.number, reason="签发有误")
        await land.documents.RevokeCertificate(request, metadata=AGENCY)
        files = {
            "good": ("证明.pdf", good.pdf),
            "forged": ("证明（改）.pdf", changed(good.pdf)),
            "stranger": ("合同.pdf", contract()),
            "word": ("证明.docx", word_document()),
            "photo": ("照片.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(4000)),
            "withdrawn": ("旧证明.pdf", withdrawn.pdf),
        }
        with Verifier(20.0) as verifier:
            judging = VerificationService(land.base, land.secrets, verifier, 1 << 24, ledger=land.ledger)
            async with web_land(address="127.0.0.1:0", verification=judging) as web:
                yield Counter(land, web, tmp_path_factory.mktemp("verdicts"), files)


async def upload(shown: Page, name: str, data: bytes) -> None:
    await shown.set_input_files("#pdf", files=[{"name": name, "mimeType": "application/octet-stream", "buffer": data}])
    await shown.click("#upload button[type=submit]")
    await expect(shown.locator("section.verdict")).to_be_visible()


async def said(shown: Page, slot: str) -> str:
    return (await shown.locator(f".verdict [data-slot={slot}]").first.inner_text()).strip()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SITUATIONS)
async def test_a_clerk_knows_what_it_is_and_what_to_do(
    browser: Browser, counter: Counter, name: str, size: str
) -> None:
    """One sentence of verdict, one of cause, one of what to do stand before everything else; nothing contradicts them;
    the steps are folded; who opens them finds no row that says only that an earlier one failed.
    """
    wanted, (file, data) = SITUATIONS[name], counter.files[name]
    async with page(browser, counter.web.url, viewport=SIZES[size]) as shown:
        await shown.goto("/verify")
        await upload(shown, file, data)
        await shown.screenshot(path=counter.pictures / f"{name}-{size}.png", full_page=True)
        assert await said(shown, "word") == wanted.word
        assert await shown.get_attribute("section.verdict", "data-tone") == wanted.tone
        assert wanted.holds in await said(shown, "holds")
        # A print of the page says of which file it is, and of when.
        assert re.fullmatch(
            re.escape(file) + r"，核验于 \d{4}-\d\d-\d\d [\d:]{8}（北京时间）", await said(shown, "asked")
        )
        assert wanted.cause in await said(shown, "cause")
        assert await shown.locator("[data-part=cause]").is_visible() is bool(wanted.cause)
        assert wanted.advice in await said(shown, "advice")
        assert await complaints(shown) == []

        whole = await shown.inner_text("section.verdict")
        good, bad = ("真实有效" in whole), ("不要接受" in whole or "不能接受" in whole)
        assert (good, bad) == (name == "good", name in {"forged", "stranger", "withdrawn"})
        assert await shown.locator(".verdict-head svg:visible").count() == 1
        ticks = await shown.locator(".verdict svg.is-valid:visible").count()
        assert (ticks > 0) is (name == "good")
        assert await shown.locator(".steps li").first.is_visible() is False

        await shown.click(".basis summary")
        unfolded = await shown.inner_text(".basis")
        assert "前面的步骤" not in unfolded
        left_out = re.search(r"其余 (\d+) 项", unfolded)
        made = await shown.locator(".steps li").count()
        assert made + (int(left_out[1]) if left_out else 0) == len(verdict.STEPS)
        assert left_out or name not in {"word", "photo"}
        await shown.screenshot(path=counter.pictures / f"{name}-{size}-unfolded.png", full_page=True)
        assert await complaints(shown) == []


@pytest.mark.parametrize("name", SITUATIONS)
async def test_the_verdict_is_the_same_without_scripts_and_in_english(
    browser: Browser, counter: Counter, name: str
) -> None:
    """The plain form gives the same three sentences; each language has no sentence of the other."""
    wanted, (file, data) = SITUATIONS[name], counter.files[name]
    async with page(browser, counter.web.url, java_script_enabled=False) as shown:
        await shown.goto("/verify")
        await upload(shown, file, data)
        assert (await said(shown, "word"), wanted.holds in await said(shown, "holds")) == (wanted.word, True)
        assert wanted.advice in await said(shown, "advice")
        await shown.goto("/verify?lang=en")
        await upload(shown, file, data)
        assert wanted.english in await said(shown, "holds")
        assert (await said(shown, "asked")).startswith(f"{file}, judged at ")
        for slot in ("word", "holds", "cause", "advice"):
            assert (await said(shown, slot)).isascii()


@pytest.mark.parametrize(("language", "empty"), [("zh", "是空的"), ("en", "is empty")])
async def test_a_file_that_cannot_be_judged_is_told_before_it_is_sent(
    browser: Browser, counter: Counter, language: str, empty: str
) -> None:
    """Too large or empty: the sentence is in the reader's language, names the limit and what to do; nothing is sent."""
    async with page(browser, counter.web.url) as shown:
        sent: list[str] = []
        shown.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
        await shown.goto(f"/verify?lang={language}")
        limit = int(await shown.get_attribute("#upload", "data-limit") or "0")
        told = []
        for data in (b"%PDF-1.7" + bytes(limit << 20), b""):
            large = counter.pictures / "chosen.pdf"
            large.write_bytes(data)
            await shown.set_input_files("#pdf", large)
            await shown.click("#upload button[type=submit]")
            told.append(await shown.locator("#problem p").inner_text())
        assert (f"{limit} MiB" in told[0], empty in told[1], sent) == (True, True, [])
        assert all(each.isascii() is (language == "en") for each in told)


async def test_a_large_photo_is_told_as_no_document(browser: Browser, counter: Counter) -> None:
    """Before its size, here and where only a hash would be sent; calmly, for nothing is wrong with the photo."""
    photo = counter.pictures / "photo.jpg"
    async with page(browser, counter.web.url) as shown:
        sent: list[str] = []
        shown.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
        await shown.goto("/verify")
        limit = int(await shown.get_attribute("#upload", "data-limit") or "0")
        photo.write_bytes(b"\xff\xd8\xff\xe0" + bytes(limit << 20))
        await shown.set_input_files("#pdf", photo)
        await shown.click("#upload button[type=submit]")
        await expect(shown.locator("#problem .calm h2")).to_have_text("没有核验")
        await expect(shown.locator("#problem p")).to_contain_text("不是 PDF 或 OFD 文件")
        await shown.goto("/verify/lookup")
        await shown.set_input_files("#file", photo)
        await expect(shown.locator("#problem .calm p")).to_contain_text("不是 PDF 或 OFD 文件")
        assert sent == []


async def test_the_form_for_another_file_holds_none(browser: Browser, counter: Counter) -> None:
    """After a verdict a click cannot judge the same file again under the next one's eyes."""
    async with page(browser, counter.web.url) as shown:
        await shown.goto("/verify")
        await upload(shown, *counter.files["good"])
        assert await shown.input_value("#pdf") == ""


async def test_what_the_edge_refuses_is_told_in_chinese(browser: Browser, counter: Counter) -> None:
    """The edge answers programs, in English with the Chinese among its details; a clerk reads the Chinese."""
    details = [
        {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "zh-CN", "message": "请稍后重试。"}
    ]
    refused = {"code": 8, "message": "Too many calls.", "details": details}
    async with page(browser, counter.web.url) as shown:
        await shown.route("**/verify/upload", lambda route: route.fulfill(status=429, json=refused))
        for language, said_there in (("zh", "请稍后重试。"), ("en", "Too many calls.")):
            await shown.goto(f"/verify?lang={language}")
            await shown.set_input_files(
                "#pdf", files=[{"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"x"}]
            )
            await shown.click("#upload button[type=submit]")
            await expect(shown.locator("#problem p")).to_have_text(said_there)


def finding(name: str, kind: SignatureKind, outcome: Outcome, signer: str, **more: object) -> SignatureFinding:
    covers = Sentence("签署时的整个文件", "the whole document as it was then")
    return SignatureFinding(name, kind, outcome, covers, signer=signer, **more)  # type: ignore[arg-type]


def three_seals() -> Verdict:
    """A contract with three seals by three makers: this hub, a ministry's SM2 seal, and somebody unknown."""
    after = Sentence("之后又有 1 人签章", "1 more signed afterwards")
    unknown = Step("chain", Status.UNKNOWN, "ISSUER_NOT_TRUSTED", "颁发机构不在信任范围内", "no trusted root issued it")
    steps = [Step(name, Status.VALID, "OK", "好", "well") for name in verdict.STEPS[:4]]
    found = verdict.conclude([*steps, unknown], NOW_US)
    own = finding("A", SignatureKind.CMS, Outcome.VALID, FORGERS, issuer="内蒙古枢纽", certified=True,
                  proven_us=NOW_US, later=(after, after))  # fmt: skip
    sm2 = finding("B", SignatureKind.SES, Outcome.VALID, "内蒙古自治区民政厅", issuer="国密印章中心", certified=True,
                  claimed_us=NOW_US, later=(after,))  # fmt: skip
    other = finding("C", SignatureKind.GM_CMS, Outcome.INDETERMINATE, "某某贸易有限公司", issuer="某认证中心",
                    claimed_us=NOW_US, steps=(unknown,))  # fmt: skip
    return Verdict(found.outcome, found.as_of_us, found.steps, (own, sm2, other), Form.PDF)


class ThreeSeals:
    """Judges every document to be that contract."""

    async def VerifyDocument(self, _request: pb.VerifyDocumentRequest, _context: object) -> pb.VerifyDocumentResponse:
        return pb.VerifyDocumentResponse(verdict=verdict_view(three_seals(), {}))

    def __getattr__(self, name: str) -> object:
        if name.startswith(("Verify", "GetTrust")):
            return self.VerifyDocument
        raise AttributeError(name)


@pytest.mark.parametrize("size", SIZES)
async def test_three_seals_are_read_at_a_glance(browser: Browser, tmp_path: Path, size: str) -> None:
    """Each signature has a card: what it is, whose, when, what it covers, what came after; the name that nobody vouches for
    is shown as a claim and has no tick.
    """
    async with (
        web_land(address="127.0.0.1:0", verification=ThreeSeals()) as web,
        page(browser, web.url, viewport=SIZES[size]) as shown,
    ):
        await shown.goto("/verify")
        await upload(shown, "合同.pdf", b"%PDF-1.7")
        await shown.screenshot(path=tmp_path / f"three-seals-{size}.png", full_page=True)
        cards = shown.locator(".signatures > li")
        assert await cards.evaluate_all("all => all.map((one) => one.dataset.status)") == ["valid", "valid", "unknown"]
        names = await cards.locator(".who").all_inner_texts()
        assert names == [FORGERS, "内蒙古自治区民政厅", "证书自称：某某贸易有限公司（未核实）"]
        kinds = await cards.locator("h4").all_inner_texts()
        assert kinds == ["电子签名", "电子印章（GB/T 38540）", "国密签名（GM/T 0010）"]
        whole = await cards.all_inner_texts()
        assert ["已证实" in one for one in whole] == [True, False, False]
        assert ["此后" in one and "范围" in one for one in whole] == [True] * 3
        assert "颁发机构不在信任范围内" in whole[2]
        assert (await said(shown, "cause")).startswith("共 3 个签名和印章，其中 1 个：签名证书由未列入信任名单")
        assert [await card.locator("svg.is-valid:visible").count() for card in await cards.all()] == [1, 1, 0]
        assert await complaints(shown) == []


async def test_an_ofd_reaches_esign_as_it_is(browser: Browser) -> None:
    """The page offers OFD beside PDF and hands its bytes on unchanged."""
    data = b"PK\x03\x04" + bytes(range(256)) * 8
    async with web_land(address="127.0.0.1:0") as web, page(browser, web.url) as shown:
        await shown.goto("/verify")
        assert ".ofd" in (await shown.get_attribute("#pdf", "accept") or "")
        assert "OFD" in await shown.inner_text("label[for=pdf]")
        await upload(shown, "证明.ofd", data)
        assert sha256(web.esign.seen[0].pdf).digest() == sha256(data).digest()


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_print_of_the_verdict_can_be_filed(browser: Browser, counter: Counter, scripts: bool) -> None:
    """On paper stand the verdict, every step that was made, the file's digest and where it was verified; what is for the
    screen (form, links, footer) is left out, so that no second page holds nothing.
    """
    file, data = counter.files["good"]
    async with page(browser, counter.web.url, java_script_enabled=scripts) as shown:
        await shown.goto("/verify")
        await upload(shown, file, data)
        steps = await shown.locator(".steps .step-name").all_text_contents()
        printed = await shown.pdf(format="A4", path=counter.pictures / "good-print.pdf")
        assert await shown.locator(".steps li").first.is_visible() is False
    pages = [each.get_textpage().get_text_bounded() for each in pypdfium2.PdfDocument(printed)]
    text = "".join("".join(pages).split())
    assert sha256(data).hexdigest() in text
    assert counter.web.url.partition("://")[2] in text
    assert [name for name in steps if name not in text] == []
    for left_out in ("核验其他文件", "二维码", "开始核验"):
        assert left_out not in text
    assert "证书链" in pages[-1] or "国密" in pages[-1] or len(pages) == 1
