"""Accounts of organisations on the bus server: enrolled, suspended and resumed within a second, without a restart.

The registry's rows decide; every connection rebuilds the server's accounts from them, so a bus that lost its disk needs
no operator. Write the row first, then call: the next connection repairs a crash in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog

from services.identity.bus import domain as bus_accounts
from services.identity.bus.domain import BusKeys, Credential, OrganisationAccount
from shuniu.kit.events.bus import Bus, BusAwayError, BusError
from shuniu.kit.events.bus_server import BusTokens
from shuniu.kit.events.bus_streams import inbox_stream
from shuniu.kit.process.clock import Clock
from shuniu.kit.process.config import made_of, secret

_log = structlog.get_logger(__name__)

_PUSH: Final = "$SYS.REQ.CLAIMS.UPDATE"
_LIST: Final = "$SYS.REQ.CLAIMS.LIST"
_STREAMS: Final = "$SYS.REQ.SERVER.PING.JSZ"
# An account is known to JetStream a moment after its token is; tried for so long, s.
_PROVISION_SECONDS: Final = 5.0
# Accounts pushed at the same time.
_PARALLEL: Final = 32
# From this share of the quota on, what every consumer has acknowledged is removed.
_TIDY_FROM: Final = 0.5


def load_keys(path: Path) -> BusKeys:
    """Read the bus's secrets; makes them on first use, in a file that only we can read."""
    if not path.exists():
        fresh = {name: secrets.token_hex(32) for name in ("operator", "system", "hub", "organisations")}
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(json.dumps(fresh), encoding="utf-8")
    return read_keys(path)


def read_keys(path: Path) -> BusKeys:
    """Raises ConfigError where the file is absent, readable by others or holds other things."""
    return made_of(secret(path), path, _keys, "总线的密钥", "the bus's keys")


def _keys(text: bytes) -> BusKeys:
    return BusKeys(**{name: bytes.fromhex(value) for name, value in json.loads(text).items()})


def server_tokens(keys: BusKeys, *, now_s: int, name: str = "hub") -> BusTokens:
    """Tokens and keys of the server's configuration. The HUB account begins empty; `BusAdmin` fills it."""
    return BusTokens(
        operator=bus_accounts.operator_token(keys, name=name, now_s=now_s),
        system_account=bus_accounts.system_account_id(keys),
        system_token=bus_accounts.system_account_token(keys, now_s=now_s),
        hub_account=bus_accounts.hub_account_id(keys),
        # As old as can be: a restarted server keeps the newer one it was given since.
        hub_token=bus_accounts.hub_account_token(keys, (), now_s=1),
    )


def service_credentials(keys: BusKeys, area: str, *, now_s: int) -> str:
    """The ``.creds`` text with which a service of the hub connects."""
    return bus_accounts.service_credential(keys, area, secrets.token_bytes(32), now_s=now_s).creds


