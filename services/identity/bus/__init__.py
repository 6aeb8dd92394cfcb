"""The bus: accounts of organisations, their permissions, and the server that holds them."""
