"""Codes, tokens and consents against the real identity and vault; exchange is a stand-in."""

import asyncio
import base64
import hashlib
import json
import secrets
import signal
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from services.esign.flows.consents import Consents
from services.esign.flows.domain import consent as flow_consent
from services.esign.flows.domain.consent import ConsentError
from shuniu.api.common.v1 import registry_pb2
from shuniu.api.identity.v1 import (
    platform_pb2,
    signing_pb2,
    signing_pb2_grpc,
)
from shuniu.api.identity.v1 import signin_pb2 as pb
from shuniu.kit.process.clock import SystemClock
from tests.support.identity_land import (
    ISSUER,
    claims_of,
    headers,
    request_id,
)
from tests.support.sign_in_land import (
    REDIRECT,
    STORES,
    Stubs,
    World,
    authorised,
    parameters,
    refused,
    register,
    sign_in_world,
    signed_in,
    stubs_of,
    token_request,
    tokens,
    with_code,
)


@pytest.fixture(scope="module", params=STORES)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with sign_in_world(request) as found:
        yield found


@pytest_asyncio.fixture
async def stubs(world: World) -> AsyncIterator[Stubs]:
    async with stubs_of(world) as found:
        yield found


async def test_a_code_works_once_and_its_replay_ends_what_it_began(world, stubs):
    """Code one-time; after a replay, with another verifier or after a refresh, nothing of the first use works."""
    citizen = await register(world, stubs)
    member = world.members["app-one"]
    for stolen in (True, False):
        code, verifier = await authorised(stubs, await signed_in(stubs, citizen), "app-one")
        first = await with_code(stubs, member, code, verifier)
        refresh = first.refresh_token
        if stolen:
            verifier = secrets.token_urlsafe(40)
        else:
            later = token_request(member, "refresh_token", refresh_token=refresh)
            refresh = (await stubs.openid.IssueToken(later)).refresh_token
        error = await refused(with_code(stubs, member, code, verifier))
        assert (error.reason, error.metadata["oauth_error"]) == ("GRANT_INVALID", "invalid_grant")
        again = token_request(member, "refresh_token", refresh_token=refresh)
        assert (await refused(stubs.openid.IssueToken(again))).metadata["oauth_error"] == "invalid_grant"


async def test_a_code_that_is_used_many_times_at_once_begins_one_family(world, stubs):
    """Twenty requests at once, as of a client that repeats: one refresh token for all, and it works."""
    citizen = await register(world, stubs)
    member = world.members["app-one"]
    code, verifier = await authorised(stubs, await signed_in(stubs, citizen), "app-one")

    async def redeemed() -> str:
        return (await with_code(stubs, member, code, verifier)).refresh_token

    (one,) = set(await asyncio.gather(*(redeemed() for _ in range(20))))
    assert (await stubs.openid.IssueToken(token_request(member, "refresh_token", refresh_token=one))).refresh_token


async def test_a_token_answer_that_a_kill_cut_off_is_given_again(world, stubs):
    """kill -9 after the commit: the client repeats its request and has the tokens that it was to have."""
    citizen = await register(world, stubs)
    member, other = world.members["app-one"], world.members["app-two"]
    code, verifier = await authorised(stubs, await signed_in(stubs, citizen), "app-one")
    lost = await with_code(stubs, member, code, verifier)
    await asyncio.to_thread(world.land.stop, "identity", signal.SIGKILL)
    world.land.start("identity")
    await asyncio.to_thread(world.land.wait_ready, "identity")
    assert (await refused(with_code(stubs, other, code, verifier))).metadata["oauth_error"] == "invalid_grant"
    again = await with_code(stubs, member, code, verifier)
    assert again.refresh_token == lost.refresh_token
    kept = ("sub", "sid", "scope", "auth_time", "cnf")
    first, second = claims_of(lost.access_token), claims_of(again.access_token)
    assert [first[name] for name in kept] == [second[name] for name in kept]
    assert claims_of(again.id_token)["nonce"] == "n-1"
    later = token_request(member, "refresh_token", refresh_token=again.refresh_token)
    assert (await stubs.openid.IssueToken(later)).refresh_token


