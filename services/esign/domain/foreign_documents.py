"""Limits on what one foreign document may take of the machine that reads it: in the service, at the command line and
in the client library.
"""

MOST_BYTES = 20 * 1024 * 1024
"""Largest document that is read. What we upload to ourselves is 50 kB; foreign documents may be larger, but bounded."""
SECONDS = 10.0
"""Wall-clock time in a worker process, s."""
CPU_SECONDS = 2.8
"""Processor time in a worker process, s."""
MEMORY_BYTES = 224 * 1024 * 1024
"""Memory of a worker process beyond what its imports take: twelve times the largest document."""
