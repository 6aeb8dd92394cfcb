"""Changes single keys of a settings file and leaves everything else as somebody wrote it."""

import json
import re
import tomllib

from shuniu.kit.process.config import ConfigError

_SECTION = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]\s*(?:#.*)?")


def with_key(text: str, section: str, key: str, value: str | None) -> str:
    """The text with that key of that section set to a string, or without it (None).

    Raises ConfigError where the file is written in a way that this cannot change.
    """
    wanted = tomllib.loads(text)
    table = wanted.setdefault(section, {})
    table.pop(key, None)
    if value is not None:
        table[key] = value
    lines = [line for line, own in _lines(text) if own != section or not re.match(rf"\s*{key}\s*=", line)]
    if value is not None:
        # JSON's strings are TOML's basic strings, but for DEL.
        line = f"{key} = {json.dumps(value, ensure_ascii=False)}"
        heads = [at for at, one in enumerate(lines) if (found := _SECTION.fullmatch(one)) and found[1] == section]
        if heads:
            lines.insert(heads[0] + 1, line)
        else:
            lines += [f"[{section}]", line]
    changed = "\n".join(lines) + "\n"
    try:
        if tomllib.loads(changed) == wanted:
            return changed
    except tomllib.TOMLDecodeError:
        pass
    raise ConfigError(f"[{section}] {key}: 无法自动改写，请手工修改 / cannot be changed here; change it by hand")


def _lines(text: str) -> list[tuple[str, str]]:
    """Each line with the section that it stands in."""
    found, section = list[tuple[str, str]](), ""
    for line in text.splitlines():
        head = _SECTION.fullmatch(line)
        section = head[1] if head else section
        found.append((line, section))
    return found
