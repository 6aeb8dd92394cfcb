"""The vault: the only place that stores or can look up an identity number. Own process, socket, keys and database."""
