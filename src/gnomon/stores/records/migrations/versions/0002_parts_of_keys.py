"""Why a step did not end well, and what its key was made of."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make room for both."""
    op.add_column("steps", sa.Column("reason", sa.Text(), nullable=True))
    op.add_column("steps", sa.Column("parts", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "closures",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_closures"),
    )
