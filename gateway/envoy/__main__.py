"""`python -m gateway.envoy --config hub.toml`: the edge of one hub."""

import asyncio
import sys
from pathlib import Path

from gateway.envoy import control
from gateway.envoy.process import EnvoyNotServingError, EnvoyRefusedError
from gateway.envoy.settings import Edge, EdgeSettings
from shuniu.kit.process import config, log


def main(arguments: list[str]) -> int:
    """Exit status: 0 asked to end, 1 Envoy died or never served, 64 wrong use, 78 settings that cannot work."""
    if len(arguments) != 2 or arguments[0] != "--config":
        print("usage: python -m gateway.envoy --config FILE", file=sys.stderr)
        return config.EX_USAGE
    path = Path(arguments[1])
    try:
        settings = Edge(config.load(config.HubSettings, path, "hub"), config.load(EdgeSettings, path, "edge"))
        log.configure("edge")
        return asyncio.run(control.run(settings))
    except (config.ConfigError, EnvoyRefusedError, ValueError) as error:
        print(str(error), file=sys.stderr)
        return config.EX_CONFIG
    except EnvoyNotServingError as error:
        print(str(error), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
