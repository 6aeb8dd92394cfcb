"""The rules of flows: order, ends, and what is possible in which state; scenarios; consent."""

import contextlib
import tomllib
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.esign.certification.domain.trust import Trust
from services.esign.domain.errors import DocumentUnfitError
from services.esign.domain.verdict import Status
from services.esign.flows import pages as flow_pages
from services.esign.flows import scenario_files
from services.esign.flows.domain import consent as flow_consent
from services.esign.flows.domain import life as flows
from services.esign.flows.domain import scenarios as flow_scenarios
from services.esign.flows.domain.consent import Act, ConsentError
from services.esign.flows.domain.life import Flow, FlowError, FlowState, Role, Step, StepState
from services.esign.flows.domain.parties import Given, bind
from services.esign.flows.domain.scenarios import Actor, ScenarioError
from services.esign.revisions.domain import second_look
from services.esign.signing.domain import multisign
from services.esign.verification.domain import verify
from services.esign.verification.domain.sentences import verdict_words
from services.identity.openid.domain.claims import Life
from services.identity.signing import domain as signing
from shuniu import signing_list
from shuniu.kit.process.config import ConfigError
from tests.support.esign import NOW_US, small_pdf
from tests.support.multisign import FIELDS, authority, closed, signed, token

SCENARIOS = scenario_files.load([scenario_files.OWN])
NOW_S = NOW_US // 1_000_000
ISSUER = "https://hub.test"
DIGEST = sha256(b"document").hexdigest()


class Lives(RuleBasedStateMachine):
    """A flow and a model of it that only counts: which steps are done, which are authorised, how it ended."""

    @initialize(
        steps=st.lists(st.tuples(st.sampled_from(list(Role)), st.integers(1, 3)), min_size=1, max_size=6).filter(
            lambda each: any(role is Role.SIGNER for role, _ in each)
        )
    )
    def begin(self, steps):
        self.group = {f"step{at}": (group if role.acts else 0) for at, (role, group) in enumerate(steps)}
        self.role = {f"step{at}": role for at, (role, _) in enumerate(steps)}
        self.acting = {key for key, role in self.role.items() if role.acts}
        made = tuple(Step(key, self.role[key], self.group[key]) for key in self.group)
        self.flow = Flow(FlowState.DRAFT, made)
        self.done, self.consented, self.end, self.stuck = set(), set(), "", False

    def expected(self):
        if self.end:
            return FlowState(self.end)
        if self.stuck:
            return FlowState.FAILED
        if not self.opened:
            return FlowState.DRAFT
        return FlowState.SEALING if self.done == self.acting else FlowState.OPEN

    opened = False

    def turn(self):
        """Keys whose turn it is, by the definition: everybody of an earlier group has signed."""
        if self.expected() is not FlowState.OPEN:
            return set()
        waiting = self.acting - self.done - self.consented
        return {
            key
            for key in waiting
            if all(other in self.done for other in self.acting if self.group[other] < self.group[key])
        }

    def attempt(self, act, allowed):
        """The act happens exactly when the model allows it."""
        try:
            after = act(self.flow)
        except FlowError:
            assert not allowed
            return False
        assert allowed
        self.flow = after
        return True

    @rule()
    def open(self):
        if self.attempt(flows.opened, self.expected() is FlowState.DRAFT):
            self.opened = True

    @rule(at=st.integers(0, 6))
    def authorise(self, at):
        key = f"step{at}"
        if self.attempt(lambda flow: flows.authorised(flow, key), key in self.turn()):
            self.consented.add(key)

    @rule(at=st.integers(0, 6))
    def complete(self, at):
        key = f"step{at}"
        allowed = self.expected() is FlowState.OPEN and key in self.consented
        if self.attempt(lambda flow: flows.completed(flow, key), allowed):
            self.consented.remove(key)
            self.done.add(key)

    @rule(at=st.integers(0, 6))
    def reject(self, at):
        key = f"step{at}"
        if self.attempt(lambda flow: flows.rejected(flow, key), key in self.turn()):
            self.end = "REJECTED"

    @precondition(lambda self: self.opened)
    @rule()
    def withdraw(self):
        open_to_it = not self.end and self.done != self.acting
        if self.attempt(flows.withdrawn, open_to_it):
            self.end = "WITHDRAWN"

    @rule()
    def expire(self):
        if self.attempt(flows.expired, self.opened and not self.end and self.done != self.acting):
            self.end = "EXPIRED"

    @rule()
    def fail(self):
        if self.attempt(flows.failed, self.expected() in (FlowState.OPEN, FlowState.SEALING)):
            self.stuck = True

    @rule()
    def resume(self):
        if self.attempt(flows.resumed, self.stuck and not self.end):
            self.stuck = False

    @rule()
    def finish(self):
        if self.attempt(flows.finished, self.expected() is FlowState.SEALING):
            self.end = "COMPLETED"

    @invariant()
    def they_agree(self):
        if not hasattr(self, "flow"):
            return
        assert self.expected() is self.flow.state
        assert self.turn() == set(self.flow.ready)
        signatures = sum(self.role[key] is Role.SIGNER for key in self.done)
        assert signatures + (self.end == "COMPLETED") == self.flow.revision
        if self.end == "COMPLETED":
            assert self.done == self.acting


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("end", [FlowState.COMPLETED, FlowState.EXPIRED, FlowState.REJECTED, FlowState.WITHDRAWN])
def test_an_end_is_an_end(end):
    """From COMPLETED, REJECTED, WITHDRAWN and EXPIRED nothing leads anywhere."""
    flow = Flow(end, (Step("signer", Role.SIGNER, 1),))
    acts = [*_OF_FLOWS, *(lambda f, w=w: w(f, "signer") for w in _OF_STEPS)]
    for act in acts:
        with pytest.raises(FlowError) as refused:
            act(flow)
        assert refused.value.reason == "FLOW_STATE"


