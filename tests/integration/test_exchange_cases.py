"""Cases from application to evaluation through the real exchange, on a real bus."""

import asyncio
import random

import grpc
import pytest

from services.exchange import commands
from shuniu.api.common.v1 import operations_pb2
from shuniu.api.events.v1 import events_pb2
from shuniu.api.exchange.v1 import case_pb2 as pb
from shuniu.api.exchange.v1 import case_pb2_grpc
from shuniu.kit.errors import Code, HubError
from shuniu.kit.process.run import StartRefusedError
from shuniu.kit.rpc.client import error_of
from shuniu.kit.testing import eventually
from tests.support.exchange_land import BAOTOU, BASE, HOHHOT, ITEM, USCC, exchange_land, item, rid
from tests.support.ledger_side import ledger_side
from tests.support.stopped_stores import audit_is_intact


@pytest.fixture
async def land():
    async with exchange_land() as it:
        yield it


async def refused(awaitable, reason, code=None):
    with pytest.raises(HubError) as caught:
        await awaitable
    assert reason == caught.value.reason, caught.value
    if code is not None:
        assert code is caught.value.code
    return caught.value


async def events_of(land, org):
    """What lies in an organisation's own stream: (type, payload)."""
    client = await land.bus.bureau(land.bus.admin.credential(land.bus.accounts[org]))
    found = []
    sub = await client.jetstream().pull_subscribe("", durable=f"t{rid()[:8]}", stream="INBOX")
    try:
        while True:
            for message in await sub.fetch(100, timeout=0.3):
                found.append((message.headers["ce-type"].split(".")[3], message.data))
                await message.ack()
    except TimeoutError:
        return found


async def test_a_case_runs_from_application_to_evaluation_and_both_sides_are_told(land):
    """Apply, ask once, supplement, accept, process, grant, deliver, evaluate; each step is an event to who waits."""
    person, bureau = land.person(), land.platform("bureau")
    case = await person.apply(form={"purpose": "就业"})
    assert (len(case.case_code), case.case_code[:31], case.case_code[-4:]) == (43, ITEM, "0001")
    assert (case.state, case.applicant_display, case.division) == (pb.CASE_STATE_SUBMITTED, "王*", HOHHOT)
    code = case.case_code
    asked = await bureau.move(code, "ASK_CORRECTION", note="请补充", missing_materials=["用途说明", "照片"])
    assert list(asked.missing_materials) == ["用途说明", "照片"]
    error = await refused(
        person.call(person.cases.SupplementCase, pb.SupplementCaseRequest(request_id=rid(), case_code=code)),
        "INVALID_REQUEST",
    )
    assert [each.reason for each in error.violations] == ["MATERIAL_MISSING"] * 2
    given = [pb.GivenMaterial(name=name, sha256="a" * 64, media_type="image/png") for name in ("用途说明", "照片")]
    answer = await person.call(
        person.cases.SupplementCase,
        pb.SupplementCaseRequest(request_id=rid(), case_code=code, materials=given, form={"phone": "0471-1234567"}),
    )
    assert answer.case.state == pb.CASE_STATE_SUBMITTED
    error = await refused(bureau.move(code, "ASK_CORRECTION", note="再补", missing_materials=["x"]), "CASE_STATE")
    assert error.metadata["state"] == "SUBMITTED"
    accepted = await bureau.move(code, "ACCEPT")
    assert accepted.HasField("promised_at")
    await bureau.move(code, "PROCESS")
    await bureau.move(code, "GRANT")
    await refused(bureau.move(code, "DELIVER"), "CERTIFICATE_REQUIRED", Code.INVALID_ARGUMENT)
    async with ledger_side(land.directory) as side:
        number = await side.issued(code, "WFZ-2026-000001")
        done = await bureau.move(code, "DELIVER", certificate_number=number)
    assert (
        done.certificate_number,
        dict(done.form),
    ) == ("WFZ-2026-000001", {"purpose": "就业", "phone": "0471-1234567"})
    request = pb.EvaluateCaseRequest(request_id=rid(), case_code=code, level=2, channel=pb.CHANNEL_APP, comment="好")
    assert (await person.call(person.cases.EvaluateCase, request)).case.evaluation == 2
    assert (await person.call(person.cases.EvaluateCase, request)).case.evaluation == 2
    request.request_id = rid()
    await refused(person.call(person.cases.EvaluateCase, request), "CASE_EVALUATED", Code.ALREADY_EXISTS)

    case = await person.get(code)
    assert [step.national_state for step in case.steps] == ["1", "6", "", "3", "8", "11", "", ""]
    assert {"applicant", "bureau"} == {step.actor for step in case.steps}
    await eventually(lambda: _stored(land, code, 8 + 8))
    to_bureau = [kind for kind, _ in await events_of(land, "bureau")]
    to_app = await events_of(land, "app")
    assert to_bureau == ["submitted", "supplemented", "evaluated"]
    assert [kind for kind, _ in to_app] == ["moved"] * 5
    last = events_pb2.CaseChanged.FromString(to_app[-1][1])
    assert (last.state, last.certificate_number) == (pb.CASE_STATE_DELIVERED, "WFZ-2026-000001")


