"""Audit: signed checkpoints, months, verification."""
