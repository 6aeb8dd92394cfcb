"""Web over real HTTP: OpenID Connect, sign-in and consent, verification, and what must never leave or come in."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from shuniu.api.identity.v1 import signin_pb2
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError
from tests.support.web_land import CERTIFICATE, PASSWORD, REDIRECT, WebLand, authorization, web_land
from tests.support.web_visitor import Visitor

XFCC = {"x-forwarded-client-cert": CERTIFICATE}
NUMBER = "150102199003078011"


@pytest_asyncio.fixture
async def land() -> AsyncIterator[WebLand]:
    async with web_land() as found:
        yield found


async def test_public_documents_are_served_with_cache_headers(land: WebLand) -> None:
    """Discovery and keys are bytes of identity, cacheable for a short while and readable from other origins."""
    async with land.browser() as http:
        keys = await http.get("/oauth2/jwks")
        discovery = await http.get("/.well-known/openid-configuration")
    assert (keys.json(), keys.headers["cache-control"]) == ({"keys": []}, "public, max-age=60")
    assert discovery.json()["issuer"] == "https://hub.example"
    assert discovery.headers["access-control-allow-origin"] == "*"


async def test_token_endpoint_takes_the_client_from_the_certificate(land: WebLand) -> None:
    """The token endpoint passes on form and certificate, and answers never to be stored (RFC 6749 5.1)."""
    async with land.browser() as http:
        answer = await http.post(
            "/oauth2/token",
            data={"grant_type": "client_credentials", "client_id": "mengsuban", "scope": "case.read"},
            headers=XFCC,
        )
    assert answer.json() == {"access_token": "at.jwt", "token_type": "Bearer", "expires_in": 300, "scope": "case.read"}
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    seen = land.identity.tokens[0]
    assert (seen.certificate_sha256, seen.certificate_uri) == ("ab" * 32, "spiffe://hub.nmg.example/platform/mengsuban")


@pytest.mark.parametrize(
    ("headers", "body", "status", "name"),
    [
        ({}, "grant_type=client_credentials&client_id=a", 401, "invalid_client"),
        (
            {"x-forwarded-client-cert": CERTIFICATE + "," + CERTIFICATE},
            "grant_type=a&client_id=a",
            401,
            "invalid_client",
        ),
        (XFCC, "client_id=a", 400, "invalid_request"),
        (XFCC, "grant_type=client_credentials", 400, "invalid_request"),
        (XFCC, "grant_type=a&grant_type=b&client_id=a", 400, "invalid_request"),
        (XFCC, "grant_type=%ff%fe&client_id=a", 400, "invalid_request"),
        (XFCC, "a=" + "x" * 70_000, 413, "temporarily_unavailable"),
    ],
)
async def test_wrong_token_requests_get_oauth_errors(
    land: WebLand, headers: dict[str, str], body: str, status: int, name: str
) -> None:
    """Each wrong request is answered as RFC 6749 5.2 says, and never reaches identity."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    async with land.browser() as http:
        answer = await http.post("/oauth2/token", content=body, headers={**headers, **form})
    assert (answer.status_code, answer.json()["error"]) == (status, name)
    assert answer.json()["error_description"].isascii()
    assert not land.identity.tokens


async def test_identity_names_the_oauth_error(land: WebLand) -> None:
    """`oauth_error` of a HubError is what the client reads; a failure inside says nothing of itself."""
    refusals = {
        "invalid_grant": errors.precondition("CODE_USED", "The code was used.", "已使用", oauth_error="invalid_grant"),
        "temporarily_unavailable": errors.unavailable("STORE_UNAVAILABLE", "Away.", "暂不可用"),
        "server_error": HubError(Code.INTERNAL, "X", "Broken.", "错误"),
    }
    statuses = {}
    async with land.browser() as http:
        for name, refusal in refusals.items():

            def refuse(
                _request: signin_pb2.IssueTokenRequest, refusal: HubError = refusal
            ) -> signin_pb2.IssueTokenResponse:
                raise refusal

            land.identity.issue = refuse
            form = {"grant_type": "authorization_code", "client_id": "mengsuban", "code": "x"}
            answer = await http.post("/oauth2/token", data=form, headers=XFCC)
            assert answer.json()["error"] == name
            statuses[name] = answer.status_code
    assert statuses == {"invalid_grant": 400, "temporarily_unavailable": 503, "server_error": 500}


