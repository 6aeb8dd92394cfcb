"""Cryptography as a port: digests, authenticated encryption under numbered keys, sealing to a receiver, certificates.

Each value carries the algorithm and key id it was made with, so that keys rotate and the `sm` profile can stand beside
the international one. Modules: `profile`, `keyring` (AES-GCM or SM4-GCM at rest), `sealing` (JWE to a receiver),
`x509`, `sm` (SM2, SM3, SM4), `usage` (what was done with which algorithm).
"""