async def _stored(land, code, deliveries):
    trace = await land.trace(code)
    return len(trace.entries) == deliveries and all(entry.state == "STORED" for entry in trace.entries)


async def test_only_those_concerned_see_a_case(land):
    """The applicant on any platform, the platform between and the handler read it; nobody else learns that it exists."""
    case = await land.person("p1").apply(form={"purpose": "就业"})
    assert (await land.person("p1", via="app2").get(case.case_code)).form["purpose"] == "就业"
    assert (await land.platform("bureau").get(case.case_code)).form["purpose"] == "就业"
    assert dict((await land.platform("app").get(case.case_code)).form) == {}
    assert case.case_code == (await land.operator().get(case.case_code)).case_code
    for stranger in (land.person("p2"), land.platform("bureau2"), land.platform("app2")):
        await refused(stranger.get(case.case_code), "CASE_UNKNOWN", Code.NOT_FOUND)
    await refused(land.platform("bureau2").move(case.case_code, "ACCEPT"), "CASE_UNKNOWN", Code.NOT_FOUND)
    withdraw = pb.WithdrawCaseRequest(request_id=rid(), case_code=case.case_code)
    await refused(land.person("p2").call(land.person().cases.WithdrawCase, withdraw), "CASE_UNKNOWN")
    parties = await case_pb2_grpc.CaseRegistryServiceStub(land.peer).GetCaseParties(
        pb.GetCasePartiesRequest(case_code=case.case_code)
    )
    assert (
        parties.person_id,
        parties.handler_platform,
        parties.source_platform,
        parties.result_template,
        parties.form["purpose"],
    ) == ("p1", "bureau", "app", "no_criminal_record", "就业")
    registry = case_pb2_grpc.CaseRegistryServiceStub(land.peer)
    several = pb.BatchGetCasePartiesRequest(case_codes=[case.case_code, case.case_code])
    assert list((await registry.BatchGetCaseParties(several)).parties) == [parties, parties]
    for codes, reason in (([case.case_code, "no-such-case"], "CASE_UNKNOWN"), (["a"] * 65, "TOO_MANY")):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await registry.BatchGetCaseParties(pb.BatchGetCasePartiesRequest(case_codes=codes))
        assert error_of(refusal.value).reason == reason


