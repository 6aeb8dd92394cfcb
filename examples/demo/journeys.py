"""The people of the demo and their way through the hub, in parallel."""

import asyncio
import traceback
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from examples.city_bureau.bureau import Bureau
from examples.demo.hub import RunningHub
from examples.demo.progress import Progress, Times
from examples.demo.setup import (
    BUREAU_SCOPES,
    CATALOGUE_SCOPES,
    CERTIFICATE_ITEM,
    REGISTER_SCOPES,
    app_platform,
    bureau_platform,
    enrol_platform,
    make_seal,
    plain_platform,
    publish_catalogue,
)
from examples.hub_client.inbox import BusInbox, HttpsInbox, Inbox
from examples.hub_client.session import Session
from examples.inner_mongolia.load import NINE_CITIES, Region
from examples.inner_mongolia.people import Person
from examples.ministry_register.register import Entry, Register
from examples.provincial_app.app import REDIRECT_URI, App, JourneyError, Served
from examples.provincial_app.citizen import Citizen

APP, APP_NAME = "mengsuban", "蒙速办 APP"
REGISTER, REGISTER_NAME = "mps", "公安部人口与犯罪记录查询平台"
DEPARTMENT = "150000-ga"
CORRECTION_EVERY = 10
"""Every tenth person is asked once for a missing material."""


@dataclass(slots=True)
class Stage:
    """Everything enrolled and running."""

    app: App
    bureaus: list[Bureau]
    register: Register
    sessions: list[Session]
    items: int
    work: asyncio.TaskGroup | None = None
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """Errors that ended a task before `strike` did."""

    def note_end(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled():
            self.ended += traceback.format_exception(task.exception()) if task.exception() else ["left"]

    async def strike(self) -> None:
        """Ends what listens and closes connections."""
        for inbox in (self.app.inbox, *(bureau.inbox for bureau in self.bureaus)):
            await inbox.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for session in self.sessions:
            await session.close()

    @property
    def received(self) -> int:
        """Distinct events that receivers counted."""
        return len(self.app.received.places) + sum(len(bureau.received.places) for bureau in self.bureaus)

    @property
    def doubled(self) -> int:
        return self.app.received.doubled + sum(bureau.received.doubled for bureau in self.bureaus)


def citizens_of(people: Sequence[Person]) -> list[Citizen]:
    return [
        Citizen(
            serial,
            f"demo{serial:06d}",
            person.password,
            person.name,
            person.document_type,
            person.number,
            person.division,
        )
        for serial, person in enumerate(people, start=1)
    ]


def _carrier(turn: int, session: Session) -> Inbox:
    """Bureaus differ: a third each over TCP, over WebSocket on the edge's port, over HTTPS alone."""
    if turn % 3 == 2:
        return HttpsInbox(session)
    return BusInbox(session.hub, session.credentials, websocket=turn % 3 == 1)


def needs_correction(serial: str) -> bool:
    return serial.isdigit() and int(serial) % CORRECTION_EVERY == 0


async def set_stage(
    running: RunningHub,
    region: Region,
    people: Sequence[Person],
    certificates: Path,
    times: Times,
    run_elsewhere: Collection[str] = (),
) -> Stage:
    """Enrols app, register, department and nine bureaus; publishes items, resources, grants and seals.

    Bureaus `run_elsewhere` (platform codes) are set up and not started: somebody else does their work.
    """
    system, security = running.operator("system"), running.operator("security")
    platforms = running.data.parent / "platforms"

    async def enrolled(platform: object, code: str) -> Session:
        return await enrol_platform(running, system, platform, platforms / code)  # type: ignore[arg-type]  # RunningHub has what Hub has

    agencies = [agency for agency in region.agencies if agency.division in NINE_CITIES]
    register_platform = plain_platform(REGISTER, REGISTER_NAME, "ministry", "000000", REGISTER_SCOPES)
    department = next(agency for agency in region.agencies if agency.division == "150000")
    department_platform = plain_platform(
        DEPARTMENT, department.name, "province", "150000", [*CATALOGUE_SCOPES, *BUREAU_SCOPES]
    )
    app, register, provincial, *bureaus = await asyncio.gather(
        enrolled(app_platform(APP, APP_NAME, REDIRECT_URI), APP),
        enrolled(register_platform, REGISTER),
        enrolled(department_platform, DEPARTMENT),
        *(enrolled(bureau_platform(agency), agency.platform) for agency in agencies),
    )
    population = {person.number: Entry(person.name, person.document_type, person.with_record) for person in people}
    stage = Stage(
        App(app, BusInbox(app.hub, app.credentials), certificates, times.observe),
        [
            Bureau(session, _carrier(turn, session), needs_correction, times.observe)
            for turn, session in enumerate(bureaus)
        ],
        Register(register, population),
        [system, security, app, register, provincial, *bureaus],
        0,
    )
    await stage.register.publish_resources()
    stage.items = await publish_catalogue(provincial, region)
    certificate_code = region.item(CERTIFICATE_ITEM).code_b
    await asyncio.gather(*(bureau.apply_for_grant(certificate_code) for bureau in stage.bureaus))
    await stage.register.grant_everything()
    seals = await asyncio.gather(
        *(bureau.apply_for_seal(agency.name) for bureau, agency in zip(stage.bureaus, agencies, strict=True))
    )
    await asyncio.gather(*(make_seal(system, security, seal) for seal in seals))
    at_work = [bureau for bureau in stage.bureaus if bureau.session.credentials.code not in run_elsewhere]
    runs = (stage.register.serve(), stage.app.run(), *(bureau.run() for bureau in at_work))
    stage.tasks = [asyncio.create_task(run) for run in runs]
    for task in stage.tasks:
        task.add_done_callback(stage.note_end)
    return stage


@dataclass(slots=True)
class Outcome:
    """The ends of the journeys."""

    served: list[Served] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


async def serve_all(stage: Stage, citizens: Sequence[Citizen], concurrency: int, progress: Progress) -> Outcome:
    """All people, at most `concurrency` at once."""
    gate = asyncio.Semaphore(concurrency)
    outcome = Outcome()

    async def one(citizen: Citizen) -> None:
        async with gate:
            try:
                outcome.served.append(await stage.app.serve(citizen))
                progress.served(ok=True)
            except JourneyError as error:
                outcome.failures.append(f"citizen {citizen.serial}: {error}")
                progress.served(ok=False)

    await asyncio.gather(*(one(citizen) for citizen in citizens))
    return outcome
