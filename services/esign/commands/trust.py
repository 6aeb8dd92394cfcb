"""Writes the material by which others verify this hub's documents, for the command line. `verify` runs it, so it
imports little.
"""

import dataclasses
from pathlib import Path

from services.esign.certification.roots import roots_pem
from services.esign.config import EsignSettings, KeyFiles
from services.esign.keys import public
from services.esign.ledger.domain import witness
from services.esign.ledger.witness_sites import witness_sites
from services.esign.verification.trust_names import POLICY, TSA_PREFIX
from shuniu.kit.crypto import pem_files
from shuniu.kit.process.config import HubSettings, load


def trust_files(config: Path) -> dict[str, str]:
    """Trust material of this hub, one file each: the root certificate (*.pem), the ledger's keys (*.vkey), and which
    witnesses a verifier should ask for (policy), when there are any. Raises ConfigError.
    """
    hub, settings = load(HubSettings, config, "hub"), load(EsignSettings, config, "esign")
    keys, sm2, others = public.ledger_keys(hub, settings), public.sm_trust_pem(hub, settings), roots_pem(settings)
    files = {
        "esign-root.pem": pem_files.certificates_pem(KeyFiles(hub.data_dir).root).decode("ascii", "replace"),
        "ledger.vkey": "".join(f"{key.vkey}\n" for key in keys),
    }
    if sm2:
        files["esign-sm2.pem"] = sm2.decode("ascii")
    if others:
        files["esign-ca.pem"] = others.decode("ascii")
    if settings.timestamp_roots.name:
        outside = pem_files.certificates_pem(settings.timestamp_roots, "[esign] timestamp_roots")
        files[f"{TSA_PREFIX}outside.pem"] = outside.decode("ascii", "replace")
    sites, least = witness_sites(settings.witnesses, settings.witness_quorum)
    if sites:
        chosen = witness.Policy.k_of_n([site.key for site in sites], least)
        files[POLICY] = dataclasses.replace(chosen, logs=keys).text
    return files
