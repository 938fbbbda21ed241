"""Who drew a claim: a model, or rules where the model drew nothing that its source shows.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("claims", sa.Column("drawn_by", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("claims", "drawn_by")