async def test_a_code_needs_its_client_redirect_uri_and_verifier(world, stubs):
    """Another client, URI or verifier is invalid_grant and leaves the code to its owner."""
    citizen = await register(world, stubs)
    member, other = world.members["app-one"], world.members["app-two"]
    code, verifier = await authorised(stubs, await signed_in(stubs, citizen), "app-one")
    for call in (
        with_code(stubs, other, code, verifier),
        with_code(stubs, member, code, verifier, redirect_uri="https://app.example/back"),
        with_code(stubs, member, code, secrets.token_urlsafe(40)),
        with_code(stubs, member, code, ""),
        with_code(stubs, member, "no-such-code", verifier),
    ):
        assert (await refused(call)).metadata["oauth_error"] == "invalid_grant"
    assert (await with_code(stubs, member, code, verifier)).access_token


async def test_refresh_rotates_repeats_the_same_successor_and_a_late_return_ends_the_session(world, stubs):
    """The answer that got lost comes again; two generations later it is theft: family, session and feed say so."""
    _, session, first = await tokens(world, stubs)
    member = world.members["app-one"]
    sid = claims_of(first.access_token)["sid"]

    async def refreshed(token: str) -> pb.IssueTokenResponse:
        return await stubs.openid.IssueToken(token_request(member, "refresh_token", refresh_token=token))

    second, again = await refreshed(first.refresh_token), await refreshed(first.refresh_token)
    fewer = token_request(member, "refresh_token", refresh_token=first.refresh_token, scope="case.read item.write")
    assert (await stubs.openid.IssueToken(fewer)).scope == "case.read"
    assert second.refresh_token == again.refresh_token != first.refresh_token
    third = await refreshed(second.refresh_token)
    assert (await refused(refreshed(first.refresh_token))).metadata["oauth_error"] == "invalid_grant"
    assert (await refused(refreshed(third.refresh_token))).metadata["oauth_error"] == "invalid_grant"
    error = await refused(stubs.sign_in.GetSession(pb.GetSessionRequest(session_token=session)))
    assert error.reason == "SESSION_ENDED"
    page = await stubs.feed.PullRegistry(registry_pb2.PullRegistryRequest())
    assert sid in [ended.session_id for ended in page.ended_sessions]


async def test_another_platforms_refresh_token_is_worthless(world, stubs):
    """A refresh token is bound to its client; a stranger's try does not harm the owner."""
    _, _, first = await tokens(world, stubs)
    stolen = token_request(world.members["app-two"], "refresh_token", refresh_token=first.refresh_token)
    assert (await refused(stubs.openid.IssueToken(stolen))).metadata["oauth_error"] == "invalid_grant"
    own = token_request(world.members["app-one"], "refresh_token", refresh_token=first.refresh_token)
    assert (await stubs.openid.IssueToken(own)).access_token


async def test_sign_out_voids_everything_and_the_feed_tells_it(world, stubs):
    """After EndSession no refresh, no userinfo, no session; ending it twice is no error."""
    _, session, answer = await tokens(world, stubs)
    member = world.members["app-one"]
    for _ in range(2):
        await stubs.sign_in.EndSession(pb.EndSessionRequest(request_id=request_id(), session_token=session))
    again = token_request(member, "refresh_token", refresh_token=answer.refresh_token)
    assert (await refused(stubs.openid.IssueToken(again))).metadata["oauth_error"] == "invalid_grant"
    info = pb.GetUserInfoRequest(access_token=answer.access_token, certificate_sha256=member.certificate.sha256)
    assert (await refused(stubs.openid.GetUserInfo(info))).reason == "TOKEN_INVALID"


async def test_userinfo_refuses_foreign_bindings_and_forged_tokens(world, stubs):
    """Another certificate, none, another algorithm, a changed payload or an ID token in its place."""
    _, _, answer = await tokens(world, stubs)
    right, other = world.members["app-one"].certificate.sha256, world.members["app-two"].certificate.sha256
    head, body, signature = answer.access_token.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
    changed = base64.urlsafe_b64encode(json.dumps(claims_of(answer.access_token) | {"ial": 4}).encode())
    for token, sha256 in (
        (answer.access_token, other),
        (answer.access_token, ""),
        (answer.access_token, "zz"),
        (f"{none}.{body}.", right),
        (f"{head}.{changed.rstrip(b'=').decode()}.{signature}", right),
        (answer.id_token, right),
        ("", right),
        ("a.b.c", right),
        ("\u0000" * 9000, right),
    ):
        info = pb.GetUserInfoRequest(access_token=token, certificate_sha256=sha256)
        assert (await refused(stubs.openid.GetUserInfo(info))).reason == "TOKEN_INVALID"


