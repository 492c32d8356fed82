"""Where something came from and what became of it: heap, batch, sample, portion, mix, specimen, measurement.

Walked level by level, each level by a few queries; what was seen is not walked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from ..errors import UnknownNameError, suggest
from . import contents as c
from . import filters as f
from . import frames as fr
from . import schema as s
from .portions import steps_of
from .store import Store

if TYPE_CHECKING:
    import pandas as pd

DIRECTIONS = ("both", "up", "down")
#: Kinds that a code is looked for in, in this order.
KINDS = ("sample", "mix", "specimen", "source", "batch")
#: A longer line than this is a circle.
_DEEPEST = 1000

Node = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class _Step:
    """One row of the result."""

    level: int
    entity: str
    code: str
    relation: str
    fraction: float | None = None
    process: str = ""


def lineage(store: Store, code: str, direction: str = "both") -> pd.DataFrame:
    """Where something came from and what became of it.

    Parameters
    ----------
    store : Store
    code : str
        Code of a sample, mix, specimen, source or batch, or uid of a measurement; ``"mix:M-1"`` where two kinds share
        a code.
    direction : {"both", "up", "down"}
        Up is towards the heap, down towards measurements.

    Returns
    -------
    pandas.DataFrame
        ``level`` (0 the thing itself, negative towards the heap), ``entity``, ``code``, ``relation`` to the level
        nearer to 0, ``fraction`` [kg per kg of dry binder] for components and, seen from a mix or specimen, the share
        of each heap through all its samples; ``process`` steps of a portion, technique and status of a measurement.
        Retracted measurements are left out.

    Raises
    ------
    UnknownNameError
        If nothing has this code.
    """
    import pandas as pd

    c.choose("direction", direction, DIRECTIONS)
    with store.read() as conn:
        entity, key, label = _find(conn, code)
        rows = [_Step(0, entity, label, "itself", None, _process_of(conn, entity, key))]
        if direction in ("both", "up"):
            rows = [*reversed(_up(conn, entity, key)), *rows]
        if direction in ("both", "down"):
            rows += _down(conn, entity, key)
    return pd.DataFrame(
        {
            "level": fr.integers(r.level for r in rows),
            "entity": fr.texts(r.entity for r in rows),
            "code": fr.texts(r.code for r in rows),
            "relation": fr.texts(r.relation for r in rows),
            "fraction": fr.numbers(r.fraction for r in rows),
            "process": fr.texts(r.process for r in rows),
        }
    )


def _find(conn: Connection, code: str) -> tuple[str, int, str]:
    """Kind, internal key and code of what is asked for."""
    kind, colon, rest = code.partition(":")
    kinds: Sequence[str] = KINDS
    if colon and kind in (*KINDS, "measurement"):
        kinds, code = (kind,), rest
    for name in kinds:
        if name == "measurement":
            continue
        table = s.metadata.tables[name]
        key = conn.execute(select(table.c.id).where(table.c.code == code)).scalar()
        if key is not None:
            return name, int(key), code
    m = s.measurement
    key = conn.execute(select(m.c.id).where(m.c.uid == code)).scalar()
    if key is not None:
        return "measurement", int(key), code
    known = [
        row[0] for name in kinds if name != "measurement"
        for row in conn.execute(select(s.metadata.tables[name].c.code).limit(20_000))
    ]  # fmt: skip
    raise UnknownNameError(
        f"Nothing in this laboratory has the code {code!r} (sample, mix, specimen, source, batch, or uid of a "
        f"measurement).{suggest(code, known)}"
    )


def _process_of(conn: Connection, entity: str, key: int) -> str:
    if entity == "sample":
        text = conn.execute(select(s.sample.c.process).where(s.sample.c.id == key)).scalar()
        return _steps(text or "")
    if entity == "measurement":
        m = s.measurement
        row = conn.execute(select(m.c.technique, m.c.status).where(m.c.id == key)).one()
        return f"{row[0]}, {row[1]}"
    return ""


def _steps(process: str) -> str:
    return ", ".join(sorted(steps_of(process)))


def _some(conn: Connection, query: Any, column: Any, keys: Iterable[int]) -> list[tuple[Any, ...]]:
    """Rows of a query whose column is one of some keys."""
    wanted = sorted(set(keys))
    out: list[tuple[Any, ...]] = []
    for start in range(0, len(wanted), fr.CHUNK):
        out += f.fetch(conn, query.where(f.is_one_of(column, wanted[start : start + fr.CHUNK])))
    return out


# -- towards the heap


def _up(conn: Connection, entity: str, key: int) -> list[_Step]:
    """Steps up, the nearest first."""
    out: list[_Step] = []
    level = 0
    m, sp = s.measurement, s.specimen
    if entity == "measurement":
        row = conn.execute(select(m.c.sample_id, m.c.mix_id, m.c.specimen_id).where(m.c.id == key)).one()
        entity, key = next(
            (name, int(k)) for name, k in zip(("sample", "mix", "specimen"), row, strict=True) if k is not None
        )
        level -= 1
        code = fr.codes(conn, s.metadata.tables[entity], [key])[key]
        out.append(_Step(level, entity, code, "measured on", None, _process_of(conn, entity, key)))
    if entity == "specimen":
        key = int(conn.execute(select(sp.c.mix_id).where(sp.c.id == key)).scalar_one())
        level -= 1
        out.append(_Step(level, "mix", fr.codes(conn, s.mix, [key])[key], "cast from"))
        entity = "mix"
    shares: dict[int, float | None] = {}
    if entity == "mix":
        level -= 1
        part = s.mix_component
        query = (
            select(part.c.sample_id, s.sample.c.code, part.c.material, part.c.role, part.c.fraction, s.sample.c.process)
            .select_from(part.outerjoin(s.sample, part.c.sample_id == s.sample.c.id))
            .where(part.c.mix_id == key)
            .order_by(part.c.ordinal)
        )
        for sample, code, material, role, fraction, process in f.fetch(conn, query):
            relation = "component" if role == "binder" else f"component, {role}"
            if sample is None:
                out.append(_Step(level, "reference", material, relation, fraction))
            else:
                out.append(_Step(level, "sample", code, relation, fraction, _steps(process)))
                shares[sample] = (shares.get(sample) or 0.0) + fraction
    elif entity == "sample":
        shares = {key: None}
    elif entity == "batch":
        return _sources(conn, level - 1, {int(r[0]): None for r in _batch_sources(conn, key)})
    out += _ancestors(conn, level, shares)
    return out


def _batch_sources(conn: Connection, key: int) -> list[tuple[Any, ...]]:
    query = select(s.batch.c.source_id).where(s.batch.c.id == key, s.batch.c.source_id.is_not(None))
    return f.fetch(conn, query)


def _ancestors(conn: Connection, level: int, shares: dict[int, float | None]) -> list[_Step]:
    """Samples that samples were made from, batches and heaps they came from, with the share of each heap."""
    table, link = s.sample, s.batch_sample
    line = select(table.c.id, table.c.code, table.c.process, table.c.source_id, table.c.parent_id)
    linked = select(s.batch.c.id, s.batch.c.code).select_from(link.join(s.batch, link.c.batch_id == s.batch.c.id))
    rows = _some(conn, line, table.c.id, shares)
    heaps: dict[int, float | None] = {}
    origin = f.sources_of(conn, [(key, source, parent) for key, _, _, source, parent in rows])
    for key, share in shares.items():
        if key in origin:
            heap = origin[key]
            heaps[heap] = share if share is None else (heaps.get(heap) or 0.0) + share
    out: list[_Step] = []
    batches: dict[int, str] = {}
    seen: set[int] = set()
    while rows and -level < _DEEPEST:
        seen |= {row[0] for row in rows}
        batches.update((row[0], row[1]) for row in _some(conn, linked, link.c.sample_id, [row[0] for row in rows]))
        for row in rows:
            if row[3] is not None:
                heaps.setdefault(row[3], None)
        level -= 1
        rows = _some(conn, line, table.c.id, {row[4] for row in rows if row[4] is not None} - seen)
        out += [_Step(level, "sample", code, "parent", None, _steps(process)) for _, code, process, _, _ in rows]
    out += [_Step(level, "batch", code, "batch") for _, code in sorted(batches.items())]
    return out + _sources(conn, level, heaps)


def _sources(conn: Connection, level: int, shares: dict[int, float | None]) -> list[_Step]:
    codes = fr.codes(conn, s.source, shares)
    return [_Step(level, "source", codes[key], "source", share) for key, share in sorted(shares.items())]


# -- towards measurements


def _down(conn: Connection, entity: str, key: int) -> list[_Step]:
    """Steps down, the nearest first."""
    out: list[_Step] = []
    seen: set[Node] = {(entity, key)}
    here: dict[str, list[int]] = {entity: [key]}
    level = 0
    while any(here.values()) and level < _DEEPEST:
        level += 1
        below: dict[str, list[int]] = {}
        for kind, step, node in _children(conn, here, level):
            out.append(step)
            if node is not None and (kind, node) not in seen:
                seen.add((kind, node))
                below.setdefault(kind, []).append(node)
        here = below
    return out


def _children(conn: Connection, here: dict[str, list[int]], level: int) -> Iterable[tuple[str, _Step, int | None]]:
    """What came of things of each kind: (kind, row, internal key)."""
    sample, part, link = s.sample, s.mix_component, s.batch_sample
    cells = (sample.c.id, sample.c.code, sample.c.process)
    for key, code in _some(conn, select(s.batch.c.id, s.batch.c.code), s.batch.c.source_id, here.get("source", ())):
        yield "batch", _Step(level, "batch", code, "batch"), key
    for query, column, kind, relation in (
        (select(*cells), sample.c.source_id, "source", "collected from it"),
        (select(*cells).select_from(link.join(sample, link.c.sample_id == sample.c.id)), link.c.batch_id, "batch",
         "sample of the batch"),
        (select(*cells), sample.c.parent_id, "sample", "portion"),
    ):  # fmt: skip
        for key, code, process in _some(conn, query, column, here.get(kind, ())):
            yield "sample", _Step(level, "sample", code, relation, None, _steps(process)), key
    mixed = select(s.mix.c.id, s.mix.c.code, part.c.fraction, part.c.role).select_from(
        part.join(s.mix, part.c.mix_id == s.mix.c.id)
    )
    for key, code, fraction, role in _some(conn, mixed, part.c.sample_id, here.get("sample", ())):
        relation = "mixed into" if role == "binder" else f"mixed into, {role}"
        yield "mix", _Step(level, "mix", code, relation, fraction), key
    cast = select(s.specimen.c.id, s.specimen.c.code)
    for key, code in _some(conn, cast, s.specimen.c.mix_id, here.get("mix", ())):
        yield "specimen", _Step(level, "specimen", code, "specimen"), key
    m = s.measurement
    for kind in ("sample", "mix", "specimen"):
        query = select(m.c.id, m.c.uid, m.c.technique, m.c.status).where(f.with_status())
        for _, uid, technique, status in _some(conn, query, m.c[f"{kind}_id"], here.get(kind, ())):
            yield "measurement", _Step(level, "measurement", uid, "measurement", None, f"{technique}, {status}"), None
