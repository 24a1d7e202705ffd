"""Where the files of a snapshot came from."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make room for the paths."""
    op.add_column("snapshots", sa.Column("paths", sa.JSON(none_as_null=True), nullable=True))
