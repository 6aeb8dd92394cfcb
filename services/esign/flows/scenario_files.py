"""The business scenarios that come with the hub, and those that an operator lays beside them: TOML files."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from services.esign.flows.domain import scenarios as flow_scenarios
from services.esign.flows.domain.scenarios import Scenario, ScenarioError
from shuniu.kit.process import config
from shuniu.kit.process.config import ConfigError

OWN = Path(__file__).parent / "scenarios"


def load(directories: Iterable[Path]) -> Mapping[str, Scenario]:
    """Scenarios by code, in their order; one of a later directory takes the place of an earlier one of the same code.

    Raises ConfigError naming the file and everything that is wrong in it.
    """
    found: dict[str, Scenario] = {}
    for directory in directories:
        if not directory.is_dir():
            raise ConfigError(f"{directory}: not a directory of scenarios")
        for path in sorted(directory.glob("*.toml")):
            try:
                scenario = flow_scenarios.read(config.read(path))
            except ScenarioError as error:
                raise ConfigError(f"{path}: {error.fields['faults']}") from None
            if scenario.code != path.stem:
                raise ConfigError(f"{path}: the code is {scenario.code}; name the file so")
            found[scenario.code] = scenario
    return MappingProxyType(dict(sorted(found.items())))
