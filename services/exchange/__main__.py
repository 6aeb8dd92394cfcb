"""`python -m services.exchange --config FILE`."""

from pathlib import Path

from services.exchange.app import build
from shuniu.kit.process.config import HubSettings, load
from shuniu.kit.process.run import main


def _hub(path: Path) -> HubSettings:
    return load(HubSettings, path, "hub")


if __name__ == "__main__":
    main("exchange", _hub, lambda path: lambda: build(path))
