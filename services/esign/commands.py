"""What the command line may call without a running service: making keys, handing out trust material, judging a
document, and auditing the ledger's files.

A command should start at once, so what it calls is imported when it is named: `verify` brings no database with it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from services.esign.domain.one_line import encodable, escaped, one_line
    from services.esign.evidence_check import EvidenceReport, EvidenceUnreadableError
    from services.esign.file_errors import quoted
    from services.esign.key_commands import (
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
        trust_files,
    )
    from services.esign.ledger_commands import (
        MONITOR_ALARM,
        MONITOR_EXIT_CODES,
        LedgerReport,
        check_evidence,
        hub_ledger_verify,
        hub_recount,
        kept_in_store,
        ledger_monitor,
        ledger_verify,
    )
    from services.esign.licence_file import verify_licence
    from services.esign.recount import Kept, RecountReport
    from services.esign.renewal import Authorities
    from services.esign.seal_commands import RenewalError, inspect_seal, renew_file
    from services.esign.seal_report import SealReport
    from services.esign.verify_command import (
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

__all__ = [
    "EXIT_CODES",
    "MONITOR_ALARM",
    "MONITOR_EXIT_CODES",
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
    "check_devices",
    "check_evidence",
    "encodable",
    "escaped",
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
    "one_line",
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
    "domain.one_line": ("encodable", "escaped", "one_line"),
    "file_errors": ("quoted",),
    "evidence_check": ("EvidenceReport", "EvidenceUnreadableError"),
    "key_commands": (
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
        "trust_files",
    ),
    "ledger_commands": (
        "MONITOR_ALARM",
        "MONITOR_EXIT_CODES",
        "LedgerReport",
        "check_evidence",
        "hub_ledger_verify",
        "hub_recount",
        "kept_in_store",
        "ledger_monitor",
        "ledger_verify",
    ),
    "licence_file": ("verify_licence",),
    "recount": ("Kept", "RecountReport"),
    "renewal": ("Authorities",),
    "seal_commands": ("RenewalError", "inspect_seal", "renew_file"),
    "seal_report": ("SealReport",),
    "verify_command": (
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
