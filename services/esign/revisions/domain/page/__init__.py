"""Finds what a page draws, followed through its content: text, paths, pictures and their colours."""
