"""Login names and passwords."""

from services.identity.sessions.domain import sign_in


def test_login_names_are_no_identity_numbers():
    """A number typed as a login name would be kept and shown as one."""
    assert [each.reason for each in sign_in.check_login_name("11010519491231002X")] == ["LOGIN_NAME_IS_NUMBER"]
    assert sign_in.check_login_name("wu.yun_88") == []


def test_passwords_are_long_and_not_the_login_name():
    """Length decides; one repeated character or the login name is refused; spellings of one password are one."""
    assert sign_in.check_password("correct horse", "wuyun") == []
    for bad in ("short", "x" * 129, "aaaaaaaaaa", "WuYun12345"):
        assert sign_in.check_password(bad, "wuyun")
    assert sign_in.normalised("ＡＢＣ") == sign_in.normalised("ABC")