async def test_an_application_finds_its_agency_by_item_and_division(land):
    """Base code + division routes to the implementing item; a district belongs to its city; the rest is refused."""
    baotou = f"{USCC}3{BASE[:-1]}1"
    land.catalogue.put(item(baotou, division=BAOTOU, handler="bureau2"))
    land.catalogue.put(item(f"{USCC}3{BASE[:-1]}2", division="150300", state=4, state_reason="系统升级" * 100))
    land.catalogue.put(item(f"{USCC}3{BASE[:-1]}3", division="150400", handler="nobody"))
    land.catalogue.put(item(f"{USCC}3{BASE[:-1]}4", division="150500", min_ial=3))
    await eventually(lambda: land.items_known(6))
    person = land.person()
    assert (await person.apply(item_code=BASE, division=HOHHOT)).handler_platform == "bureau"
    assert baotou == (await person.apply(item_code=BASE, division="150202")).item_code
    await refused(person.apply(item_code=BASE, division="150600"), "NO_HANDLING_AGENCY", Code.FAILED_PRECONDITION)
    await refused(person.apply(item_code=BASE, division="150400"), "NO_HANDLING_AGENCY", Code.FAILED_PRECONDITION)
    error = await refused(person.apply(item_code=BASE, division="150300"), "ITEM_NOT_OPEN", Code.FAILED_PRECONDITION)
    assert error.metadata["state_reason"] == "系统升级" * 75
    second = f"{USCC}3{BASE[:-1]}5"
    land.catalogue.put(item(second, division=BAOTOU, handler="bureau"))
    await eventually(lambda: land.items_known(7))
    error = await refused(person.apply(item_code=BASE, division="150202"), "AGENCY_AMBIGUOUS", Code.FAILED_PRECONDITION)
    assert error.metadata["codes"] == f"{baotou} {second}"
    assert (await person.apply(item_code=second)).handler_platform == "bureau"
    await refused(person.apply(item_code="9" * 31), "ITEM_UNKNOWN", Code.NOT_FOUND)
    await refused(person.apply(item_code=BASE), "DIVISION_FORM", Code.INVALID_ARGUMENT)
    error = await refused(person.apply(item_code=BASE, division="150500"), "ASSURANCE_TOO_LOW", Code.PERMISSION_DENIED)
    assert error.metadata["required_ial"] == "3"
    assert (await land.person("p5", ial=3).apply(item_code=BASE, division="150500")).handler_platform == "bureau"


async def test_a_request_id_makes_one_case_and_another_content_is_refused(land):
    """A hundred retries of one application at once are one case; the same id with other content is an error."""
    person = land.person()
    same = rid()
    cases = await asyncio.gather(*(person.apply(request_id=same, form={"a": "1"}) for _ in range(100)))
    assert len({case.case_code for case in cases}) == 1
    await refused(person.apply(request_id=same, form={"a": "2"}), "REQUEST_ID_REUSED", Code.ABORTED)
    assert cases[0].case_code != (await land.person("p2").apply(request_id=same)).case_code
    assert len((await person.call(person.cases.ListCases, pb.ListCasesRequest())).cases) == 1


@pytest.mark.parametrize("seed", range(6))
async def test_duplicate_and_disordered_moves_end_in_one_state(land, seed):
    """Whatever the order and number of requests, only the table's path is walked and each step is there once."""
    person, bureau = land.person(), land.platform("bureau")
    case = await person.apply()
    wanted = ["ACCEPT", "PROCESS", "BEGIN_SPECIAL", "END_SPECIAL", "GRANT", "DELIVER"]
    ids = {move: rid() for move in wanted}
    rng = random.Random(seed)

    async def send(move):
        try:
            await bureau.move(
                case.case_code, move, request_id=ids[move], note="说明",
                certificate_number="C-1" if move == "DELIVER" else "",
            )  # fmt: skip
            return True
        except HubError as error:
            if error.reason not in ("CASE_STATE", "FIELD_NOT_EXPECTED", "INVALID_REQUEST"):
                raise
            return False

    done = set()
    async with ledger_side(land.directory) as side:
        await side.issued(case.case_code, "C-1")
        while len(done) < len(wanted):
            burst = rng.choices(wanted, k=8)
            for move, answered in zip(burst, await asyncio.gather(*map(send, burst)), strict=True):
                if answered:
                    done.add(move)
            # A bureau may grant without a special procedure; then those two stay refused for good.
            if "GRANT" in done:
                done |= {"BEGIN_SPECIAL", "END_SPECIAL"}
    final = await person.get(case.case_code)
    assert final.state == pb.CASE_STATE_DELIVERED
    assert list(range(1, len(final.steps) + 1)) == [step.seq for step in final.steps]
    assert len(final.steps) in (5, 7)


