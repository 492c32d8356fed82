"""What a property model learns from: one row a mix, age, method and curing, with the composition of its components.

Features come from the recipe and from measurements of the component samples alone, never from the mix, the specimen or
the target. Replicates are one row, and mixes of one recipe are one group, so that no mix is on both sides of a split.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, func, select

from ..chemistry import Material
from ..errors import LabError, MissingDataError, UnknownNameError
from ..instruments import vocabulary
from . import contents as c
from . import filters as f
from . import frames as fr
from . import schema as s
from .features import PARTICLES, Component, Known, Row, feature_table
from .options import age_days
from .store import Store

if TYPE_CHECKING:
    import pandas as pd

#: Two ages are the same within this [d].
SAME_AGE = 0.02
FEATURES = ("fractions", "oxides", "water", "activators", "curing", "particles")
GROUPS = ("mix", "source", "operator", "campaign")
_AGED = re.compile(r"^(.+)_(\d+(?:\.\d+)?)([dh])$")


def training_table(
    store: Store,
    target: str,
    *,
    age: str | float | None = None,
    method: str | None = None,
    min_replicates: int = 1,
    features: str | Sequence[str] = "default",
    group_by: str = "mix",
    technique: f.Codes = "XRF",
    assume_basis: str | None = None,
    date_from: str | None = None,
    date_to: str | None = None,
    status: str | Sequence[str] | None = None,
    verified_only: bool = False,
    viewer: str | None = None,
) -> pd.DataFrame:
    """Mixes and what was measured on them, with features for a property model.

    Parameters
    ----------
    store : Store
    target : str
        A quantity measured on mixes or specimens (``"compressive_strength"``, ``"抗压强度"``), also at an age
        (``"compressive_strength_28d"``).
    age : str or number, optional
        Only this age, e.g. ``"28 d"`` or 28 [d], to half an hour.
    method : str, optional
        Only this test method.
    min_replicates : int
        Rows with fewer values are left out; ``attrs["left_out"]`` counts them.
    features : "default" or sequence of str
        Which groups of features: ``"fractions"``, ``"oxides"``, ``"water"``, ``"activators"``, ``"curing"``,
        ``"particles"``.
    group_by : {"mix", "source", "operator", "campaign"}
        What the column ``group`` holds, for cross-validation by groups.
    technique, assume_basis
        For the composition of the components; see `composition.composition`.
    date_from, date_to, status, verified_only, viewer
        Which measurements of the target; see `query.measurements`. Status also holds for the components.

    Returns
    -------
    pandas.DataFrame
        ``mix``, ``age_days``, ``method``, ``geometry``, ``curing``; ``y`` (mean), ``y_sd`` (between replicates),
        ``y_sigma`` (stated), ``y_n``, ``y_below`` (values below detection, not in the mean); features:
        ``fraction:<class>`` and ``fraction:<reference material>`` [kg per kg of dry binder], oxides of the dry binder
        [wt%], ``water_binder``, ``activator:<name>`` and totals by role, ``curing_temperature`` (mean over time)
        [degC], ``curing_temperature_max``, ``curing_humidity`` [%], ``curing_duration`` [d], ``density``, ``blaine``,
        ``bet``, ``d50`` of the binder. A feature is NaN where any component lacks it; ``missing`` says which.
        ``group_mix`` is shared by mixes of one recipe, ``group_source`` is the heap with the largest share
        (``sources`` lists all), ``group_campaign`` the month. ``attrs["features"]`` lists the feature columns,
        ``attrs["provenance"]`` hashes of what went in.

    Raises
    ------
    UnknownNameError
        If the target or an option does not exist.
    MissingDataError
        If nothing of the kind was measured; names what there is.
    """
    chosen = _chosen(features)
    c.choose("group_by", group_by, GROUPS)
    if min_replicates < 1:
        raise LabError(f"min_replicates = {min_replicates}: expected 1 or more.")
    base, fixed = _target(target)
    wanted = _age(age) if age is not None else fixed
    if age is not None and fixed is not None and abs(_age(age) - fixed) > SAME_AGE:
        raise LabError(f"target {target!r} is at {fixed:g} d, but age = {age!r}; give one of them.")
    with f.snapshot(store) as now, now.read() as conn:
        where = [
            f.with_status(status, verified_only),
            *f.window(conn, s.measurement.c.measured_at, date_from, date_to, "date"),
            *f.visible(conn, viewer, s.measurement),
        ]
        every = _rows(conn, base, where)
        rows = [
            r for r in every
            if (wanted is None or abs(r.age - wanted) <= SAME_AGE) and (method is None or r.method == method)
        ]  # fmt: skip
        if not rows:
            raise _nothing(base, wanted, method, every)
        enough = [r for r in rows if len(r.numbers) >= min_replicates]
        mixes, parts = _mixes(conn, sorted({r.mix for r in enough}))
        own = [f.with_status(status, verified_only), *f.visible(conn, viewer, s.measurement)]
        known = _known(conn, parts, technique, assume_basis or "", own)
        provenance = _provenance(now, conn, base, enough, known, parts)
    table, names = feature_table(enough, mixes, parts, known, chosen, GROUPS)
    table.insert(len(table.columns) - len(names), "group", table[f"group_{group_by}"])
    table.attrs |= {
        "target": base,
        "unit": vocabulary.term(base).unit,
        "features": names,
        "left_out": {"fewer than min_replicates": len(rows) - len(enough)},
        "provenance": provenance,
    }
    return table


def _chosen(features: str | Sequence[str]) -> tuple[str, ...]:
    if features == "default":
        return FEATURES
    names = (features,) if isinstance(features, str) else tuple(features)
    return tuple(c.choose("features", name, FEATURES) for name in names)


def _target(target: str) -> tuple[str, float | None]:
    """Quantity and, if its name holds one, age [d]."""
    term = vocabulary.find(target) or vocabulary.term(target)
    match = _AGED.match(term.name)
    if match is None or match[1] not in vocabulary.names():
        return term.name, None
    return match[1], float(match[2]) / (24.0 if match[3] == "h" else 1.0)


def _age(age: str | float) -> float:
    days = age_days(age) if isinstance(age, str) else float(age)
    if days is None or not math.isfinite(days) or days < 0:
        raise LabError(f"age = {age!r}: write it with its unit, e.g. '28 d' or '24 h'.")
    return days


# -- the target


def _rows(conn: Connection, base: str, where: Sequence[f.Condition]) -> list[Row]:
    """Values of the target by mix, age, method, geometry and curing."""
    m, v, q, sp = s.measurement, s.value, s.quantity, s.specimen
    names = [row[0] for row in conn.execute(select(q.c.name).distinct())]
    aged = {n: _target(n)[1] for n in names if n == base or ((a := _AGED.match(n)) and a[1] == base)}
    query = (
        select(func.coalesce(m.c.mix_id, sp.c.mix_id), q.c.name, v.c.value, v.c.sigma, v.c.flag, m.c.uid, m.c.method,
               m.c.age_days, m.c.operator, m.c.measured_at, sp.c.geometry, sp.c.curing, sp.c.cast_at)
        .select_from(v.join(m, v.c.measurement_id == m.c.id).join(q, v.c.quantity_id == q.c.id)
                     .outerjoin(sp, m.c.specimen_id == sp.c.id))
        .where(q.c.name.in_(sorted(aged)), m.c.sample_id.is_(None), *where)
        .order_by(m.c.id, v.c.ordinal)
    )  # fmt: skip
    out: dict[tuple[Any, ...], Row] = {}
    for mix, name, value, sigma, flag, uid, method, days, operator, at, geometry, curing, cast in f.fetch(conn, query):
        age = aged[name]
        if age is None:
            age = days if days is not None else _between(cast or "", at)
        key = (mix, round(age, 3) if math.isfinite(age) else "", method, geometry or "", curing or "")
        row = out.setdefault(key, Row(mix, age, method, geometry or "", curing or ""))
        row.uids.append(uid)
        row.operators.add(operator)
        if at:
            row.days.append(at)
        if flag == s.FLAGS.index("below_detection") or value is None:
            row.below += 1
            continue
        row.numbers.append(value)
        if sigma is not None:
            row.sigmas.append(sigma)
    return list(out.values())


def _between(cast: str, measured: str) -> float:
    """Days between casting and testing, or NaN."""
    from datetime import date

    try:
        return float((date.fromisoformat(measured[:10]) - date.fromisoformat(cast[:10])).days)
    except ValueError:
        return math.nan


def _nothing(base: str, age: float | None, method: str | None, every: Sequence[Row]) -> MissingDataError:
    if not every:
        return MissingDataError(
            f"No {base} was measured on a mix or specimen; upload results with the code of the specimen, its age and "
            "method."
        )
    ages = ", ".join(f"{a:g}" for a in sorted({r.age for r in every if math.isfinite(r.age)})[:20])
    methods = ", ".join(repr(x) for x in sorted({r.method for r in every})[:20])
    asked = " and ".join(
        [*([f"at {age:g} d"] if age is not None else []), *([f"by {method!r}"] if method is not None else [])]
    )
    return MissingDataError(f"No {base} was measured {asked}; ages [d]: {ages or 'none stated'}; methods: {methods}.")


# -- mixes and their components


def _mixes(conn: Connection, keys: Sequence[int]) -> tuple[dict[int, Any], dict[int, list[Component]]]:
    """Mixes and their components by internal key."""
    mix, part, sample = s.mix, s.mix_component, s.sample
    mixes: dict[int, Any] = {}
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(keys), fr.CHUNK):
        chunk = keys[start : start + fr.CHUNK]
        rows = conn.execute(select(mix).where(f.is_one_of(mix.c.id, chunk))).mappings()
        mixes.update((row["id"], row) for row in rows)
        query = (
            select(part.c.mix_id, part.c.role, part.c.fraction, part.c.material, sample.c.code, sample.c.waste_class,
                   sample.c.id, sample.c.source_id, sample.c.parent_id)
            .select_from(part.outerjoin(sample, part.c.sample_id == sample.c.id))
            .where(f.is_one_of(part.c.mix_id, chunk))
            .order_by(part.c.mix_id, part.c.ordinal)
        )  # fmt: skip
        found += f.fetch(conn, query)
    origin = f.sources_of(conn, {(r[6], r[7], r[8]) for r in found if r[6] is not None})
    codes = f.labels(conn, s.source)
    parts: dict[int, list[Component]] = {key: [] for key in keys}
    for key, role, fraction, material, code, waste_class, sample_id, _, _ in found:
        source = codes[origin[sample_id]] if sample_id in origin else ""
        name = code if sample_id is not None else material
        kind = waste_class if sample_id is not None else material.partition("/")[0]
        parts[key].append(Component(name, role, fraction, kind, sample_id, source))
    return mixes, parts


def _known(
    conn: Connection,
    parts: Mapping[int, Sequence[Component]],
    technique: f.Codes,
    assume: str,
    measured: Sequence[f.Condition],
) -> Known:
    """Dry composition and particle properties of every component."""
    out = Known({}, {}, {})
    components = {p.name: p for row in parts.values() for p in row if p.role == "binder"}
    keys = sorted({p.sample for p in components.values() if p.sample is not None})
    where = [f.is_one_of(s.sample.c.id, keys)]
    uids = {}
    for techniques, into, wanted in (
        (f.techniques(technique), out.oxides, lambda n, u: "wt%" if c.is_oxide(n, u) else ""),
        (None, out.particles, lambda n, u: vocabulary.term(n).unit if n in PARTICLES else ""),
    ):
        obs = c.read(
            conn, where, wanted, techniques=techniques, measured=measured, basis="dry", assume=assume, everyone=True
        )  # fmt: skip
        means = c.average(obs, censored="half")
        for i, code in enumerate(obs.codes):
            into[code] = {n: float(x) for n, x in zip(obs.columns, means.value[i], strict=True) if not math.isnan(x)}
        used = np.unique(obs.measurement[obs.state != c.UNCONVERTIBLE]).tolist()
        uids.update(fr.codes(conn, s.measurement, used, "uid"))
        for key, number in zip(obs.measurement.tolist(), obs.sample.tolist(), strict=True):
            if key in uids:
                out.uids.setdefault(obs.codes[number], []).append(uids[key])
    for name, part in components.items():
        if part.sample is None:
            _reference(name, out)
    return out


def _reference(name: str, out: Known) -> None:
    """Composition and particles of a shipped reference material; nothing where there is none of that name."""
    from ..reference import material

    try:
        found: Material = material(name)
    except UnknownNameError:
        out.oxides[name], out.particles[name] = {}, {}
        return
    out.oxides[name] = dict(found.composition.contents)
    out.particles[name] = {n: found.quantities[n].value for n in PARTICLES if n in found.quantities}


def _provenance(
    store: Store,
    conn: Connection,
    base: str,
    rows: Sequence[Row],
    known: Known,
    parts: Mapping[int, Sequence[Component]],
) -> dict[str, Any]:
    """Hashes of everything that went in."""
    from .. import __version__

    def digest(lines: Sequence[str]) -> str:
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()

    references = sorted({p.name for row in parts.values() for p in row if p.sample is None and p.role == "binder"})
    return {
        "lab": store.meta(conn).get("uid", ""),
        "audit_head": c.newest_head(conn),
        "wastelab": __version__,
        "target": base,
        "target_sha256": digest([f"{u}" for r in rows for u in r.uids]),
        "features_sha256": digest([u for items in known.uids.values() for u in items]),
        "reference_materials": {
            n: hashlib.sha256(
                json.dumps([known.oxides[n], known.particles[n]], sort_keys=True, separators=(",", ":")).encode()
            ).hexdigest()
            for n in references
        },
    }
