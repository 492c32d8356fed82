"""What of a laboratory may leave in a bundle, and what that needs to be understood.

A record leaves only with everything it refers to; what refers to something that may not leave stays here. A raw file
leaves only if every measurement that was read from it may; otherwise its hash goes without it, and its upload without
the receipt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from ..errors import LabError, UnknownNameError, suggest
from . import schema as s
from .entities import ENTITIES

#: Kinds of records that travel, what is referred to first. People stay: their names stand in the records.
ORDER = ("instrument", "calibration", "reference_material", "source", "sample", "mix", "specimen", "upload",
         "measurement", "attachment")  # fmt: skip


@dataclass
class Selection:
    """Internal keys of what leaves, by kind, and what stays.

    Attributes
    ----------
    ids : dict of str to set of int
    stubs : set of int
        Uploads that go without receipt, options and names.
    raw : dict of str to bool
        Hash of each raw file that is referred to; whether the file itself may go.
    curves : set of str
    withheld : dict of str to int
        How many records of each kind were asked for and stay.
    corrected : int
        Results that leave although the result that supersedes them stays.
    """

    ids: dict[str, set[int]] = field(default_factory=lambda: {name: set() for name in ORDER})
    stubs: set[int] = field(default_factory=set)
    raw: dict[str, bool] = field(default_factory=dict)
    curves: set[str] = field(default_factory=set)
    withheld: dict[str, int] = field(default_factory=dict)
    corrected: int = 0


def choose(
    conn: Connection,
    samples: Sequence[str] | None,
    waste_class: str | None,
    visibility: Iterable[str],
    since: str | None,
) -> Selection:
    """Work out what leaves; see `bundle.export_bundle`."""
    seen = frozenset(visibility)
    for v in seen - set(s.VISIBILITIES):
        raise LabError(f"visibility {v!r} is not one of {', '.join(s.VISIBILITIES)}.{suggest(v, s.VISIBILITIES)}")
    out = Selection()
    t = s.sample
    rows = {r.id: r for r in conn.execute(select(t.c.id, t.c.code, t.c.waste_class, t.c.parent_id, t.c.visibility))}
    allowed = _with_parents(
        {k: r.visibility in seen for k, r in rows.items()}, {k: r.parent_id for k, r in rows.items()}
    )
    base = {k for k, r in rows.items() if waste_class is None or r.waste_class == waste_class}
    if samples is not None:
        codes = {r.code: k for k, r in rows.items()}
        for code in samples:
            if code not in codes:
                raise UnknownNameError(f"There is no sample {code!r} in this laboratory.{suggest(code, codes)}")
        base &= {codes[c] for c in samples}
    out.withheld["sample"] = len(base - allowed)
    everything = samples is None and waste_class is None
    _choose_mixes(conn, out, base & allowed, allowed, seen, everything)
    barred = _choose_measurements(conn, out, base & allowed, seen)
    changed = None if since is None else _changed(conn, since)
    _keep_changed(conn, out, changed)
    _add_references(conn, out, base & allowed, rows, changed)
    _choose_files(conn, out, barred)
    return out


def _with_parents(allowed: dict[int, bool], parents: dict[int, int | None]) -> set[int]:
    """Those allowed whose whole line of parents is."""
    known: dict[int, bool] = {}
    for start in allowed:
        line: list[int] = []
        key: int | None = start
        while key is not None and key not in known and key not in line and allowed.get(key, False):
            line.append(key)
            key = parents.get(key)
        good = key is None or known.get(key, False)
        known.update(dict.fromkeys(line, good))
        known.setdefault(start, False)
    return {k for k, good in known.items() if good}


def _choose_mixes(
    conn: Connection, out: Selection, base: set[int], allowed: set[int], seen: frozenset[str], everything: bool
) -> None:
    c = s.mix_component
    parts: dict[int, set[int]] = {}
    for mix, sample in conn.execute(select(c.c.mix_id, c.c.sample_id).where(c.c.sample_id.is_not(None))):
        parts.setdefault(mix, set()).add(sample)
    wanted = {
        r.id: r.visibility in seen and parts.get(r.id, set()) <= allowed
        for r in conn.execute(select(s.mix.c.id, s.mix.c.visibility))
        if everything or parts.get(r.id, set()) & base
    }
    out.ids["mix"] = {k for k, good in wanted.items() if good}
    out.withheld["mix"] = len(wanted) - len(out.ids["mix"])
    out.ids["specimen"] = {
        r.id for r in conn.execute(select(s.specimen.c.id, s.specimen.c.mix_id)) if r.mix_id in out.ids["mix"]
    }


def _choose_measurements(
    conn: Connection, out: Selection, base: set[int], seen: frozenset[str]
) -> tuple[set[str], set[int]]:
    """Choose measurements; returns raw files and uploads with results that may not leave."""
    m = s.measurement
    columns = (m.c.id, m.c.sample_id, m.c.mix_id, m.c.specimen_id, m.c.supersedes_id, m.c.upload_id, m.c.raw_sha,
               m.c.visibility)  # fmt: skip
    barred_raw: set[str] = set()
    barred_uploads: set[int] = set()
    chosen: set[int] = set()
    corrected: set[int] = set()
    withheld = 0
    for r in conn.execute(select(*columns).order_by(m.c.id), execution_options={"yield_per": 5000}):
        mine = r.sample_id in base or r.mix_id in out.ids["mix"] or r.specimen_id in out.ids["specimen"]
        good = r.visibility in seen and (r.supersedes_id is None or r.supersedes_id in chosen)
        if mine and good:
            chosen.add(r.id)
        elif mine:
            withheld += 1
        if mine and not good and r.supersedes_id in chosen:
            corrected.add(r.supersedes_id)
        if r.visibility not in seen:
            barred_raw.add(r.raw_sha)
            barred_uploads.add(r.upload_id)
    out.ids["measurement"] = chosen
    out.withheld["measurement"] = withheld
    out.corrected = len(corrected)
    return barred_raw, barred_uploads


def _changed(conn: Connection, since: str) -> dict[str, set[str]]:
    from .register import check_date

    check_date(since, "since")
    out: dict[str, set[str]] = {}
    query = select(s.audit_item.c.entity, s.audit_item.c.uid).distinct()
    for entity, uid in conn.execute(query.join(s.audit_event).where(s.audit_event.c.at >= since)):
        out.setdefault(entity, set()).add(uid)
    return out


def _keep_changed(conn: Connection, out: Selection, changed: dict[str, set[str]] | None) -> None:
    """With ``since``, keep only what changed; a changed specimen or result brings what it refers to by itself."""
    if changed is None:
        return
    for name in ("mix", "specimen", "measurement"):
        out.ids[name] &= _ids_of(conn, name, changed.get(name, set()))


def _ids_of(conn: Connection, name: str, uids: set[str]) -> set[int]:
    table = ENTITIES[name].table
    return {r[0] for r in conn.execute(select(table.c.id, table.c.uid)) if r[1] in uids}


def _add_references(
    conn: Connection, out: Selection, base: set[int], rows: dict[int, Any], changed: dict[str, set[str]] | None
) -> None:
    m, ids = s.measurement, out.ids
    ids["sample"] |= base if changed is None else base & _ids_of(conn, "sample", changed.get("sample", set()))
    line = {r[0]: r[1] for r in conn.execute(select(m.c.id, m.c.supersedes_id).where(m.c.supersedes_id.is_not(None)))}
    for start in list(ids["measurement"]):
        older = line.get(start)
        while older is not None:
            ids["measurement"].add(older)
            older = line.get(older)
    for column, name in (
        ("sample_id", "sample"),
        ("mix_id", "mix"),
        ("specimen_id", "specimen"),
        ("instrument_id", "instrument"),
        ("calibration_id", "calibration"),
        ("upload_id", "upload"),
    ):
        for key, target in conn.execute(select(m.c.id, m.c[column]).where(m.c[column].is_not(None))):
            if key in ids["measurement"]:
                ids[name].add(target)
    ids["mix"] |= {
        r.mix_id for r in conn.execute(select(s.specimen.c.id, s.specimen.c.mix_id)) if r.id in ids["specimen"]
    }
    c = s.mix_component
    for mix, sample in conn.execute(select(c.c.mix_id, c.c.sample_id).where(c.c.sample_id.is_not(None))):
        if mix in ids["mix"]:
            ids["sample"].add(sample)
    for key in list(ids["sample"]):
        parent = rows[key].parent_id
        while parent is not None and parent not in ids["sample"]:
            ids["sample"].add(parent)
            parent = rows[parent].parent_id
    t = s.sample
    for row in conn.execute(select(t.c.id, t.c.source_id, t.c.reference_material_id)):
        if row.id in ids["sample"]:
            ids["source"] |= {row.source_id} - {None}
            ids["reference_material"] |= {row.reference_material_id} - {None}
    for key, tool in conn.execute(select(s.calibration.c.id, s.calibration.c.instrument_id)):
        if key in ids["calibration"]:
            ids["instrument"].add(tool)


def _choose_files(conn: Connection, out: Selection, barred: tuple[set[str], set[int]]) -> None:
    barred_raw, barred_uploads = barred
    m = s.measurement
    query = select(m.c.id, m.c.raw_sha, m.c.curve_sha)
    for row in conn.execute(query, execution_options={"yield_per": 5000}):
        if row.id in out.ids["measurement"]:
            if row.raw_sha:
                out.raw[row.raw_sha] = row.raw_sha not in barred_raw
            if row.curve_sha:
                out.curves.add(row.curve_sha)
    for key, sha in conn.execute(select(s.upload.c.id, s.upload.c.raw_sha)):
        if key in out.ids["upload"]:
            if key in barred_uploads or sha in barred_raw:
                out.stubs.add(key)
            elif sha:
                out.raw.setdefault(sha, True)
    owners: set[tuple[str, str]] = set()
    for name in ORDER[:-1]:
        table = ENTITIES[name].table
        owners |= {(name, r.uid) for r in conn.execute(select(table.c.id, table.c.uid)) if r.id in out.ids[name]}
    a = s.attachment
    for key, entity, uid, sha in conn.execute(select(a.c.id, a.c.entity, a.c.entity_uid, a.c.raw_sha)):
        if (entity, uid) in owners:
            out.ids["attachment"].add(key)
            out.raw.setdefault(sha, sha not in barred_raw)
