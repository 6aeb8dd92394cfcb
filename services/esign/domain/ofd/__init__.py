"""OFD documents (GB/T 33190): read, judged and written. Signatures by GM/T 0099, seals by GB/T 38540."""
