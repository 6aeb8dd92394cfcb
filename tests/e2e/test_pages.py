"""The pages in a real browser: by mouse, keyboard and phone, in both languages, without scripts, without a network."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import date

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.async_api import Browser, Page, expect

from services.esign.pages.domain import certificates, qr
from shuniu.kit.testing import eventually
from tests.support.chromium import DESK, MISSING, PHONE, chromium, complaints, executable, page, shoot
from tests.support.web_land import PASSWORD, WebLand, authorization, web_land

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(not executable(), reason=MISSING),
    pytest.mark.asyncio(loop_scope="module"),
]
NUMBER = "150102199003078011"
# 1280 px at 400 % zoom (WCAG 2.2, 1.4.10).
NARROW = {"width": 320, "height": 568}
PDF = {"name": "证明.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def land() -> AsyncIterator[WebLand]:
    async with web_land(address="127.0.0.1:0") as found:
        yield found


@pytest.fixture(scope="module")
def signer() -> qr.QrSigner:
    return qr.QrSigner.prepare(ec.generate_private_key(ec.SECP256R1()), "hub.example")


def code_of(signer: qr.QrSigner) -> str:
    """A code's text, made by esign itself."""
    facts = {"name": "巴特尔", "id_type": "111", "id_number": NUMBER}
    data = certificates.CertificateData(
        "ZM1500002026000017", certificates.NO_CRIMINAL_RECORD, "呼和浩特市公安局", date(2026, 11, 20), facts
    )
    return signer.url(data).partition("#")[2]


def trust(signer: qr.QrSigner) -> str:
    return json.dumps({"keys": [qr.jwk(signer.key.public_key())]})


@contextlib.asynccontextmanager
async def platform(land: WebLand) -> AsyncIterator[str]:
    """A platform's own site, registered at identity; yields its redirect URI."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b"<!doctype html><link rel=icon href=data:,><title>platform</title>"
        head = f"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        land.identity.redirects["mengsuban"] = f"http://localhost:{server.sockets[0].getsockname()[1]}/cb"
        yield land.identity.redirects["mengsuban"]


async def returned(shown: Page, redirect: str, what: str) -> None:
    """Waits until the browser is at the platform's site, told `what`."""
    await expect(shown).to_have_title("platform")
    assert shown.url.startswith(f"{redirect}?{what}")


async def focused(shown: Page) -> str:
    found: str = await shown.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
    return found


@pytest.mark.parametrize(
    ("size", "name", "language"),
    [(PHONE, "phone", "zh"), (DESK, "desk", "zh"), (DESK, "desk", "en"), (NARROW, "narrow", "en")],
)
async def test_every_page_serves_everybody(
    browser: Browser, land: WebLand, size: dict[str, int], name: str, language: str
) -> None:
    """Labels, headings, landmarks, contrast, target sizes and reflow hold on every page, in both languages, at any width."""
    async with page(browser, land.url, viewport=size) as shown:
        await shown.goto(f"/?lang={language}")
        found = {"home": await complaints(shown)}
        await shoot(shown, f"home-{name}-{language}")
        for path in ("verify", "verify/lookup", "v", "register", "nothing", "sign-out", "sign-in"):
            await shown.goto(f"/{path}{authorization() if path in ('register', 'sign-in') else ''}")
            found[path] = await complaints(shown)
            await shoot(shown, f"{path.replace('/', '-')}-{name}-{language}")
        await shown.fill("#login_name", "bater")
        await shown.fill("#password", "not this one")
        await shown.click("main button[type=submit]")
        await shown.wait_for_selector("#problems")
        found["refused"] = await complaints(shown)
        await shoot(shown, f"sign-in-refused-{name}-{language}")
        await shown.fill("#password", PASSWORD)
        await shown.click("main button[type=submit]")
        await shown.wait_for_url("**/oauth2/authorize**")
        found["consent"] = await complaints(shown)
        await shoot(shown, f"consent-{name}-{language}")
    assert found == {key: [] for key in found}


