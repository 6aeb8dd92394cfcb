"""A provincial app: signs people in through the hub, finds items, applies, follows progress, fetches results."""