_OF_STEPS = (flows.authorised, flows.completed, flows.rejected)
_OF_FLOWS = (flows.opened, flows.withdrawn, flows.expired, flows.failed, flows.resumed, flows.finished)


def test_who_comes_too_early_hears_whom_the_flow_waits_for():
    """STEP_NOT_YET names the steps before; a second attempt is STEP_DONE."""
    flow = flows.opened(Flow(FlowState.DRAFT, (Step("first", Role.SIGNER, 1), Step("second", Role.APPROVER, 2))))
    with pytest.raises(FlowError) as early:
        flows.authorised(flow, "second")
    assert (early.value.reason, early.value.fields["waiting_for"]) == ("STEP_NOT_YET", "first")
    flow = flows.authorised(flow, "first")
    with pytest.raises(FlowError) as again:
        flows.authorised(flow, "first")
    assert again.value.reason == "STEP_DONE"
    # Authorised is not signed: the next one waits for the signature itself.
    assert flow.ready == ()


def test_there_are_scenarios_of_every_shape():
    """At least fourteen; sequential, parallel and mixed ones; of one signer and of many; with every role."""
    assert len(SCENARIOS) >= 14
    assert {Role.SIGNER, Role.APPROVER, Role.VIEWER, Role.COPY} == {
        s.role for each in SCENARIOS.values() for s in each.steps
    }
    shapes = set()
    for scenario in SCENARIOS.values():
        groups = [step.group for step in scenario.steps if step.role.acts]
        parallel = len(groups) != len(set(groups))
        shapes.add("mixed" if parallel and len(set(groups)) > 1 else "parallel" if parallel else "sequential")
    assert shapes == {"sequential", "parallel", "mixed"}
    assert all(scenario.title[0] >= "\u4e00" for scenario in SCENARIOS.values())


