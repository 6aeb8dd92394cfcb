"""Tables of documents: rows, stages, OFD forms, and by digest."""
