"""A foundation without the processes around it: its registry follows nobody and knows the platforms it is given."""

from collections.abc import Iterable
from typing import Any

from shuniu.api.common.v1 import registry_pb2
from shuniu.kit.feeds.registry import Registry
from shuniu.kit.foundation import Foundation
from shuniu.kit.process.clock import Clock
from shuniu.kit.process.config import HubSettings
from shuniu.kit.service_settings import ServiceSettings
from shuniu.kit.store import Store


class _NoChannel:
    """In place of the channel to identity: nothing is called on it."""

    def __getattr__(self, _kind: str) -> Any:
        return lambda *_method, **_options: None


def registry_of(store: Store | None, clock: Clock, *platforms: str) -> Registry:
    """A registry in which these platforms, by code, may work; nobody subscribed to anything."""
    channel: Any = _NoChannel()
    registry = Registry(channel, store, clock)
    for code in platforms:
        registry.put(registry_pb2.PlatformEntry(code=code, state="ACTIVE"))
    return registry


def foundation_of(
    service: str,
    hub: HubSettings,
    settings: ServiceSettings,
    clock: Clock,
    store: Store,
    *,
    writer: str = "",
    platforms: Iterable[str] = (),
) -> Foundation:
    """An opened service on a store that the test opened. `platforms`: see `registry_of`."""
    return Foundation(
        service=service,
        hub=hub,
        settings=settings,
        clock=clock,
        store=store,
        writer=writer or service,
        registry=registry_of(store, clock, *platforms),
    )
