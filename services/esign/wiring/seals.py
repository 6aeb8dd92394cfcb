"""Opens seals: their life, their making, the slots they sign in, and their SM2 side."""

from dataclasses import dataclass

from services.esign.certification.authorities import open_authority, with_remote_seals
from services.esign.documents.views import sealed_by
from services.esign.seals.life import SealLife
from services.esign.seals.maker import SealMaker
from services.esign.seals.service.operators import SealAdminService
from services.esign.seals.service.owners import SealService
from services.esign.seals.service.persons import PersonalSealService
from services.esign.seals.slots import Slots
from services.esign.seals.sm2_side import Sidecars
from services.esign.timestamps.clock_guard import ClockGuard
from services.esign.wiring.opened import Opened
from shuniu.kit.parts import Part
from shuniu.kit.rpc.server import servicer


@dataclass(frozen=True, slots=True, kw_only=True)
class SealsPart(Part):
    """`sidecars` None: documents get no GB/T 38540 signature."""

    seals: SealService
    slots: Slots
    sidecars: Sidecars | None


def open_seals(opened: Opened, guard: ClockGuard) -> SealsPart:
    """Raises ConfigError."""
    base, settings, secrets = opened.base, opened.settings, opened.secrets
    neighbours, layouts = opened.neighbours, opened.layouts
    slots = Slots(base.clock, guard, secrets.digest)
    life = SealLife(base, opened.ledger, slots, secrets.marks)
    own, enrolling = open_authority(settings, secrets.seal_ca)
    maker = SealMaker(
        base,
        secrets,
        layouts,
        neighbours,
        settings.seal_days,
        settings.revocation_url.rstrip("/"),
        with_remote_seals(settings, secrets.signer, own),
    )
    seals = SealService(base, secrets, life, maker, settings.seal_two_operators)
    # In the profile sm the keys are there in any case: PDFs are signed with them.
    beside = None if settings.ses_sidecar is False else secrets.sm
    return SealsPart(
        seals=seals,
        slots=slots,
        sidecars=None if beside is None else Sidecars(base, beside, secrets.keyring, layouts),
        edge=[
            servicer(seals),
            servicer(SealAdminService(seals, sealed_by)),
            servicer(PersonalSealService(seals, neighbours)),
        ],
        tasks=[slots.beat_of(base), life.watch],
        close=None if enrolling is None else enrolling.aclose,
    )
