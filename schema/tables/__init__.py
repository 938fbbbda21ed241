"""SQLModel tables, one file per aggregate. Importing this package registers all of them on `metadata`."""

from schema.tables import (
    audit,
    billing,
    collaboration,
    documents,
    domains,
    forms,
    operations,
    organisations,
    research,
    runs,
)
from schema.tables.base import metadata

__all__ = [
    "audit",
    "billing",
    "collaboration",
    "documents",
    "domains",
    "forms",
    "metadata",
    "operations",
    "organisations",
    "research",
    "runs",
]
