"""The functions of the script that admits requests, called in a real Envoy."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import yaml

from gateway.envoy import contract, render
from gateway.envoy.process import EnvoyProcess
from gateway.envoy.settings import EdgeSettings

pytestmark = pytest.mark.asyncio
LIFE = EdgeSettings().body_seconds + 65
LUA = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"
MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


@contextlib.asynccontextmanager
async def script_ending_with(tmp_path: Path, statements: str) -> AsyncIterator[httpx.AsyncClient]:
    """Statements with the script's own functions in reach; what they give to `tell` is the answer to any request."""
    script = (
        f"{render.budget(EdgeSettings(), contract.Listener.PEOPLE)}\n"
        "function envoy_on_request(handle)\n"
        '  local function tell(text) handle:respond({[":status"] = "200"}, text) end\n'
        f"{statements}\nend\nfunction envoy_on_response(handle) end\n"
    )
    manager = {
        "@type": MANAGER,
        "stat_prefix": "t",
        "route_config": {"virtual_hosts": [{"name": "t", "domains": ["*"], "routes": []}]},
        "http_filters": [
            {"name": "lua", "typed_config": {"@type": LUA, "default_source_code": {"inline_string": script}}},
            {"name": "router", "typed_config": {"@type": ROUTER}},
        ],
    }
    listener = {
        "name": "t",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    bootstrap = {
        "admin": {"address": {"pipe": {"path": str(tmp_path / "a")}}},
        "static_resources": {"listeners": [listener]},
    }
    file = tmp_path / "b.yaml"
    file.write_text(yaml.safe_dump(bootstrap))
    envoy = await EnvoyProcess.start(file, tmp_path / "a", workers=1, drain_seconds=1)
    try:
        (port,) = await envoy.ports()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port.port}", trust_env=False) as client:
            yield client
    finally:
        await envoy.stop()


async def test_networks_of_addresses(tmp_path: Path) -> None:
    """An IPv4 address stands for itself within its /24, an IPv6 one for its /64 within its /48; asked again it is the same."""
    statements = """
      local one, around = remembered(handle:headers():get("x-address"))
      tell(one .. " " .. tostring(around))"""
    async with script_ending_with(tmp_path, statements) as client:
        for address, expected in {
            "192.0.2.7:1": "192.0.2.7 192.0.2.0/24",
            "[::ffff:192.0.2.7]:1": "192.0.2.7 192.0.2.0/24",
            "[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::/64 2001:db8:1::/48",
            "[2001:db8::1]:1": "2001:db8:0:0::/64 2001:db8:0::/48",
            "[2001:db8:1:2::]:1": "2001:db8:1:2::/64 2001:db8:1::/48",
            "[::1]:1": "0:0:0:0::/64 0:0:0::/48",
            "[fe80::1:2:3:4:5]:1": "fe80:0:0:1::/64 fe80:0:0::/48",
        }.items():
            for _ in range(2):
                assert (await client.get("/", headers={"x-address": address})).text == expected, address


async def test_remembered_networks_are_bounded(tmp_path: Path) -> None:
    """However many connections come, the script remembers the networks of a few thousand."""
    statements = """
      for port = 1, 3 * KNOWN do remembered("192.0.2.7:" .. port) end
      local kept = 0
      for _ in pairs(known) do kept = kept + 1 end
      tell(tostring(kept <= KNOWN))"""
    async with script_ending_with(tmp_path, statements) as client:
        assert (await client.get("/")).text == "true"


@pytest.mark.parametrize("step", [0, -86_400, -3600, 86_400 * 3650])
async def test_steps_of_the_clock_neither_hold_room_nor_stop_the_edge(tmp_path: Path, step: int) -> None:
    """Room is free again after the longest life of a request that passes after the clock was set, and a clock that was set
    ten years ahead costs no more than a second that passed.
    """
    statements = f"""
      local now = 1000000000
      os.time = function() return now end
      sweep()
      reserve("a", "b", 7)
      local before = total
      now = now + {step}
      local started = os.clock()
      sweep()
      local quick = os.clock() - started < 1
      for _ = 1, {LIFE + 2} do now = now + 1; sweep() end
      tell(before .. " " .. total .. " " .. tostring(quick) .. " " .. tostring(next(held)) .. tostring(next(ends)))"""
    async with script_ending_with(tmp_path, statements) as client:
        assert (await client.get("/", timeout=60)).text == "7 0 true nilnil"


async def test_leases_end_in_their_own_time(tmp_path: Path) -> None:
    """A lease given back is no longer counted, and those around it last as long as they were given for."""
    statements = f"""
      local now = 1000000000
      os.time = function() return now end
      sweep()
      local one, two = reserve("a", nil, 5), reserve("a", nil, 3)
      now = now + {LIFE}
      sweep()
      local three = reserve("c", nil, 11)
      local all = total
      release(one)
      release(one)
      local without = total
      now = now + 1
      sweep()
      tell(all .. " " .. without .. " " .. total .. " " .. tostring(held["a"]))"""
    async with script_ending_with(tmp_path, statements) as client:
        assert (await client.get("/")).text == "19 14 11 nil"
