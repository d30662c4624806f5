"""Labels keep the evidence they rest on, by round: one more value in the packed labels, unknown for those made before.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Packed labels are a JSON array, read by the order of its values.
    op.execute(
        sa.text(
            "UPDATE conversation SET labels = substr(labels, 1, length(labels) - 1) || ',null]' WHERE labels IS NOT NULL"
        )
    )


def downgrade() -> None:
    raise RuntimeError("stores are not downgraded: install the lmsys_store that wrote this one")
