"""The vault publishes no events and hears none: nothing about a person leaves it but by a call that is recorded."""

from typing import Final

PUBLISHED: Final[tuple[str, ...]] = ()
