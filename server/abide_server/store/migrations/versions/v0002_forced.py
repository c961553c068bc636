"""Whether a browser policy installed the extension."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column."""
    op.add_column("in_force", sa.Column("forced", sa.Integer(), nullable=False, server_default="0"))
