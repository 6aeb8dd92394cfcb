"""`shuniu platform enrol|list|suspend|resume|test`: platforms of the hub, through its public API as an operator."""

import argparse
from pathlib import Path

from shuniu.cli.syntax.later import later

ROLE_SCOPES = {
    "bureau": ["case.handle", "case.read", "resource.query", "seal.use", "flow.sign", "inbox.read"],
    "app": ["openid", "profile", "case.apply", "case.read", "flow.sign", "inbox.read"],
    "provider": ["resource.provide", "inbox.read"],
    "catalogue": ["item.write", "item.publish", "inbox.read"],
}


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    platform = commands.add_parser("platform", help="平台接入与管理 / platforms", description=__doc__)
    verbs = platform.add_subparsers(metavar="VERB", required=True)
    parser = verbs.add_parser("enrol", help="登记并接入一个平台 / register and enrol a platform")
    parser.add_argument("code", help="平台代码 / platform code: a-z, 0-9, hyphen")
    parser.add_argument("--name", required=True, help="平台名称 / official name")
    parser.add_argument(
        "--kind", default="bureau", choices=["ministry", "national", "province", "city", "bureau", "hub"]
    )
    parser.add_argument("--division", default="", help="GB/T 2260, 6 位 (default: the hub's)")
    parser.add_argument("--uscc", default="", help="统一社会信用代码 / USCC")
    parser.add_argument(
        "--role", action="append", choices=sorted(ROLE_SCOPES), help="按角色授予权限 / scopes by role (default bureau)"
    )
    parser.add_argument("--scope", action="append", default=[], help="另加权限 / a further scope")
    parser.add_argument(
        "--redirect-uri", action="append", default=[], help="为公众登录的应用 / for apps that sign people in"
    )
    parser.add_argument("--zone", default="government-extranet")
    parser.add_argument("--secrecy", default="internal", choices=["public", "internal", "sensitive"])
    parser.add_argument(
        "--out", type=Path, default=None, metavar="DIR", help="凭据存放目录 / directory for the credentials"
    )
    parser.add_argument(
        "--token-only",
        action="store_true",
        help="只显示一次性令牌 / only print the one-time token, for the platform itself",
    )
    parser.set_defaults(run=later("platform", "enrol"))
    verbs.add_parser("list", help="列出平台 / list platforms").set_defaults(run=later("platform", "listing"))
    for name, text in (("suspend", "暂停平台 / cut a platform off"), ("resume", "恢复平台 / let it work again")):
        parser = verbs.add_parser(name, help=text)
        parser.add_argument("code")
        parser.add_argument("--reason", default="operator")
        parser.set_defaults(run=later("platform", "switch"), verb=name)
    parser = verbs.add_parser("test", help="探测一个平台的凭据与链路 / probe a platform's credentials and links")
    parser.add_argument("code")
    parser.add_argument("--credentials", type=Path, default=None, metavar="DIR")
    parser.set_defaults(run=later("platform", "probe"))
