"""Records as plain dictionaries: what is hashed, exported, merged and inserted is one and the same thing.

A record holds every column of its row but the internal key; references are the `uid` of what they point to, children
(values, components) are lists inside it. Its digest is the SHA-256 of its canonical JSON.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, select

from ..errors import LabError
from . import schema as s

Record = dict[str, Any]


@dataclass(frozen=True)
class Child:
    """Rows that belong to a record and have no life of their own."""

    key: str
    table: Table
    owner: str
    refs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Entity:
    """One kind of record.

    Attributes
    ----------
    name : str
    table : Table
    refs : mapping of str to str
        Column of an internal key to the entity it points to.
    children : sequence of Child
    label : str
        Column that people know it by.
    mutable : frozenset of str
        What may be changed in place; every change is audited. All else is superseded, never edited.
    search : tuple of str
        Columns that full-text search looks at.
    """

    name: str
    table: Table
    refs: Mapping[str, str] = field(default_factory=dict)
    children: Sequence[Child] = ()
    label: str = "code"
    mutable: frozenset[str] = frozenset()
    search: tuple[str, ...] = ()


_SHARED = frozenset({"grp", "visibility", "licence", "note"})

ENTITIES: dict[str, Entity] = {
    e.name: e
    for e in (
        Entity(
            "person", s.person, label="name",
            mutable=frozenset({"name_zh", "email", "role", "grp", "active", "note"}),
        ),
        Entity("instrument", s.instrument, mutable=frozenset({"location", "state", "note"})),
        Entity("calibration", s.calibration, {"instrument_id": "instrument"}, label="certificate"),
        Entity(
            "reference_material", s.reference_material,
            children=(Child("values", s.reference_value, "reference_material_id"),),
            mutable=frozenset({"valid_until", "note"}),
        ),
        Entity(
            "source", s.source, search=("code", "name", "name_zh", "plant", "owner", "note"),
            mutable=frozenset({"name", "name_zh", "plant", "latitude", "longitude", "started", "owner", "note"}),
        ),
        Entity(
            "sample", s.sample,
            {"source_id": "source", "parent_id": "sample", "reference_material_id": "reference_material"},
            mutable=_SHARED | {"name", "name_zh", "location", "disposed_at", "mass_kg", "source_id", "collected_at",
                               "received_at", "collected_by"},
            search=("code", "name", "name_zh", "waste_class", "process", "location", "note"),
        ),
        Entity(
            "mix", s.mix, children=(Child("components", s.mix_component, "mix_id", {"sample_id": "sample"}),),
            mutable=_SHARED, search=("code", "name", "name_zh", "route", "process", "note"),
        ),
        Entity("specimen", s.specimen, {"mix_id": "mix"}, search=("code", "geometry", "curing", "note")),
        Entity("upload", s.upload, label="filename"),
        Entity(
            "measurement", s.measurement,
            {"sample_id": "sample", "mix_id": "mix", "specimen_id": "specimen", "instrument_id": "instrument",
             "calibration_id": "calibration", "supersedes_id": "measurement", "upload_id": "upload"},
            (Child("values", s.value, "measurement_id"),), "technique",
            _SHARED | {"status", "checked_by", "checked_at", "flags"},
            ("technique", "method", "operator", "place", "note"),
        ),
        Entity("attachment", s.attachment, label="filename"),
        Entity(
            "yard", s.yard, search=("code", "name", "name_zh", "location", "note"),
            mutable=frozenset({"name", "name_zh", "capacity_t", "location", "latitude", "longitude", "note"}),
        ),
        Entity(
            "batch", s.batch, {"source_id": "source", "yard_id": "yard"}, mutable=frozenset({"note"}),
            search=("code", "waste_class", "waste_code", "producer", "carrier", "contract", "manifest", "note"),
        ),
        Entity("batch_sample", s.batch_sample, {"batch_id": "batch", "sample_id": "sample"}, label="note"),
        Entity(
            "movement", s.movement,
            {"batch_id": "batch", "yard_from_id": "yard", "yard_to_id": "yard", "mix_id": "mix",
             "specimen_id": "specimen", "reverses_id": "movement"},
            label="document", search=("document", "product", "counterparty", "reason", "note"),
        ),
        Entity("stocktake", s.stocktake, {"yard_id": "yard"}, label="document"),
    )
}  # fmt: skip


def entity(name: str) -> Entity:
    """An entity by name."""
    return ENTITIES[name]


def canonical(data: object) -> str:
    """JSON with sorted keys, no blanks, no NaN: the same text for the same content on every machine."""
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def digest(record: Mapping[str, Any]) -> str:
    """SHA-256 of a record."""
    return hashlib.sha256(canonical(record).encode()).hexdigest()


def checked_digest(name: str, record: Mapping[str, Any]) -> str:
    """SHA-256 of a record that is about to be stored.

    Raises
    ------
    LabError
        If it holds what no catalogue can keep: a number that is not finite, a NUL or half a surrogate pair in a text.
    """
    try:
        text = canonical(record)
        data = text.encode()
    except (ValueError, UnicodeEncodeError):
        text, data = "\\u0000", b""
    if "\\u0000" in text:
        for path, value in _leaves(record):
            if isinstance(value, float) and not math.isfinite(value):
                raise LabError(f"{name}, {path} = {value!r} is not a finite number; leave it empty if it is not known.")
            if isinstance(value, str) and ("\0" in value or not _encodes(value)):
                raise LabError(f"{name}, {path} = {value!r} holds a character that cannot be stored; remove it.")
    return hashlib.sha256(data).hexdigest()


def _leaves(value: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{n}]")
    else:
        yield path, value


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def key_of(column: str) -> str:
    """Key of a reference in a record: ``"source_id"`` becomes ``"source"``."""
    return column.removesuffix("_id")


def complete(kind: Entity, record: Mapping[str, Any]) -> Record:
    """A record with every column present, numbers and texts in the types they come back from the catalogue.

    Raises
    ------
    KeyError
        If the record has a key that no column takes (a bug of the caller).
    """
    return _complete(kind.name, record)


def _columns(table: Table, drop: frozenset[str], refs: Iterable[str]) -> tuple[tuple[str, str, object], ...]:
    """(key in a record, kind of value, default) of each column."""
    out = []
    for column in table.columns:
        if column.name in drop:
            continue
        if column.name in refs:
            out.append((key_of(column.name), "ref", None))
            continue
        kind = "text"
        if column.type.python_type is float:
            kind = "float"
        elif column.type.python_type is int:
            kind = "int"
        default = column.default.arg if column.default is not None else None  # type: ignore[attr-defined]
        out.append((column.name, kind, default))
    return tuple(out)


_SHAPES: dict[
    str, tuple[tuple[tuple[str, str, object], ...], tuple[tuple[Child, tuple[tuple[str, str, object], ...]], ...]]
] = {}


def shape(kind: Entity) -> tuple[Any, Any]:
    """Columns of an entity and of its children, worked out once."""
    if kind.name not in _SHAPES:
        own = _columns(kind.table, frozenset({"id"}), kind.refs)
        children = tuple(
            (c, _columns(c.table, frozenset({c.owner, "ordinal", "quantity_id"}), c.refs)) for c in kind.children
        )
        _SHAPES[kind.name] = (own, children)
    return _SHAPES[kind.name]


def _typed(value: Any, kind: str, what: str) -> Any:
    """A value in the type it comes back in from the catalogue.

    Raises
    ------
    LabError
        If it is of another kind: its digest would never be found again.
    """
    if value is None:
        return None
    if kind in ("text", "ref"):
        if isinstance(value, str):
            return value if type(value) is str else str(value)
        raise LabError(f"{what} = {value!r:.60} is no text.")
    try:
        if kind == "float":
            return float(value) + 0.0  # minus zero does not survive in SQLite
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise LabError(f"{what} = {value!r:.60} is not a number.") from None


def fitted(kind: Entity, changes: Mapping[str, Any]) -> Record:
    """Some fields of a record in the types they come back in; see `complete` for a whole one."""
    sorts = {name: sort for name, sort, _ in shape(kind)[0]}
    return {k: _typed(v, sorts[k], f"{kind.name}, {k}") for k, v in changes.items()}


def _fill(columns: Sequence[tuple[str, str, object]], record: Mapping[str, Any], what: str) -> Record:
    out: Record = {}
    for name, kind, default in columns:
        value = record.get(name, default)
        if value is not None and (kind != "text" or type(value) is not str):
            value = _typed(value, kind, f"{what}, {name}")
        out[name] = value
    extra = record.keys() - out.keys()
    if extra:
        raise KeyError(f"{what} has no column {', '.join(sorted(extra))}")
    return out


def _complete(name: str, record: Mapping[str, Any]) -> Record:
    own, children = shape(ENTITIES[name])
    if not children:
        return _fill(own, record, name)
    keys = {c.key for c, _ in children}
    out = _fill(own, {k: v for k, v in record.items() if k not in keys}, name)
    for child, columns in children:
        rows = []
        quantities = "quantity_id" in child.table.columns
        for row in record.get(child.key, ()):
            if quantities:
                body = {k: v for k, v in row.items() if k not in ("quantity", "unit")}
                rows.append({"quantity": row["quantity"], "unit": row["unit"], **_fill(columns, body, child.key)})
            else:
                rows.append(_fill(columns, row, child.key))
        out[child.key] = rows
    return out


def load(conn: Connection, name: str, ids: Sequence[int] | None = None) -> dict[int, Record]:
    """Records of one kind by internal key, rebuilt from the catalogue.

    Parameters
    ----------
    conn : Connection
    name : str
        Entity.
    ids : sequence of int, optional
        All if not given; at most 20 000 at once are asked for.
    """
    kind = ENTITIES[name]
    table = kind.table
    out: dict[int, Record] = {}
    for chunk in _chunks(ids):
        query = select(table).order_by(table.c.id)
        if chunk is not None:
            query = query.where(table.c.id.in_(chunk))
        for row in conn.execute(query).mappings():
            record = dict(row)
            out[record.pop("id")] = record
    if not out:
        return out
    owned: list[tuple[Child, int, Record]] = []
    for child in kind.children:
        for record in out.values():
            record[child.key] = []
        owner = child.table.c[child.owner]
        for chunk in _chunks(ids):
            query = select(child.table).order_by(owner, child.table.c.ordinal)
            if chunk is not None:
                query = query.where(owner.in_(chunk))
            for row in conn.execute(query).mappings():
                item = dict(row)
                parent = item.pop(child.owner)
                if parent in out:
                    owned.append((child, parent, item))
    wanted: dict[str, set[int]] = {}
    for record in out.values():
        for column, target in kind.refs.items():
            wanted.setdefault(target, set()).add(record[column])
    for child, _, item in owned:
        for column, target in child.refs.items():
            wanted.setdefault(target, set()).add(item[column])
    uids = {target: _uids(conn, target, keys) for target, keys in wanted.items()}
    for record in out.values():
        for column, target in kind.refs.items():
            inner = record.pop(column)
            record[key_of(column)] = None if inner is None else uids[target].get(inner, f"missing:{inner}")
    quantities = _quantities(conn) if any("quantity_id" in c.table.columns for c in kind.children) else {}
    for child, parent, item in owned:
        del item["ordinal"]
        if "quantity_id" in item:
            key = item.pop("quantity_id")
            item["quantity"], item["unit"] = quantities.get(key, (f"missing:{key}", ""))
        for column, target in child.refs.items():
            inner = item.pop(column)
            item[key_of(column)] = None if inner is None else uids[target].get(inner, f"missing:{inner}")
        out[parent][child.key].append(item)
    return out


def _chunks(ids: Sequence[int] | None, size: int = 5000) -> Iterable[Sequence[int] | None]:
    if ids is None:
        yield None
        return
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def _uids(conn: Connection, name: str, keys: set[int]) -> dict[int, str]:
    """Uids of the records with these internal keys."""
    table = ENTITIES[name].table
    found: dict[int, str] = {}
    for chunk in _chunks(sorted(k for k in keys if k is not None)):
        found |= {r[0]: r[1] for r in conn.execute(select(table.c.id, table.c.uid).where(table.c.id.in_(chunk or ())))}
    return found


def _quantities(conn: Connection) -> dict[int, tuple[str, str]]:
    return {r[0]: (r[1], r[2]) for r in conn.execute(select(s.quantity.c.id, s.quantity.c.name, s.quantity.c.unit))}
