"""`python -m services.catalogue --config FILE`."""

from pathlib import Path

from services.catalogue.app import build
from shuniu.kit.process.config import HubSettings, load
from shuniu.kit.process.run import main


def _hub(path: Path) -> HubSettings:
    return load(HubSettings, path, "hub")


if __name__ == "__main__":
    main("catalogue", _hub, lambda path: lambda: build(path))
