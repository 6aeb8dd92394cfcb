"""Updates from seeds: a signed document and one to five mutations of it, twice now and then."""

import random
from dataclasses import dataclass

from services.esign.domain.pdf.syntax import PdfError
from tests.support.update_bases import BASES, base
from tests.support.update_mutations import LAWFUL, UNLAWFUL, Mutation
from tests.support.updates import Draft

# The certificate is ten times as large as the others; they share everything that matters here.
_WEIGHTS = [1 if name == "certificate" else 6 for name in BASES]
_ALL_LAWFUL = 0.3
_SECOND_SAVE = 0.12


@dataclass(frozen=True, slots=True)
class Updated:
    """A signed document, what was made of it, and the names of what was done."""

    seed: int
    base: str
    before: bytes
    after: bytes
    kinds: tuple[str, ...]


def generated(seed: int) -> Updated:
    """The update of this seed: always the same mutations, under keys of this process."""
    dice = random.Random(seed)
    name = dice.choices(list(BASES), _WEIGHTS)[0]
    pdf = before = base(name)
    kinds: list[str] = []
    for _ in range(2 if dice.random() < _SECOND_SAVE else 1):
        try:
            draft = Draft(pdf)
        except PdfError:
            break
        for kind, mutation in _mutations(dice):
            try:
                mutation(dice, draft)
            except (AttributeError, IndexError, KeyError, TypeError, ValueError):
                # A mutation before this one broke what it is about.
                continue
            kinds.append(kind)
        pdf = draft.finished()
    return Updated(seed, name, before, pdf, tuple(kinds))


def _mutations(dice: random.Random) -> list[tuple[str, Mutation]]:
    count = dice.choices((1, 2, 3, 4, 5), (5, 4, 3, 2, 1))[0]
    if dice.random() < _ALL_LAWFUL:
        return [dice.choice(list(LAWFUL.items())) for _ in range(count)]
    bad = [dice.choice(list(UNLAWFUL.items()))]
    return bad + [dice.choice(list((LAWFUL if dice.random() < 0.6 else UNLAWFUL).items())) for _ in range(count - 1)]
