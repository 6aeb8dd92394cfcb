"""OpenIdService and the grants behind it."""
