"""A flow before it begins: its parties found, its document made or taken, a field prepared for each signature."""

import asyncio
import functools
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from services.esign.domain.errors import DocumentUnfitError
from services.esign.flows import pages as flow_pages
from services.esign.flows import signers as flow_signers
from services.esign.flows.domain import life as flows
from services.esign.flows.domain.life import Flow, FlowState, Role, Step
from services.esign.flows.domain.parties import Given, bind
from services.esign.flows.domain.scenarios import Actor, KeyMode, Scenario, ScenarioStep
from services.esign.flows.pages import Prepared
from services.esign.flows.store.flows import FlowRow, Party
from services.esign.flows.work import next_reminder
from services.esign.service.neighbours import Neighbours
from services.esign.verification.workers.verifier import Verifier, VerifierFailedError
from shuniu.api.esign.v1 import flow_pb2 as pb
from shuniu.kit import errors
from shuniu.kit.errors import Code, HubError
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.ids import new_ulid
from shuniu.rules import Violation

_PERSONS_KEPT = 10_000


@dataclass(slots=True)
class Beginning:
    """Prepares flows. Nothing is kept by it."""

    base: Foundation
    scenarios: Mapping[str, Scenario]
    neighbours: Neighbours
    executor: Executor
    verifier: Verifier
    most_bytes: int
    # A subject is one person's for ever.
    _persons: dict[tuple[str, str], str] = field(default_factory=dict)

    async def prepare(self, request: pb.BeginFlowRequest, platform: str) -> tuple[FlowRow, bytes]:
        """The flow as a draft, and its document. Raises HubError, EsignError."""
        scenario = self._scenario(request, platform)
        given = [
            Given(party.key, party.platform or platform, party.subject, party.seal_id) for party in request.parties
        ]
        places, wrong = bind(scenario, given)
        faults = [
            Violation(f"parties[{fault.at}]" if fault.at >= 0 else "parties", fault.reason, fault.en, fault.zh)
            for fault in wrong
        ]
        if faults:
            raise errors.invalid(faults)
        parties = await asyncio.gather(*(self._party(step, each) for step, each in places))
        await self.base.store.read(_require_seals, parties)
        now_us, flow_id = self.base.clock.now_us(), new_ulid(self.base.clock)
        signers = [step for step, _ in places if step.role is Role.SIGNER]
        made = await self._document(scenario, signers, request, flow_id, now_us)
        rules = Flow(FlowState.DRAFT, tuple(party.step for party in parties))
        row = FlowRow(
            flow_id, scenario.code, platform, request.case_code, rules, tuple(parties), made.sha256, begun_us=now_us
        )
        return row, made.pdf

    def opened(self, row: FlowRow, now_us: int) -> FlowRow:
        """The flow as its parties find it. Raises FlowError."""
        scenario = self.scenarios.get(row.scenario)
        if scenario is None:
            raise _scenario_unknown(row.scenario)
        deadline_us = now_us + scenario.deadline_us
        remind_us = next_reminder(scenario, 0, now_us, deadline_us)
        return replace(row, flow=flows.opened(row.flow), deadline_us=deadline_us, remind_us=remind_us)

    async def person(self, platform: str, subject: str) -> str:
        """The hub's id of a person. Raises HubError NOT_FOUND SUBJECT_UNKNOWN."""
        known = self._persons.get((platform, subject))
        if known is None:
            known = await self.neighbours.person_id(platform, subject)
            if len(self._persons) >= _PERSONS_KEPT:
                self._persons.pop(next(iter(self._persons)))
            self._persons[platform, subject] = known
        return known

    def _scenario(self, request: pb.BeginFlowRequest, platform: str) -> Scenario:
        scenario = self.scenarios.get(request.scenario)
        if scenario is None:
            raise _scenario_unknown(request.scenario)
        if len(request.pdf) > self.most_bytes:
            raise errors.exhausted(
                "DOCUMENT_TOO_LARGE",
                f"The document is larger than {self.most_bytes} bytes.",
                f"文件超过 {self.most_bytes // (1024 * 1024)} MiB。",
            )
        faults = []
        if request.pdf and (request.facts or not scenario.upload):
            faults.append(
                Violation(
                    "pdf",
                    "UPLOAD_REFUSED",
                    "Send facts or a document, and a document only where the scenario takes one.",
                    "该场景不接受上传文件，或同时提供了内容与文件。",
                )
            )
        if not request.pdf and not scenario.paragraphs:
            faults.append(Violation("pdf", "DOCUMENT_EMPTY", "Send the document.", "请上传文件。"))
        if len(request.case_code) > 64 or not request.case_code.isascii():
            faults.append(Violation("case_code", "CASE_FORM", "Not a case code.", "办件编号格式错误。"))
        if faults:
            raise errors.invalid(faults)
        return scenario

    async def _party(self, step: ScenarioStep, given: Given) -> Party:
        person = ""
        if step.actor is Actor.PERSON:
            person = await self.person(given.platform, given.subject)
        elif self.base.registry.platform(given.platform) is None:
            raise errors.not_found(
                "PLATFORM_UNKNOWN", "There is no such platform.", "没有该平台。", platform=given.platform[:64]
            )
        place = Step(step.key, step.role, step.group)
        return Party(
            place, step.title, step.actor, step.mode, step.ial, step.aal, given.platform, person, given.seal_id
        )

    async def _document(
        self,
        scenario: Scenario,
        signers: Sequence[ScenarioStep],
        request: pb.BeginFlowRequest,
        number: str,
        now_us: int,
    ) -> Prepared:
        if not request.pdf:
            work = functools.partial(flow_pages.own, scenario, signers, dict(request.facts), number, now_us)
            return await asyncio.get_running_loop().run_in_executor(self.executor, work)
        try:
            made = await self.verifier.run(flow_pages.try_foreign, request.pdf, tuple(signers))
        except VerifierFailedError:
            raise HubError(
                Code.INVALID_ARGUMENT,
                "LIMIT_REACHED",
                "The document is too complex to be read within the limits of time and memory.",
                "文件过于复杂，未能在限定的时间和内存内处理完毕。",
            ) from None
        if not isinstance(made, Prepared):
            raise DocumentUnfitError(made.reason, made.en, made.zh)
        return made


def _require_seals(conn: Connection, parties: Sequence[Party]) -> None:
    """A platform without an active seal learns so before anybody is asked to sign. Raises SealStateError."""
    for party in parties:
        if party.step.role is Role.SIGNER and party.mode is KeyMode.HELD and party.actor is Actor.PLATFORM:
            flow_signers.chosen_seal(conn, party)


def _scenario_unknown(code: str) -> HubError:
    return errors.invalid_field(
        "scenario", "SCENARIO_UNKNOWN", f"There is no scenario {code[:40]!r}.", "没有该业务场景。"
    )
