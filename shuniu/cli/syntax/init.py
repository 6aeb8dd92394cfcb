"""`shuniu init`: a new hub in an empty directory: settings, keys, certificates, operators, databases."""

import argparse
from pathlib import Path

from shuniu.cli.syntax.later import later

PROFILES = ("international", "sm")
"""As `shuniu.kit.crypto.profile` names them, the default first."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("init", help="新建枢纽 / make a new hub", description=__doc__)
    parser.add_argument(
        "--code",
        default="150000",
        help="枢纽所属行政区划代码 / GB/T 2260 code of the hub's division (default %(default)s)",
    )
    parser.add_argument(
        "--name", default="政务服务枢纽", help="对公众显示的名称 / name shown to people (default %(default)s)"
    )
    parser.add_argument(
        "--trust-domain", default="hub.example", help="信任域 / SPIFFE trust domain (default %(default)s)"
    )
    parser.add_argument(
        "--profile",
        default=PROFILES[0],
        choices=PROFILES,
        help="密码体系 / algorithms of seals, evidence, audit chain and what is stored (default %(default)s)",
    )
    parser.add_argument(
        "--host",
        default="localhost",
        help="网关证书中的主机名 / host name in the edge's certificate (default %(default)s)",
    )
    parser.add_argument(
        "--free-ports", action="store_true", help="使用 127.0.0.1 的空闲端口 / listen on free ports of 127.0.0.1"
    )
    parser.add_argument(
        "--people",
        default="",
        metavar="HOST:PORT",
        help="公众监听地址 / listener for people, an IP address (default 127.0.0.1:8443)",
    )
    parser.add_argument(
        "--platforms",
        default="",
        metavar="HOST:PORT",
        help="平台监听地址 / listener for platforms (default 127.0.0.1:9443)",
    )
    parser.add_argument(
        "--issuer", default="", metavar="URL", help="面向公众的外部网址 / external URL of the people listener"
    )
    parser.add_argument(
        "--run-dir", type=Path, default=None, metavar="DIR", help="套接字目录，路径要短 / sockets; a short path"
    )
    parser.add_argument(
        "--bus", default="127.0.0.1:4222", metavar="HOST:PORT", help="总线监听地址 / where the bus listens"
    )
    parser.add_argument(
        "--bus-websocket",
        default="127.0.0.1:4223",
        metavar="HOST:PORT",
        help="总线 WebSocket 监听地址 / its WebSocket listener",
    )
    parser.add_argument(
        "--bus-monitoring", default="127.0.0.1:8222", metavar="HOST:PORT", help="总线健康检查端口 / its health port"
    )
    parser.add_argument(
        "--keys",
        default="file",
        metavar="URI",
        help="签名密钥所在 / where signing keys are made: file, or pkcs11:… (default %(default)s)",
    )
    parser.add_argument(
        "--sm-keys",
        default="file",
        metavar="URI",
        help="国密密钥所在 / where SM2 keys lie: file, or sdf:… (default %(default)s)",
    )
    parser.add_argument(
        "--authority",
        default="",
        metavar="PLATFORM/RESOURCE",
        help="实名核验方 / who proves real names; without it nobody can register",
    )
    parser.set_defaults(run=later("init", "run"))
