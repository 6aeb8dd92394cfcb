"""Rules of reveals and of pairwise subjects."""
