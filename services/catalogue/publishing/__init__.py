"""Publishing: an item's way from draft to the public and back, by two persons."""
