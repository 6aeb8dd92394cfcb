"""Revocation of seal certificates: OCSP and CRL."""
