"""Pages of documents: by form, text, fonts and QR code, as PDF and as OFD."""
