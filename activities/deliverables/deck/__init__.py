"""Decks: a run's record as native, editable PowerPoint slides."""
