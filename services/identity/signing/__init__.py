"""A person's consent to sign."""
