"""Sessions with a PKCS #11 token. Finding a key by its label costs a hundred signatures in a token that holds some
hundred, so each session does it once.
"""

import threading
from dataclasses import dataclass, field

from shuniu.kit.crypto.cryptoki import Attribute, Cryptoki, Kind, Template
from shuniu.kit.crypto.device_pool import DeviceError, Gate, Pool
from shuniu.kit.crypto.pkcs11_uri import TokenUri


class AbsentError(DeviceError):
    """No slot holds the token now, or the token not the key."""


class Module:
    """A loaded library. PKCS #11 knows one initialisation a process, so all tokens of a module share this."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._library: Cryptoki | None = None
        self._initialised = False
        self._starting = threading.Lock()
        self.gate = Gate()

    def library(self) -> Cryptoki:
        """The library, initialised. Raises CryptokiError, ConfigError when there is no such library."""
        with self._starting:
            if self._library is None:
                self._library = Cryptoki(self._path)
            if not self._initialised:
                self._library.initialise()
                self._initialised = True
            return self._library

    def stop(self) -> None:
        """C_Finalize; the next use initialises it again. Nothing else may be calling."""
        if self._library is not None and self._initialised:
            self._initialised = False
            self._library.finalise()


_modules: dict[str, Module] = {}
_modules_lock = threading.Lock()


def module(path: str) -> Module:
    """The module of a path; one object a process."""
    with _modules_lock:
        return _modules.setdefault(path, Module(path))


@dataclass(slots=True)
class TokenSession:
    """A session, logged in, and what was found in it."""

    library: Cryptoki
    slot: int
    session: int
    generation: int
    _handles: dict[str, int] = field(default_factory=dict)

    def handle(self, label: str, kind: Kind) -> int:
        """The object's handle. Raises AbsentError: a token that holds none of that name, or several, is a wrong one."""
        found = self._handles.get(label)
        if found is None:
            wanted: Template = {Attribute.CLASS: int(kind), Attribute.LABEL: label.encode()}
            items = self.library.find(self.session, wanted)
            if len(items) != 1:
                raise AbsentError(f"the token holds {'several keys' if items else 'no key'} {label}")
            found = self._handles[label] = items[0]
        return found

    def close(self) -> None:
        self.library.close(self.session)


def sessions(uri: TokenUri) -> Pool[TokenSession]:
    """Sessions with the token that a URI names."""
    chosen = module(uri.module)

    def begin() -> TokenSession:
        library, generation = chosen.library(), chosen.gate.generation
        for slot in library.slots():
            label, serial = library.token(slot)
            if label == uri.token and uri.serial in {"", serial}:
                return TokenSession(library, slot, library.open(slot, uri.pin()), generation)
        raise AbsentError(f"no token {uri.token}")

    return Pool(chosen.gate, begin, chosen.stop, uri.sessions)
