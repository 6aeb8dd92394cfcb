"""The file of a backup: a tar.gz whose last member lists all others with their SHA-256, encrypted to recipients if any
are given (age). It has no name before it is whole.
"""

import contextlib
import errno
import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, cast

from shuniu.kit.process import durable
from shuniu.kit.process.config import ConfigError

MANIFEST: Final = "manifest.json"
_AGE: Final = b"age-encryption.org/v1\n"
# Some hundred bytes a file; the ledger has two files for each 256 entries.
_MANIFEST_MOST: Final = 256 * 1024 * 1024


class Writer:
    """Adds files to an archive and remembers their digests."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self.files: dict[str, str] = {}

    def add(self, name: str, path: Path) -> None:
        """A file that nobody changes meanwhile, or that is replaced as a whole. Raises OSError."""
        with path.open("rb") as content:
            member = tarfile.TarInfo(name)
            member.size, member.mode = os.fstat(content.fileno()).st_size, 0o600
            hashing = _Hashing(content)
            self._archive.addfile(member, cast("IO[bytes]", hashing))
        self.files[name] = hashing.digest.hexdigest()

    def add_tree(self, name: str, directory: Path) -> None:
        """The regular files below a directory."""
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                # Renewed or removed meanwhile: its successor is there, or it is needed no more.
                with contextlib.suppress(FileNotFoundError):
                    self.add(f"{name}/{path.relative_to(directory)}", path)

    def close(self, manifest: dict[str, Any]) -> None:
        data = json.dumps({**manifest, "files": self.files}, indent=1).encode()
        member = tarfile.TarInfo(MANIFEST)
        member.size, member.mode = len(data), 0o600
        self._archive.addfile(member, io.BytesIO(data))


class _Hashing:
    """A file whose bytes are counted into a digest as they are read."""

    def __init__(self, content: BinaryIO) -> None:
        self._content = content
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._content.read(size)
        self.digest.update(data)
        return data


@contextlib.contextmanager
def writing(target: Path, recipients: Sequence[str]) -> Iterator[Writer]:
    """A new archive; `target` is there, whole and on disk, once the block ends, and untouched when it fails.

    `recipients`: age recipients, SSH public keys, or files that list them, one a line; none: in clear. Raises
    ConfigError, OSError.
    """
    keys = _recipients(recipients)
    with _nameless(target) as made:
        with _encrypting(made, keys) as sink, tarfile.open(fileobj=sink, mode="w|gz") as archive:
            yield Writer(archive)
        made.flush()
        os.fsync(made.fileno())


def extract(source: Path, target: Path, identities: Sequence[Path]) -> dict[str, Any]:
    """Unpacks an archive into the directory `target`, checks every file, and returns the manifest.

    `identities`: files with age or SSH private keys, for an encrypted one. Raises ConfigError, one sentence; what was
    unpacked until then is left to the caller.
    """
    try:
        with (
            source.open("rb") as file,
            tempfile.TemporaryFile(dir=target) as clear,
            gzip.open(_in_clear(file, clear, identities)) as unpacked,
        ):
            found = _members(unpacked, target)
        return _checked(found, target)
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError, KeyError, TypeError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"{source}: 不是完整的备份 / is not a whole backup: {said}") from None


def _members(unpacked: gzip.GzipFile, target: Path) -> dict[str, str]:
    """Directories and plain files only, all of them inside `target`, readable by their owner alone; their digests."""
    found: dict[str, str] = {}
    with tarfile.open(fileobj=unpacked, mode="r|") as archive:
        for member in archive:
            path = Path(member.name)
            if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
                raise tarfile.TarError(f"{member.name}: not what a backup holds")
            if member.isdir():
                continue
            content = archive.extractfile(member)
            assert content is not None
            (target / path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            hashing = _Hashing(cast("BinaryIO", content))
            with os.fdopen(os.open(target / path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made:
                shutil.copyfileobj(cast("IO[bytes]", hashing), made)
            found[str(path)] = hashing.digest.hexdigest()
    # Behind the archive's end there is the end of the compressed stream, with its checksum.
    while unpacked.read(1 << 16):
        pass
    return found


def _checked(found: dict[str, str], target: Path) -> dict[str, Any]:
    if found.pop(MANIFEST, None) is None:
        raise ValueError("its manifest is missing")
    path = target / MANIFEST
    if path.stat().st_size > _MANIFEST_MOST:
        raise ValueError("its manifest is too long")
    manifest: dict[str, Any] = json.loads(path.read_bytes())
    listed = manifest["files"]
    for name in sorted(found.keys() | listed.keys()):
        if found.get(name) != listed.get(name):
            raise ValueError(f"{name} is {'missing' if name not in found else 'damaged'}")
    path.unlink()
    return manifest


@contextlib.contextmanager
def _nameless(target: Path) -> Iterator[BinaryIO]:
    """A file that is linked at `target` when the block ends. A process that is killed before leaves nothing; where the
    file system has no such files, a `.part` beside the target.
    """
    folder, draft = target.absolute().parent, target.absolute().with_name(f".{target.name}.part")
    draft.unlink(missing_ok=True)
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
    except OSError as error:
        if error.errno not in {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}:
            raise
        with draft.open("xb") as named:
            os.fchmod(named.fileno(), 0o600)
            try:
                yield named
            except BaseException:
                draft.unlink()
                raise
    else:
        with os.fdopen(descriptor, "w+b") as made:
            yield made
            here = os.open(folder, os.O_RDONLY)
            try:
                # Only with a directory's descriptor is the link followed (linkat, AT_SYMLINK_FOLLOW).
                os.link(f"/proc/self/fd/{made.fileno()}", draft, src_dir_fd=here)
            finally:
                os.close(here)
    draft.replace(target)
    durable.sync(folder)


@contextlib.contextmanager
def _encrypting(sink: BinaryIO, recipients: Sequence[Any]) -> Iterator[BinaryIO]:
    """A stream whose bytes reach `sink` encrypted; as they are without recipients."""
    if not recipients:
        yield sink
        return
    reading, writing_end = os.pipe()
    failed: list[BaseException] = []

    def work() -> None:
        with os.fdopen(reading, "rb") as clear:
            try:
                _age().encrypt_io(clear, sink, recipients)
            except BaseException as error:  # noqa: BLE001 — told by the thread that waits
                failed.append(error)

    encrypting = threading.Thread(target=work, name="encrypting")
    encrypting.start()
    try:
        with os.fdopen(writing_end, "wb") as pipe:
            yield pipe
    finally:
        encrypting.join()
    if failed:
        raise ConfigError(f"备份无法加密 / the backup cannot be encrypted: {failed[0]}")


def _in_clear(file: BinaryIO, clear: IO[bytes], identities: Sequence[Path]) -> IO[bytes]:
    """The archive decrypted into `clear`, which has no name; the file itself when it is in clear."""
    beginning = file.read(len(_AGE))
    file.seek(0)
    if beginning != _AGE:
        return file
    if not identities:
        raise ConfigError(
            "备份已加密，请用 --identity 指定私钥文件 / the backup is encrypted; name the file of your key: --identity"
        )
    age = _age()
    try:
        age.decrypt_io(file, clear, [one for path in identities for one in _identities(path)])
    except age.DecryptError as error:
        raise ValueError(f"it cannot be decrypted: {error}") from None
    clear.seek(0)
    return clear


def _recipients(given: Sequence[str]) -> list[Any]:
    lines = [line for one in given for line in ([one] if _is_key(one) else _lines(Path(one)))]
    age = _age() if lines else None
    return [_parsed(line, age.x25519.Recipient.from_str, age.ssh.Recipient.from_str) for line in lines] if age else []


def _identities(path: Path) -> list[Any]:
    age = _age()
    text = "\n".join(_lines(path))
    if "PRIVATE KEY-----" in text:
        return [_parsed(text + "\n", lambda whole: age.ssh.Identity.from_buffer(whole.encode()))]
    return [_parsed(line, age.x25519.Identity.from_str) for line in text.splitlines()]


def _is_key(text: str) -> bool:
    return text.startswith(("age1", "ssh-"))


def _lines(path: Path) -> list[str]:
    """Without comments and empty lines. Raises ConfigError: also when there is none."""
    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{path}: 无法读取密钥 / no keys can be read from it") from None
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise ConfigError(f"{path}: 没有密钥 / holds no keys")
    return found


def _parsed(text: str, *ways: Callable[[str], Any]) -> Any:
    for way in ways:
        # Each library error of another kind of key; what it says may quote a private key.
        with contextlib.suppress(Exception):
            return way(text)
    raise ConfigError("密钥无法识别，须为 age 或 SSH 密钥 / a key is neither of age nor of SSH")


def _age() -> Any:
    """Here: a backup in clear needs none of it."""
    import pyrage

    return pyrage
