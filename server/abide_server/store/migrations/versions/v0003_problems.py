"""What is wrong with a device, as its agent says: codes, separated by blanks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; an agent says it again with its next coverage."""
    op.add_column("devices", sa.Column("problems", sa.Text(), server_default="", nullable=False))
