"""VerificationService, and what the register says."""
