"""The organisation's documents: text out of files, and the passages that are searched."""
