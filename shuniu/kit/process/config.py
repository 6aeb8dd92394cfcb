"""Typed settings from one TOML file and the environment.

A process reads `[hub]` and its own section into frozen dataclasses. Unknown keys and wrong types are fatal, with one
line that names file and key (exit 78, EX_CONFIG). `SHUNIU_<SECTION>_<KEY>` overrides a key. Secrets are given only as
`*_file` keys naming a file. Files that settings name are read here (`content`, `text`, `parsed`, `secret`): one that is
absent, empty or something else is such a line too.
"""

import errno
import math
import os
import stat
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

EX_USAGE = 64
EX_CONFIG = 78


class ConfigError(Exception):
    """A setting is missing, unknown, of the wrong type or out of its bounds; one line that names file and key."""


@dataclass(frozen=True, slots=True)
class HubSettings:
    """`[hub]`: what all processes share."""

    code: str
    """Hub code: its GB/T 2260 division, 6 digits."""
    name: str
    """Name shown to people."""
    trust_domain: str
    """SPIFFE trust domain; the last word on who belongs to this hub."""
    issuer: str
    """Issuer of tokens and base of links: external URL of the people listener, without trailing slash."""
    data_dir: Path
    """Everything the hub keeps."""
    run_dir: Path
    """Sockets (0700). Its path must be short: a socket path has at most 107 bytes."""
    profile: str = "international"
    """Cryptographic profile: international or sm."""
    zone: str = "government-extranet"
    """Security zone of the hub itself."""
    zone_pairs: tuple[str, ...] = ()
    """Pairs `from>to` of zones between which data may go; within a zone all goes, everything else is denied."""


@dataclass(frozen=True, slots=True)
class Within:
    """Bounds of a number, or of each number in a table, both included: `seconds: Annotated[int, Within(1, 600)] = 300`.
    Every setting that is a number has them: what lies outside is a slip, and ends the start instead of the service.
    """

    least: float
    most: float


MOST_PORT = 65_535
TIB = 1 << 40
"""More memory than any machine that this is run on has, bytes."""


Settings = TypeVar("Settings", bound="DataclassInstance")
Read = TypeVar("Read")
# Why a file cannot be read, for people.
_WHY = {
    errno.ENOENT: "没有这个文件",
    errno.ENOTDIR: "路径中有一段不是目录",
    errno.EISDIR: "这是目录，不是文件",
    errno.ENXIO: "不是普通文件",
    errno.EACCES: "没有权限",
    errno.EPERM: "没有权限",
    errno.ELOOP: "符号链接指向自己",
    errno.ENAMETOOLONG: "文件名过长",
}


