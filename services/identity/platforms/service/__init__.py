"""Servicers of the registry."""