async def test_client_credentials_give_what_is_registered_and_asked(world, stubs):
    """Scopes ∩ registry; the client is who the certificate says; operators get theirs the same way."""
    bureau = world.members["bureau"]
    answer = await stubs.openid.IssueToken(token_request(bureau, "client_credentials"))
    claims = claims_of(answer.access_token)
    assert (claims["kind"], claims["sub"], claims["scope"]) == ("platform", "bureau", "case.handle")
    assert not answer.refresh_token
    wanted = token_request(bureau, "client_credentials", scope="admin.system item.write")
    assert (await refused(stubs.openid.IssueToken(wanted))).metadata["oauth_error"] == "invalid_scope"
    for changed in (
        {"client_id": "app-one"},
        {"certificate_sha256": world.members["app-one"].certificate.sha256},
        {"certificate_uri": "spiffe://evil.test/platform/bureau"},
        {"certificate_uri": "", "client_id": ""},
    ):
        error = await refused(stubs.openid.IssueToken(token_request(bureau, "client_credentials", **changed)))
        assert error.metadata["oauth_error"] == "invalid_client"
    operator = world.land.operator("security")
    answer = await stubs.openid.IssueToken(
        pb.IssueTokenRequest(
            grant_type="client_credentials",
            client_id="security",
            certificate_sha256=operator.sha256,
            certificate_uri=operator.uri,
        )
    )
    claims = claims_of(answer.access_token)
    assert (claims["kind"], claims["scope"]) == ("operator", "admin.security")
    error = await refused(stubs.openid.IssueToken(token_request(bureau, "password")))
    assert error.metadata["oauth_error"] == "unsupported_grant_type"


async def test_authorisation_requests_are_checked(world, stubs):
    """Unknown client and wrong URI never redirect; the rest carries the OAuth error; L3 is not reached by ial 2."""
    session = await signed_in(stubs, await register(world, stubs))
    plain = {"CLIENT_UNKNOWN": {"client_id": "nobody"}, "REDIRECT_URI_MISMATCH": {"redirect_uri": REDIRECT + "/x"}}
    for reason, changed in plain.items():
        wanted, _ = parameters(**{"client": "app-one", **{k: v for k, v in changed.items() if k != "client_id"}})
        wanted.client_id = changed.get("client_id", "app-one")
        error = await refused(stubs.openid.CheckAuthorization(pb.CheckAuthorizationRequest(parameters=wanted)))
        assert error.reason == reason
        assert "oauth_error" not in error.metadata
    for expected, changed in (
        ("unsupported_response_type", {"response_type": "token"}),
        ("invalid_request", {"code_challenge_method": "plain"}),
        ("invalid_request", {"code_challenge": ""}),
        ("invalid_request", {"state": "x" * 2000}),
        ("invalid_scope", {"scope": "item.write"}),
    ):
        wanted, _ = parameters("app-one", **changed)
        error = await refused(stubs.openid.CheckAuthorization(pb.CheckAuthorizationRequest(parameters=wanted)))
        assert error.metadata["oauth_error"] == expected
    wanted, _ = parameters("app-one", acr_values="L3")
    error = await refused(
        stubs.openid.Authorize(pb.AuthorizeRequest(request_id=request_id(), parameters=wanted, session_token=session))
    )
    assert error.metadata["oauth_error"] == "unmet_authentication_requirements"
    shown = await stubs.openid.CheckAuthorization(
        pb.CheckAuthorizationRequest(parameters=parameters("app-one", acr_values="L2")[0])
    )
    assert (shown.client_name, list(shown.scopes)) == (
        "平台 app-one",
        ["openid", "profile", "case.apply", "case.read"],
    )


async def test_a_suspended_platform_gets_no_tokens_and_no_authorisation(world, stubs):
    """At once: client_credentials, refresh and new authorisations are refused."""
    _, _, answer = await tokens(world, stubs, "to-suspend")
    member = world.members["to-suspend"]
    await stubs.admin.SuspendPlatform(
        platform_pb2.SuspendPlatformRequest(request_id=request_id(), code="to-suspend"),
        metadata=world.land.as_operator("security"),
    )
    for call in (
        token_request(member, "client_credentials"),
        token_request(member, "refresh_token", refresh_token=answer.refresh_token),
    ):
        assert (await refused(stubs.openid.IssueToken(call))).metadata["oauth_error"] == "invalid_client"
    wanted, _ = parameters("to-suspend")
    error = await refused(stubs.openid.CheckAuthorization(pb.CheckAuthorizationRequest(parameters=wanted)))
    assert error.reason == "CLIENT_UNKNOWN"
    info = pb.GetUserInfoRequest(access_token=answer.access_token, certificate_sha256=member.certificate.sha256)
    assert (await refused(stubs.openid.GetUserInfo(info))).reason == "TOKEN_INVALID"


