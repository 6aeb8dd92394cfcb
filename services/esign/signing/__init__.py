"""Signatures in a PDF (PAdES): one signer, several, and long-term proof."""
