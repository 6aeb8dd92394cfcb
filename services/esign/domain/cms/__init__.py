"""CMS SignedData (RFC 5652, GB/T 35275): read and written, and the values of signatures."""
