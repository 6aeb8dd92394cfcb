"""The contract as tests see it: every file, RPC and option, read from the descriptors and nothing else."""

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.api import annotations_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor

import shuniu.api
from shuniu.api.common.v1 import policy_pb2


@cache
def files() -> tuple[FileDescriptor, ...]:
    """Every file of the contract."""
    names = (module.name for module in pkgutil.walk_packages(shuniu.api.__path__, "shuniu.api."))
    return tuple(importlib.import_module(name).DESCRIPTOR for name in sorted(names) if name.endswith("_pb2"))


@dataclass(frozen=True)
class HttpRule:
    """One google.api.http rule: verb, path template and what the body is."""

    verb: str
    path: str
    body: str


@dataclass(frozen=True)
class Rpc:
    """One RPC with its raw options."""

    method: MethodDescriptor

    @property
    def name(self) -> str:
        """Full name of service and method, as in a path without its first slash."""
        return f"{self.method.containing_service.full_name}/{self.method.name}"

    @property
    def path(self) -> str:
        return f"/{self.name}"

    @property
    def has_policy(self) -> bool:
        return bool(self.method.GetOptions().HasExtension(policy_pb2.policy))

    @property
    def policy(self) -> policy_pb2.Policy:
        return self.method.GetOptions().Extensions[policy_pb2.policy]

    @property
    def callers(self) -> frozenset[int]:
        return frozenset(self.policy.callers)

    @property
    def internal(self) -> bool:
        return self.callers == {policy_pb2.CALLER_KIND_SERVICE}

    @property
    def streaming(self) -> bool:
        return bool(self.method.client_streaming or self.method.server_streaming)

    @property
    def http(self) -> HttpRule | None:
        options = self.method.GetOptions()
        if not options.HasExtension(annotations_pb2.http):
            return None
        rule = options.Extensions[annotations_pb2.http]
        verb = rule.WhichOneof("pattern")
        return HttpRule(verb, getattr(rule, verb), rule.body)

    @property
    def request(self) -> Any:
        """The request's message class."""
        return message_factory.GetMessageClass(self.method.input_type)

    @property
    def response(self) -> Any:
        """The response's message class."""
        return message_factory.GetMessageClass(self.method.output_type)


@cache
def rpcs() -> tuple[Rpc, ...]:
    """Every RPC of the contract, by path."""

    def found() -> Iterator[Rpc]:
        for file in files():
            for service in file.services_by_name.values():
                yield from (Rpc(method) for method in service.methods)

    return tuple(sorted(found(), key=lambda rpc: rpc.path))
