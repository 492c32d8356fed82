"""The waste account: yards, batches, their samples, movements and stock-takings."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _sparse(table: str, column: str) -> None:
    """An index over the few rows that have the reference."""
    there = sa.text(f"{column} IS NOT NULL")
    op.create_index(f"ix_{table}_{column}", table, [column], sqlite_where=there, postgresql_where=there)


def upgrade() -> None:
    op.create_table(
        "yard",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("capacity_t", sa.Double(), nullable=True),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_yard")),
        sa.UniqueConstraint("code", name=op.f("uq_yard_code")),
        sa.UniqueConstraint("uid", name=op.f("uq_yard_uid")),
    )
    op.create_table(
        "batch",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("waste_class", sa.String(length=16), nullable=False),
        sa.Column("waste_code", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=True),
        sa.Column("yard_id", sa.Integer(), nullable=True),
        sa.Column("received_at", sa.Text(), nullable=False),
        sa.Column("producer", sa.Text(), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_batch_source_id")),
        sa.ForeignKeyConstraint(["yard_id"], ["yard.id"], name=op.f("fk_batch_yard_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
        sa.UniqueConstraint("code", name=op.f("uq_batch_code")),
        sa.UniqueConstraint("uid", name=op.f("uq_batch_uid")),
    )
    op.create_index(op.f("ix_batch_waste_class"), "batch", ["waste_class"], unique=False)
    op.create_table(
        "stocktake",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("yard_id", sa.Integer(), nullable=False),
        sa.Column("waste_class", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("book_t", sa.Double(), nullable=False),
        sa.Column("book_dry_t", sa.Double(), nullable=True),
        sa.Column("measured_t", sa.Double(), nullable=False),
        sa.Column("measured_sigma_t", sa.Double(), nullable=True),
        sa.Column("moisture", sa.Double(), nullable=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["yard_id"], ["yard.id"], name=op.f("fk_stocktake_yard_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stocktake")),
        sa.UniqueConstraint("uid", name=op.f("uq_stocktake_uid")),
    )
    op.create_index(op.f("ix_stocktake_yard_id"), "stocktake", ["yard_id"], unique=False)
    op.create_table(
        "batch_sample",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_batch_sample_batch_id")),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_batch_sample_sample_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch_sample")),
        sa.UniqueConstraint("batch_id", "sample_id", name=op.f("uq_batch_sample_batch_id_sample_id")),
        sa.UniqueConstraint("uid", name=op.f("uq_batch_sample_uid")),
    )
    op.create_index(op.f("ix_batch_sample_batch_id"), "batch_sample", ["batch_id"], unique=False)
    op.create_index(op.f("ix_batch_sample_sample_id"), "batch_sample", ["sample_id"], unique=False)
    op.create_table(
        "movement",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("mass_t", sa.Double(), nullable=False),
        sa.Column("mass_sigma_t", sa.Double(), nullable=True),
        sa.Column("moisture", sa.Double(), nullable=True),
        sa.Column("yard_from_id", sa.Integer(), nullable=True),
        sa.Column("yard_to_id", sa.Integer(), nullable=True),
        sa.Column("mix_id", sa.Integer(), nullable=True),
        sa.Column("specimen_id", sa.Integer(), nullable=True),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("product_quantity", sa.Double(), nullable=True),
        sa.Column("product_unit", sa.Text(), nullable=False),
        sa.Column("counterparty", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("reverses_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_movement_batch_id")),
        sa.ForeignKeyConstraint(["mix_id"], ["mix.id"], name=op.f("fk_movement_mix_id")),
        sa.ForeignKeyConstraint(["reverses_id"], ["movement.id"], name=op.f("fk_movement_reverses_id")),
        sa.ForeignKeyConstraint(["specimen_id"], ["specimen.id"], name=op.f("fk_movement_specimen_id")),
        sa.ForeignKeyConstraint(["yard_from_id"], ["yard.id"], name=op.f("fk_movement_yard_from_id")),
        sa.ForeignKeyConstraint(["yard_to_id"], ["yard.id"], name=op.f("fk_movement_yard_to_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_movement")),
        sa.UniqueConstraint("uid", name=op.f("uq_movement_uid")),
    )
    op.create_index(op.f("ix_movement_at"), "movement", ["at"], unique=False)
    op.create_index(op.f("ix_movement_batch_id"), "movement", ["batch_id"], unique=False)
    _sparse("movement", "mix_id")
    _sparse("movement", "reverses_id")
    _sparse("movement", "specimen_id")
