"""SQLModel tables, one file per aggregate. Importing this package registers all of them on `metadata`."""

from schema.tables import (
    approvals,
    audit,
    billing,
    collaboration,
    documents,
    domains,
    files,
    forms,
    identity,
    operations,
    organisations,
    research,
    retention,
    runs,
)
from schema.tables.base import metadata

__all__ = [
    "approvals",
    "audit",
    "billing",
    "collaboration",
    "documents",
    "domains",
    "files",
    "forms",
    "identity",
    "metadata",
    "operations",
    "organisations",
    "research",
    "retention",
    "runs",
]
