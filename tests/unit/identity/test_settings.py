"""Settings on whose size other code rests have bounds."""

from pathlib import Path

import pytest

from services.identity import upkeep
from services.identity.config import IdentitySettings
from shuniu.kit.feeds.registry import SESSION_MEMORY_US
from shuniu.kit.process.config import ConfigError, load


@pytest.mark.parametrize(
    ("name", "longest"),
    [("access_token_seconds", 600), ("sign_in_window_seconds", 86_400), ("registration_window_seconds", 86_400)],
)
def test_a_setting_is_never_longer_than_what_is_remembered(tmp_path: Path, name: str, longest: int) -> None:
    """A token ends before anybody forgets that its session ended, and a count lives through its window."""
    file = tmp_path / "hub.toml"
    file.write_text(f"[identity]\n{name} = {longest}\n")
    assert getattr(load(IdentitySettings, file, "identity"), name) == longest
    file.write_text(f"[identity]\n{name} = {longest + 1}\n")
    with pytest.raises(ConfigError, match=name):
        load(IdentitySettings, file, "identity")


def test_bounds_are_below_what_they_rest_on() -> None:
    """The memories themselves: 15 minutes in every service, 20 in identity's feed, a day for counts."""
    assert 600 * 1_000_000 < SESSION_MEMORY_US < upkeep._FEED_KEPT_US
    assert upkeep._KEPT_US >= 86_400 * 1_000_000
