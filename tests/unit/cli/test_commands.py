"""The command line finds its commands."""

import pytest

from shuniu.cli.main import GROUPS, parser


@pytest.mark.parametrize("name", [name for names in GROUPS.values() for name in names])
def test_each_command_is_in_the_group_that_names_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A command given alone imports its group and is known there."""
    with pytest.raises(SystemExit) as ended:
        parser([name]).parse_args([name, "--help"])
    assert ended.value.code == 0
    assert f"shuniu {name}" in capsys.readouterr().out


def test_groups_name_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The whole help lists exactly the commands that the groups name."""
    with pytest.raises(SystemExit):
        parser().parse_args(["--help"])
    listed = {
        line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("    ") and line[4] != " "
    }
    assert listed == {name for names in GROUPS.values() for name in names}
