"""An independent judge of OFD packages: Java's own ZIP and XML, BouncyCastle's SM2 and SM3, PDFBox's fonts."""

import atexit
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.support.judges import said

_JAVA = Path("/usr/share/java")
_JARS = [_JAVA / f"{name}.jar" for name in ("pdfbox2", "fontbox2", "commons-logging", "bcprov", "bcpkix", "bcutil")]
_SOURCES = Path(__file__).with_name("ofd_judge")


def _compiled(source: str, path: str) -> str:
    folder = mkdtemp(prefix="judge")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    assert said("javac", "-cp", path, "-d", folder, str(_SOURCES / source)) == ""
    return f"{path}:{folder}"


@cache
def _classes(source: str) -> str:
    if absent := [jar.name for jar in _JARS if not jar.exists()]:
        pytest.skip(f"{', '.join(absent)} absent: make test-deps")
    return _compiled(source, ":".join(map(str, _JARS)))


def judged(*files: Path) -> dict[str, str]:
    """What it says of the last seal of each: `GOOD`, how many files it protects, how many letters the fonts draw."""
    text = said("java", "-cp", _classes("OfdJudge.java"), "OfdJudge", *map(str, files))
    return dict(line.split(" ", 1) for line in text.splitlines())


def signed_values(
    folder: Path, key: bytes, certificate: bytes, seal: bytes, xml: bytes, location: str
) -> dict[str, bytes]:
    """Values over a Signature.xml that BouncyCastle makes: `cms` (RFC 5652, signed attributes) and `ses` (GB/T 38540, of
    2026-06-01T04:00:00Z). `key` is PKCS #8.
    """
    given = []
    for name, data in (("key", key), ("certificate", certificate), ("seal", seal), ("xml", xml)):
        (folder / name).write_bytes(data)
        given.append(str(folder / name))
    command = ("java", "-cp", _classes("OfdSigner.java"), "OfdSigner", *given, location, "20260601040000Z", str(folder))
    assert said(*command) == ""
    return {name: (folder / name).read_bytes() for name in ("cms", "ses")}


def ofdrw(file: Path) -> str | None:
    """What ofdrw (Apache-2.0, org.ofdrw) says of the file's seals (V4): `GOOD`, or its exception. None where it is not
    at hand: OFDRW_CLASSPATH names its jars ofdrw-sign, ofdrw-reader and what they need.
    """
    path = os.environ.get("OFDRW_CLASSPATH")
    if not path:
        return None
    command = ["java", "-cp", path, str(_SOURCES / "OfdrwJudge.java"), str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False).stdout.strip()
