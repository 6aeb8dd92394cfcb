"""Makes the OFD form of documents (GB/T 33190): laid out as their PDF, sealed with SM2 inside (GM/T 0099)."""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass

from services.esign.config import EsignSettings
from services.esign.pages import layout
from services.esign.pages.domain import certificates
from services.esign.pages.domain.certificates import CertificateData
from services.esign.seals.domain.life import Seal
from services.esign.seals.sm2_side import Sidecars
from shuniu.kit.process import log
from shuniu.kit.process.config import ConfigError

_log = log.get("packages")


@dataclass(frozen=True, slots=True)
class Packages:
    """One for the process. `host`: the one in QR codes."""

    sidecars: Sidecars
    executor: Executor
    host: str

    async def make(self, data: CertificateData, qr: str, seal: Seal, at_us: int) -> bytes:
        """The sealed package; empty when an OFD page cannot show these data. `at_us`: when the seal was granted.

        Raises EsignError.
        """
        package = layout.filled_ofd(data, self.host, qr, at_us)
        if package is None:
            loop = asyncio.get_running_loop()
            package = await loop.run_in_executor(self.executor, layout.ofd_laid_out_here, data, self.host, qr, at_us)
        if package is None:
            _log.warning("without_ofd", number=data.number)
            return b""
        return await self.sidecars.seal_package(package, certificates.TEMPLATES[data.template], seal, at_us)


def open_packages(settings: EsignSettings, sidecars: Sidecars | None, executor: Executor, host: str) -> Packages | None:
    """None: documents are not made as OFD. Raises ConfigError when they should and nothing here seals them."""
    if not settings.ofd:
        return None
    if sidecars is None:
        raise ConfigError(
            "[esign] ofd: an OFD is sealed with SM2, and the hub has no SM2 keys or `ses_sidecar = false`"
        )
    return Packages(sidecars, executor, host)
