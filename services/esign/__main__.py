"""`python -m services.esign --config FILE`."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from shuniu.kit.process.config import HubSettings, load
from shuniu.kit.process.run import Process, main


def _hub(path: Path) -> HubSettings:
    return load(HubSettings, path, "hub")


def _build(path: Path) -> AbstractAsyncContextManager[Process]:
    # Imported here: the verification worker runs this module again and needs none of the service.
    from services.esign.app import build

    return build(path)


if __name__ == "__main__":
    main("esign", _hub, lambda path: lambda: _build(path))
