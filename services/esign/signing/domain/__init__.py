"""Rules of signatures in a PDF, pure."""
