"""`python -m services.identity --config hub.toml`."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from services.identity.app import build
from shuniu.kit.process.config import HubSettings, load
from shuniu.kit.process.run import Build, Process, main


def _hub(path: Path) -> HubSettings:
    return load(HubSettings, path, "hub")


def _build(path: Path) -> Build:
    def opened() -> AbstractAsyncContextManager[Process]:
        return build(path)

    return opened


if __name__ == "__main__":
    main("identity", _hub, _build)
