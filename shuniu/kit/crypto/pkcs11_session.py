"""Sessions with a PKCS #11 token: pooled, handles of keys held, and found again after the token was lost.

Finding a key by its label costs a hundred signatures in a token that holds some hundred, so each session does it once.
A token that was taken out, restarted or replaced leaves handles that mean nothing: the work is tried with a new
session, then with the module initialised again; then it is away, and for a second nobody asks it.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from shuniu.kit.crypto.cryptoki import Attribute, Cryptoki, CryptokiError, Kind, Rv, Template
from shuniu.kit.crypto.device import KeyAwayError, KeyRefusedError
from shuniu.kit.crypto.pkcs11_uri import TokenUri

Answer = TypeVar("Answer")

# While a token is away, callers hear so at once instead of queueing up for it, s.
_PAUSE: Final = 1.0
# How long a caller waits for a session that others hold, s.
_PATIENCE: Final = 5.0
# A wrong PIN given again locks the token.
_PIN: Final = frozenset({Rv.PIN_INCORRECT, Rv.PIN_INVALID, Rv.PIN_LEN_RANGE, Rv.PIN_EXPIRED, Rv.PIN_LOCKED})
_MEANT: Final = frozenset({Rv.MECHANISM_INVALID, Rv.MECHANISM_PARAM_INVALID})


class _Module:
    """A loaded library. Calls run beside each other; initialising it again waits until none runs.

    PKCS #11 knows one initialisation a process, so all tokens of a module share this.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lib: Cryptoki | None = None
        self._initialised = False
        self._changed = threading.Condition()
        self._running = 0
        self._resetting = False
        self.generation = 0

    @contextlib.contextmanager
    def call(self) -> Iterator[None]:
        with self._changed:
            while self._resetting:
                self._changed.wait()
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def reset(self, seen: int) -> None:
        """C_Finalize and C_Initialize, unless somebody did it since generation `seen`."""
        with self._changed:
            while self._resetting:
                self._changed.wait()
            if self.generation != seen:
                return
            self._resetting = True
            while self._running:
                self._changed.wait()
        try:
            if self._lib is not None and self._initialised:
                with contextlib.suppress(CryptokiError):
                    self._lib.finalise()
        finally:
            with self._changed:
                self._initialised = False
                self.generation += 1
                self._resetting = False
                self._changed.notify_all()

    def library(self) -> Cryptoki:
        """The library, initialised. Raises CryptokiError, ConfigError when there is no such library."""
        with self._changed:
            if self._lib is None:
                self._lib = Cryptoki(self._path)
            if not self._initialised:
                self._lib.initialise()
                self._initialised = True
            return self._lib


_modules: dict[str, _Module] = {}
_modules_lock = threading.Lock()


def _module(path: str) -> _Module:
    with _modules_lock:
        return _modules.setdefault(path, _Module(path))


@dataclass(slots=True)
class Held:
    """A session and what was found in it."""

    library: Cryptoki
    slot: int
    session: int
    generation: int
    handles: dict[str, int] = field(default_factory=dict)

    def find(self, label: str, kind: Kind) -> int:
        """The object's handle. A token that holds none of that name, or several, is not the right one now."""
        found = self.handles.get(label)
        if found is None:
            wanted: Template = {Attribute.CLASS: int(kind), Attribute.LABEL: label.encode()}
            items = self.library.find(self.session, wanted)
            if len(items) != 1:
                raise _AbsentError(f"the token holds {'several keys' if items else 'no key'} {label}")
            found = self.handles[label] = items[0]
        return found


class Sessions:
    """Sessions with one token, logged in. Safe for threads."""

    def __init__(self, uri: TokenUri) -> None:
        self._uri = uri
        self._module = _module(uri.module)
        self._free: list[Held] = []
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(uri.sessions)
        self._away_until = 0.0
        self._refused = ""
        self.opened = 0

    def run(self, work: Callable[[Held], Answer]) -> Answer:
        """`work` with a session; it may be called up to three times. Raises KeyAwayError, KeyRefusedError."""
        if self._refused:
            raise KeyAwayError(self._refused)
        if time.monotonic() < self._away_until:
            raise KeyAwayError("the token was away a moment ago")
        if not self._room.acquire(timeout=_PATIENCE):
            raise KeyAwayError("every session of the token is in use")
        try:
            return self._run(work)
        finally:
            self._room.release()

    def _run(self, work: Callable[[Held], Answer]) -> Answer:
        last: Exception | None = None
        seen = 0
        for attempt in ("with what is held", "with a new session", "from the beginning"):
            if attempt == "from the beginning":
                self._module.reset(seen)
            seen = self._module.generation
            try:
                with self._module.call():
                    return self._try(work, fresh=attempt != "with what is held")
            except CryptokiError as error:
                if error.rv in _PIN:
                    self._refused = f"the token refuses the PIN: {error}"
                    raise KeyAwayError(self._refused) from None
                if error.rv in _MEANT:
                    raise KeyRefusedError(f"the token does not do this: {error}") from None
                last = error
            except _AbsentError as error:
                last = error
        self._away_until = time.monotonic() + _PAUSE
        raise KeyAwayError(str(last)) from None

    def _try(self, work: Callable[[Held], Answer], *, fresh: bool) -> Answer:
        held = self._open() if fresh else self._take()
        try:
            answer = work(held)
        except BaseException:
            # Whatever went wrong, this session's handles are not trusted again.
            with contextlib.suppress(CryptokiError):
                held.library.close(held.session)
            raise
        with self._lock:
            self._free.append(held)
        return answer

    def _take(self) -> Held:
        while True:
            with self._lock:
                held = self._free.pop() if self._free else None
            if held is None:
                return self._open()
            if held.generation == self._module.generation:
                return held

    def _open(self) -> Held:
        library, generation = self._module.library(), self._module.generation
        for slot in library.slots():
            label, serial = library.token(slot)
            if label == self._uri.token and self._uri.serial in {"", serial}:
                self.opened += 1
                return Held(library, slot, library.open(slot, self._uri.pin()), generation)
        raise _AbsentError(f"no token {self._uri.token}")

    def close(self) -> None:
        with self._lock:
            free, self._free = self._free, []
        with self._module.call():
            for held in free:
                if held.generation == self._module.generation:
                    with contextlib.suppress(CryptokiError):
                        held.library.close(held.session)


class _AbsentError(Exception):
    """No slot holds the token now, or the token not the key."""