async def test_consent_to_sign_is_bound_to_its_documents_and_read_offline(world, stubs):
    """Levels of the session, five minutes, one list; esign's reader accepts it, nobody takes it for an access token."""
    _, session, answer = await tokens(world, stubs)
    member = world.members["app-one"]
    claims = claims_of(answer.access_token) | {"scope": "flow.sign"}
    as_person = headers(member.certificate, claims)
    flow, digest = "01JZ00000000000000000000SE", hashlib.sha256(b"document").hexdigest()
    item = signing_pb2.SigningItem(flow=flow, step="applicant", document_sha256=digest)
    request = signing_pb2.AuthoriseSigningRequest(request_id=request_id(), items=[item])
    async with world.land.channel("identity.edge") as edge, world.land.channel("identity.peer", "esign") as peer:
        signing = signing_pb2_grpc.SigningServiceStub(edge)
        made = await signing.AuthoriseSigning(request, metadata=as_person)
        assert made == await signing.AuthoriseSigning(request, metadata=as_person)
        reader = Consents(peer, ISSUER, SystemClock())
        consent = await reader.read(made.authorisation)
        now_s = int(time.time())
        flow_consent.check(
            consent,
            platform="app-one",
            subject=claims["sub"],
            list_sha256=flow_consent.list_of_steps([flow_consent.Act(flow, "applicant", digest)]),
            now_s=now_s,
        )
        assert (consent.ial, consent.aal, consent.expires_s - consent.issued_s) == (2, 1, 300)
        assert made.expires_at.seconds == consent.expires_s
        said = claims_of(made.authorisation)
        assert (said["flow"], said["step"], said["document_sha256"], said["count"]) == (flow, "applicant", digest, 1)
        passed_off = pb.GetUserInfoRequest(
            access_token=made.authorisation, certificate_sha256=member.certificate.sha256
        )
        assert (await refused(stubs.openid.GetUserInfo(passed_off))).reason == "TOKEN_INVALID"
        with pytest.raises(ConsentError):
            await reader.read(answer.access_token)
        wrong = signing_pb2.SigningItem(flow="f", step="S", document_sha256="x")
        for items, hashes, reasons in (
            ([wrong], [], {"FLOW_FORM", "STEP_FORM", "HASH_FORM"}),
            ([], [], {"SIGNING_LIST"}),
            ([item], [bytes(32)], {"SIGNING_LIST"}),
            ([], [bytes(31)], {"HASH_LENGTH"}),
        ):
            bad = signing_pb2.AuthoriseSigningRequest(request_id=request_id(), items=items, hashes=hashes)
            refusal = await refused(signing.AuthoriseSigning(bad, metadata=as_person))
            assert {one.reason for one in refusal.violations} == reasons
        await stubs.sign_in.EndSession(pb.EndSessionRequest(request_id=request_id(), session_token=session))
        late = signing_pb2.AuthoriseSigningRequest(request_id=request_id(), items=[item])
        assert (await refused(signing.AuthoriseSigning(late, metadata=as_person))).reason == "SESSION_ENDED"


async def test_keys_rotate_published_first(world, stubs):
    """The next key is in the JWKS at once and signs twice the JWKS life later; asking twice gives the same one."""
    before = json.loads((await stubs.openid.GetProviderDocuments(pb.GetProviderDocumentsRequest())).jwks)
    first = await stubs.admin.RotateKeys(
        platform_pb2.RotateKeysRequest(request_id=request_id()), metadata=world.land.as_operator("security")
    )
    second = await stubs.admin.RotateKeys(
        platform_pb2.RotateKeysRequest(request_id=request_id()), metadata=world.land.as_operator("security")
    )
    assert first == second
    documents = await stubs.openid.GetProviderDocuments(pb.GetProviderDocumentsRequest())
    published = {key["kid"] for key in json.loads(documents.jwks)["keys"]}
    assert published == {key["kid"] for key in before["keys"]} | {first.next_kid}
    assert not any("d" in key for key in json.loads(documents.jwks)["keys"])
    assert first.active_from.seconds - time.time() > 100
    answer = await stubs.openid.IssueToken(token_request(world.members["bureau"], "client_credentials"))
    header = json.loads(base64.urlsafe_b64decode(answer.access_token.split(".")[0] + "=="))
    assert header["kid"] != first.next_kid
    assert header["typ"] == "at+jwt"
    assert json.loads(documents.discovery)["issuer"] == ISSUER
