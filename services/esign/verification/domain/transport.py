"""Tells what may have befallen a file on its way, told from its bytes alone."""

# So many bytes that are no ASCII come with a lone line feed among them, except by a chance of one in millions.
_ENOUGH = 2048
_ASCII = bytes(range(0x80))


def lines_rewritten(data: bytes) -> bool:
    """Tells whether a line feed was made CR LF wherever one stood, compressed data included, as FTP in text mode does:
    what points into the file then points beside.
    """
    feeds = data.count(b"\n")
    return feeds > 0 and feeds == data.count(b"\r\n") and len(data.translate(None, _ASCII)) >= _ENOUGH
