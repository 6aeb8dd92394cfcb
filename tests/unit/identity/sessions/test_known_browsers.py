"""Browsers that a person signed in with are known again, and nobody else's."""

from services.identity.sessions.known_browsers import KnownBrowsers

BROWSERS = KnownBrowsers(b"k" * 32)
NOW = 1_800_000_000
YEAR = 365 * 86400


def test_a_browser_is_known_to_its_persons_alone():
    """The name stays at each sign-in; another login, key, time or a changed mark knows nobody."""
    marks = BROWSERS.marked("", "wuyun", "", NOW)
    name = BROWSERS.find(marks, "wuyun", NOW)
    assert name
    again = BROWSERS.marked(marks, "wuyun", name, NOW + 60)
    assert BROWSERS.find(again, "wuyun", NOW + YEAR) == name
    assert again.count("~") == 0
    assert BROWSERS.find(marks, "someone", NOW) == ""
    assert KnownBrowsers(b"j" * 32).find(marks, "wuyun", NOW) == ""
    assert BROWSERS.find(marks, "wuyun", NOW + 2 * YEAR) == ""
    for hostile in ("", "~", "..", "a.b.c", "a.9999999999.", marks[:-1], marks.replace(".", ".9", 1), "\udcff.1.x"):
        assert BROWSERS.find(hostile, "wuyun", NOW) == ""


def test_persons_share_a_browser_and_four_are_kept():
    """The latest four sign-ins are known; the oldest goes."""
    marks = ""
    for person in "abcde":
        marks = BROWSERS.marked(marks, person, "", NOW)
    assert [bool(BROWSERS.find(marks, person, NOW)) for person in "abcde"] == [False, True, True, True, True]
