"""Instants on the wire."""

from google.protobuf.timestamp_pb2 import Timestamp


def instant(us: int) -> Timestamp:
    found = Timestamp()
    found.FromMicroseconds(us)
    return found