@pytest.mark.parametrize("code", sorted(SCENARIOS))
def test_each_scenario_has_a_document_with_a_field_for_each_signer(code):
    """The scenario's own document is laid out, and its fields are those of the signers, inside the page and apart."""
    scenario = SCENARIOS[code]
    signers = [step for step in scenario.steps if step.role is Role.SIGNER]
    facts = {fact.name: f"某{fact.label}" for fact in scenario.facts}
    made = flow_pages.own(scenario, signers, facts, "01JZ00000000000000000000SE", NOW_US)
    fields = multisign.fields_of(made.pdf)
    assert [step.key for step in signers] == [field.name for field in fields]
    assert sha256(made.pdf).hexdigest() == made.sha256
    boxes = [field.rectangle for field in fields]
    for at, (x1, y1, x2, y2) in enumerate(boxes):
        assert 0 < x1 < x2 < 595
        assert 0 < y1 < y2 < 842
        assert not any(x1 < c and a < x2 and y1 < d and b < y2 for a, b, c, d in boxes[at + 1 :])


def test_a_document_says_what_is_missing_and_what_it_does_not_know():
    """Facts that are missing or not the scenario's are named; control characters are refused."""
    scenario = SCENARIOS["temporary_identity"]
    signers = [scenario.steps[0]]
    with pytest.raises(DocumentUnfitError) as refused:
        flow_pages.own(scenario, signers, {"name": "某", "colour": "红"}, "N", NOW_US)
    assert "purpose" in refused.value.fields["missing"]
    assert refused.value.fields["unknown"] == "colour"
    facts = {fact.name: "某" for fact in scenario.facts} | {"name": "某\u202e"}
    with pytest.raises(DocumentUnfitError) as hidden:
        flow_pages.own(scenario, signers, facts, "N", NOW_US)
    assert hidden.value.reason == "FACT_UNPRINTABLE"


@pytest.mark.parametrize("signers", [1, 2, 5])
def test_a_document_has_no_more_pages_than_can_be_compared(signers):
    """Its pages, in every version that the closed document will have, are within what the hub's own verifier draws;
    one page more is refused before anybody signs, with the limit.
    """
    steps = [replace(SCENARIOS["temporary_identity"].steps[0], key=f"s{n}", group=n) for n in range(1, signers + 1)]
    most = second_look.MOST_PAGES // (signers + 2)
    assert isinstance(flow_pages.try_foreign(small_pdf(pages=most), steps), flow_pages.Prepared)
    refused = flow_pages.try_foreign(small_pdf(pages=most + 1), steps)
    assert refused.reason == "TOO_MANY_PAGES"
    assert f"最多 {most} 页" in refused.zh
    assert f"{most} pages at most" in refused.en


def test_a_closed_document_of_the_most_pages_is_compared():
    """Two signers and the closing timestamp: what the verifier is to draw is within its limit, and leaves room for the
    version of a renewal.
    """
    most = second_look.MOST_PAGES // 4
    both = signed(signed(multisign.prepare(small_pdf(pages=most), FIELDS), "甲方"), "乙方")
    last = multisign.close(both, authority().max_size())
    drawn = []

    def look(pdf, versions):
        drawn.append(second_look.drawings_of(most, len(versions) + 1))
        return second_look.Comparison(second_look.Seen.SAME)

    verify.judge(last.finish(token(last.digest)), trust=Trust(), now_us=NOW_US, look=look)
    assert drawn == [second_look.MOST_PAGES]


def test_it_is_said_that_there_are_too_many_pages_to_compare():
    """UNKNOWN with a reason of its own, whose sentence names the limit."""

    def look(pdf, versions):
        return second_look.Comparison(second_look.Seen.TOO_MANY, why="more than 600 pages to draw")

    found = verify.judge(closed(), trust=Trust(), now_us=NOW_US, look=look)
    assert (found.step("changes").status, found.step("changes").reason) == (Status.UNKNOWN, "PAGES_TOO_MANY")
    told = verdict_words.words_of(found.step("changes"), found.form)
    assert "600 页" in told.cause.zh
    assert "600 pages" in told.cause.en


