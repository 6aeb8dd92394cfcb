"""Moments as the contract has them."""

from google.protobuf.timestamp_pb2 import Timestamp


def micros(stamp: Timestamp) -> int | None:
    """µs since 1970; None for what is no time (`google.protobuf.Timestamp` has a first and a last one)."""
    try:
        return stamp.ToMicroseconds()
    except ValueError:
        return None
