"""Typed settings from one TOML file and the environment.

A process reads `[hub]` and its own section into frozen dataclasses. Unknown keys and wrong types are fatal, with one
line that names file and key (exit 78, EX_CONFIG). `SHUNIU_<SECTION>_<KEY>` overrides a key. Secrets are given only as
`*_file` keys naming a file.
"""

import os
import tomllib
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

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
    """Bounds of a number, both included: `seconds: Annotated[int, Within(1, 600)] = 300`. A setting on whose size other
    code rests has them.
    """

    least: float
    most: float


Settings = TypeVar("Settings")


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
    unknown = sorted(set(table) - {field.name for field in fields(kind)})  # type: ignore[arg-type]
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
    for field in fields(kind):  # type: ignore[arg-type]
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
            if isinstance(bounds, Within) and not bounds.least <= value <= bounds.most:
                raise ConfigError(f"{where}: must be from {bounds.least:g} to {bounds.most:g}")


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
        return dict(value)
    if hint is Path:
        if not isinstance(value, str):
            raise ConfigError(f"{where}: must be a path")
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise ConfigError(f"{where}: must be of type {hint.__name__}")
    return value


def _from_text(text: str, hint: Any, where: str) -> Any:
    if get_origin(hint) in (Union, UnionType):
        return _from_text(text, next(option for option in get_args(hint) if option is not NoneType), where)
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            raise ConfigError(f"{where}: must be of type {hint.__name__}") from None
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


def secret(path: Path) -> bytes:
    """A secret's bytes. Raises ConfigError when the file is absent, or readable by group or others."""
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path}: secret is readable by others; chmod 600 it")
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


def write_secret(path: Path, content: bytes) -> None:
    """Makes a 0600 file, durable before return. Refuses to overwrite."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
