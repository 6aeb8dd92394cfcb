"""`python -m gateway.web --config hub.toml`: the web process of one hub."""

import asyncio
import sys
from pathlib import Path

from gateway.web import app
from gateway.web.config import read
from shuniu.kit.process import config, log
from shuniu.kit.process.run import StartRefusedError, serve


def main(arguments: list[str]) -> int:
    """Exit status: 0 asked to end, 64 wrong use, 78 settings that cannot work."""
    if len(arguments) != 2 or arguments[0] != "--config":
        print("usage: python -m gateway.web --config FILE", file=sys.stderr)
        return config.EX_USAGE
    try:
        settings = read(Path(arguments[1]))
        log.configure("web")
        asyncio.run(serve("web", settings.hub.run_dir, lambda: app.build(settings)))
    except (config.ConfigError, StartRefusedError, OSError) as error:
        print(str(error), file=sys.stderr)
        return config.EX_CONFIG
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