async def test_a_move_with_an_old_etag_is_refused(land):
    """Two officers at one case: the second sees that it moved."""
    bureau = land.platform("bureau")
    case = await land.person().apply()
    await bureau.move(case.case_code, "ACCEPT", etag=case.etag)
    await refused(bureau.move(case.case_code, "PROCESS", etag=case.etag), "ETAG_MISMATCH", Code.ABORTED)


async def test_lists_page_without_gaps(land):
    """Every case once over pages, newest first for the person and by code for the handler; tokens are bound."""
    person, bureau = land.person(), land.platform("bureau")
    made = [(await person.apply()).case_code for _ in range(7)]

    async def pages(caller, method, request):
        found = []
        while True:
            answer = await caller.call(method, request)
            found += [case.case_code for case in answer.cases]
            if not answer.next_page_token:
                return found
            request.page_token = answer.next_page_token

    assert made[::-1] == await pages(person, person.cases.ListCases, pb.ListCasesRequest(page_size=3))
    assert made == await pages(bureau, bureau.handling.ListHandledCases, pb.ListHandledCasesRequest(page_size=2))
    accepted = pb.ListHandledCasesRequest(states=[pb.CASE_STATE_ACCEPTED])
    assert await pages(bureau, bureau.handling.ListHandledCases, accepted) == []
    first = await person.call(person.cases.ListCases, pb.ListCasesRequest(page_size=3))
    stolen = pb.ListCasesRequest(page_size=3, page_token=first.next_page_token)
    await refused(land.person("p2").call(person.cases.ListCases, stolen), "PAGE_TOKEN_INVALID", Code.INVALID_ARGUMENT)


NUMBERS = [
    "11010519491231002X",
    "1101 0519 4912 3100 2x",
    "１１０１０５１９４９１２３１００２Ｘ",
    "我的号码是11010519491231002X。",
    "911124198108030024",
    "810000199408230021",
]


async def test_identity_numbers_are_kept_out_of_every_text(land):
    """However it is grouped or spelled, a number with a right check character is refused and stored nowhere."""
    person, bureau = land.person(), land.platform("bureau")
    for text in NUMBERS:
        for form in ({"note": text}, {text: "x"}):
            await refused(person.apply(form=form), "IDENTITY_NUMBER_IN_FORM", Code.INVALID_ARGUMENT)
    case = await person.apply(form={"phone": "13800138000", "case": "20261121000001"})
    for text in ("note", "officer"):
        await refused(bureau.move(case.case_code, "NOT_ACCEPT", **{"note": "理由", text: "911124198108030024"}),
                      "IDENTITY_NUMBER_IN_TEXT")  # fmt: skip
    stored = b"".join(path.read_bytes() for path in (land.directory / "db").iterdir())
    for number in (b"11010519491231002X", b"911124198108030024", b"810000199408230021"):
        assert number not in stored
    assert b"13800138000" not in stored


UNREADABLE = ["\x00", "a\x07b", "\u202e", "a\u2066"]
HOSTILE = [*UNREADABLE, "' OR 1=1 --", "<script>", "%s%n", "../../etc", "𠮷" * 50, "{{7*7}}", "\n" * 10]


async def test_hostile_strings_are_stored_as_text_or_refused(land):
    """No string makes more than a typed error; what is taken comes back unchanged."""
    person = land.person()
    for text in HOSTILE:
        try:
            case = await person.apply(form={"a": text, f"k{text}": "x"})
        except HubError as error:
            if text not in UNREADABLE:
                raise
            named = {(each.field, each.reason) for each in error.violations}
            if named != {("form", "TEXT_CONTROL"), ("form.a", "TEXT_CONTROL")}:
                raise
        else:
            assert text == (await person.get(case.case_code)).form["a"]
        for call in (
            person.apply(item_code=text, division=text),
            person.get(text),
            land.platform("bureau").move(text, "ACCEPT"),
            person.call(person.cases.ListCases, pb.ListCasesRequest(page_token=text)),
        ):
            with pytest.raises(HubError) as caught:
                await call
            assert Code.INTERNAL is not caught.value.code