async def test_userinfo_answers_claims_or_a_bearer_challenge(land: WebLand) -> None:
    """Claims for a good token; RFC 6750 3 for a bad one and for none; a token in the query is not looked at."""
    async with land.browser() as http:
        good = await http.get("/oauth2/userinfo", headers={"authorization": "Bearer good", **XFCC})
        bad = await http.post("/oauth2/userinfo", headers={"authorization": "Bearer bad"})
        none = await http.get("/oauth2/userinfo?access_token=good")
    assert good.json() == {"sub": "pairwise", "ial": 2, "name": "巴特尔", "birthdate": "1990-03-07"}
    assert (bad.status_code, bad.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert (none.status_code, none.headers["www-authenticate"], none.content) == (401, "Bearer", b"")


async def test_revocation_is_for_the_client_of_the_certificate(land: WebLand) -> None:
    """A platform revokes its own tokens only (RFC 7009 2.1)."""
    async with land.browser() as http:
        own = await http.post("/oauth2/revoke", data={"token": "t1"}, headers=XFCC)
        foreign = await http.post("/oauth2/revoke", data={"token": "t2", "client_id": "other"}, headers=XFCC)
    assert (own.status_code, foreign.status_code) == (200, 401)
    assert land.identity.revoked == ["mengsuban:t1"]


async def test_sign_in_and_consent_lead_back_with_a_code(land: WebLand) -> None:
    """Authorise → sign in → agree → back at the platform with code, state and iss, and with a hardened cookie."""
    async with land.browser() as http:
        visitor = Visitor(http)
        first = await visitor.get(f"/oauth2/authorize{authorization(unknown='x')}")
        assert first.status_code == 303
        assert first.headers["location"].startswith("/sign-in?client_id=mengsuban&")
        page = await visitor.get(first.headers["location"])
        assert "蒙速办 &lt;b&gt;" in page.text
        assert "<b>" not in page.text
        signed = await visitor.submit(page, first.headers["location"], login_name="bater", password=PASSWORD)
        session = next(c for c in signed.headers.get_list("set-cookie") if c.startswith("__Host-shuniu="))
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= set(session.split("; "))
        assert "Domain" not in session
        question = await visitor.get(signed.headers["location"])
        assert "巴**" in question.text
        assert "您的姓名和出生日期" in question.text
        back = await visitor.submit(question, f"/consent{authorization()}", decision="allow")
    assert back.headers["location"].startswith(f"{REDIRECT}?code=c0de&state=s+t%2F1&iss=")
    assert land.identity.codes[0].parameters.state == "s t/1"


async def test_consent_page_allows_the_redirect_and_nothing_else(land: WebLand) -> None:
    """Browsers apply form-action to the redirect after a form: the platform's origin is named, no other."""
    async with land.browser() as http:
        visitor = Visitor(http)
        await visitor.sign_in()
        question = await visitor.get(f"/oauth2/authorize{authorization()}")
    policy = question.headers["content-security-policy"]
    assert "form-action 'self' https://app.example;" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert question.headers["referrer-policy"] == "no-referrer"
    assert question.headers["cache-control"] == "no-store"


async def test_declining_goes_back_with_access_denied(land: WebLand) -> None:
    """A no is told to the platform (RFC 6749 4.1.2.1), with state and iss."""
    async with land.browser() as http:
        visitor = Visitor(http)
        await visitor.sign_in()
        question = await visitor.get(f"/oauth2/authorize{authorization()}")
        back = await visitor.submit(question, f"/consent{authorization()}", decision="deny")
    expected = f"{REDIRECT}?error=access_denied&state=s+t%2F1&iss=https%3A%2F%2Fhub.example"
    assert back.headers["location"] == expected
    assert not land.identity.codes


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": "https://evil.example/cb"},
        {"client_id": "nobody"},
        {"redirect_uri": "https://app.example.evil.example/cb"},
        {"redirect_uri": "javascript:alert(1)"},
    ],
)
async def test_no_open_redirect(land: WebLand, changed: dict[str, str]) -> None:
    """Whatever identity does not vouch for ends on a page of ours, from every entrance."""
    query = authorization(**changed)
    async with land.browser() as http:
        visitor = Visitor(http)
        await visitor.sign_in()
        home = await visitor.get("/sign-in")
        answers = [
            await visitor.get(f"/oauth2/authorize{query}"),
            await visitor.get(f"/oauth2/authorize{query}&prompt=none"),
            await visitor.get(f"/sign-in{query}"),
            await visitor.submit(home, f"/sign-in{query}", login_name="bater", password=PASSWORD),
            await visitor.submit(home, f"/consent{query}", decision="deny"),
            await visitor.submit(home, f"/consent{query}", decision="allow"),
        ]
    assert [answer.status_code for answer in answers] == [400] * 6
    assert not any("location" in answer.headers for answer in answers)
    assert not any("evil" in answer.headers["content-security-policy"] for answer in answers)


