"""Persons: pairwise subjects, and their data sealed to those who may have it."""
