"""Opens licences as SD-JWT VC."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.esign.certification.domain import pem
from services.esign.config import KeyFiles
from services.esign.licences import store as licence_store
from services.esign.licences.issuing import LicenceIssuing
from services.esign.licences.service import LicenceCredentialService, read_types
from services.esign.licences.status_lists import StatusLists
from services.esign.seals.slots import Slots
from services.esign.wiring.opened import Opened
from shuniu.kit.crypto import pem_files
from shuniu.kit.parts import Part
from shuniu.kit.process.config import ConfigError, unusable
from shuniu.kit.rpc.server import servicer


@dataclass(frozen=True, slots=True, kw_only=True)
class LicencesPart(Part):
    licences: LicenceCredentialService


def open_licences(opened: Opened, slots: Slots) -> LicencesPart:
    """With the types that ship and those of the settings. Raises ConfigError."""
    base, settings, secrets = opened.base, opened.settings, opened.secrets
    directories = [Path(__file__).parents[1] / "licences" / "types"]
    if settings.licence_types.name:
        directories.append(settings.licence_types)
    for directory in directories:
        if not directory.is_dir():
            raise unusable(directory, "不是证照类型的目录", "is not a directory of types", "[esign] licence_types")
    try:
        types = read_types(directories)
    except (OSError, ValueError) as error:
        raise ConfigError(f"[esign] licence_types: {settings.licence_types}: {error}") from None
    root = pem_files.certificates_pem(KeyFiles(base.hub.data_dir).root)
    roots = pem.certificates(pem.joined(root, secrets.ca_roots))
    seconds = settings.licence_nonce_seconds
    issuing = LicenceIssuing(base, secrets, opened.ledger, opened.neighbours, slots, types, seconds)
    lists = StatusLists(base, secrets.seal_ca, settings.licence_status_ttl, settings.licence_status_lives)
    licences = LicenceCredentialService(base, issuing, lists, roots)

    async def facts() -> Mapping[str, str]:
        return {"licences": str(await base.store.read(licence_store.count))}

    return LicencesPart(licences=licences, edge=[servicer(licences)], tasks=[issuing.finish_interrupted], facts=facts)