@pytest.mark.parametrize("kind", ["VALID", "INVALID", "INDETERMINATE"])
async def test_a_chosen_document_gets_a_verdict_in_words(browser: Browser, land: WebLand, kind: str) -> None:
    """Word, colour and shape differ by verdict, the steps are folded and each says its own, and the focus goes to the
    verdict.
    """
    land.esign.answer = kind
    async with page(browser, land.url, viewport=PHONE) as shown:
        await shown.goto("/verify")
        await shown.set_input_files("#pdf", files=[PDF])
        await shown.click("button[type=submit]")
        await expect(shown.locator(f"[data-verdict={kind}]")).to_be_visible()
        word = {"VALID": "有效", "INVALID": "无效", "INDETERMINATE": "无法确定"}[kind]
        await expect(shown.locator("#verdict-word")).to_have_text(f"核验结论: {word}")
        assert await focused(shown) == "verdict-word"
        assert await shown.locator(".verdict-head svg:visible").count() == 1
        await shoot(shown, f"verdict-{kind.lower()}-phone")
        assert await complaints(shown) == []
        steps = shown.locator(".steps li")
        assert await steps.count() == 6
        assert await steps.locator("svg:visible").count() == 0
        await shown.click(".basis summary")
        assert await steps.locator("svg:visible").count() == 6
        assert "2026-11-18" in await shown.inner_text(".as-of")
        assert await complaints(shown) == []


async def test_a_dropped_document_is_verified(browser: Browser, land: WebLand) -> None:
    """A file dropped on the field is sent at once."""
    async with page(browser, land.url) as shown:
        await shown.goto("/verify")
        carried = await shown.evaluate_handle(
            "() => { const t = new DataTransfer(); t.items.add(new File(['%PDF-1.7'], 'a.pdf')); return t; }"
        )
        await shown.dispatch_event("#drop", "drop", {"dataTransfer": carried})
        await expect(shown.locator("[data-verdict=VALID]")).to_be_visible()
        await shoot(shown, "verdict-valid-desk")
    assert land.esign.seen[0].pdf == b"%PDF-1.7"


async def test_the_address_printed_on_every_certificate_takes_the_file(browser: Browser, land: WebLand) -> None:
    """Papers say “扫描二维码，或在 HOST/v 上传本文件”: `/v` judges a chosen file, also behind a code that was judged first."""
    async with page(browser, land.url, viewport=PHONE) as shown:
        for path in ("/v", "/v#abc"):
            await shown.goto("/")
            await shown.goto(path)
            await shown.set_input_files("#pdf", files=[PDF])
            await shown.click("#upload button[type=submit]")
            await expect(shown.locator("#verdict-word")).to_have_text("核验结论: 有效")
            assert await focused(shown) == "verdict-word"
        await expect(shown.locator("#progress")).to_be_empty()
        assert await complaints(shown) == []
        await shoot(shown, "v-uploaded-phone")
    assert [each.pdf for each in land.esign.seen if hasattr(each, "pdf")] == [PDF["buffer"]] * 2


async def test_a_file_is_hashed_on_the_device_and_not_sent(browser: Browser, land: WebLand) -> None:
    """The chosen file becomes 64 digits in the browser; only these leave it. Number and date by keyboard alone."""
    async with page(browser, land.url, viewport=PHONE) as shown:
        sent: list[str] = []
        shown.on("request", lambda request: sent.append(request.post_data or ""))
        await shown.goto("/verify/lookup")
        await shown.set_input_files("#file", files=[PDF])
        await expect(shown.locator("[data-verdict=VALID]")).to_be_visible()
        await expect(shown.locator("#verdict-word")).to_have_text("核验结论: 登记有效")
        assert await focused(shown) == "verdict-word"
        assert await complaints(shown) == []
        await shoot(shown, "lookup-hash-phone")
        await shown.focus("#number")
        await shown.keyboard.type("150000202600001")
        await shown.fill("#issued_on", "2026-06-01")
        await shown.press("#issued_on", "Enter")
        await expect(shown.locator("#progress")).to_be_empty()
        await expect(shown.locator("[data-verdict=VALID]")).to_be_visible()
    digest = hashlib.sha256(PDF["buffer"]).hexdigest()
    assert land.esign.seen[0].hash == digest
    assert [body for body in sent if body] == [f"hash={digest}", "number=150000202600001&issued_on=2026-06-01"]
    assert (land.esign.seen[1].number, land.esign.seen[1].issued_on.year) == ("150000202600001", 2026)


