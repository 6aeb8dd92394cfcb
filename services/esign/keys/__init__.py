"""Keys of esign: opened at start, counted, rotated, and those of seals."""