def read(path: Path) -> dict[str, Any]:
    """The whole file. Raises ConfigError when it cannot be read."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not valid TOML: {error}") from None


def load(kind: type[Settings], path: Path, section: str) -> Settings:
    """Reads one section into `kind`, a dataclass. Raises ConfigError naming the first wrong key."""
    table = _table(path, section)
    unknown = sorted(set(table) - {field.name for field in fields(kind)})
    if unknown:
        raise ConfigError(f"{path}: [{section}] {unknown[0]}: unknown key")
    return _values(kind, path, section, table)


def part(kind: type[Settings], path: Path, section: str) -> Settings:
    """The keys of one section that `kind` names, as `load` reads them; the section's other keys are somebody else's."""
    return _values(kind, path, section, _table(path, section))


def variable_of(section: str, name: str) -> str:
    """The variable of the environment that overrides a key."""
    return f"SHUNIU_{section.upper()}_{name.upper()}"


def _table(path: Path, section: str) -> dict[str, Any]:
    table = read(path).get(section, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: [{section}] must be a table")
    return table


def _values(kind: type[Settings], path: Path, section: str, table: dict[str, Any]) -> Settings:
    hints, annotated = get_type_hints(kind), get_type_hints(kind, include_extras=True)
    values: dict[str, Any] = {}
    for field in fields(kind):
        name, variable = field.name, variable_of(section, field.name)
        # `Path` takes the empty text for the working directory; only a setting whose default is that means none by it.
        if os.environ.get(variable, table.get(name)) == "" and _is_path(hints[name]) and field.default != Path():
            where = variable if variable in os.environ else f"{path}: [{section}] {name}"
            raise ConfigError(f"{where}: must not be an empty path")
        if variable in os.environ:
            values[name] = _from_text(os.environ[variable], hints[name], variable)
        elif name in table:
            values[name] = _typed(table[name], hints[name], f"{path}: [{section}] {name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f"{path}: [{section}] {name}: missing")
        if name in values:
            where = variable if variable in os.environ else f"{path}: [{section}] {name}"
            _require_within(values[name], annotated[name], where)
    return kind(**values)


def _require_within(value: Any, hint: Any, where: str) -> None:
    if get_origin(hint) is Annotated:
        for bounds in get_args(hint)[1:]:
            if isinstance(bounds, Within):
                for place, number in _numbers(value, where):
                    if not bounds.least <= number <= bounds.most:
                        raise ConfigError(f"{place}: must be from {bounds.least:.15g} to {bounds.most:.15g}")


def _numbers(value: Any, where: str) -> Iterator[tuple[str, float]]:
    """A number, or those of a table, each with the place to name."""
    if isinstance(value, dict):
        yield from ((f"{where}.{key}", number) for key, number in value.items())
    else:
        yield where, value


def _is_path(hint: Any) -> bool:
    return hint is Path or Path in get_args(hint)


def _typed(value: Any, hint: Any, where: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        options = [option for option in get_args(hint) if option is not NoneType]
        return _typed(value, options[0], where)
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{where}: must be a list")
        inner = get_args(hint)[0]
        return tuple(_typed(item, inner, where) for item in value)
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: must be a table")
        inner = get_args(hint)[1]
        return {key: _typed(each, inner, f"{where}.{key}") for key, each in value.items()}
    if hint is Path:
        if not isinstance(value, str):
            raise ConfigError(f"{where}: must be a path")
        return Path(value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return _finite(value, where)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise ConfigError(f"{where}: must be of type {hint.__name__}")
    return value


def _from_text(text: str, hint: Any, where: str) -> Any:
    if get_origin(hint) in (Union, UnionType):
        return _from_text(text, next(option for option in get_args(hint) if option is not NoneType), where)
    if hint in (int, float):
        try:
            value = hint(text)
        except ValueError:
            raise ConfigError(f"{where}: must be of type {hint.__name__}") from None
        return _finite(value, where) if hint is float else value
    if hint is bool:
        if text not in ("true", "false"):
            raise ConfigError(f"{where}: must be true or false")
        return text == "true"
    if get_origin(hint) is tuple:
        return tuple(part for part in text.split(",") if part)
    if hint is Path:
        return Path(text)
    if hint is not str:
        raise ConfigError(f"{where}: can be set in the file only")
    return text


def _finite(value: float, where: str) -> float:
    """No bound holds for what compares with nothing, and no clock waits without an end."""
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise ConfigError(f"{where}: must be a finite number")
    return found


def content(path: Path, setting: str = "") -> bytes:
    """The whole of a file that a setting names, or of a key file. `setting`: its name, as `[esign] ca_roots`. Raises
    ConfigError where there is no plain file, it cannot be read or it is empty: what reads it never sees an OSError.
    """
    try:
        _require_plain(path.stat())
        found = path.read_bytes()
    except (OSError, ValueError) as error:
        raise _unreadable(path, error, setting) from None
    if not found:
        raise unusable(path, "文件是空的", "the file is empty", setting)
    return found


def parsed(path: Path, read: Callable[[bytes], Read], zh: str, en: str, setting: str = "") -> Read:
    """Reads `content` by `read`. `zh`, `en`: what the file should be, as `PEM 格式的证书`. Raises ConfigError, and
    where `read` raises ValueError, TypeError, KeyError or AttributeError: it is no such file.
    """
    return made_of(content(path, setting), path, read, zh, en, setting)


def made_of(found: bytes, path: Path, read: Callable[[bytes], Read], zh: str, en: str, setting: str = "") -> Read:
    """Reads what a file held by `read`. Raises ConfigError as `parsed` does."""
    try:
        return read(found)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise unusable(path, f"不是{zh}", f"is not {en}", setting) from None


def text(path: Path, setting: str = "") -> str:
    """`content` as text. Raises ConfigError, also where it is not UTF-8."""
    return parsed(path, bytes.decode, " UTF-8 文本", "text in UTF-8", setting)


def unusable(path: Path, zh: str, en: str, setting: str = "") -> ConfigError:
    """The error about a file that a setting names, with what to do."""
    if not setting:
        return ConfigError(f"{path}: {zh}；请放回正确的文件 / {en}; put the right file there")
    return ConfigError(f"{setting}: {path}: {zh}；请改正设置或文件 / {en}; correct the setting or the file")


def _unreadable(path: Path, error: OSError | ValueError, setting: str) -> ConfigError:
    if isinstance(error, OSError):
        return unusable(path, _WHY.get(error.errno or 0, "无法读取"), f"cannot be read: {error.strerror}", setting)
    # A name with a byte of zero.
    return unusable(path, "文件名无效", "cannot be read: not a name of a file", setting)


def _require_plain(found: os.stat_result) -> None:
    """A pipe would keep the process waiting. Raises OSError."""
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.ENXIO, "Not a regular file")


def secret(path: Path, setting: str = "") -> bytes:
    """A secret's bytes. Raises ConfigError as `content` does, and where group or others may read the file."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise _unreadable(path, error, setting) from None
    if stat.S_ISREG(mode) and mode & 0o077:
        where = f"{setting}: {path}" if setting else f"{path}"
        raise ConfigError(f"{where}: 密钥文件可被他人读取，请 chmod 600 / secret is readable by others; chmod 600 it")
    return content(path, setting)


def secret_text(path: Path, setting: str = "") -> str:
    """`secret` as text. Raises ConfigError, also where it is not UTF-8."""
    return made_of(secret(path, setting), path, bytes.decode, " UTF-8 文本", "text in UTF-8", setting)