async def test_without_scripts_everything_still_works(browser: Browser, land: WebLand) -> None:
    """Plain forms: a verdict for a document and for a code, sign-in, consent and the way back."""
    async with platform(land) as redirect, page(browser, land.url, java_script_enabled=False) as shown:
        await shown.goto("/verify")
        await shown.set_input_files("#pdf", files=[PDF])
        await shown.click("button[type=submit]")
        await expect(shown.locator("[data-verdict=VALID]")).to_be_visible()
        await shoot(shown, "verdict-without-scripts")
        await shown.goto("/verify/lookup")
        await expect(shown.locator("#file")).to_be_hidden()
        await shown.fill("#hash", "ab" * 32)
        await shown.click("#by-hash button")
        await expect(shown.locator("[data-verdict=VALID]")).to_be_visible()
        await shown.goto("/v")
        await shown.set_input_files("#pdf", files=[PDF])
        await shown.click("#upload button[type=submit]")
        await expect(shown.locator("[data-verdict=VALID]")).to_be_visible()
        await shown.goto("/v")
        await shown.fill("#content", "https://hub.example/v#abc")
        await shown.click("#qr button[type=submit]")
        await expect(shown.locator("[data-verdict=VALID]")).to_be_visible()
        await shown.goto(f"/oauth2/authorize{authorization(redirect_uri=redirect)}")
        await shown.fill("#login_name", "bater")
        await shown.fill("#password", PASSWORD)
        await shown.click("main button[type=submit]")
        await shown.click("button[value=allow]")
        await returned(shown, redirect, "code=c0de&state=")


async def test_by_keyboard_alone_from_the_platform_and_back(browser: Browser, land: WebLand) -> None:
    """Register, agree, return: with Tab, typing and Enter only, the focus always visible and in reading order."""
    async with platform(land) as redirect, page(browser, land.url) as shown:
        await shown.goto(f"/oauth2/authorize{authorization(redirect_uri=redirect)}")
        keys = shown.keyboard
        await keys.press("Tab")
        assert await focused(shown) == "跳到主要内容"
        await shoot(shown, "keyboard-skip-link")
        await keys.press("Enter")
        order = []
        for _ in range(5):
            await keys.press("Tab")
            order.append(await focused(shown))
            assert await shown.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert order == ["login_name", "password", "reveal", "登录", "实名注册"]
        await keys.press("Enter")
        await shown.wait_for_url("**/register**")
        await shown.focus("#login_name")
        for text in ("bater", "short"):
            await keys.type(text)
            await keys.press("Tab")
        await keys.press("Space")
        assert await shown.get_attribute("#password", "type") == "text"
        await keys.press("Tab")
        await keys.type("巴特尔·㛃")
        await keys.press("Tab")
        assert await focused(shown) == "document_type"
        await keys.press("Tab")
        await keys.type(NUMBER)
        await keys.press("Enter")
        await shown.wait_for_selector("#problems")
        assert await focused(shown) == "problems"
        await shoot(shown, "register-refused-desk")
        assert await complaints(shown) == []
        await keys.press("Tab")
        await keys.press("Enter")
        assert await focused(shown) == "password"
        await keys.type(PASSWORD)
        await shown.focus("#document_number")
        await keys.type(NUMBER)
        await keys.press("Enter")
        await shown.wait_for_url("**/oauth2/authorize**")
        await shown.focus("main")
        await keys.press("Tab")
        assert await focused(shown) == "同意并继续"
        await keys.press("Enter")
        await returned(shown, redirect, "code=c0de&state=")
    assert land.identity.registered["bater"].full_name == "巴特尔·㛃"


async def test_declining_leads_back_too(browser: Browser, land: WebLand) -> None:
    """The content policy lets the browser go to the platform with the refusal."""
    async with platform(land) as redirect, page(browser, land.url) as shown:
        await shown.goto(f"/oauth2/authorize{authorization(redirect_uri=redirect)}")
        await shown.fill("#login_name", "bater")
        await shown.fill("#password", PASSWORD)
        await shown.click("main button[type=submit]")
        await shown.click("button[value=deny]")
        await returned(shown, redirect, "error=access_denied&state=")


async def test_the_language_switch_keeps_place_and_choice(browser: Browser, land: WebLand) -> None:
    """The switch stays on the page with its request and fragment, and the choice lasts."""
    async with page(browser, land.url) as shown:
        await shown.goto(f"/sign-in{authorization()}")
        await shown.click("#switch")
        await expect(shown.locator("h1")).to_have_text("Sign in")
        assert "client_id=mengsuban" in shown.url
        await shown.goto("/verify")
        await expect(shown.locator("h1")).to_have_text("Verify a certificate")
        await shown.goto("/v#abc")
        await expect(shown.locator("[data-verdict]")).to_be_visible()
        await shown.click("#switch")
        await expect(shown.locator("h1")).to_have_text("核验电子证明：扫码或上传")
        assert shown.url.endswith("lang=zh#abc")


