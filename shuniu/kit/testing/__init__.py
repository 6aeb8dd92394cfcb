"""What tests of this and of other projects need to run parts of a hub: clocks, servers, stores."""

from shuniu.kit.testing.clock import ManualClock, eventually

__all__ = ["ManualClock", "eventually"]
