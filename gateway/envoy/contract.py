"""The facts of the contract that the edge must know, read from its descriptors: which RPC may arrive where, and how."""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.rpc import error_details_pb2, status_pb2

import shuniu.api
from shuniu.kit.rpc.caller import CallerKind
from shuniu.kit.rpc.policy import policy_of, services_of

# Named nowhere in the contract, yet needed to show an error's details as JSON.
_ERROR_FILES: tuple[FileDescriptor, ...] = (status_pb2.DESCRIPTOR, error_details_pb2.DESCRIPTOR)


class Listener(Enum):
    """The edge's two listeners for the outside."""

    PEOPLE = "people"
    PLATFORMS = "platforms"


# Who can prove itself where. A process of the hub never comes through the edge.
_ARRIVING = {
    Listener.PEOPLE: frozenset({CallerKind.ANONYMOUS}),
    Listener.PLATFORMS: frozenset({CallerKind.ANONYMOUS, CallerKind.PLATFORM, CallerKind.PERSON, CallerKind.OPERATOR}),
}


@dataclass(frozen=True, slots=True)
class Rpc:
    """One RPC as the edge sees it. `area` names the upstream, `rate` is the class in lower case; its REST paths and
    messages are in the descriptor.
    """

    service: str
    method: str
    area: str
    callers: frozenset[CallerKind]
    rate: str
    streaming: bool
    descriptor: MethodDescriptor = field(repr=False, compare=False)

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.method}"

    @property
    def open_to_all(self) -> bool:
        """True where a call without token may pass; a wrong token never does."""
        return CallerKind.ANONYMOUS in self.callers

    def arrives_at(self, listener: Listener) -> bool:
        return bool(self.callers & _ARRIVING[listener])


@dataclass(frozen=True, slots=True)
class Contract:
    """All RPCs, and the descriptors that the transcoder reads (a serialised FileDescriptorSet)."""

    rpcs: tuple[Rpc, ...]
    descriptor_set: bytes

    def at(self, listener: Listener) -> tuple[Rpc, ...]:
        """RPCs routed on a listener."""
        return tuple(rpc for rpc in self.rpcs if rpc.arrives_at(listener))

    def services_at(self, listener: Listener) -> tuple[str, ...]:
        return tuple(sorted({rpc.service for rpc in self.at(listener)}))


def read(files: Iterable[FileDescriptor]) -> Contract:
    """The contract made of these files. Raises LookupError for an RPC without policy."""
    chosen = tuple(files)
    rpcs = tuple(_rpc(method) for service in services_of(chosen) for method in service.methods)
    return Contract(rpcs, _descriptor_set((*chosen, *_ERROR_FILES)))


def shipped() -> Contract:
    """The contract that this hub speaks: every file under shuniu.api."""
    return read(_generated_files())


def _generated_files() -> Iterator[FileDescriptor]:
    for module in sorted(pkgutil.walk_packages(shuniu.api.__path__, "shuniu.api."), key=lambda found: found.name):
        if module.name.endswith("_pb2"):
            yield importlib.import_module(module.name).DESCRIPTOR


def _rpc(method: MethodDescriptor) -> Rpc:
    policy = policy_of(method)
    service = method.containing_service.full_name
    # shuniu.api.<area>.v<major>.<Service>
    area = service.split(".")[2]
    return Rpc(
        service,
        method.name,
        area,
        policy.callers,
        policy.rate,
        streaming=method.client_streaming or method.server_streaming,
        descriptor=method,
    )


def _descriptor_set(files: Iterable[FileDescriptor]) -> bytes:
    """The files with all they import, imported ones first, as the transcoder wants them."""
    ordered: dict[str, FileDescriptor] = {}

    def visit(file: FileDescriptor) -> None:
        if file.name in ordered:
            return
        for dependency in file.dependencies:
            visit(dependency)
        ordered[file.name] = file

    for file in files:
        visit(file)
    found = descriptor_pb2.FileDescriptorSet()
    for file in ordered.values():
        file.CopyToProto(found.file.add())
    return found.SerializeToString(deterministic=True)
