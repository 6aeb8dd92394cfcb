"""Certification: authorities, chains of certificates, and whom a verifier trusts."""
