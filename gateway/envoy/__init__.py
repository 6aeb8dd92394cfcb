"""The edge: Envoy, whose configuration is rendered from `templates/` and from the contract's descriptors."""
