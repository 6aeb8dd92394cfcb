"""The common part of the Python examples: credentials, calls and events, on the public contract and stock libraries
only.
"""
