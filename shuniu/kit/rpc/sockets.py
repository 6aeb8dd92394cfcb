"""Unix sockets between processes: each caller has one of its own at each process that it may call.

They lie in a folder for each caller, so that an operator who runs processes under users (or in containers) of their own
gives each its folder and no other. Whoever reaches a socket is who it is for.
"""

from pathlib import Path

_UNIX = "unix:"


def peer_address(address: str, caller: str) -> str:
    """The address at which `caller` reaches a process: `unix:<dir>/x.peer.sock` becomes
    `unix:<dir>/from/<caller>/x.peer.sock`; over TCP it is the same for everybody.
    """
    if not address.startswith(_UNIX):
        return address
    path = Path(address.removeprefix(_UNIX))
    return f"{_UNIX}{path.parent}/from/{caller}/{path.name}"
