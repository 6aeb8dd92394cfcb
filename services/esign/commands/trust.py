"""Writes the material by which others verify this hub's documents, for the command line. `verify` runs it, so it
imports little.
"""

import dataclasses
from pathlib import Path

from services.esign.config import EsignSettings, KeyFiles
from services.esign.keys import secrets as key_store
from services.esign.ledger.domain import witness
from services.esign.ledger.witness_sites import witness_sites
from services.esign.verification.offline import POLICY, TSA_PREFIX
from shuniu.kit.process.config import HubSettings, load


def trust_files(config: Path) -> dict[str, str]:
    """Trust material of this hub, one file each: the root certificate (*.pem), the ledger's keys (*.vkey), and which
    witnesses a verifier should ask for (policy), when there are any.
    """
    hub, settings = load(HubSettings, config, "hub"), load(EsignSettings, config, "esign")
    secrets = key_store.Secrets.load(hub, settings)
    files = {
        "esign-root.pem": KeyFiles(hub.data_dir).root.read_text("ascii"),
        "ledger.vkey": "".join(f"{key.vkey}\n" for key in secrets.ledger_keys),
    }
    if secrets.sm is not None:
        files["esign-sm2.pem"] = secrets.sm.trust_pem.decode("ascii")
    if secrets.ca_roots:
        files["esign-ca.pem"] = secrets.ca_roots.decode("ascii")
    if settings.timestamp_roots.name:
        files[f"{TSA_PREFIX}outside.pem"] = settings.timestamp_roots.read_text("ascii")
    sites, least = witness_sites(settings.witnesses, settings.witness_quorum)
    if sites:
        chosen = witness.Policy.k_of_n([site.key for site in sites], least)
        files[POLICY] = dataclasses.replace(chosen, logs=secrets.ledger_keys).text
    return files
