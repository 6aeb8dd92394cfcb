"""How a platform may ask for a sign-in (OpenID Connect Core 3.1.2.1), and for its end."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
import pytest_asyncio

from tests.support.web_land import REDIRECT, WebLand, authorization, web_land
from tests.support.web_visitor import Visitor


@pytest_asyncio.fixture
async def land() -> AsyncIterator[WebLand]:
    async with web_land() as found:
        yield found


def outcome(answer: httpx.Response) -> str:
    """consent, sign-in, or the error that goes back to the platform."""
    if answer.status_code == 200:
        return "consent"
    to = answer.headers["location"]
    return parse_qs(urlsplit(to).query)["error"][0] if to.startswith(REDIRECT) else urlsplit(to).path.removeprefix("/")


CASES = [
    ("", 0, "consent"),
    ("max_age=60", 30, "consent"),
    ("max_age=60", 90, "sign-in"),
    ("max_age=0", 0, "sign-in"),
    ("max_age=x", 0, "invalid_request"),
    ("prompt=login", 0, "sign-in"),
    ("prompt=login consent", 0, "sign-in"),
    ("prompt=consent", 0, "consent"),
    ("prompt=none", 0, "interaction_required"),
    ("prompt=none&max_age=60", 90, "login_required"),
    ("prompt=none login", 0, "invalid_request"),
    ("prompt=create", 0, "invalid_request"),
    # What we need not act on must not harm (OpenID Connect Core 3.1.2.1, 5.5).
    ("login_hint=bater&id_token_hint=e30.e30.e30&ui_locales=en zh-CN&display=page", 0, "consent"),
    ('claims={"userinfo":{"name":null}}&claims_locales=zh&acr_values=L1', 0, "consent"),
    ("request=eyJhbGciOiJub25lIn0.e30.", 0, "request_not_supported"),
    ("request_uri=https://app.example/r.jwt", 0, "request_uri_not_supported"),
]


@pytest.mark.parametrize("how", ["GET", "POST"])
@pytest.mark.parametrize(("asked", "age_s", "expected"), CASES, ids=[f"{asked} at {age} s" for asked, age, _ in CASES])
async def test_what_a_platform_asks_of_a_sign_in_is_done(
    land: WebLand, how: str, asked: str, age_s: int, expected: str
) -> None:
    """Of a person who signed in a while ago; by GET and POST alike."""
    async with land.browser() as http:
        visitor = Visitor(http)
        await visitor.sign_in()
        land.identity.session_age_s = age_s
        query = f"{authorization()}&{asked}"
        if how == "GET":
            answer = await visitor.get(f"/oauth2/authorize{query}")
        else:
            posted = await visitor.send("POST", "/oauth2/authorize", data=dict(parse_qsl(query[1:])))
            assert posted.status_code == 303
            answer = await visitor.get(posted.headers["location"])
    assert outcome(answer) == expected


async def test_a_platform_may_ask_by_post_for_the_end_of_a_session(land: WebLand) -> None:
    """Without a form token of ours the person is asked, not told that the page is out of date; nothing ends before."""
    async with land.browser() as http:
        visitor = Visitor(http)
        await visitor.sign_in()
        posted = await visitor.send("POST", "/sign-out", data={"client_id": "mengsuban", "state": "x"})
        assert (posted.status_code, posted.headers["location"]) == (303, "/sign-out")
        assert land.identity.ended == []
        assert (await visitor.get("/sign-out")).status_code == 200
