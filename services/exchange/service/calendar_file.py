"""The region's calendar, read from its file."""

import json
import tomllib
from pathlib import Path

from services.exchange.domain.time_limits import WEEKDAYS, Calendar, CalendarError, calendar_from
from shuniu.kit.process.config import ConfigError


def calendar_of(path: Path) -> Calendar:
    """The region's calendar; weekends only without a file. Raises ConfigError naming the first fault."""
    if not path.name:
        return WEEKDAYS
    try:
        text = path.read_text("utf-8")
        return calendar_from(tomllib.loads(text) if path.suffix == ".toml" else json.loads(text))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, CalendarError) as error:
        raise ConfigError(f"{path}: is no calendar: {error}") from None
