"""The sentences of a verdict for people. Data only."""