async def test_errors_go_back_only_where_identity_says(land: WebLand) -> None:
    """An OAuth error goes back to a redirect URI that identity vouches for, and to no other."""
    async with land.browser() as http:
        back = await http.get(f"/oauth2/authorize{authorization(scope='nonsense')}")
        here = await http.get(
            f"/oauth2/authorize{authorization(scope='nonsense', redirect_uri='https://evil.example')}"
        )
        twice = await http.get(f"/oauth2/authorize{authorization()}&scope=x")
    assert back.headers["location"].startswith(f"{REDIRECT}?error=invalid_scope&state=")
    assert (here.status_code, twice.status_code) == (400, 400)
    assert "location" not in {*here.headers, *twice.headers}


async def test_forms_need_the_token_of_this_browser_and_session(land: WebLand) -> None:
    """No token, a foreign token, a token of before sign-in, a cross-site request: all refused."""
    async with land.browser() as http:
        visitor, other = Visitor(http), Visitor(http)
        page = await visitor.get("/sign-in")
        fields = {"login_name": "bater", "password": PASSWORD}
        foreign = re.findall(r'name="form_token" value="([^"]+)"', (await other.get("/sign-in")).text)[0]
        refused = [
            await visitor.send("POST", "/sign-in", data=fields),
            await visitor.send("POST", "/sign-in", data={**fields, "form_token": foreign}),
            await visitor.send(
                "POST",
                "/sign-in",
                data={**fields, "form_token": re.findall(r'form_token" value="([^"]+)"', page.text)[0]},
                headers={"sec-fetch-site": "cross-site"},
            ),
        ]
        assert (await visitor.submit(page, "/sign-in", **fields)).status_code == 303
        refused.append(await visitor.submit(page, f"/consent{authorization()}", decision="allow"))
    assert [answer.status_code for answer in refused] == [403] * 4
    assert list(land.identity.sessions.values()) == ["bater"]


async def test_wrong_password_is_told_in_the_readers_language(land: WebLand) -> None:
    """Chinese first, English after the switch, which a cookie keeps; the password is not repeated."""
    async with land.browser() as http:
        visitor = Visitor(http)
        page = await visitor.get("/sign-in")
        chinese = await visitor.submit(page, "/sign-in", login_name="bater", password="wrong-password-1")
        await visitor.get("/?lang=en")
        english = await visitor.submit(chinese, "/sign-in", login_name="bater", password="wrong-password-1")
    assert (chinese.status_code, "登录名或密码不正确" in chinese.text) == (401, True)
    assert 'lang="zh-CN"' in chinese.text
    assert (english.status_code, "Login name or password is wrong." in english.text) == (401, True)
    assert "wrong-password-1" not in chinese.text + english.text


async def test_registration_shows_each_problem_at_its_field_and_repeats_no_secret(land: WebLand) -> None:
    """Every violation at once, tied to its field; name kept, password and number asked again."""
    async with land.browser() as http:
        visitor = Visitor(http)
        page = await visitor.get("/register")
        person = {"login_name": "bater", "full_name": "巴特尔·㛃", "document_type": "111"}
        wrong = await visitor.submit(page, "/register", **person, password="short", document_number="1501021990")
        assert 'id="password-wrong"' in wrong.text
        assert 'id="document_number-wrong"' in wrong.text
        assert wrong.text.count('aria-invalid="true"') == 2
        assert "巴特尔·㛃" in wrong.text
        assert "short" not in wrong.text
        assert "1501021990" not in wrong.text
        done = await visitor.submit(wrong, "/register", **person, password=PASSWORD, document_number=NUMBER)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert land.identity.registered["bater"].document.number == NUMBER
    assert "__Host-shuniu" in visitor.cookies


