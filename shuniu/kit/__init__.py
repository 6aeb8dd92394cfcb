"""The runtime that all processes share. It knows no service; `foundation` is where to begin."""
