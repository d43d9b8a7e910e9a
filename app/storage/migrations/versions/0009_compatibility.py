"""Which older versions can use the tables. Those before this revision refuse every newer one."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    table = op.create_table(
        "compatibility",
        sa.Column("oldest", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("oldest", name=op.f("pk_compatibility")),
        sqlite_with_rowid=False,
    )
    op.bulk_insert(table, [{"oldest": "0009"}])


def downgrade() -> None:
    op.drop_table("compatibility")
