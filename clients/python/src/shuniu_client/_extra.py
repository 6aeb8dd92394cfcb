"""Says what to install where the extra `verify` is missing."""

from importlib.util import find_spec

if find_spec("cryptography") is None:
    raise ModuleNotFoundError(
        "离线核验请安装 shuniu-client[verify] / to verify offline, install shuniu-client[verify]",
        name="cryptography",
    )
