"""Access policies, read from the contract's descriptors. An RPC without one does not start."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.protobuf.descriptor import FileDescriptor, MethodDescriptor, ServiceDescriptor

from shuniu.api.common.v1 import policy_pb2
from shuniu.kit import errors
from shuniu.kit.rpc.caller import Caller, CallerKind


@dataclass(frozen=True, slots=True)
class Policy:
    """Access policy of one RPC."""

    method: str
    callers: frozenset[CallerKind]
    scopes: frozenset[str]
    min_ial: int
    audit: bool
    mutates: bool
    rate: str
    services: frozenset[str] = frozenset()
    """Processes of the hub that may call it."""

    @property
    def internal(self) -> bool:
        """Tells whether only processes of this hub may call it, so that the edge never routes it."""
        return self.callers == {CallerKind.SERVICE}

    def check(self, caller: Caller) -> None:
        """Raises UNAUTHENTICATED or PERMISSION_DENIED when the caller may not."""
        if caller.kind is CallerKind.SERVICE and CallerKind.SERVICE in self.callers:
            if caller.platform not in self.services and CallerKind.ANONYMOUS not in self.callers:
                raise errors.denied(
                    "PEER_KIND",
                    f"The process {caller.platform} of this hub may not use this call.",
                    "枢纽的这一进程无权使用该接口。",
                    process=caller.platform,
                )
            return
        if caller.kind not in self.callers:
            # A platform without token may still use what is open to everybody.
            if caller.kind is CallerKind.ANONYMOUS:
                raise errors.unauthenticated(
                    "TOKEN_REQUIRED",
                    "This call needs an access token bound to your client certificate.",
                    "此接口需要与客户端证书绑定的访问令牌。",
                )
            if CallerKind.ANONYMOUS in self.callers:
                return
            raise errors.denied(
                "CALLER_KIND",
                f"A caller of kind {caller.kind.name.lower()} may not use this call.",
                "此类调用方无权使用该接口。",
                kind=caller.kind.name,
            )
        if caller.kind is CallerKind.ANONYMOUS:
            return
        missing = self.scopes - caller.scopes
        if missing:
            raise errors.denied(
                "SCOPE_MISSING",
                f"The token lacks the scope {', '.join(sorted(missing))}; ask the hub's operator to grant it.",
                f"令牌缺少权限 {'、'.join(sorted(missing))}，请联系枢纽管理员授权。",
                scopes=" ".join(sorted(missing)),
            )
        if caller.kind is CallerKind.PERSON and caller.ial < self.min_ial:
            raise errors.denied(
                "ASSURANCE_TOO_LOW",
                f"This needs identity assurance level {self.min_ial}; sign in again with acr_values=L{self.min_ial}.",
                f"此操作需要 L{self.min_ial} 级实名认证，请重新认证。",
                required_ial=str(self.min_ial),
            )


def policy_of(method: MethodDescriptor) -> Policy:
    """Reads one policy. Raises LookupError for an RPC without a policy, or with an empty one."""
    options = method.GetOptions()
    name = f"/{method.containing_service.full_name}/{method.name}"
    if not options.HasExtension(policy_pb2.policy):
        raise LookupError(f"{name} has no policy")
    raw = options.Extensions[policy_pb2.policy]
    callers = frozenset(CallerKind(kind) for kind in raw.callers)
    if (
        not callers
        or raw.rate == policy_pb2.RATE_CLASS_UNSPECIFIED
        or (CallerKind.SERVICE in callers) != bool(raw.services)
    ):
        raise LookupError(f"{name} has an incomplete policy")
    return Policy(
        name,
        callers,
        frozenset(raw.scopes),
        raw.min_ial,
        raw.audit,
        raw.mutates,
        policy_pb2.RateClass.Name(raw.rate).removeprefix("RATE_CLASS_").lower(),
        frozenset(raw.services),
    )


def policies(services: Iterable[ServiceDescriptor]) -> dict[str, Policy]:
    """Policies of whole services, by method path."""
    found = (policy_of(method) for service in services for method in service.methods)
    return {policy.method: policy for policy in found}


def services_of(files: Iterable[FileDescriptor]) -> Iterator[ServiceDescriptor]:
    for file in files:
        yield from file.services_by_name.values()
