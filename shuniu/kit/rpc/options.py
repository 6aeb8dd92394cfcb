"""gRPC settings that server and client must agree on."""

MAX_MESSAGE = 32 * 1024 * 1024
"""Bytes, either way: an uploaded document of 20 MiB with room for its envelope."""

# The same numbers on both sides, or a peer answers ENHANCE_YOUR_CALM.
KEEPALIVE = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
)
