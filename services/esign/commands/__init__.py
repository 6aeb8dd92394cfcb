"""The commands that need no running service: making keys, handing out trust material, judging a document, and auditing
the ledger's files.

A command should start at once, so what it calls is imported when it is named: `verify` brings no database with it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from services.esign.commands.keys import (
        COUNTERS,
        check_devices,
        initialise,
        rotate_ledger_key,
        rotate_qr_key,
        rotate_seal_ca,
        rotate_seal_maker,
        rotate_sm2_seal_ca,
        rotate_timestamp_key,
        rotate_wrapping_key,
        software_keys,
    )
    from services.esign.commands.ledger import (
        MONITOR_ALARM,
        MONITOR_EXIT_CODES,
        LedgerReport,
        backup_ledger,
        check_evidence,
        hub_ledger_verify,
        hub_recount,
        kept_in_store,
        ledger_monitor,
        ledger_verify,
    )
    from services.esign.commands.seals import RenewalError, inspect_seal, renew_file
    from services.esign.commands.trust import trust_files
    from services.esign.evidence.check import EvidenceReport, EvidenceUnreadableError
    from services.esign.flows.recount import Kept, RecountReport
    from services.esign.licences.file import verify_licence
    from services.esign.ses.report import SealReport
    from services.esign.verification.domain.validation_report import REPORT_BEGINNING
    from services.esign.verification.file_errors import quoted
    from services.esign.verification.files import (
        COMPANIONS,
        EXIT_CODES,
        Judged,
        Trusted,
        TrustError,
        limit_reached,
        load_certificates,
        load_trust,
        not_made,
        not_opened,
        told,
        verify_file,
        verify_files,
    )
    from services.esign.verification.renewal import Authorities

__all__ = [
    "COMPANIONS",
    "COUNTERS",
    "EXIT_CODES",
    "MONITOR_ALARM",
    "MONITOR_EXIT_CODES",
    "REPORT_BEGINNING",
    "Authorities",
    "EvidenceReport",
    "EvidenceUnreadableError",
    "Judged",
    "Kept",
    "LedgerReport",
    "RecountReport",
    "RenewalError",
    "SealReport",
    "TrustError",
    "Trusted",
    "backup_ledger",
    "check_devices",
    "check_evidence",
    "hub_ledger_verify",
    "hub_recount",
    "initialise",
    "inspect_seal",
    "kept_in_store",
    "ledger_monitor",
    "ledger_verify",
    "limit_reached",
    "load_certificates",
    "load_trust",
    "not_made",
    "not_opened",
    "quoted",
    "renew_file",
    "rotate_ledger_key",
    "rotate_qr_key",
    "rotate_seal_ca",
    "rotate_seal_maker",
    "rotate_sm2_seal_ca",
    "rotate_timestamp_key",
    "rotate_wrapping_key",
    "software_keys",
    "told",
    "trust_files",
    "verify_file",
    "verify_files",
    "verify_licence",
]

# Where each lies.
_ROOMS = {
    "verification.file_errors": ("quoted",),
    "evidence.check": ("EvidenceReport", "EvidenceUnreadableError"),
    "commands.keys": (
        "COUNTERS",
        "check_devices",
        "initialise",
        "rotate_ledger_key",
        "rotate_qr_key",
        "rotate_seal_ca",
        "rotate_seal_maker",
        "rotate_sm2_seal_ca",
        "rotate_timestamp_key",
        "rotate_wrapping_key",
        "software_keys",
    ),
    "commands.trust": ("trust_files",),
    "commands.ledger": (
        "MONITOR_ALARM",
        "MONITOR_EXIT_CODES",
        "LedgerReport",
        "backup_ledger",
        "check_evidence",
        "hub_ledger_verify",
        "hub_recount",
        "kept_in_store",
        "ledger_monitor",
        "ledger_verify",
    ),
    "licences.file": ("verify_licence",),
    "flows.recount": ("Kept", "RecountReport"),
    "verification.renewal": ("Authorities",),
    "commands.seals": ("RenewalError", "inspect_seal", "renew_file"),
    "ses.report": ("SealReport",),
    "verification.domain.validation_report": ("REPORT_BEGINNING",),
    "verification.files": (
        "COMPANIONS",
        "EXIT_CODES",
        "Judged",
        "TrustError",
        "Trusted",
        "limit_reached",
        "load_certificates",
        "load_trust",
        "not_made",
        "not_opened",
        "told",
        "verify_file",
        "verify_files",
    ),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        room = _ROOM_OF.get(name)
        if room is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"services.esign.{room}"), name)
