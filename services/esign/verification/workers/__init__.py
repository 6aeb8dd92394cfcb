"""Confined processes that read foreign documents."""
