"""Documents (certificates) that the hub issues: stages, forms, withdrawal."""