async def test_no_text_of_a_call_that_changes_something_may_be_unreadable(land):
    """Also where no rule of the exchange looks at it: a code, a name of a case. Questions may hold anything."""
    person = land.person()
    for text in UNREADABLE:
        await refused(person.apply(item_code=text), "TEXT_CONTROL", Code.INVALID_ARGUMENT)
        await refused(land.platform("bureau").move(text, "ACCEPT"), "TEXT_CONTROL", Code.INVALID_ARGUMENT)
        await refused(person.get(text), "CASE_UNKNOWN", Code.NOT_FOUND)


async def test_known_people_are_served_while_identity_is_away(land):
    """A subject seen once needs identity no more; a new one is told to retry. After a restart too."""
    await land.person("p1").apply()
    land.identity.away = True
    await land.person("p1").apply()
    await refused(land.person("p2").apply(), "IDENTITY_AWAY", Code.UNAVAILABLE)
    await land.stop_peers()
    await land.stop()
    await land.start()
    assert len((await land.person("p1").call(land.person().cases.ListCases, pb.ListCasesRequest())).cases) == 2
    await land.person("p1").apply()


async def test_a_suspended_agency_still_gets_its_cases(land):
    """People are not made to wait for a suspension: the case is kept, its event waits in the agency's inbox."""
    land.identity.put("bureau", state="SUSPENDED")
    await land.registry_current()
    case = await land.person().apply()
    await refused(land.platform("bureau").move(case.case_code, "ACCEPT"), "PLATFORM_STOPPED", Code.PERMISSION_DENIED)
    await eventually(lambda: _stored(land, case.case_code, 2))
    land.identity.put("bureau", state="RETIRED")
    await land.registry_current()
    await refused(land.person().apply(), "NO_HANDLING_AGENCY", Code.FAILED_PRECONDITION)


async def test_keys_rotate_and_are_never_replaced_silently(land):
    """After a rotation old and new cases open; without its keys the exchange refuses to start instead of making new ones."""
    old = await land.person().apply(form={"a": "old"})
    await land.stop()
    assert commands.rotate_keys(land.path) == 2
    await land.start()
    new = await land.person().apply(form={"a": "new"})
    assert [(await land.person().get(each.case_code)).form["a"] for each in (old, new)] == ["old", "new"]
    await land.stop()
    assert await audit_is_intact(land.path, "exchange")
    keys = land.directory / "keys" / "exchange"
    keys.rename(keys.with_name("lost"))
    with pytest.raises(StartRefusedError, match="restore them"):
        await land.start()
    keys.with_name("lost").rename(keys)
    await land.start()


async def test_supervisors_hear_of_cases_in_their_division_only(land):
    """Who may supervise and subscribed hears of cases where it may; a subscription alone opens nobody's case."""
    wanted = ["exchange.*", "esign.*"]
    land.identity.put("app2", subscriptions=["exchange.case.*@1501"], scopes=["case.supervise"])
    land.identity.put("bureau2", subscriptions=wanted, scopes=["case.supervise"], division=BAOTOU)
    land.identity.put("ministry", subscriptions=wanted, scopes=["case.read", "case.handle"])
    await land.registry_current()
    case = await land.person().apply()
    await eventually(lambda: _stored(land, case.case_code, 3))
    assert [kind for kind, _ in await events_of(land, "app2")] == ["submitted"]
    assert await events_of(land, "bureau2") == await events_of(land, "ministry") == []


async def test_the_audit_chain_holds_and_names_no_person(land):
    """Each mutation leaves a record; the chain verifies; only codes are in it."""
    case = await land.person("p1").apply()
    await land.platform("bureau").move(case.case_code, "ACCEPT")
    report = await land.operations().VerifyAudit(operations_pb2.VerifyAuditRequest())
    assert (report.intact, report.records) == (True, 2)
