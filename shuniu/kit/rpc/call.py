"""One running RPC. At its end it writes metrics, one log line and the error for the caller."""

import functools
import secrets
import time
from collections.abc import Callable
from typing import Any

from shuniu.kit.errors import Code, HubError
from shuniu.kit.process import log, metrics
from shuniu.kit.process.tally import Tally
from shuniu.kit.rpc.caller import ANONYMOUS
from shuniu.kit.rpc.policy import Policy
from shuniu.kit.rpc.wire import REQUEST_ID_HEADER

_log = log.get("rpc")


# Looking metrics up by their labels costs more than counting.
@functools.lru_cache(maxsize=4096)
def _counters(path: str, code: str) -> tuple[Callable[[], None], Callable[[float], None]]:
    service, _, method = path[1:].partition("/")
    return metrics.HANDLED.labels(service, method, code).inc, metrics.HANDLING.labels(service, method).observe


class Call:
    """One RPC. Its request id is the edge's, or a new one. `counted`: where and as whose it is counted while it
    is under way.
    """

    __slots__ = ("caller", "context", "counted", "metadata", "policy", "request_id", "started")

    def __init__(self, policy: Policy, context: Any) -> None:
        self.policy = policy
        self.context = context
        self.metadata: dict[str, str] = {
            key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)
        }
        self.request_id = self.metadata.get(REQUEST_ID_HEADER, "") or secrets.token_hex(8)
        self.started = time.perf_counter()
        self.caller = ANONYMOUS
        self.counted: tuple[Tally, str] | None = None

    def done(self, error: HubError | None = None) -> None:
        """Records how the call ended."""
        seconds = time.perf_counter() - self.started
        code = "OK" if error is None else error.code.name
        self._count(code, seconds, error)
        self._write_line(code, seconds, error)

    def failed(self, error: Exception) -> HubError:
        """Records a failure and returns the caller's error: of an unknown exception only an incident id."""
        told = error if isinstance(error, HubError) else self._incident(error)
        self.done(told)
        return told

    def _count(self, code: str, seconds: float, error: HubError | None) -> None:
        handled, handling = _counters(self.policy.method, code)
        handled()
        handling(seconds)
        if error is not None:
            metrics.REFUSED.labels(error.reason).inc()

    def _write_line(self, code: str, seconds: float, error: HubError | None) -> None:
        _log.info(
            "rpc",
            method=self.policy.method,
            code=code,
            reason=None if error is None else error.reason,
            ms=round(seconds * 1000, 2),
            caller=self.caller.kind.name,
            platform=self.caller.platform,
            request_id=self.request_id,
            trace=self.metadata.get("traceparent", "")[:55] or None,
        )

    def _incident(self, error: Exception) -> HubError:
        incident = secrets.token_hex(8)
        metrics.INCIDENTS.inc()
        _log.error("incident", incident=incident, method=self.policy.method, **log.failure(error))
        return HubError(
            Code.INTERNAL,
            "INCIDENT",
            f"Something went wrong here; tell the operator incident {incident}.",
            f"系统内部错误，请联系管理员并提供事件编号 {incident}。",
            metadata={"incident": incident},
        )
