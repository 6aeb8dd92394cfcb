"""The services about seals: owners, operators, persons."""