def test_a_fact_cannot_write_markup():
    """What a person types is text: brackets, hashes and quotation marks stay what they are."""
    scenario = SCENARIOS["temporary_identity"]
    facts = {fact.name: '#image("/etc/passwd") "[*]\\' for fact in scenario.facts}
    assert flow_pages.own(scenario, [scenario.steps[0]], facts, "N", NOW_US).pdf.startswith(b"%PDF")


def table(**changed):
    return {
        "code": "test_one",
        "title": "测试",
        "deadline_hours": 1,
        "remind": {"after_hours": 1, "every_hours": 1, "most": 1},
        "document": {"paragraphs": ["{name}"], "facts": [{"name": "name", "label": "姓名"}]},
        "steps": [{"key": "one", "title": "甲", "role": "signer", "group": 1, "actor": "person"}],
    } | changed


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"code": "A"}, "code"),
        ({"deadline_hours": 0}, "deadline_hours"),
        ({"remind": {"after_hours": 1}}, "remind.every_hours"),
        ({"document": {}}, "document: absent"),
        ({"document": {"paragraphs": ["{other}"]}}, "no such fact: other"),
        ({"steps": []}, "signers"),
        ({"steps": [{"key": "one", "title": "甲", "role": "copy", "group": 1, "actor": "person"}]}, "group"),
        ({"steps": [{"key": "one", "title": "甲", "role": "boss", "actor": "person"}]}, "role and actor"),
        (
            {
                "steps": [
                    {"key": "one", "title": "甲", "role": "signer", "group": 1, "actor": "platform", "seal": "once"}
                ]
            },
            "a platform signs with its seal",
        ),
        ({"surprise": 1}, "unknown: surprise"),
    ],
)
def test_a_scenario_file_is_refused_by_name_of_the_fault(changed, fault):
    """Whatever is wrong with a scenario is said, all of it at once."""
    flow_scenarios.read(table())
    with pytest.raises(ScenarioError, match=fault):
        flow_scenarios.read(table(**changed))


def test_an_operators_scenario_takes_the_place_of_the_hubs(tmp_path):
    """A directory of one's own adds and replaces scenarios; a broken file is named at start."""
    text = (scenario_files.OWN / "case_receipt.toml").read_text("utf-8")
    (tmp_path / "case_receipt.toml").write_text(text.replace("受案回执", "接报案回执", 1))
    found = scenario_files.load([scenario_files.OWN, tmp_path])
    assert (found["case_receipt"].title, len(found)) == ("接报案回执", len(SCENARIOS))
    (tmp_path / "broken.toml").write_text("code = ")
    with pytest.raises(ConfigError, match=r"broken\.toml"):
        scenario_files.load([tmp_path])
    assert tomllib.loads(text)["code"] == "case_receipt"


def test_every_wrong_party_is_named():
    """Unknown, repeated, missing places, a person for a platform and a platform for a person: all at once."""
    scenario = SCENARIOS["case_receipt"]
    given = [
        Given("authority", "bureau", "somebody", ""),
        Given("authority", "bureau", "", ""),
        Given("king", "bureau", "", ""),
    ]
    _, faults = bind(scenario, given)
    assert [(fault.at, fault.reason) for fault in faults] == [
        (0, "PLATFORM_WANTED"),
        (1, "PARTY_REPEATED"),
        (2, "PARTY_UNKNOWN"),
        (-1, "PARTY_MISSING"),
    ]
    places, faults = bind(scenario, [Given("reporter", "app", "s", ""), Given("authority", "bureau", "", "")])
    assert ([step.key for step, _ in places], faults) == (["authority", "reporter"], [])


def consent(**changed):
    signer = signing.Signer("app", "subject", "sid", 2, 1, NOW_S)
    item = signing.Item("01JZ00000000000000000000SE", "one_step", DIGEST)
    claims = signing.assertion(ISSUER, signer, [item], [], Life(NOW_S, NOW_S + 300, "jti-1"))
    return flow_consent.read(claims | changed, ISSUER)


