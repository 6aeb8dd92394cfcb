"""Operators of the hub and their disjoint roles."""
