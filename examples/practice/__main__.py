"""A practice partner for a new bureau: everything around it, so that it can handle its first case.

    python -m examples.practice --data var/hub [--cases N]

It enrols, on a running hub, an app, the ministry's register, the department and the bureau 150100-ga, publishes the
item, gets grant and seal, prints how to start a bureau, then sends cases and tells when each one is delivered. It can
be run again: what it set up before stays.
"""

import argparse
import asyncio
import socket
import sys
import tomllib
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import grpc

from examples.city_bureau.bureau import Bureau
from examples.demo.hub import HubFailedError
from examples.demo.journeys import APP, APP_NAME, DEPARTMENT, REGISTER, REGISTER_NAME
from examples.demo.setup import (
    BUREAU_SCOPES,
    CATALOGUE_SCOPES,
    CERTIFICATE_ITEM,
    REGISTER_SCOPES,
    app_platform,
    bureau_platform,
    enrol_at,
    make_seal,
    plain_platform,
    publish_items,
)
from examples.hub_client.credentials import Credentials, Hub
from examples.hub_client.inbox import BusInbox
from examples.hub_client.session import Session
from examples.inner_mongolia.load import load
from examples.inner_mongolia.people import people
from examples.ministry_register.register import Entry, Register
from examples.provincial_app.app import REDIRECT_URI, App, JourneyError
from examples.provincial_app.citizen import Citizen
from shuniu.api.identity.v1 import platform_pb2

BUREAU = "150100-ga"
DIVISION = "150100"


def hub_at(data: Path) -> Hub:
    """The addresses of a hub on this machine, from its settings."""
    try:
        settings = tomllib.loads((data / "hub.toml").read_text("utf-8"))
    except OSError:
        raise HubFailedError(f"{data}: no hub here; run: shuniu init --data {data}") from None
    edge, bus = settings["edge"], settings["nats"]
    return Hub(edge["people"], edge["platforms"], bus["listen"], (data / "pki" / "edge-ca.pem").read_bytes())


async def main(data: Path, cases: int, say: Callable[[str], None] = print) -> int:
    hub, region = hub_at(data), load()
    reachable(hub, data)
    folder = data / "practice"
    run = uuid.uuid4().hex[:8]
    everybody = people(cases, seed=uuid.UUID(hex=run * 4).int % 10**8, divisions=(DIVISION,))
    async with AsyncExitStack() as stack:

        async def opened(credentials: Credentials) -> Session:
            session = Session(hub, credentials)
            stack.push_async_callback(session.close)
            return session

        system = await opened(Credentials.load("system", data / "operators" / "system"))
        security = await opened(Credentials.load("security", data / "operators" / "security"))
        agency = region.agency(DIVISION)
        department = region.agency("150000")
        wanted = {
            APP: app_platform(APP, APP_NAME, REDIRECT_URI),
            REGISTER: plain_platform(REGISTER, REGISTER_NAME, "ministry", "000000", REGISTER_SCOPES),
            DEPARTMENT: plain_platform(
                DEPARTMENT, department.name, "province", "150000", [*CATALOGUE_SCOPES, *BUREAU_SCOPES]
            ),
            BUREAU: bureau_platform(agency),
        }
        sessions: dict[str, Session] = {}
        for code, platform in wanted.items():
            sessions[code] = await opened(await credentials_of(hub, system, platform, data))
        population = {person.number: Entry(person.name, person.document_type, False) for person in everybody}
        register = Register(sessions[REGISTER], population)
        grant_file = folder / "grant"
        if not grant_file.exists():
            await register.publish_resources()
            item = region.item(CERTIFICATE_ITEM)
            entry = next(one for one in region.implementing_of(CERTIFICATE_ITEM) if one.agency.division == DIVISION)
            await publish_items(sessions[DEPARTMENT], department, [item], [entry])
            bureau = Bureau(
                sessions[BUREAU],
                BusInbox(hub, sessions[BUREAU].credentials),
                lambda _serial: False,
                lambda _s, _t: None,
            )
            await bureau.apply_for_grant(item.code_b)
            await register.grant_everything()
            await make_seal(system, security, await bureau.apply_for_seal(agency.name))
            grant_file.write_text(bureau.grant)
        grant = grant_file.read_text()
        at = sessions[BUREAU].credentials.directory
        say(f"公安局凭据 / credentials of the bureau: {at}")
        say("启动公安局 / start a bureau, one of:")
        say(f"  java -cp var/java Bureau {hub.platforms_url} {BUREAU} {at} {grant} {cases}")
        say(f"  node examples/node_bureau/bureau.js {hub.platforms} nats://{hub.bus} {BUREAU} {at} {grant} {cases}")
        certificates = folder / "certificates"
        certificates.mkdir(exist_ok=True)
        app = App(sessions[APP], BusInbox(hub, sessions[APP].credentials), certificates, lambda _step, _seconds: None)
        others = [asyncio.create_task(register.serve()), asyncio.create_task(app.run())]
        try:
            for serial, person in enumerate(everybody, start=1):
                citizen = Citizen(
                    serial,
                    f"practice{run}{serial}",
                    person.password,
                    person.name,
                    person.document_type,
                    person.number,
                    person.division,
                )
                say(f"第 {serial} 件已发出，等待办理 / case {serial} is on its way …")
                served = await app.serve(citizen)
                say(f"已送达 / delivered: {served.case_code} → {certificates / served.certificate_number}.pdf")
        finally:
            # First: cancelling alone may be lost inside the bus's client.
            await app.inbox.close()
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)
    return 0


async def credentials_of(hub: Hub, system: Session, platform: platform_pb2.Platform, data: Path) -> Credentials:
    """The credentials of a platform of the practice, enrolled now or before, or by `shuniu platform enrol` on this
    machine.
    """
    code = platform.code
    for directory in (data / "practice" / code, data / "platforms" / code):
        if (directory / "sealing.jwk").exists():
            return Credentials.load(code, directory)
    try:
        return await enrol_at(hub, system, platform, data / "practice" / code)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
            raise
    raise HubFailedError(
        f"{code}: 该平台已接入，但此处没有其凭据；请将凭据目录复制到 {data / 'platforms' / code}，或另建枢纽练习 / "
        "is enrolled already and its credentials are not here; copy their directory there, or practise on a new hub"
    )


def reachable(hub: Hub, data: Path) -> None:
    """Raises HubFailedError at once, where calls would be repeated for a minute."""
    host, _, port = hub.platforms.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        raise HubFailedError(
            f"{hub.platforms}: 枢纽未运行 / no hub answers there; start it: shuniu up --data {data}"
        ) from None


def sentence(error: Exception) -> str:
    """The cause that ended the practice, without its place in the program."""
    if isinstance(error, grpc.aio.AioRpcError):
        return f"枢纽拒绝或无应答 / the hub refused, or did not answer: {error.code().name}: {error.details()}"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("var/hub"))
    parser.add_argument("--cases", type=int, default=1)
    given = parser.parse_args()
    try:
        sys.exit(asyncio.run(main(given.data.resolve(), given.cases)))
    except (HubFailedError, JourneyError, RuntimeError, OSError, grpc.aio.AioRpcError) as error:
        print(sentence(error), file=sys.stderr)
        print("解决后可再次运行，已完成的设置会保留 / run it again after that: what was set up stays", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
