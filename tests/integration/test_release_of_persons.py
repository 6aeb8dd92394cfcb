"""What was allowed when a call began is decided again when the vault has answered: nothing leaves after the end."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
import pytest_asyncio

from shuniu.api.exchange.v1 import case_pb2
from shuniu.api.identity.v1 import person_pb2, platform_pb2
from shuniu.api.identity.v1 import signin_pb2 as pb
from tests.support.identity_land import AUTHORITY, claims_of, headers, request_id
from tests.support.sign_in_land import STORES, Stubs, World, refused, sign_in_world, stubs_of, tokens


@pytest.fixture(scope="module", params=STORES)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with sign_in_world(request) as found:
        yield found


@pytest_asyncio.fixture
async def stubs(world: World) -> AsyncIterator[Stubs]:
    async with stubs_of(world) as found:
        yield found


@contextmanager
def vault_hangs(world: World) -> Iterator[None]:
    vault = world.land.processes["vault"]
    vault.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        vault.send_signal(signal.SIGCONT)


async def under_way(call, stubs: Stubs) -> asyncio.Task:
    """The call, once identity has read for it and asks the vault: what comes later is answered before it."""
    task = asyncio.ensure_future(call)
    for _ in range(3):
        await refused(stubs.sign_in.GetSession(pb.GetSessionRequest(session_token="nobody")))
    assert not task.done()
    return task


async def of(call):
    return await call


async def person_of(stubs: Stubs, answer: pb.IssueTokenResponse) -> str:
    wanted = person_pb2.ResolveSubjectRequest(platform="app-one", subject=claims_of(answer.access_token)["sub"])
    return (await stubs.persons.ResolveSubject(wanted)).person_id


async def move(world: World, stubs: Stubs, code: str, call, request) -> None:
    await call(request(request_id=request_id(), code=code), metadata=world.land.as_operator("security"))


async def test_a_session_that_ends_meanwhile_tells_no_name(world, stubs):
    """Userinfo with scope profile, under way while the person signs out: TOKEN_INVALID."""
    _, session, answer = await tokens(world, stubs)
    sha256 = world.members["app-one"].certificate.sha256
    wanted = pb.GetUserInfoRequest(access_token=answer.access_token, certificate_sha256=sha256)
    with vault_hangs(world):
        task = await under_way(of(stubs.openid.GetUserInfo(wanted)), stubs)
        await stubs.sign_in.EndSession(pb.EndSessionRequest(request_id=request_id(), session_token=session))
    assert (await refused(task)).reason == "TOKEN_INVALID"


@pytest.mark.parametrize("by", ["handler", "service"])
async def test_a_platform_that_is_suspended_meanwhile_gets_no_data(world, stubs, by):
    """Sealed for it, released to nobody: neither to the agency of a case nor for a query to it."""
    _, _, answer = await tokens(world, stubs)
    person_id = await person_of(stubs, answer)
    if by == "handler":
        code, member = "other-bureau", world.members["other-bureau"]
        world.exchange.cases["case-1"] = case_pb2.GetCasePartiesResponse(
            person_id=person_id, handler_platform=code, state=case_pb2.CASE_STATE_PROCESSING
        )
        claims = {"kind": "platform", "client_id": code, "scope": "case.handle"}
        asked = stubs.reveal.RevealApplicant(
            person_pb2.RevealApplicantRequest(
                request_id=request_id(), case_code="case-1", fields=["full_name"], purpose="核对申请人"
            ),
            metadata=headers(member.certificate, claims | {"cnf": {"x5t#S256": member.certificate.binding}}),
        )
    else:
        code = AUTHORITY
        asked = stubs.persons.SealPerson(
            person_pb2.SealPersonRequest(
                person_id=person_id, fields=["full_name"], platform=code, purpose="register-query"
            )
        )
    with vault_hangs(world):
        task = await under_way(of(asked), stubs)
        await move(world, stubs, code, stubs.admin.SuspendPlatform, platform_pb2.SuspendPlatformRequest)
    try:
        assert (await refused(task)).reason == "NO_ENCRYPTION_KEY"
    finally:
        await move(world, stubs, code, stubs.admin.ResumePlatform, platform_pb2.ResumePlatformRequest)