BOUND = flow_consent.list_of_steps([Act("01JZ00000000000000000000SE", "one_step", DIGEST)])
RIGHT = {"platform": "app", "subject": "subject", "list_sha256": BOUND, "now_s": NOW_S}


def test_identity_and_esign_mean_the_same_list():
    """What identity binds an assertion to is what esign expects, for steps and for hashes."""
    flow_consent.check(consent(), **RIGHT)
    hashes = [sha256(b"%d" % n).digest() for n in range(3)]
    signer = signing.Signer("app", "subject", "sid", 2, 1, NOW_S)
    claims = signing.assertion(ISSUER, signer, [], hashes, Life(NOW_S, NOW_S + 300, "jti-1"))
    assert claims["list_sha256"] == signing_list.of_hashes(hashes)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"now_s": NOW_S + 300}, "AUTHORISATION_EXPIRED"),
        ({"now_s": NOW_S - 31}, "AUTHORISATION_EXPIRED"),
        ({"platform": "bureau"}, "AUTHORISATION_OTHER"),
        ({"subject": "another"}, "AUTHORISATION_OTHER"),
        ({"list_sha256": sha256(b"").hexdigest()}, "AUTHORISATION_OTHER"),
    ],
)
def test_consent_is_good_for_one_person_document_and_five_minutes(changed, reason):
    """Every other use is refused with its reason."""
    with pytest.raises(ConsentError) as refused:
        flow_consent.check(consent(), **(RIGHT | changed))
    assert refused.value.reason == reason


def test_a_longer_life_than_five_minutes_counts_for_nothing():
    """Whatever an assertion says of its end, five minutes after it was made it is over."""
    with pytest.raises(ConsentError):
        flow_consent.check(consent(exp=NOW_S + 10_000), **(RIGHT | {"now_s": NOW_S + 300}))


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://other"},
        {"aud": "shuniu"},
        {"jti": ""},
        {"ial": "4"},
        {"ial": True},
        {"list_sha256": 5},
        {"exp": None},
    ],
)
def test_other_tokens_are_no_consent(changed):
    """An assertion of another issuer, for another audience or of another shape is refused."""
    with pytest.raises(ConsentError) as refused:
        consent(**changed)
    assert refused.value.reason == "AUTHORISATION_INVALID"


@pytest.mark.parametrize(("ial", "aal", "enough"), [(2, 1, True), (1, 1, True), (3, 1, False), (2, 2, False)])
def test_levels_are_demanded(ial, aal, enough):
    """A step's levels are met or the consent counts for nothing."""
    with contextlib.nullcontext() if enough else pytest.raises(ConsentError, match="ASSURANCE_TOO_LOW"):
        flow_consent.check_level(consent(), ial, aal)


def test_every_step_of_every_scenario_can_be_reached():
    """Signing in the order of groups leads each scenario to its end, whoever is left out."""
    for scenario in SCENARIOS.values():
        for optional in (True, False):
            steps = tuple(
                Step(step.key, step.role, step.group) for step in scenario.steps if optional or not step.optional
            )
            flow = flows.opened(Flow(FlowState.DRAFT, steps))
            while flow.ready:
                flow = flows.completed(flows.authorised(flow, flow.ready[-1]), flow.ready[-1])
            assert flows.finished(flow).state is FlowState.COMPLETED
            assert all(step.state is StepState.SIGNED for step in flow.steps if step.role.acts)
    assert replace(SCENARIOS["case_receipt"].steps[0]).actor is Actor.PLATFORM


def test_a_list_of_any_text_has_a_digest() -> None:
    """What a caller sends is compared before anything else is asked of it: no text of his is an internal error."""
    assert len(flow_consent.list_of_steps([Act("流程", "步骤", "摘要")])) == 64
