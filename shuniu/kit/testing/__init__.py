"""Parts of a hub for tests, of this project and of others: clocks, servers, stores."""

from shuniu.kit.testing.clock import ManualClock, eventually

__all__ = ["ManualClock", "eventually"]
