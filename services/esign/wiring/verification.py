"""Wiring of the workers that read foreign documents."""

from services.esign.config import EsignSettings
from services.esign.verification.workers.fair_queue import Room
from services.esign.verification.workers.verifier import Verifier
from shuniu.kit.config import ConfigError


def open_verifier(settings: EsignSettings) -> Verifier:
    """The workers that read foreign documents. Raises ConfigError."""
    if min(settings.verify_workers, settings.verify_waiting_most, settings.verify_waiting_most_bytes) < 1:
        raise ConfigError("[esign] verify_workers, verify_waiting_most, verify_waiting_most_bytes: 1 or more")
    return Verifier(
        settings.verify_seconds,
        workers=settings.verify_workers,
        cpu_seconds=settings.verify_cpu_seconds,
        memory=settings.verify_memory_bytes,
        room=Room(settings.verify_waiting_most, settings.verify_waiting_most_bytes),
    )
