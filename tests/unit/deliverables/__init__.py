"""Tests of what runs are exported to."""
