"""Servicers of persons: for services of the hub, and for handling agencies."""