async def test_real_codes_are_judged_on_the_device_and_by_the_server(
    browser: Browser, land: WebLand, signer: qr.QrSigner
) -> None:
    """Codes made by esign: right, changed, of another key, nonsense. What is in the fragment never reaches the server's log
    or its address line."""
    land.esign.jwks = trust(signer)
    good = code_of(signer)
    other = code_of(qr.QrSigner.prepare(ec.generate_private_key(ec.SECP256R1()), "hub.example"))
    changed = good[:20] + ("A" if good[20] != "A" else "B") + good[21:]
    async with page(browser, land.url, viewport=PHONE) as shown:
        requested: list[str] = []
        shown.on("request", lambda request: requested.append(request.url))
        await shown.goto(f"/v#{good}")
        await expect(shown.locator("[data-verdict=VALID] .steps li")).to_have_count(7)
        assert await shown.locator(".steps li").first.get_attribute("data-status") == "valid"
        await shoot(shown, "qr-online-phone")
        assert await complaints(shown) == []
        assert not any(good in address.partition("#")[0] for address in requested)
        assert land.esign.seen[0].content == good

        judged = await shown.evaluate(
            """async ([codes, jwks]) => {
              const { check } = await import("/static/qr.js");
              const found = [];
              for (const code of codes) found.push(await check(code, jwks));
              return found.map(({ verdict, reason, code }) => [verdict, reason, code && code.number, code && code.date]);
            }""",
            [
                [good, f"https://hub.example/v#{good}", changed, other, "", good + "=", good[:-1], "x" * 120],
                json.loads(trust(signer))["keys"],
            ],
        )
    told = ["ZM1500002026000017", "2026-11-20"]
    assert judged[:2] == [["VALID", "OK", *told]] * 2
    assert judged[2][:2] == ["INVALID", "QR_SIGNATURE"]
    assert judged[3][:2] == ["INDETERMINATE", "QR_KEY_UNKNOWN"]
    assert [row[:2] for row in judged[4:]] == [["INDETERMINATE", "QR_MALFORMED"]] * 4


async def test_the_device_and_esign_agree_on_every_flipped_character(
    browser: Browser, land: WebLand, signer: qr.QrSigner
) -> None:
    """The script and esign's own reader give the same answer for a code with any one character changed."""
    good = code_of(signer)
    changed = [good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :] for at in range(len(good))]
    keys = {signer.key_id: signer.key.public_key()}
    expected = []
    for code in changed:
        try:
            qr.read(code, keys)
            expected.append("OK")
        except qr.QrMalformedError as error:
            expected.append(error.reason)
    async with page(browser, land.url) as shown:
        await shown.goto("/v")
        found = await shown.evaluate(
            """async ([codes, jwks]) => {
              const { check } = await import("/static/qr.js");
              return Promise.all(codes.map(async (code) => (await check(code, jwks)).reason));
            }""",
            [changed, json.loads(trust(signer))["keys"]],
        )
    assert found == expected
    assert "OK" not in found


async def test_a_phone_that_has_seen_the_page_judges_codes_without_a_network(
    browser: Browser, signer: qr.QrSigner
) -> None:
    """With web gone, the page, its script and its key come from the device; right and wrong codes are told apart, and the
    verdict says that the current state was not asked."""
    async with web_land(address="127.0.0.1:0") as land:
        land.esign.jwks = trust(signer)
        context = await browser.new_context(base_url=land.url, viewport=PHONE)
        shown = await context.new_page()
        await shown.goto("/v")
        await expect(shown.locator("#ready")).to_be_visible()
    good = code_of(signer)

    async def away() -> bool:
        try:
            await (await context.request.get(f"{land.url}/verify")).body()
        except Exception:
            return True
        return False

    await eventually(away)
    await shown.goto(f"{land.url}/v#{good}")
    await shown.reload()
    await expect(shown.locator("[data-verdict=VALID] .steps li")).to_have_count(2)
    await expect(shown.locator("#verdict-word")).to_have_text("核验结论: 二维码真实（未联网）")
    assert "ZM1500002026000017" in await shown.inner_text(".facts")
    assert [await row.get_attribute("data-status") for row in await shown.locator(".steps li").all()] == [
        "valid",
        "not_checked",
    ]
    await shoot(shown, "qr-offline-phone")
    assert await complaints(shown) == []
    changed = good[:20] + ("A" if good[20] != "A" else "B") + good[21:]
    await shown.evaluate("(code) => { location.hash = code; }", changed)
    await expect(shown.locator("[data-verdict=INVALID]")).to_be_visible()
    await shoot(shown, "qr-offline-wrong-phone")
    await shown.evaluate("(code) => { location.hash = code; }", good[:60])
    await expect(shown.locator("[data-verdict=INDETERMINATE][data-tone=not_checked]")).to_be_visible()
    await expect(shown.locator("#verdict-word")).to_have_text("核验结论: 没有核验")
    await expect(shown.locator("[data-slot=holds]").first).to_contain_text("没有核验；这不表示证明是假的")
    await context.close()
