"""The configured witnesses: who they are and where they are reached."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.esign.ledger.domain import witness
from services.esign.ledger.domain.witness import WitnessKey


@dataclass(frozen=True, slots=True)
class WitnessSite:
    """A witness and its submission prefix."""

    key: WitnessKey
    url: str


def parse_site(text: str) -> WitnessSite:
    """A witness from `name+id+key URL`. Raises NoteMalformedError, ValueError."""
    vkey, _, url = text.strip().partition(" ")
    if not url.strip().startswith(("http://", "https://")):
        raise ValueError("a witness is written `name+id+key URL`")
    return WitnessSite(witness.parse_vkey(vkey), url.strip().rstrip("/"))


def witness_sites(texts: Sequence[str], quorum: int) -> tuple[list[WitnessSite], int]:
    """Configured witnesses, and how many make a head witnessed (0: the majority). Raises as `parse_site`."""
    sites = [parse_site(text) for text in texts]
    return sites, quorum or (len(sites) // 2 + 1 if sites else 0)
