"""The page for who checks a licence, in a real browser, before the real service: asked, presented, judged, replayed."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from shuniu.kit.rpc.server import servicer
from tests.support.chromium import DESK, MISSING, PHONE, chromium, complaints, executable, page, shoot
from tests.support.licence_land import Land, licence_land
from tests.support.licences import PERSON, Wallet
from tests.support.web_land import WebLand, web_land

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(not executable(), reason=MISSING),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def land() -> AsyncIterator[Land]:
    async with licence_land() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def web(land: Land) -> AsyncIterator[WebLand]:
    async with web_land(address="127.0.0.1:0", beside_esign=[servicer(land.licences)]) as found:
        yield found


async def answered(shown: Page, wallet: Wallet, *names: str) -> str:
    """The wallet answers what the page asks; what it showed."""
    audience, nonce = await shown.inner_text("#audience"), await shown.inner_text("#nonce")
    text = wallet.present(*names, audience=audience, nonce=nonce, now_us=None)
    await shown.fill("#presentation", text)
    await shown.click("button[type=submit]")
    return text


@pytest.mark.parametrize(("size", "language"), [(PHONE, "zh"), (DESK, "en")])
async def test_over_eighteen_at_the_counter(
    browser: Browser, web: WebLand, land: Land, size: dict[str, int], language: str
) -> None:
    """The page asks, the wallet answers, and who checks reads an age and the agency's name, nothing else of the holder."""
    wallet, _ = await land.in_wallet(case_code=f"CASE-{language}")
    async with page(browser, web.url, viewport=size) as shown:
        await shown.goto(f"/verify?lang={language}")
        await shown.click("a[href='/verify/licence']")
        assert await complaints(shown) == []
        await answered(shown, wallet, "18")
        await expect(shown.locator("[data-verdict=VALID]")).to_be_visible()
        facts = await shown.inner_text(".verdict .facts")
        assert ("已满 18 周岁" if language == "zh" else "18 or older") in facts
        assert "呼和浩特市公安局" in facts
        whole = await shown.content()
        assert not [value for value in PERSON.values() if value in whole]
        assert await complaints(shown) == []
        await shoot(shown, f"licence-valid-{language}")


async def test_a_copied_answer_is_invalid(browser: Browser, web: WebLand, land: Land) -> None:
    """The answer to another question, pasted into this one, is not valid and shows no claim; a reload is no replay."""
    wallet, _ = await land.in_wallet(case_code="CASE-copied")
    async with page(browser, web.url, viewport=DESK) as shown:
        await shown.goto("/verify/licence")
        text = await answered(shown, wallet, "18", "full_name")
        await expect(shown.locator("[data-verdict=VALID]")).to_be_visible()
        assert PERSON["full_name"] in await shown.inner_text(".verdict .facts")
        await shown.reload()
        await expect(shown.locator("[data-verdict=VALID]")).to_be_visible()
        await shown.fill("#presentation", text)
        await shown.click("button[type=submit]")
        await expect(shown.locator("[data-verdict=INVALID]")).to_be_visible()
        assert PERSON["full_name"] not in await shown.content()
        assert await complaints(shown) == []


async def test_without_scripts_and_with_nonsense(browser: Browser, web: WebLand) -> None:
    """The page works without scripts; what is no licence is INVALID, nothing at all is said to be missing."""
    async with page(browser, web.url, viewport=PHONE, java_script_enabled=False) as shown:
        await shown.goto("/verify/licence")
        await shown.fill("#presentation", "<b>eyJ</b>")
        await shown.click("button[type=submit]")
        await expect(shown.locator("[data-verdict=INVALID]")).to_be_visible()
        await shown.fill("#presentation", " ")
        await shown.click("button[type=submit]")
        await expect(shown.locator(".alert")).to_contain_text("请粘贴")
