"""Oxide contents of many samples on one basis, as a CF dataset with uncertainty, detection limits and status.

The contents are read and averaged in `contents`; here they get names, units and a place. Nothing is filled in: what was
not measured is NaN and flagged so, what was not detected is never zero unless somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import LabError, UnknownNameError, WastelabError, suggest
from . import contents as c
from . import filters as f
from . import frames as fr
from . import schema as s
from .store import Store

if TYPE_CHECKING:
    import xarray as xr

#: Order in which oxides stand in tables; the rest follows by name, loss on ignition comes last.
ORDER = ("SiO2", "Al2O3", "Fe2O3", "FeO", "CaO", "MgO", "SO3", "Na2O", "K2O", "TiO2", "P2O5", "MnO")


def composition(
    store: Store,
    *,
    basis: str = "dry",
    agg: str = "mean",
    censored: str = "nan",
    assume_basis: str | None = None,
    oxides: f.Codes = None,
    technique: f.Codes = "XRF",
    waste_class: str | None = None,
    source: f.Codes = None,
    codes: f.Codes = None,
    collected_from: str | None = None,
    collected_to: str | None = None,
    date_from: str | None = None,
    date_to: str | None = None,
    text: str | None = None,
    status: str | Sequence[str] | None = None,
    verified_only: bool = False,
    viewer: str | None = None,
) -> xr.Dataset:
    """Oxide contents of samples.

    Parameters
    ----------
    store : Store
    basis : {"dry", "as_received", "ignited", "as_stated"}
        Basis of the result. Moisture and loss on ignition are those of the same measurement, else the mean of the
        sample's others. A value whose basis nobody stated is not converted.
    agg : {"mean", "latest", "none"}
        Mean of all measurements of a sample, its newest one, or every measurement by itself.
    censored : {"nan", "half", "zero"}
        What stands for a value below its detection limit.
    assume_basis : {"dry", "as_received", "ignited"}, optional
        Basis to assume where none is stated. The attributes say so.
    oxides : sequence of str, optional
        Columns, in this order; all that were measured by default. ``LOI`` is one of them; it also comes from
        measurements of its own.
    technique : str or sequence of str, optional
        Techniques that measure contents; None for all.
    waste_class, source, codes, collected_from, collected_to, text, viewer
        Which samples; see `query.samples`. Without `codes`, samples that were not measured are left out.
    date_from, date_to : str, optional
        First and last date of measurement.
    status, verified_only
        See `query.measurements`.

    Returns
    -------
    xarray.Dataset
        ``composition`` (sample, oxide) [%], with ``composition_standard_error``, ``composition_detection_minimum``,
        ``composition_number_of_observations`` and ``composition_status_flag``; coordinates ``waste_class``,
        ``source`` and, with ``"as_stated"``, ``stated_basis``. With ``agg="none"`` the first dimension is
        ``measurement`` with coordinates ``sample``, ``uid``, ``measured_at``, ``replicate``. The standard error is
        explained under `contents.average`.

    Raises
    ------
    UnknownNameError
        If an option, class, source, code, oxide or technique does not exist.
    """
    c.choose("basis", basis, c.TARGETS)
    c.choose("agg", agg, c.AGGREGATES)
    c.choose("censored", censored, c.CENSORED)
    if assume_basis is not None:
        c.choose("assume_basis", assume_basis, c.TARGETS[:3])
    names = f.techniques(technique)
    with store.read() as conn:
        where = f.sample_conditions(
            conn, waste_class=waste_class, source=source, codes=codes, collected_from=collected_from,
            collected_to=collected_to, text=text, viewer=viewer,
        )  # fmt: skip
        measured = [
            f.with_status(status, verified_only),
            *f.window(conn, s.measurement.c.measured_at, date_from, date_to, "date"),
            *f.visible(conn, viewer, s.measurement),
        ]
        obs = c.read(
            conn, where, lambda name, unit: "wt%" if c.is_oxide(name, unit) else "", techniques=names,
            measured=measured, basis=basis, assume=assume_basis or "", everyone=codes is not None,
            ranked=agg == "latest",
        )  # fmt: skip
        known = f.labels(conn, s.source)
        origin = f.sources_of(conn, ((row[0], row[3], row[4]) for row in obs.about))
        head, facts = c.newest_head(conn), store.meta(conn)
        rows, keys = None, np.empty(0, dtype=np.int64)
        if agg == "none":
            keys, rows = np.unique(obs.measurement, return_inverse=True)
            told = _measurements(conn, keys)
    means = c.average(
        obs, agg=agg, censored=censored, rows=rows, size=len(keys), one_basis=basis == "as_stated"
    )  # fmt: skip
    seen = [obs.columns[k] for k in np.unique(obs.column)]
    columns = _columns(seen, f.listed(oxides))
    sample_sources = [known[origin[row[0]]] if row[0] in origin else "" for row in obs.about]
    classes = [row[2] for row in obs.about]
    if agg == "none":
        first = np.zeros(len(keys), dtype=np.int64)
        first[rows] = obs.sample
        coords = _coords("measurement", [told[int(k)][0] for k in keys], first, obs.codes, classes, sample_sources)
        for number, name in ((1, "measured_at"), (2, "replicate")):
            coords[name] = ("measurement", np.array([told[int(k)][number] for k in keys]))
    else:
        coords = _coords("sample", obs.codes, None, obs.codes, classes, sample_sources)
    return _dataset(
        means, obs.columns, columns, coords, "measurement" if agg == "none" else "sample", basis,
        {
            "Conventions": "CF-1.11",
            "title": f"Composition of samples of the laboratory {facts.get('name', '')}, {_BASIS_TEXT[basis]}",
            "history": _history(locals()),
            "lab_uid": facts.get("uid", ""),
            "audit_head": head,
            "basis": basis,
            "aggregate": agg,
            "below_detection": censored,
            "assumed_basis": assume_basis or "none",
        },
    )  # fmt: skip


_BASIS_TEXT = {
    "dry": "dry basis",
    "as_received": "as-received basis",
    "ignited": "ignited basis",
    "as_stated": "each on the basis it was stated on",
}
_ASKED = ("waste_class", "source", "codes", "collected_from", "collected_to", "date_from", "date_to", "text", "status",
          "verified_only", "technique", "viewer")  # fmt: skip


def _history(asked: dict[str, Any]) -> str:
    """What was asked and by which version."""
    from .. import __version__
    from .audit import now

    given = []
    for name in _ASKED:
        value = asked[name]
        if value not in (None, False):
            text = repr(value)
            given.append(f"{name}={text if len(text) < 200 else text[:200] + '…'}")
    return f"{now()} wastelab {__version__} composition({', '.join(given)})"


def _measurements(conn: Any, keys: Any) -> dict[int, tuple[Any, ...]]:
    """Uid, date and replicate of measurements."""
    from sqlalchemy import select

    m = s.measurement
    out: dict[int, tuple[Any, ...]] = {}
    for start in range(0, len(keys), fr.CHUNK):
        query = select(m.c.id, m.c.uid, m.c.measured_at, m.c.replicate)
        rows = f.fetch(conn, query.where(f.is_one_of(m.c.id, keys[start : start + fr.CHUNK])))
        out.update((row[0], row[1:]) for row in rows)
    return out


def _columns(found: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    """Names of the columns in the order they stand.

    Raises
    ------
    UnknownNameError
        If one is no oxide.
    """
    if wanted is None:
        order = {name: n for n, name in enumerate(ORDER)}
        return sorted(found, key=lambda name: (name == c.LOI, order.get(name, len(order)), name))
    from ..chemistry import molar_mass

    for name in wanted:
        if name in found or name == c.LOI:
            continue
        try:
            molar_mass(name)
        except WastelabError:
            near = suggest(name, [*found, *ORDER, c.LOI])
            raise UnknownNameError(f"There is no oxide {name!r}.{near}") from None
    return list(wanted)


def _coords(
    dim: str, index: Sequence[str], first: Any, codes: list[str], classes: list[str], sources: list[str]
) -> dict[str, Any]:
    """Coordinates along the first dimension."""
    columns = {"sample": codes, "waste_class": classes, "source": sources}
    attrs = {"sample": "code of the sample", "waste_class": "waste class", "source": "heap or plant it came from"}
    out: dict[str, Any] = {dim: (dim, _array(index))}
    for name, items in columns.items():
        cells = _array(items)
        out[name] = (dim, cells if first is None else cells[first], {"long_name": attrs[name]})
    return out


def _array(items: Sequence[str]) -> Any:
    return np.array(items, dtype=object) if len(items) else np.array([], dtype="<U1")


def _dataset(
    means: c.Means,
    found: Sequence[str],
    columns: Sequence[str],
    coords: dict[str, Any],
    dim: str,
    basis: str,
    attrs: dict[str, Any],
) -> xr.Dataset:
    import xarray as xr

    place = {name: n for n, name in enumerate(found)}
    chosen = [place.get(name, -1) for name in columns]
    missing = [n for n, k in enumerate(chosen) if k < 0]

    def cells(data: Any, empty: Any) -> Any:
        out = data[:, chosen] if data.shape[1] else np.full((data.shape[0], len(chosen)), empty, dtype=data.dtype)
        out[:, missing] = empty
        return out

    dims = (dim, "oxide")
    flags = {
        "flag_values": np.arange(len(c.FLAGS), dtype=np.int8),
        "flag_meanings": " ".join(c.FLAGS),
    }
    percent = {"units": "%"}
    name = f"mass fraction, {_BASIS_TEXT[basis]}"
    related = ("standard_error", "detection_minimum", "number_of_observations", "status_flag")
    variables = {
        "composition": (
            dims, cells(means.value, np.nan),
            {**percent, "long_name": name, "ancillary_variables": " ".join(f"composition_{r}" for r in related)},
        ),
        "composition_standard_error": (
            dims, cells(means.error, np.nan),
            {**percent, "long_name": f"standard error of the {name}, systematic and statistical together",
             "coverage_factor": 1.0},
        ),
        "composition_detection_minimum": (
            dims, cells(means.minimum, np.nan), {**percent, "long_name": f"lowest detection limit of the {name}"}
        ),
        "composition_number_of_observations": (
            dims, cells(means.number, 0),
            {"units": "1", "standard_name": "number_of_observations", "long_name": "values, those below detection too"},
        ),
        "composition_status_flag": (
            dims, cells(means.flag, c.FLAGS.index("not_measured")),
            {"standard_name": "status_flag", "long_name": "how the mass fraction came about", **flags},
        ),
    }  # fmt: skip
    coords["oxide"] = ("oxide", _array(list(columns)), {"long_name": "oxide, element or loss on ignition"})
    if basis == "as_stated":
        stated = {"long_name": "basis it was stated on", "flag_values": np.arange(4, dtype=np.int8),
                  "flag_meanings": "not_stated_or_several as_received dry ignited"}  # fmt: skip
        coords["stated_basis"] = (dims, cells(means.stated, 0), stated)
    return xr.Dataset(variables, coords, attrs)


def wide(data: xr.Dataset) -> Any:
    """The contents as a table: one row a sample, one column an oxide [wt%]; what was not detected as ``"<0.01"``.

    Parameters
    ----------
    data : xarray.Dataset
        From `composition`.

    Returns
    -------
    pandas.DataFrame
        Texts only in cells below detection.
    """
    import pandas as pd

    if data["composition"].dims[0] != "sample":
        raise LabError('A table of compositions has one row a sample; use agg="mean" or "latest".')
    flag = data["composition_status_flag"].values
    below = flag == c.FLAGS.index("below_detection")
    cells = data["composition"].values.astype(object)
    limits = data["composition_detection_minimum"].values
    cells[np.isnan(data["composition"].values)] = None
    for i, j in zip(*np.nonzero(below), strict=True):
        cells[i, j] = f"<{limits[i, j]:g}" if not np.isnan(limits[i, j]) else "<"
    frame = pd.DataFrame(cells, columns=pd.Index(fr.texts(data["oxide"].values))).infer_objects()
    frame.insert(0, "waste_class", fr.texts(data["waste_class"].values))
    frame.insert(1, "source", fr.texts(data["source"].values))
    frame.index = fr.index(data["sample"].values, "code")
    return frame
