"""The region's calendar, read from its file."""

import json
import tomllib
from pathlib import Path

from services.exchange.domain.time_limits import WEEKDAYS, Calendar, CalendarError, calendar_from
from shuniu.kit.process import config
from shuniu.kit.process.config import ConfigError


def calendar_of(path: Path) -> Calendar:
    """The region's calendar; weekends only without a file. Raises ConfigError naming the first fault."""
    if not path.name:
        return WEEKDAYS
    text = config.text(path, "[exchange] calendar_file")
    try:
        return calendar_from(tomllib.loads(text) if path.suffix == ".toml" else json.loads(text))
    except (ValueError, CalendarError) as error:
        raise ConfigError(f"{path}: is no calendar: {error}") from None