async def test_sign_out_asks_and_then_ends_the_session(land: WebLand) -> None:
    """A link alone signs nobody out; the form ends the session at identity and the cookie here."""
    async with land.browser() as http:
        visitor = Visitor(http)
        await visitor.sign_in()
        token = visitor.cookies["__Host-shuniu"]
        page = await visitor.get("/oauth2/logout?post_logout_redirect_uri=https://evil.example")
        assert land.identity.ended == []
        done = await visitor.submit(page, "/sign-out")
    assert (done.status_code, "您已退出登录" in done.text) == (200, True)
    assert land.identity.ended == [token]
    assert "__Host-shuniu" not in visitor.cookies


async def test_a_browser_is_known_again_after_signing_out(land: WebLand) -> None:
    """What identity gave at a sign-in comes along to the next one, across a sign-out; nonsense of any length does not."""
    async with land.browser() as http:
        visitor = Visitor(http)
        await visitor.sign_in()
        await visitor.submit(await visitor.get("/sign-out"), "/sign-out")
        signed = await visitor.sign_in()
        visitor.cookies["__Host-shuniu-browser"] = "x" * 2000
        await visitor.sign_in()
    assert land.identity.browsers == ["", "mark-1", ""]
    mark = next(c for c in signed.headers.get_list("set-cookie") if c.startswith("__Host-shuniu-browser=mark-2"))
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= set(mark.split("; "))


async def test_nothing_of_a_failure_or_of_a_person_is_logged(land: WebLand, capfd: pytest.CaptureFixture[str]) -> None:
    """Passwords, numbers, names, codes in queries and texts of exceptions reach neither logs nor answers."""
    async with land.browser() as http:
        visitor = Visitor(http)
        page = await visitor.get("/register")
        await visitor.submit(
            page,
            "/register",
            login_name="bater-marker",
            password=PASSWORD,
            full_name="巴特尔",
            document_type="111",
            document_number=NUMBER,
        )
        land.identity.breaks = True
        broken = await visitor.get(f"/oauth2/authorize{authorization(state='state-marker')}")
    assert broken.status_code == 500
    output = "".join(capfd.readouterr()) + broken.text
    for secret in (PASSWORD, NUMBER, "bater-marker", "巴特尔", "state-marker", "marker-secret-7733"):
        assert secret not in output


async def test_every_answer_carries_the_safe_headers(land: WebLand) -> None:
    """Pages, files, errors and JSON alike."""
    paths = (
        "/",
        "/sign-in",
        "/register",
        "/verify",
        "/verify/lookup",
        "/v",
        "/v/worker.js",
        "/static/style.css",
        "/nothing",
        "/oauth2/jwks",
    )
    async with land.browser() as http:
        for path in paths:
            headers = (await http.get(path)).headers
            assert "default-src 'none'" in headers["content-security-policy"], path
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert "strict-transport-security" in headers
            assert "server" not in headers
        missing = await http.get("/nothing", headers={"accept": "application/json"})
        wrong_method = await http.get("/oauth2/token")
    assert (missing.status_code, wrong_method.status_code) == (404, 405)


async def test_files_are_kept_for_ever_under_their_own_version(land: WebLand) -> None:
    """A versioned address is immutable; a plain one is asked again and answered 304."""
    async with land.browser() as http:
        address = re.findall(r'href="(/static/style[^"]+)"', (await http.get("/")).text)[0]
        versioned = await http.get(address)
        plain = await http.get("/static/style.css")
        again = await http.get("/static/style.css", headers={"if-none-match": plain.headers["etag"]})
        outside = await http.get("/static/..%2Fapp.py")
    assert "immutable" in versioned.headers["cache-control"]
    assert (plain.headers["cache-control"], again.status_code, outside.status_code) == ("no-cache", 304, 404)


async def test_it_listens_on_tcp_too() -> None:
    """Loopback TCP with a free port serves the same."""
    async with web_land(address="127.0.0.1:0") as land, land.browser() as http:
        assert (await http.get("/")).status_code == 200
