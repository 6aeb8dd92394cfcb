"""PKCS #11 URIs (RFC 7512): which token of which module, and where its PIN lies."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from shuniu.kit.process.config import ConfigError, secret

_TOKEN: Final = frozenset({"token", "serial", "object", "type"})
_QUERY: Final = frozenset({"module-path", "pin-source", "x-sessions"})
_MOST_SESSIONS: Final = 64


@dataclass(frozen=True, slots=True)
class TokenUri:
    """`pkcs11:token=LABEL[;serial=NUMBER]?module-path=FILE&pin-source=file:FILE[&x-sessions=N]`."""

    token: str
    serial: str
    module: str
    pin_file: Path
    sessions: int
    """Most sessions open at a time."""

    @classmethod
    def parse(cls, text: str) -> "TokenUri":
        """Raises ConfigError naming what is wrong."""
        scheme, _, rest = text.partition(":")
        path, _, query = rest.partition("?")
        if scheme != "pkcs11":
            raise ConfigError(f"{text}: not a pkcs11 URI (RFC 7512)")
        chosen = {**_attributes(path, ";", _TOKEN), **_attributes(query, "&", _QUERY)}
        for name in ("token", "module-path", "pin-source"):
            if not chosen.get(name):
                raise ConfigError(f"pkcs11 URI: {name} is missing")
        sessions = chosen.get("x-sessions", "4")
        if not sessions.isdecimal() or not 1 <= int(sessions) <= _MOST_SESSIONS:
            raise ConfigError(f"pkcs11 URI: x-sessions: 1 to {_MOST_SESSIONS}")
        return cls(
            chosen["token"],
            chosen.get("serial", ""),
            chosen["module-path"],
            Path(chosen["pin-source"].removeprefix("file:")),
            int(sessions),
        )

    def pin(self) -> bytes:
        """Raises ConfigError when the file is absent or readable by others."""
        return secret(self.pin_file).strip()


def object_uri(label: str) -> str:
    """Writes the reference by which a key file names an object of the hub's token."""
    return f"pkcs11:object={quote(label, safe='')}"


def label_of(text: str) -> str:
    """The object that a key file names. Raises ConfigError."""
    label = _attributes(text.removeprefix("pkcs11:"), ";", _TOKEN).get("object", "")
    if not label:
        raise ConfigError(f"{text}: names no object")
    return label


def _attributes(text: str, separator: str, known: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, text.split(separator)):
        name, _, value = part.partition("=")
        if name == "pin-value":
            raise ConfigError("pkcs11 URI: a PIN lies in a file (pin-source), not in settings")
        if name not in known or name in found:
            raise ConfigError(f"pkcs11 URI: {name}: unknown or twice")
        found[name] = unquote(value)
    return found
