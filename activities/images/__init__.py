"""Images and scans: what is written on them and where, by OCR in the sandbox."""
