"""rpc.cost: processor time of one call, ms, by RPC, beside the version of the goals; rpc.signatures: what the core does."""

import os
import time
from statistics import median
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.bench.parts.beside import START, in_turns

_SIGNATURES = 4_000
# What the goals in ms are meant for, P-256 signatures a second of a core.
_GOAL_CORE = 44_000


def signatures_a_second() -> float:
    """P-256 signatures that one core makes now."""
    key, algorithm = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256())
    began = time.process_time()
    for _ in range(_SIGNATURES):
        key.sign(b"", algorithm)
    return _SIGNATURES / (time.process_time() - began)


async def run() -> list[dict[str, Any]]:
    calls, rounds = os.environ.get("CALLS", "60"), int(os.environ.get("ROUNDS", "1"))
    ours, theirs = await in_turns("rpc_cost.py", [calls], START, rounds)
    core = signatures_a_second()
    rows: list[dict[str, Any]] = [
        {"name": "rpc.signatures", "value": core, "unit": "P-256/s", "against": _GOAL_CORE, "ratio": core / _GOAL_CORE}
    ]
    for name in ours[0]:
        now, then = median(found[name] for found in ours), median(found[name] for found in theirs)
        rows.append({"name": f"rpc.cost.{name}", "value": now, "unit": "ms", "against": then, "ratio": now / then})
    return rows
