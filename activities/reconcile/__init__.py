"""The reconciler: repairs what a crash between PostgreSQL and Temporal left apart."""