@dataclass(slots=True)
class BusAdmin:
    """Keeps the server's accounts and INBOX streams equal to the registry's rows."""

    keys: BusKeys = field(repr=False)
    url: str
    clock: Clock
    # All organisations that have a place on the bus, from the store.
    load: Callable[[], Awaitable[Sequence[OrganisationAccount]]]
    # Copies of each INBOX: 1 with one server, 3 with three.
    replicas: int = 1
    # How often full streams are looked for, s.
    tidy_s: float = 5
    _bus: Bus = field(init=False, repr=False)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list, repr=False)
    # Waiters for the HUB account's next issue: an issue is O(n), so one serves all waiters.
    _waiting: list[asyncio.Future[None]] = field(default_factory=list, repr=False)
    _asked: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _restored: int = -1
    # IDs of the accounts that were pushed since the server was last reached.
    _pushed: set[str] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        credential = bus_accounts.system_credential(self.keys, secrets.token_bytes(32), now_s=self._now_s())
        self._bus = Bus(self.url, credential.creds, name="identity-admin")

    @property
    def connected(self) -> bool:
        """Tells whether accounts can be pushed now and the server has all of them."""
        return self._bus.connected and self._restored == self._bus.generation

    def _now_s(self) -> int:
        return self.clock.now_us() // 1_000_000

    def start(self) -> None:
        """Connect, restore what the server lacks, and keep doing so until ``close``."""
        self._bus.start()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._issue_hub(), name="bus hub account"),
            loop.create_task(self._watch(), name="bus accounts"),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._bus.close()

    async def enrol(self, account: OrganisationAccount) -> Credential:
        """Give the organisation its place; returns a fresh credential once deliveries reach its INBOX.

        Raises BusAwayError (the bus is down: retry) and BusAccountError HUB_ACCOUNT_FULL.
        """
        await self.apply(account)
        await self._provision(account)
        await self.refresh_hub()
        return self.credential(account)

    def credential(self, account: OrganisationAccount, *, lifetime_s: int = 0) -> Credential:
        """Another credential of the organisation: keep its ``public_key``, hand over ``creds`` once.

        With ``lifetime_s`` it ends by itself: for a service of the hub that reads INBOX on the organisation's behalf.
        """
        now_s = self._now_s()
        expires_s = now_s + lifetime_s if lifetime_s else 0
        secret = secrets.token_bytes(32)
        return bus_accounts.organisation_credential(self.keys, account, secret, now_s=now_s, expires_s=expires_s)

    async def suspend(self, account: OrganisationAccount) -> OrganisationAccount:
        """Cut every session and credential of the organisation now; returns the account as it is to be stored."""
        changed = bus_accounts.suspended(account, self._now_s())
        await self.apply(changed)
        return changed

    async def resume(self, account: OrganisationAccount) -> OrganisationAccount:
        """Let the organisation's credentials work again; returns the account as it is to be stored."""
        changed = bus_accounts.resumed(account)
        await self.apply(changed)
        return changed

    async def revoke(self, account: OrganisationAccount, public_key: str) -> OrganisationAccount:
        """Cut one credential for good; returns the account as it is to be stored."""
        changed = bus_accounts.without_credential(account, public_key, self._now_s())
        await self.apply(changed)
        return changed

    async def apply(self, account: OrganisationAccount) -> None:
        """Push the organisation's account as it is; sessions that it no longer allows end at once."""
        token = bus_accounts.organisation_account_token(self.keys, account, now_s=self._now_s(), replicas=self.replicas)
        _check(await self._bus.request(_PUSH, token.encode()))
        self._pushed.add(bus_accounts.organisation_account_id(self.keys, account))

    async def refresh_hub(self) -> None:
        """Return once an issue of the HUB account that was begun after this call is in force."""
        issued: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(issued)
        self._asked.set()
        await issued

    async def _issue_hub(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            waiting, self._waiting = self._waiting, []
            try:
                await self._push_hub(await self.load())
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - told to those who wait
                for waiter in waiting:
                    if not waiter.done():
                        waiter.set_exception(error)
            else:
                for waiter in waiting:
                    if not waiter.done():
                        waiter.set_result(None)

    async def _push_hub(self, accounts: Sequence[OrganisationAccount]) -> None:
        # One whose row is there and whose account is still on its way asks for an issue of its own.
        known = self._pushed | await self._listed()
        there = [each for each in accounts if bus_accounts.organisation_account_id(self.keys, each) in known]
        token = bus_accounts.hub_account_token(self.keys, there, now_s=self._now_s())
        _check(await self._bus.request(_PUSH, token.encode(), timeout_s=20))

    async def _listed(self) -> frozenset[str]:
        """IDs of all accounts that some server has: another replica may have pushed them."""
        if "," in self.url:
            answers = await self._bus.request_all(_LIST, quiet_s=0.2)
        else:
            answers = [await self._bus.request(_LIST)]
        return frozenset(name for answer in answers for name in json.loads(answer).get("data") or ())

    async def _provision(self, account: OrganisationAccount) -> None:
        async with self._as_provisioner(account) as bus:
            subject = bus_accounts.delivery_subject(self.keys)
            spec = inbox_stream(subject, account.quota.inbox_bytes, now_s=self._now_s(), replicas=self.replicas)
            until = asyncio.get_running_loop().time() + _PROVISION_SECONDS
            while True:
                try:
                    await bus.ensure_stream(spec)
                    return
                except BusError:
                    if asyncio.get_running_loop().time() > until:
                        raise
                    await asyncio.sleep(0.05)

    @contextlib.asynccontextmanager
    async def _as_provisioner(self, account: OrganisationAccount) -> Any:
        # Not suspended: the hub keeps the stream of a suspended organisation in order too.
        credential = bus_accounts.provisioner_credential(
            self.keys, account, secrets.token_bytes(32), now_s=self._now_s() + 1
        )
        bus = Bus(self.url, credential.creds, name=f"provisioner {account.code}")
        bus.start()
        try:
            await bus.wait_connected(_PROVISION_SECONDS)
            yield bus
        finally:
            await bus.close()

    async def _watch(self) -> None:
        while True:
            try:
                await self._bus.wait_connected()
                if self._restored != self._bus.generation:
                    generation = self._bus.generation
                    await self._restore()
                    self._restored = generation
                else:
                    await self.tidy()
                    await asyncio.sleep(self.tidy_s)
            except BusAwayError:
                await asyncio.sleep(0.05)
            except Exception as error:  # noqa: BLE001 - the registry may be away too; accounts must still be restored
                _log.warning("bus_accounts_delayed", cause=repr(error))
                await asyncio.sleep(0.5)

    async def _restore(self) -> None:
        """Push every account and make every INBOX that the server does not have."""
        self._pushed.clear()
        accounts = await self.load()
        gate = asyncio.Semaphore(_PARALLEL)

        async def push(account: OrganisationAccount) -> None:
            async with gate:
                await self.apply(account)

        await asyncio.gather(*(push(account) for account in accounts))
        await self._push_hub(accounts)
        present = await self._inboxes()
        for account in accounts:
            if bus_accounts.organisation_account_id(self.keys, account) not in present:
                await self._provision(account)
                _log.warning("inbox_made", organisation=account.code)

    async def _inboxes(self) -> dict[str, Mapping[str, Any]]:
        """Stream INBOX of each account that has one, by account id."""
        question = json.dumps({"accounts": True, "streams": True, "consumer": True, "config": True, "limit": 100_000})
        answers = await self._bus.request_all(_STREAMS, question.encode(), timeout_s=20)
        return inboxes_of([json.loads(each) for each in answers])

    async def tidy(self) -> None:
        """Make room in INBOX streams that are filling: what every durable consumer has acknowledged is removed.

        What nobody acknowledged is never removed; such a stream fills up, and its organisation alone is parked.
        """
        accounts = await self.load()
        inboxes = await self._inboxes()
        for account in accounts:
            stream = inboxes.get(bus_accounts.organisation_account_id(self.keys, account))
            if stream is None or stream["state"]["bytes"] < account.quota.inbox_bytes * _TIDY_FROM:
                continue
            done = acknowledged_by_all(stream)
            if done >= stream["state"]["first_seq"]:
                async with self._as_provisioner(account) as bus:
                    await bus.api(f"STREAM.PURGE.{bus_accounts.INBOX}", {"seq": done + 1})


def inboxes_of(answers: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Stream INBOX of each account, by account id, from the answers of all servers: each tells of the copies that it
    holds, and the leader's word counts.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for answer in answers:
        server = answer.get("server", {}).get("name")
        for account in answer["data"].get("account_details") or ():
            for stream in account.get("stream_detail") or ():
                if stream["name"] != bus_accounts.INBOX:
                    continue
                name = account["id"] if "id" in account else account["name"]
                if name not in found or (stream.get("cluster") or {}).get("leader") == server:
                    found[name] = stream
    return found


def acknowledged_by_all(stream: Mapping[str, Any]) -> int:
    """The last message number that every durable consumer has acknowledged with all before it; 0 without consumers."""
    floors = [
        int(consumer["ack_floor"]["stream_seq"])
        for consumer in stream.get("consumer_detail") or ()
        if (consumer.get("config") or {}).get("durable_name")
    ]
    return min(floors, default=0)


def _check(answer: bytes) -> None:
    parsed = json.loads(answer)
    error = parsed.get("error")
    if error:
        raise BusError(int(error.get("code", 0)), str(error.get("description", error)))
