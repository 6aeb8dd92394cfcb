"""Registration, sign-in, tokens and reveal against the real identity and vault; exchange is a stand-in."""

import secrets
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from shuniu.api.common.v1 import operations_pb2
from shuniu.api.exchange.v1 import case_pb2
from shuniu.api.identity.v1 import (
    person_pb2,
    vault_pb2,
    vault_pb2_grpc,
)
from shuniu.api.identity.v1 import signin_pb2 as pb
from shuniu.kit.crypto import sealing
from tests.support.identity_land import (
    AUTHORITY,
    ISSUER,
    claims_of,
    headers,
    request_id,
)
from tests.support.sign_in_land import (
    PASSWORD,
    STORES,
    Citizen,
    Member,
    Stubs,
    World,
    authorised,
    citizen_number,
    refused,
    register,
    registration,
    sign_in_world,
    signed_in,
    stubs_of,
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


async def test_a_person_registers_signs_in_and_a_platform_gets_tokens(world, stubs):
    """Bound to the certificate, pairwise, five minutes, with levels; userinfo gives name and birth, never a number."""
    citizen, session, answer = await tokens(world, stubs)
    claims = claims_of(answer.access_token)
    member = world.members["app-one"]
    assert (claims["iss"], claims["aud"], claims["client_id"], claims["kind"]) == (
        ISSUER,
        "shuniu",
        "app-one",
        "person",
    )
    assert (claims["ial"], claims["aal"]) == (2, 1)
    assert claims["exp"] - claims["iat"] == answer.expires_in == 300
    assert claims["cnf"] == {"x5t#S256": member.certificate.binding}
    assert "nbf" not in claims
    identity = claims_of(answer.id_token)
    assert (identity["sub"], identity["aud"], identity["nonce"], identity["acr"]) == (
        claims["sub"],
        "app-one",
        "n-1",
        "L2",
    )
    info = await stubs.openid.GetUserInfo(
        pb.GetUserInfoRequest(access_token=answer.access_token, certificate_sha256=member.certificate.sha256)
    )
    assert (info.sub, info.name, info.ial) == (claims["sub"], citizen.name, 2)
    assert (info.birthdate.year, info.birthdate.month, info.birthdate.day) == (1990, 3, 7)
    shown = await stubs.sign_in.GetSession(pb.GetSessionRequest(session_token=session))
    assert shown.display_name == "阿*****"
    resolved = await stubs.persons.ResolveSubject(
        person_pb2.ResolveSubjectRequest(platform="app-one", subject=claims["sub"])
    )
    assert len(resolved.person_id) == 22
    assert resolved.ial == 2


async def test_two_platforms_know_one_person_by_different_names(world, stubs):
    """The same session at two sectors gives two subjects, the same sector the same one again."""
    citizen = await register(world, stubs)
    session = await signed_in(stubs, citizen)
    subjects = []
    for client in ("app-one", "app-two", "app-one"):
        code, verifier = await authorised(stubs, session, client)
        answer = await with_code(stubs, world.members[client], code, verifier)
        subjects.append(claims_of(answer.access_token)["sub"])
    assert subjects[0] == subjects[2] != subjects[1]


async def test_unknown_names_and_wrong_passwords_look_the_same_and_are_limited_alike(world, stubs):
    """Same code, reason and text; the limit refuses both; a right password before the limit clears the count."""
    citizen = await register(world, stubs)
    answers = []
    for login in (citizen.login, f"nobody-{secrets.token_hex(4)}"):
        said = []
        for _ in range(4):
            wrong = pb.SignInRequest(request_id=request_id(), login_name=login, password="wrong password")
            error = await refused(stubs.sign_in.SignIn(wrong))
            said.append((error.code, error.reason, error.en, error.zh))
        answers.append(said)
    assert answers[0] == answers[1]
    assert [reason for _, reason, _, _ in answers[0]] == [*["SIGN_IN_FAILED"] * 3, "SIGN_IN_LIMIT"]


async def test_unknown_and_wrong_take_about_the_same_time(world, stubs):
    """A password check is made for nobody, too: the medians differ by less than a password check takes."""
    citizen = await register(world, stubs)
    took: dict[str, list[float]] = {"known": [], "unknown": []}
    for _ in range(3):
        for kind, login in (("known", citizen.login), ("unknown", f"nobody-{secrets.token_hex(4)}")):
            began = time.perf_counter()
            await refused(
                stubs.sign_in.SignIn(
                    pb.SignInRequest(request_id=request_id(), login_name=login, password="wrong password")
                )
            )
            took[kind].append(time.perf_counter() - began)
    known, unknown = (sorted(times)[1] for times in took.values())
    assert unknown > known / 3


async def test_registration_names_every_violation_and_keeps_to_the_authoritys_word(world, stubs):
    """All violations at once; mismatch and unknown say the same; taken names, second registrations and an absent
    authority are refused; nothing of a refused person is kept.
    """
    bad = pb.RegisterPersonRequest(
        request_id=request_id(),
        login_name="x",
        password="short",
        full_name="",
        document=pb.IdentityDocument(type="111", number="150102199003070012"),
    )
    error = await refused(stubs.sign_in.RegisterPerson(bad))
    assert {violation.field for violation in error.violations} == {
        "login_name",
        "password",
        "full_name",
        "document.number",
    }
    right = Citizen(f"user-{secrets.token_hex(6)}", "乌云", citizen_number())
    said = set()
    for known_name in (None, "别人"):
        if known_name:
            world.exchange.register[("111", right.number)] = known_name
        error = await refused(stubs.sign_in.RegisterPerson(registration(right)))
        said.add((error.code, error.reason, error.en, error.zh))
    assert [reason for _, reason, _, _ in said] == ["REAL_NAME_MISMATCH"]
    unknown = await stubs.vault.PutPerson(
        vault_pb2.PutPersonRequest(
            request_id=request_id(),
            record=vault_pb2.VaultRecord(document_type="111", document_number=right.number, full_name=right.name),
        )
    )
    assert (unknown.known, unknown.person_id) == (False, "")
    world.exchange.away = True
    try:
        assert (await refused(stubs.sign_in.RegisterPerson(registration(right)))).reason == "AUTHORITY_AWAY"
    finally:
        world.exchange.away = False
    world.exchange.register[("111", right.number)] = right.name
    wanted = registration(right)
    assert await stubs.sign_in.RegisterPerson(wanted) == await stubs.sign_in.RegisterPerson(wanted)
    taken = Citizen(right.login.upper(), "别人", citizen_number())
    assert (await refused(stubs.sign_in.RegisterPerson(registration(taken)))).reason == "LOGIN_NAME_TAKEN"
    second = Citizen(f"user-{secrets.token_hex(6)}", right.name, right.number)
    assert (await refused(stubs.sign_in.RegisterPerson(registration(second)))).reason == "REAL_NAME_MISMATCH"
    as_login = Citizen(right.number, right.name, right.number)
    error = await refused(stubs.sign_in.RegisterPerson(registration(as_login)))
    assert error.reason == "LOGIN_NAME_IS_NUMBER"


@pytest.mark.parametrize(
    ("kind", "number", "name"),
    [
        ("553", "911124198108030024", "SMITH JOHN"),
        ("154", "830000199201300022", "陳大文"),
        ("414", "E12345678", "𠮷田·阿依古丽"),
    ],
)
async def test_foreigners_and_rare_characters_register_too(world, stubs, kind, number, name):
    """Foreign permanent residents, Taiwan residents, passports and ideographs beyond the basic plane."""
    world.exchange.register[(kind, number)] = name
    wanted = pb.RegisterPersonRequest(
        request_id=request_id(),
        login_name=f"user-{secrets.token_hex(6)}",
        password=PASSWORD,
        full_name=name,
        document=pb.IdentityDocument(type=kind, number=number),
    )
    assert (await stubs.sign_in.RegisterPerson(wanted)).ial == 2


@pytest.mark.parametrize("text", ["' OR 1=1 --", "\u202eabc", "\x00", "😀" * 40, "x" * 100_000, "../../etc"])
async def test_hostile_strings_are_refused_in_words(world, stubs, text):
    """No incident, whatever stands in a field."""
    calls = [
        stubs.sign_in.SignIn(pb.SignInRequest(request_id=request_id(), login_name=text, password=text)),
        stubs.sign_in.RegisterPerson(
            pb.RegisterPersonRequest(
                request_id=request_id(),
                login_name=text,
                password=text,
                full_name=text,
                document=pb.IdentityDocument(type=text, number=text),
            )
        ),
        stubs.sign_in.GetSession(pb.GetSessionRequest(session_token=text)),
        stubs.openid.IssueToken(
            pb.IssueTokenRequest(
                grant_type=text, client_id=text, certificate_uri=text, certificate_sha256=text, code=text
            )
        ),
        stubs.persons.ResolveSubject(person_pb2.ResolveSubjectRequest(platform=text, subject=text)),
    ]
    for call in calls:
        assert (await refused(call)).reason not in {"INCIDENT", "UNKNOWN"}


async def _applicant(world: World, stubs: Stubs) -> tuple[Citizen, str, list[tuple[str, str]]]:
    citizen, _, answer = await tokens(world, stubs)
    claims = claims_of(answer.access_token)
    resolved = await stubs.persons.ResolveSubject(
        person_pb2.ResolveSubjectRequest(platform="app-one", subject=claims["sub"])
    )
    return citizen, resolved.person_id, headers(world.members["app-one"].certificate, claims)


def _as_platform(member: Member) -> list[tuple[str, str]]:
    claims = {
        "kind": "platform",
        "client_id": member.code,
        "scope": "case.handle",
        "cnf": {"x5t#S256": member.certificate.binding},
    }
    return headers(member.certificate, claims)


async def test_only_the_handling_agency_of_an_open_case_sees_the_applicant_and_the_applicant_sees_that(world, stubs):
    """Sealed to the agency's key; others, closed and unknown cases are refused; the person reads who asked and why."""
    citizen, person_id, as_person = await _applicant(world, stubs)
    case = case_pb2.GetCasePartiesResponse(
        person_id=person_id, handler_platform="bureau", state=case_pb2.CASE_STATE_PROCESSING
    )
    code = f"case-{secrets.token_hex(4)}"
    world.exchange.cases[code] = case
    bureau = world.members["bureau"]

    def asked(**changed) -> person_pb2.RevealApplicantRequest:
        usual = {
            "request_id": request_id(),
            "case_code": code,
            "fields": ["full_name", "document_number", "birth_date"],
            "purpose": "核对申请人",
        }
        return person_pb2.RevealApplicantRequest(**{**usual, **changed})

    wanted = asked()
    answer = await stubs.reveal.RevealApplicant(wanted, metadata=_as_platform(bureau))
    assert await stubs.reveal.RevealApplicant(wanted, metadata=_as_platform(bureau)) == answer
    assert sealing.unseal(bureau.keys.sealing, answer.sealed.jwe) == {
        "full_name": citizen.name,
        "document_number": citizen.number,
        "birth_date": "1990-03-07",
    }
    other = world.members["other-bureau"]
    for request, member, reason in (
        (asked(), other, "NOT_HANDLING_AGENCY"),
        (asked(case_code="no-such-case"), bureau, "NOT_HANDLING_AGENCY"),
        (asked(fields=["full_name", "password"]), bureau, "FIELD_UNKNOWN"),
        (asked(fields=[]), bureau, "FIELD_UNKNOWN"),
        (asked(purpose=f"for {citizen.number}"), bureau, "PURPOSE_HOLDS_NUMBER"),
    ):
        assert (await refused(stubs.reveal.RevealApplicant(request, metadata=_as_platform(member)))).reason == reason
    case.state = case_pb2.CASE_STATE_DELIVERED
    # The answer that is stored under the first request's id is not given either.
    for late in (asked(), wanted):
        error = await refused(stubs.reveal.RevealApplicant(late, metadata=_as_platform(bureau)))
        assert error.reason == "CASE_CLOSED"
    listed = await stubs.reveal.ListReveals(person_pb2.ListRevealsRequest(page_size=1), metadata=as_person)
    assert [(row.receiver, row.case_code, row.purpose) for row in listed.reveals] == [("bureau", code, "核对申请人")]


async def test_services_get_data_for_their_own_purposes_only(world, stubs):
    """exchange may ask for register-query, not for document; the receiver's key decides who can read."""
    citizen, person_id, _ = await _applicant(world, stubs)
    wanted = person_pb2.SealPersonRequest(
        person_id=person_id, fields=["document_number"], platform=AUTHORITY, purpose="register-query"
    )
    answer = await stubs.persons.SealPerson(wanted)
    assert sealing.unseal(world.members[AUTHORITY].keys.sealing, answer.sealed.jwe) == {
        "document_number": citizen.number
    }
    several = person_pb2.BatchSealPersonRequest(requests=[wanted, wanted])
    opened = [
        sealing.unseal(world.members[AUTHORITY].keys.sealing, one.sealed.jwe)
        for one in (await stubs.persons.BatchSealPerson(several)).responses
    ]
    assert opened == [{"document_number": citizen.number}] * 2
    wanted.purpose = "document"
    assert (await refused(stubs.persons.SealPerson(wanted))).reason == "PURPOSE_REFUSED"
    several.requests.append(wanted)
    assert (await refused(stubs.persons.BatchSealPerson(several))).reason == "PURPOSE_REFUSED"
    unknown = person_pb2.SealPersonRequest(
        person_id="x" * 22, fields=["full_name"], platform=AUTHORITY, purpose="register-query"
    )
    assert (await refused(stubs.persons.SealPerson(unknown))).reason == "PERSON_UNKNOWN"


async def test_the_vault_serves_identity_alone(world, stubs):
    """No other process of the hub has a socket there, but for the command line, which may not ask it for a person."""
    callers = {path.parent.name for path in world.land.run.glob("from/*/vault.peer.sock")}
    assert callers == {"identity", "cli"}
    async with world.land.channel("vault.peer", "cli") as channel:
        stub = vault_pb2_grpc.VaultServiceStub(channel)
        error = await refused(stub.SealFields(vault_pb2.SealFieldsRequest(person_id="x")))
    assert error.reason == "PEER_KIND"


async def test_z_nothing_stands_in_clear_and_the_audit_chains_hold(world, stubs):
    """No number, name, password, login name or token in identity's database or any log; the audit is unbroken."""
    citizen, session, answer = await tokens(world, stubs)
    await stubs.openid.GetUserInfo(
        pb.GetUserInfoRequest(
            access_token=answer.access_token, certificate_sha256=world.members["app-one"].certificate.sha256
        )
    )
    needles = (citizen.number, citizen.name, PASSWORD, citizen.login, session, answer.refresh_token)
    # PostgreSQL keeps its files elsewhere; what is written is the same.
    files = [*world.land.root.glob("*.log"), *(world.land.data / "db").iterdir()]
    assert len(files) >= 3
    for file in files:
        content = file.read_bytes()
        assert not [needle for needle in needles if needle.encode() in content], file
    report = await stubs.operations.VerifyAudit(operations_pb2.VerifyAuditRequest())
    assert report.intact
    assert report.records > 20
