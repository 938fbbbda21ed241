"""Alembic migrations. `python -m schema.migrations upgrade head` (or `downgrade base`) runs them as the owner role."""
