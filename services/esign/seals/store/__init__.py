"""Tables of seals: rows, history, slots, and the SM2 side."""
