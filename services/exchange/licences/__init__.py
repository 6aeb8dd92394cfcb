"""Identifiers of electronic licences (电子证照标识)."""
