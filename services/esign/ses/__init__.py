"""Seals and seal signatures as values (GB/T 38540, GM/T 0031): written, read and judged."""
