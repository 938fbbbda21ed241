"""Retention: archives, deletion of what is due, erasure of a person's data, exports."""
