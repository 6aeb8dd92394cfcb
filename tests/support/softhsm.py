"""PKCS #11 tokens for tests: SoftHSM in this process, or behind a p11-kit server that can be killed and started."""

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shuniu.kit.crypto import pkcs11_session
from shuniu.kit.crypto.pkcs11_uri import TokenUri

SOFTHSM = Path("/usr/lib/softhsm/libsofthsm2.so")
CLIENT = next(iter(Path("/usr/lib").glob("*/pkcs11/p11-kit-client.so")), Path("/absent"))
PIN = "271828"

needs_softhsm = pytest.mark.skipif(
    not SOFTHSM.exists() or shutil.which("softhsm2-util") is None, reason="SoftHSM is not installed (make test-deps)"
)
needs_p11_kit = pytest.mark.skipif(
    not CLIENT.exists() or shutil.which("p11-kit") is None, reason="p11-kit is not installed (make test-deps)"
)


@dataclass
class TokenPlace:
    """A directory of SoftHSM tokens of its own; its configuration is this process's from now on."""

    folder: Path
    pin_file: Path = field(init=False)

    def __post_init__(self) -> None:
        (self.folder / "tokens").mkdir(mode=0o700)
        config = self.folder / "softhsm2.conf"
        config.write_text(f"directories.tokendir = {self.folder}/tokens\nlog.level = ERROR\n")
        os.environ["SOFTHSM2_CONF"] = str(config)
        self._restart()
        self.pin_file = self.folder / "pin"
        self.pin_file.write_text(PIN + "\n")
        self.pin_file.chmod(0o600)

    def new_token(self, label: str) -> str:
        """Makes a token; its URI as a setting takes it."""
        command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", PIN]
        subprocess.run(command, check=True, capture_output=True)
        return self.uri(label)

    def uri(self, label: str, *, module: Path = SOFTHSM, sessions: int = 2) -> str:
        return f"pkcs11:token={label}?module-path={module}&pin-source=file:{self.pin_file}&x-sessions={sessions}"

    def parsed(self, label: str) -> TokenUri:
        return TokenUri.parse(self.uri(label))

    def take_out(self) -> None:
        """As if the device had been unplugged. SoftHSM goes on with what it has in memory until it is started anew."""
        (self.folder / "tokens").rename(self.folder / "elsewhere")
        self._restart()

    def _restart(self) -> None:
        driver = pkcs11_session.module(str(SOFTHSM))
        driver.gate.restart(driver.gate.generation, driver.stop)

    def put_back(self) -> None:
        (self.folder / "elsewhere").rename(self.folder / "tokens")


@dataclass
class RemoteToken:
    """A token in another process, as a device on the network is."""

    place: TokenPlace
    label: str
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        socket = self.place.folder / "p11.sock"
        socket.unlink(missing_ok=True)
        os.environ["P11_KIT_SERVER_ADDRESS"] = f"unix:path={socket}"
        self.process = subprocess.Popen(
            [
                "p11-kit",
                "server",
                "--foreground",
                "-n",
                str(socket),
                "--provider",
                str(SOFTHSM),
                f"pkcs11:token={self.label}",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        # It says where it listens once it does.
        self.process.stdout.readline()

    def kill(self) -> None:
        """With every connection: p11-kit serves each from a process of its own."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
