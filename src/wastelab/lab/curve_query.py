"""Curves: one by its sample and technique, or many on a common axis.

Curves on one and the same axis are stacked as they are. Others are interpolated linearly onto a grid that the caller
states, never beyond what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, bindparam, select

from ..errors import LabError, MissingDataError, UnknownNameError, suggest
from ..instruments import vocabulary
from ..instruments.base import Variable
from . import cache, contents
from . import filters as f
from . import schema as s
from .curve_stack import Stack
from .store import Store

if TYPE_CHECKING:
    import xarray as xr

_ABOUT = ("uid", "technique", "method", "replicate", "status", "operator", "measured_at", "age_days", "completeness",
          "conditions", "flags", "basis", "note", "raw_sha256", "curve_sha256", "raw_file", "instrument")  # fmt: skip


@lru_cache(maxsize=256)
def _technique(name: str) -> str:
    return vocabulary.technique(name).code


def _one(kind: str) -> Any:
    """Query of the curves of one sample, mix or specimen by code."""
    m = s.measurement
    table = {"sample": s.sample, "mix": s.mix, "specimen": s.specimen}[kind]
    cells = [m.c[n] for n in _ABOUT[:13]] + [m.c.raw_sha, m.c.curve_sha, s.raw.c.filename, s.instrument.c.code]
    joined = (
        table.join(m, m.c[f"{kind}_id"] == table.c.id)
        .outerjoin(s.raw, m.c.raw_sha == s.raw.c.sha256)
        .outerjoin(s.instrument, m.c.instrument_id == s.instrument.c.id)
    )
    return (
        select(*cells)
        .select_from(joined)
        .where(table.c.code == bindparam("code"), m.c.technique == bindparam("technique"), m.c.curve_sha != "")
        .order_by(m.c.measured_at, m.c.id)
    )


_QUERIES = {kind: _one(kind) for kind in ("sample", "mix", "specimen")}


def curve_arrays(
    store: Store,
    sample: str,
    technique: str,
    *,
    replicate: int | None = None,
    uid: str | None = None,
    method: str | None = None,
    latest: bool = False,
    status: str | Sequence[str] | None = None,
    verified_only: bool = False,
) -> tuple[dict[str, Variable], dict[str, Any]]:
    """One curve as plain arrays; see `curve`.

    Returns
    -------
    variables : dict of str to Variable
    about : dict
        What is known of the measurement.
    """
    code = _technique(technique)
    used = f.statuses(status, verified_only)
    with store.read() as conn:
        found: list[dict[str, Any]] = []
        for query in _QUERIES.values():
            rows = conn.execute(query, {"code": sample, "technique": code}).cursor
            found = [dict(zip(_ABOUT, row, strict=True)) for row in rows.fetchall()]
            if found:
                break
        chosen = [
            r for r in found
            if r["status"] in used
            and (replicate is None or r["replicate"] == replicate)
            and (uid is None or r["uid"] == uid)
            and (method is None or r["method"] == method)
        ]  # fmt: skip
        if not chosen:
            raise _nothing(conn, sample, code, found)
        if len(chosen) > 1 and not latest:
            listed = "\n  ".join(
                f"{r['uid']}: replicate {r['replicate']}, {r['measured_at'] or 'no date'}, "
                f"{r['method'] or 'no method'}, {r['status']}"
                for r in chosen
            )
            raise LabError(
                f"{sample} has {len(chosen)} {code} curves that fit; say which by replicate=…, uid=… or method=…, or "
                f"take the newest by latest=True:\n  {listed}"
            )
        about = chosen[-1]
        variables, attrs = store.curve(conn, about["curve_sha256"])
    return variables, {"sample": sample, **attrs, **about}


def _nothing(conn: Connection, code: str, technique: str, found: Sequence[dict[str, Any]]) -> Exception:
    """The error that says why there is no curve."""
    m = s.measurement
    if found:
        return MissingDataError(
            f"None of the {len(found)} {technique} curves of {code} fits; there are: "
            + ", ".join(f"{r['uid']} (replicate {r['replicate']}, {r['status']})" for r in found[:10])
            + "."
        )
    for kind in _QUERIES:
        table = s.metadata.tables[kind]
        key = conn.execute(select(table.c.id).where(table.c.code == code)).scalar()
        if key is not None:
            query = select(m.c.technique).where(m.c[f"{kind}_id"] == key, m.c.curve_sha != "").distinct()
            others = sorted(row[0] for row in conn.execute(query))
            return MissingDataError(
                f"{kind} {code} has no {technique} curve; it has {', '.join(others) or 'none of any technique'}."
            )
    known = [row[0] for row in conn.execute(select(s.sample.c.code).limit(20_000))]
    return UnknownNameError(f"There is no sample, mix or specimen {code!r} in this laboratory.{suggest(code, known)}")


def curve(
    store: Store,
    sample: str,
    technique: str,
    *,
    replicate: int | None = None,
    uid: str | None = None,
    method: str | None = None,
    latest: bool = False,
    status: str | Sequence[str] | None = None,
    verified_only: bool = False,
) -> xr.Dataset:
    """One curve of a sample, mix or specimen.

    Parameters
    ----------
    store : Store
    sample : str
        Code of a sample, mix or specimen.
    technique : str
        ``"XRD"``, ``"TG"``, ``"calorimetry"`` …
    replicate : int, optional
    uid : str, optional
        Of the measurement.
    method : str, optional
    latest : bool
        Take the newest where several fit.
    status, verified_only
        See `query.measurements`.

    Returns
    -------
    xarray.Dataset
        Variables with ``units``; attributes ``uid``, ``sample``, ``technique``, ``status``, ``completeness``,
        ``conditions`` (JSON), ``raw_sha256``, ``curve_sha256`` …

    Raises
    ------
    LabError
        If several curves fit; it lists them.
    MissingDataError
        If none does; it names what there is.
    UnknownNameError
        If sample or technique does not exist.
    """
    import xarray as xr

    variables, about = curve_arrays(
        store, sample, technique, replicate=replicate, uid=uid, method=method, latest=latest, status=status,
        verified_only=verified_only,
    )  # fmt: skip
    coords: dict[str, Any] = {}
    data: dict[str, Any] = {}
    for name, v in variables.items():
        attrs = {"units": v.units} | ({"long_name": v.long_name} if v.long_name else {})
        (coords if v.dims == (name,) else data)[name] = (v.dims, v.data, attrs)
    return xr.Dataset(data, coords, {k: "" if x is None else x for k, x in about.items()})


def curves(
    store: Store,
    technique: str,
    *,
    samples: f.Codes = None,
    waste_class: str | None = None,
    source: f.Codes = None,
    axis: str | None = None,
    step: float | None = None,
    range: tuple[float, float] | None = None,
    variable: f.Codes = None,
    date_from: str | None = None,
    date_to: str | None = None,
    status: str | Sequence[str] | None = None,
    verified_only: bool = False,
    viewer: str | None = None,
) -> xr.Dataset:
    """Curves of many samples on one axis.

    Parameters
    ----------
    store : Store
    technique : str
    samples : sequence of str, optional
        Codes; all samples by default.
    waste_class, source, date_from, date_to, status, verified_only, viewer
        See `query.measurements`.
    axis : str, optional
        Name of the axis; the technique's own by default. Another variable may be one (``"temperature"``) if it runs
        one way.
    step : float, optional
        Step of the common grid, in the unit of the axis. Needed where the axes differ.
    range : (float, float), optional
        First and last value of the axis. With `step`, the grid starts there; without, the common axis is cut.
    variable : str or sequence of str, optional
        Which variables; by default all that every curve has along the axis.

    Returns
    -------
    xarray.Dataset
        Dimensions ``measurement`` and the axis; coordinates ``sample``, ``waste_class``, ``replicate``, ``status``,
        ``measured_at`` along the measurements, which are known by their uid. Outside of what was measured it is NaN.
        ``attrs["stacking"]`` says what was done. Counts and counts per second are never mixed: counts are divided by
        the count time, which must then be known.

    Raises
    ------
    MissingDataError
        If there is no curve.
    LabError
        If the axes differ and no step is given, units do not fit, or an axis does not run one way.
    """
    code = _technique(technique)
    m, sample = s.measurement, s.sample
    with store.read() as conn:
        where = f.sample_conditions(conn, waste_class=waste_class, source=source, codes=samples, viewer=viewer)
        query = (
            select(m.c.curve_sha, m.c.uid, sample.c.code, sample.c.waste_class, m.c.replicate, m.c.status,
                   m.c.measured_at, m.c.id)
            .select_from(m.join(sample, m.c.sample_id == sample.c.id))
            .where(m.c.technique == code, m.c.curve_sha != "", f.with_status(status, verified_only), *where,
                   *f.window(conn, m.c.measured_at, date_from, date_to, "date"), *f.visible(conn, viewer, m))
            .order_by(sample.c.id, m.c.id)
        )  # fmt: skip
        rows = f.fetch(conn, query)
        if not rows:
            raise MissingDataError(
                f"No {code} curve of a sample fits; `lab.measurements(technique={code!r})` lists all."
            )
        blocks = cache.load(store, conn, code, [row[0] for row in rows])
        head = contents.newest_head(conn)
        stack = Stack(conn, code, rows, blocks, axis, f.listed(variable))
        grid, data, done = stack.on_grid(step, range)
    return _stacked(stack, rows, grid, data, done, head)


def _stacked(
    stack: Stack, rows: Sequence[tuple[Any, ...]], grid: Any, data: dict[str, Any], done: str, head: str
) -> xr.Dataset:
    import xarray as xr

    def column(number: int) -> Any:
        return np.array([row[number] for row in rows], dtype=None if number == 4 else object)

    coords: dict[str, Any] = {
        "measurement": ("measurement", column(1), {"long_name": "uid of the measurement"}),
        **{
            name: ("measurement", column(number))
            for number, name in ((2, "sample"), (3, "waste_class"), (4, "replicate"), (5, "status"), (6, "measured_at"))
        },
        stack.axis: (stack.axis, grid, {"units": stack.axis_units}),
    }
    variables = {
        name: (("measurement", stack.axis), values,
               {"units": stack.units[name]} | ({"long_name": n} if (n := stack.long_names[name]) else {}))
        for name, values in data.items()
    }  # fmt: skip
    return xr.Dataset(variables, coords, {"stacking": done, "audit_head": head})
