"""The ministry's population register and record query, as a provider behind the hub: no open port, one stream out."""
