"""Pages of OFD packages (GB/T 33190), written from the engine's own PDF page."""
