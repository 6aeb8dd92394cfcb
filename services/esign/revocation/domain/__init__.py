"""OCSP answers and CRLs, pure."""
