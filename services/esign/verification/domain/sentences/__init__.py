"""What a verdict says to people. Data only."""
