"""The `shuniu` command."""
