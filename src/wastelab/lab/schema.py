"""The catalogue's tables (SQLAlchemy Core), the same on SQLite and PostgreSQL.

Integers are internal keys; `uid` (UUIDv7) is what the world sees and what bundles carry. Times are UTC text, structured
text is canonical JSON. Every change of a table here needs a migration under `migrations/versions/`.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

#: Newest schema version; the name of the last file of `migrations/versions/`.
HEAD = "0002"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: How a value stands to what was looked for; stored as a small integer.
FLAGS = ("", "below_detection", "above_range", "trace", "estimated", "put_in")
BASES = ("", "as_received", "dry", "ignited")
STATUSES = ("draft", "verified", "retracted")
VISIBILITIES = ("group", "institute", "public")


def _key() -> Column[int]:
    return Column("id", Integer, primary_key=True, autoincrement=False)


def _uid() -> Column[str]:
    return Column("uid", String(36), nullable=False, unique=True)


def _ref(name: str, target: str, *, nullable: bool = True, index: bool = False) -> Column[int]:
    return Column(name, Integer, ForeignKey(f"{target}.id"), nullable=nullable, index=index)


def _sparse(table: str, column: str) -> Index:
    """An index over the few rows that have the reference."""
    there = text(f"{column} IS NOT NULL")
    return Index(f"ix_{table}_{column}", column, sqlite_where=there, postgresql_where=there)


def _shared() -> tuple[Column[str], ...]:
    """Who may see a record and under which licence."""
    return (
        Column("grp", Text, nullable=False, default=""),
        Column("visibility", String(9), nullable=False, default="group"),
        Column("licence", Text, nullable=False, default=""),
    )


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, default="")


meta = Table("meta", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))

quantity = Table(
    "quantity", metadata, _key(), Column("name", Text, nullable=False), Column("unit", Text, nullable=False),
    UniqueConstraint("name", "unit"),
)  # fmt: skip

person = Table(
    "person", metadata, _key(), _uid(), Column("name", Text, nullable=False, unique=True), _text("name_zh"),
    _text("email"), Column("role", String(16), nullable=False, default="technician"), _text("grp"),
    Column("active", SmallInteger, nullable=False, default=1), _text("note"),
)  # fmt: skip

instrument = Table(
    "instrument", metadata, _key(), _uid(), Column("code", Text, nullable=False, unique=True), _text("technique"),
    _text("maker"), _text("model"), _text("serial"), _text("location"),
    Column("state", String(16), nullable=False, default="in_service"), _text("note"),
)  # fmt: skip

calibration = Table(
    "calibration", metadata, _key(), _uid(), _ref("instrument_id", "instrument", nullable=False, index=True),
    Column("calibrated_at", Text, nullable=False), _text("valid_until"),
    Column("result", String(16), nullable=False, default="pass"), _text("certificate"), _text("performed_by"),
    _text("note"),
)  # fmt: skip

reference_material = Table(
    "reference_material", metadata, _key(), _uid(), Column("code", Text, nullable=False, unique=True), _text("name"),
    _text("supplier"), _text("certificate"), _text("valid_until"), _text("note"),
)  # fmt: skip

reference_value = Table(
    "reference_value", metadata,
    Column("reference_material_id", Integer, ForeignKey("reference_material.id"), primary_key=True),
    Column("ordinal", SmallInteger, primary_key=True), _ref("quantity_id", "quantity", nullable=False),
    Column("value", Double, nullable=False), Column("sigma", Double), Column("k", Double),
)  # fmt: skip

source = Table(
    "source", metadata, _key(), _uid(), Column("code", Text, nullable=False, unique=True), _text("name"),
    _text("name_zh"), Column("kind", String(16), nullable=False, default="heap"), _text("waste_class"), _text("plant"),
    Column("latitude", Double), Column("longitude", Double), _text("started"), _text("owner"), _text("note"),
)  # fmt: skip

sample = Table(
    "sample", metadata, _key(), _uid(), Column("code", Text, nullable=False, unique=True),
    Column("waste_class", String(16), nullable=False, index=True), _text("name"), _text("name_zh"),
    _ref("source_id", "source"), _ref("parent_id", "sample"),
    _ref("reference_material_id", "reference_material"), _text("process"), _text("collected_at"), _text("received_at"),
    _text("collected_by"), Column("mass_kg", Double), _text("location"), _text("disposed_at"), *_shared(),
    _text("note"), _text("origin"), Column("created_at", Text, nullable=False),
    Index("ix_sample_collected_at", "collected_at"), _sparse("sample", "source_id"), _sparse("sample", "parent_id"),
)  # fmt: skip

mix = Table(
    "mix", metadata, _key(), _uid(), Column("code", Text, nullable=False, unique=True), _text("name"), _text("name_zh"),
    _text("route"), Column("water_binder", Double), _text("process"), _text("made_at"), _text("operator"), *_shared(),
    _text("note"), _text("origin"), Column("created_at", Text, nullable=False),
)  # fmt: skip

mix_component = Table(
    "mix_component", metadata, Column("mix_id", Integer, ForeignKey("mix.id"), primary_key=True),
    Column("ordinal", SmallInteger, primary_key=True), _ref("sample_id", "sample", index=True), _text("material"),
    Column("role", String(16), nullable=False, default="binder"), Column("fraction", Double, nullable=False),
    Column("mass_kg", Double),
)  # fmt: skip

specimen = Table(
    "specimen", metadata, _key(), _uid(), Column("code", Text, nullable=False, unique=True),
    _ref("mix_id", "mix", nullable=False, index=True), _text("geometry"), _text("dimensions"), _text("cast_at"),
    _text("curing"), _text("note"), Column("created_at", Text, nullable=False),
)  # fmt: skip

raw = Table(
    "raw", metadata, Column("sha256", String(64), primary_key=True), Column("size", Integer, nullable=False),
    Column("filename", Text, nullable=False), Column("received_at", Text, nullable=False),
    Column("quarantined", SmallInteger, nullable=False, default=0),
)  # fmt: skip

upload = Table(
    "upload", metadata, _key(), _uid(), Column("raw_sha", String(64), ForeignKey("raw.sha256"), index=True),
    Column("filename", Text, nullable=False), Column("at", Text, nullable=False), Column("actor", Text, nullable=False),
    _text("operator"), Column("outcome", String(16), nullable=False), _text("options"), _text("receipt"),
    _text("reason"),
)  # fmt: skip

measurement = Table(
    "measurement", metadata, _key(), _uid(), _ref("sample_id", "sample", index=True), _ref("mix_id", "mix"),
    _ref("specimen_id", "specimen"), Column("technique", String(24), nullable=False), _text("method"),
    _ref("instrument_id", "instrument"), _ref("calibration_id", "calibration"), _text("operator"), _text("checked_by"),
    _text("checked_at"), _text("measured_at"), Column("age_days", Double),
    Column("replicate", SmallInteger, nullable=False, default=1),
    Column("status", String(9), nullable=False, default="draft"), _ref("supersedes_id", "measurement"),
    _text("basis"), Column("raw_sha", String(64), ForeignKey("raw.sha256")), _text("place"),
    _text("reader"), Column("curve_sha", String(64)), _text("completeness"), _text("conditions"),
    _text("flags"), _ref("upload_id", "upload"), *_shared(), _text("note"), _text("origin"),
    Column("created_at", Text, nullable=False), Index("ix_measurement_technique", "technique", "sample_id"),
    *(_sparse("measurement", name) for name in ("mix_id", "specimen_id", "supersedes_id", "raw_sha")),
)  # fmt: skip

value = Table(
    "value", metadata, Column("measurement_id", Integer, ForeignKey("measurement.id"), primary_key=True),
    Column("ordinal", SmallInteger, primary_key=True), _ref("quantity_id", "quantity", nullable=False),
    Column("value", Double), Column("sigma", Double), Column("k", Double), Column("lod", Double),
    Column("flag", SmallInteger, nullable=False, default=0), Column("basis", SmallInteger, nullable=False, default=0),
    Column("text", Text), Column("place", Text),
    sqlite_with_rowid=False,
)  # fmt: skip

curve_blob = Table(
    "curve_blob", metadata, Column("sha256", String(64), primary_key=True), Column("data", LargeBinary, nullable=False)
)

attachment = Table(
    "attachment", metadata, _key(), _uid(), Column("entity", String(24), nullable=False),
    Column("entity_uid", String(36), nullable=False, index=True),
    Column("raw_sha", String(64), ForeignKey("raw.sha256"), nullable=False), Column("filename", Text, nullable=False),
    Column("at", Text, nullable=False), _text("note"),
)  # fmt: skip

#: What a person may search for, in lower case, one row a record. Scanned with LIKE: trigram indexes cannot find the
#: two-character words of Chinese.
search_text = Table(
    "search_text", metadata, Column("entity", String(16), primary_key=True),
    Column("entity_id", Integer, primary_key=True, autoincrement=False), Column("text", Text, nullable=False),
    sqlite_with_rowid=False,
)  # fmt: skip

audit_event = Table(
    "audit_event", metadata, Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False), Column("actor", Text, nullable=False), Column("action", Text, nullable=False),
    _text("reason"), Column("version", Text, nullable=False), Column("prev", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)  # fmt: skip

audit_item = Table(
    "audit_item", metadata, Column("seq", Integer, ForeignKey("audit_event.seq"), primary_key=True),
    Column("ordinal", Integer, primary_key=True), Column("entity", String(24), nullable=False),
    Column("uid", String(64), nullable=False, index=True), Column("change", String(16), nullable=False),
    Column("digest", String(64), nullable=False), Column("detail", Text),
    sqlite_with_rowid=False,
)  # fmt: skip

# -- the waste account (schema 0002): append-only; masses in tonnes as received
yard = Table(
    "yard", metadata, _key(), _uid(), Column("code", Text, nullable=False, unique=True), _text("name"),
    _text("name_zh"), Column("kind", String(16), nullable=False, default="heap"), Column("capacity_t", Double),
    _text("location"), Column("latitude", Double), Column("longitude", Double), _text("note"),
)  # fmt: skip

batch = Table(
    "batch", metadata, _key(), _uid(), Column("code", Text, nullable=False, unique=True),
    Column("waste_class", String(16), nullable=False, index=True), _text("waste_code"), _ref("source_id", "source"),
    _ref("yard_id", "yard"), Column("received_at", Text, nullable=False), _text("producer"), _text("carrier"),
    _text("contract"), _text("manifest"), _text("note"), Column("created_at", Text, nullable=False),
)  # fmt: skip

batch_sample = Table(
    "batch_sample", metadata, _key(), _uid(), _ref("batch_id", "batch", nullable=False, index=True),
    _ref("sample_id", "sample", nullable=False, index=True), _text("note"), Column("created_at", Text, nullable=False),
    UniqueConstraint("batch_id", "sample_id"),
)  # fmt: skip

movement = Table(
    "movement", metadata, _key(), _uid(), _ref("batch_id", "batch", nullable=False, index=True),
    Column("kind", String(16), nullable=False), Column("at", Text, nullable=False, index=True),
    Column("mass_t", Double, nullable=False), Column("mass_sigma_t", Double), Column("moisture", Double),
    _ref("yard_from_id", "yard"), _ref("yard_to_id", "yard"), _ref("mix_id", "mix"), _ref("specimen_id", "specimen"),
    _text("product"), Column("product_quantity", Double), _text("product_unit"), _text("counterparty"),
    _text("document"), _text("operator"), _text("reason"), _text("note"), _ref("reverses_id", "movement"),
    Column("created_at", Text, nullable=False),
    *(_sparse("movement", name) for name in ("mix_id", "specimen_id", "reverses_id")),
)  # fmt: skip

stocktake = Table(
    "stocktake", metadata, _key(), _uid(), _ref("yard_id", "yard", nullable=False, index=True), _text("waste_class"),
    Column("at", Text, nullable=False), Column("book_t", Double, nullable=False), Column("book_dry_t", Double),
    Column("measured_t", Double, nullable=False), Column("measured_sigma_t", Double), Column("moisture", Double),
    _text("method"), _text("document"), _text("operator"), _text("note"), Column("created_at", Text, nullable=False),
)  # fmt: skip
