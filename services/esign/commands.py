"""What the command line may call of esign, with the service running or not."""

from pathlib import Path

from services.esign import keys
from services.esign.config import EsignSettings, KeyFiles
from shuniu.kit.config import HubSettings, load


def initialise(config: Path) -> None:
    """Makes what is absent of esign's keys and certificates; what is there stays."""
    keys.make(load(HubSettings, config, "hub"))


def trust_files(config: Path) -> dict[str, str]:
    """Trust material for offline verification, one file each: the root certificate and the ledger's key."""
    hub = load(HubSettings, config, "hub")
    secrets = keys.Secrets.load(hub, load(EsignSettings, config, "esign"))
    return {
        "esign-root.pem": KeyFiles(hub.data_dir).root.read_text(),
        "ledger.vkey": secrets.ledger.verifier.vkey + "\n",
    }
