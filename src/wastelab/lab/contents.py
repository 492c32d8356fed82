"""Stored values of samples as arrays on one basis, and their means: what compositions and materials are made of.

One observation is one value of one measurement. Moisture turns as-received into dry, loss on ignition dry into ignited;
both are the measurement's own where it has them, else the mean of the sample's others. What cannot be converted stays
out and is counted, never left on another basis.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, case, func, select

from ..errors import UnknownNameError, suggest
from ..instruments.units import factor
from . import filters as f
from . import schema as s

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: State of an observation.
MEASURED, BELOW, ABOVE, UNCONVERTIBLE = 0, 1, 2, 3
#: State of a mean, by the number that stands in ``status_flag``.
FLAGS = ("measured", "not_measured", "below_detection", "partly_below_detection", "not_convertible",
         "partly_not_convertible", "estimated", "above_range", "mixed_basis")  # fmt: skip
TARGETS = ("as_received", "dry", "ignited", "as_stated")
AGGREGATES = ("mean", "latest", "none")
CENSORED = ("nan", "half", "zero")
LOI, MOISTURE = "LOI", "moisture"
#: Gone on ignition: their content has no meaning on the ignited basis.
_BURNT = frozenset(("carbonate_CO2", "organic_C", "bound_water", "H2O", "CO2"))
#: Units of contents, which mean something only on a basis.
CONTENT_UNITS = frozenset(("wt%", "mg/kg", "Bq/kg", "MJ/kg"))
#: Of these, what is taken to be on the basis asked for where nobody said (sheets have no basis for them).
_LENIENT = frozenset(("MJ/kg",))
_FORMULA = re.compile(r"^[A-Z][A-Za-z0-9()]*$")
_AS_RECEIVED, _DRY, _IGNITED = 1, 2, 3


@dataclass(frozen=True)
class Observations:
    """Values of samples, one entry each; arrays along ``n`` observations.

    Attributes
    ----------
    keys, codes : samples by internal key and code
    columns : list of str
        Names of the quantities.
    sample, column : ndarray
        Numbers into `keys` and `columns`.
    measurement : ndarray
        Internal key of the measurement.
    value, sigma, lod : ndarray
        On the basis asked for; NaN where not known.
    state : ndarray
        `MEASURED`, `BELOW`, `ABOVE` or `UNCONVERTIBLE`.
    estimated : ndarray of bool
        Estimated, put in by the operator, a trace, or above the range, though with a number.
    stated : ndarray
        Basis it was stored on, a number into `schema.BASES`.
    rank : ndarray
        Larger for newer measurements.
    """

    keys: Integers
    codes: list[str]
    columns: list[str]
    sample: Integers
    column: Integers
    measurement: Integers
    value: Floats
    sigma: Floats
    lod: Floats
    state: NDArray[np.int8]
    estimated: NDArray[np.bool_]
    stated: Integers
    rank: Integers
    about: list[tuple[Any, ...]] = field(default_factory=list)

    def take(self, chosen: Any) -> Observations:
        """Some of the observations."""
        names = ("sample", "column", "measurement", "value", "sigma", "lod", "state", "estimated", "stated", "rank")
        return replace(self, **{n: getattr(self, n)[chosen] for n in names})


@dataclass(frozen=True)
class Means:
    """Means of observations; arrays of shape (rows, columns).

    Attributes
    ----------
    value : ndarray
        Mean of what was measured; NaN where nothing was.
    error : ndarray
        Standard error, see `average`.
    minimum : ndarray
        Lowest detection limit that was stated.
    number : ndarray
        Observations, those below detection included.
    flag : ndarray
        A number into `FLAGS`.
    stated : ndarray
        Basis the values were stored on, a number into `schema.BASES`; 0 where unknown or mixed.
    """

    value: Floats
    error: Floats
    minimum: Floats
    number: NDArray[np.int32]
    flag: NDArray[np.int8]
    stated: NDArray[np.int8]


def is_oxide(name: str, unit: str) -> bool:
    """Whether a quantity is a content of an analysis: a formula or LOI, as a share of the mass."""
    return bool(_FORMULA.match(name)) and unit in ("wt%", "%", "mg/kg", "g/kg")


def choose(name: str, value: str, known: Sequence[str]) -> str:
    """One of several words.

    Raises
    ------
    UnknownNameError
    """
    if value not in known:
        raise UnknownNameError(f"{name} = {value!r} is not one of {', '.join(known)}.{suggest(value, known)}")
    return value


def read(
    conn: Connection,
    where: Sequence[f.Condition],
    wanted: Callable[[str, str], str],
    *,
    techniques: Sequence[str] | None,
    measured: Sequence[f.Condition],
    basis: str,
    assume: str = "",
    everyone: bool = False,
    ranked: bool = False,
) -> Observations:
    """Observations of the samples that fit.

    Parameters
    ----------
    conn : Connection
    where : conditions on samples
    wanted : callable
        ``wanted(name, unit)`` gives the unit in which a quantity is wanted, or an empty string.
    techniques : sequence of str or None
        Of the measurements; LOI and moisture are taken from all others too.
    measured : conditions on measurements
        Status, dates, persons.
    basis : str
        One of `TARGETS`.
    assume : str
        Basis to assume where none is stated; empty: nothing is assumed.
    everyone : bool
        Whether samples without any measurement of the techniques are kept.
    ranked : bool
        Whether it must be known which measurement is newer.
    """
    m, v, sample = s.measurement, s.value, s.sample
    quantities = {row[0]: (row[1], row[2]) for row in f.fetch(conn, select(s.quantity))}
    units = {key: wanted(*pair) for key, pair in quantities.items()}
    helpers = {key for key, (name, _) in quantities.items() if name in (LOI, MOISTURE)}
    conditions = [m.c.sample_id.is_not(None), *measured]
    if where:
        conditions.append(m.c.sample_id.in_(select(sample.c.id).where(*where)))
    of_technique = [] if techniques is None else [m.c.technique.in_(techniques)]
    stated = case((m.c.basis == "dry", _DRY), (m.c.basis == "as_received", _AS_RECEIVED),
                  (m.c.basis == "ignited", _IGNITED), else_=0)  # fmt: skip
    first = [key for key, unit in units.items() if unit or key in helpers]
    packed = v.c.quantity_id * 64 + v.c.flag * 8 + v.c.basis
    cells = select(v.c.measurement_id, packed, v.c.value, v.c.sigma, v.c.lod)
    joined = m.join(v, v.c.measurement_id == m.c.id)
    owner = select(m.c.id, m.c.sample_id, stated, m.c.measured_at if ranked else m.c.id)
    about = f.fetch(conn, owner.where(*conditions, *of_technique))
    chosen = f.is_one_of(v.c.quantity_id, first)
    rows = f.fetch(conn, cells.select_from(joined).where(*conditions, *of_technique, chosen))
    there = {row[1] for row in about}
    if techniques is not None and helpers:
        others = [*conditions, m.c.technique.not_in(techniques), f.is_one_of(v.c.quantity_id, sorted(helpers))]
        rows += f.fetch(conn, cells.select_from(joined).where(*others))
        about += f.fetch(conn, owner.select_from(joined).where(*others).distinct())
        shown = [key for key in helpers if units[key]]
        if shown:
            others[-1] = f.is_one_of(v.c.quantity_id, shown)
            there |= {row[0] for row in f.fetch(conn, select(m.c.sample_id).select_from(joined).where(*others))}
    query = select(sample.c.id, sample.c.code, sample.c.waste_class, sample.c.source_id, sample.c.parent_id)
    samples = f.fetch(conn, query.where(*where).order_by(sample.c.id))
    if not everyone:
        samples = [row for row in samples if row[0] in there]
    return _arrays(samples, about, rows, quantities, units, basis, assume)


def _arrays(
    samples: list[tuple[Any, ...]],
    about: list[tuple[Any, ...]],
    rows: list[tuple[Any, ...]],
    quantities: dict[int, tuple[str, str]],
    units: dict[int, str],
    basis: str,
    assume: str,
) -> Observations:
    keys = np.array([row[0] for row in samples], dtype=np.int64)
    owners = np.array([row[:3] for row in about], dtype=np.int64).reshape(-1, 3)
    ranks = np.empty(len(about), dtype=np.int64)
    ranks[sorted(range(len(about)), key=lambda i: (about[i][3], about[i][0]))] = np.arange(len(about))
    order = np.argsort(owners[:, 0])
    owners, ranks = owners[order], ranks[order]
    data = np.array(rows, dtype=np.float64).reshape(-1, 5)
    measurement, packed = data[:, 0].astype(np.int64), data[:, 1].astype(np.int64)
    quantity, flag, stated = packed // 64, packed // 8 % 8, packed % 8
    place = np.searchsorted(owners[:, 0], measurement)
    stated = np.where(stated == 0, owners[place, 2], stated)
    if assume:
        stated = np.where(stated == 0, s.BASES.index(assume), stated)
    lenient = np.isin(quantity, [key for key, unit in units.items() if unit in _LENIENT])
    if basis != "as_stated":
        stated = np.where((stated == 0) & lenient, s.BASES.index(basis), stated)
    names = sorted({name for key, (name, _) in quantities.items() if units[key]})
    number = {name: i for i, name in enumerate(names)}
    size = max(quantities, default=0) + 1
    column, scale, content = np.full(size, -1), np.ones(size), np.zeros(size, dtype=bool)
    for key, (name, unit) in quantities.items():
        if units[key]:
            column[key], scale[key] = number[name], factor(unit, units[key])
            content[key] = units[key] in CONTENT_UNITS
    value, sigma, lod = (data[:, i] * scale[quantity] for i in (2, 3, 4))
    state, estimated, known = _states(value, lod, flag)
    lod = np.where((flag == 1) & np.isnan(lod), value, lod)
    position = np.searchsorted(keys, owners[place, 1])
    if len(samples):  # samples with nothing but a moisture content are not listed
        known &= keys[np.minimum(position, len(keys) - 1)] == owners[place, 1]
    else:
        known[:] = False
    obs = Observations(
        keys, [row[1] for row in samples], names, position, column[quantity],
        measurement, value, sigma, lod, state, estimated, stated, ranks[place], samples,
    ).take(known)  # fmt: skip
    place, quantity = place[known], quantity[known]
    marks = {
        what: np.isin(quantity, [key for key, (name, _) in quantities.items() if name == what])
        for what in (LOI, MOISTURE)
    }
    if basis != "as_stated":
        obs = _convert(obs, place, marks, len(owners), basis, content[quantity], names)
    return obs.take(obs.column >= 0)


def _states(value: Floats, lod: Floats, flag: Integers) -> tuple[Any, Any, Any]:
    """State of each value, whether it is an estimate, and whether it says anything at all."""
    empty = np.isnan(value)
    below = (flag == 1) | ((flag == 3) & empty)
    above = (flag == 2) & empty
    state = np.where(below, BELOW, np.where(above, ABOVE, MEASURED)).astype(np.int8)
    return state, (flag >= 2) & ~empty, below | above | ~empty


def _convert(
    obs: Observations, place: Integers, marks: dict[str, Any], owners: int, basis: str, content: Any, names: list[str]
) -> Observations:
    """Observations on another basis; what lacks moisture, LOI or a stated basis becomes `UNCONVERTIBLE`."""
    target = s.BASES.index(basis)
    sure = obs.state == MEASURED
    # moisture [% of the as-received mass], each measurement's own first
    wet = marks[MOISTURE] & sure
    dry_based = obs.stated == _DRY
    water = np.where(dry_based, 100.0 * obs.value / (100.0 + obs.value), obs.value)
    s_water = np.where(dry_based, obs.sigma * (100.0 / (100.0 + obs.value)) ** 2, obs.sigma)
    moisture, s_moisture = _own_or_mean(obs, place, wet, water, s_water, owners)
    left_dry = _share_left(moisture)
    # loss on ignition [% of the dry mass]
    burnt = marks[LOI] & sure & (obs.stated != 0)
    on_wet = obs.stated == _AS_RECEIVED
    loss = np.where(on_wet, obs.value / left_dry, obs.value)
    s_loss = np.where(
        on_wet, np.hypot(obs.sigma / left_dry, loss * np.nan_to_num(s_moisture) / 100.0 / left_dry), obs.sigma
    )
    loss, s_loss = _own_or_mean(obs, place, burnt & ~np.isnan(loss), loss, s_loss, owners)
    left_ignited = _share_left(loss)
    is_loi, is_moisture = marks[LOI], marks[MOISTURE]
    scale, relative = np.ones(len(obs.value)), np.zeros(len(obs.value))
    r_wet = np.nan_to_num(s_moisture) / 100.0 / left_dry
    r_loss = np.nan_to_num(s_loss) / 100.0 / left_ignited
    for here, sign in ((obs.stated, 1), (np.full_like(obs.stated, target), -1)):
        from_wet = (here == _AS_RECEIVED) & (obs.stated != target)
        from_ignited = (here == _IGNITED) & (obs.stated != target) & ~is_loi
        scale = np.where(from_wet, scale * left_dry ** (-sign), scale)
        scale = np.where(from_ignited, scale * left_ignited**sign, scale)
        relative = np.where(from_wet, np.hypot(relative, r_wet), relative)
        relative = np.where(from_ignited, np.hypot(relative, r_loss), relative)
    scale = np.where(obs.stated == 0, np.nan, scale)
    if target == _IGNITED:
        gone = np.array([n in _BURNT for n in names] + [False])[obs.column]
        scale = np.where(gone & (obs.stated != _IGNITED), np.nan, scale)
    scale, relative = np.where(content, scale, 1.0), np.where(content, relative, 0.0)
    value = np.where(is_moisture, water, obs.value * scale)
    scale = np.where(is_moisture, 1.0, scale)
    relative = np.where(is_moisture, 0.0, relative)
    sigma = np.where(is_moisture, s_water, obs.sigma * scale)
    moved = relative > 0
    sigma = np.where(moved, np.hypot(np.nan_to_num(sigma), np.abs(value) * relative), sigma)
    nothing_to_convert = (obs.state != MEASURED) & np.isnan(obs.lod)
    lost = np.isnan(scale) & ~nothing_to_convert
    return replace(
        obs,
        value=value,
        sigma=sigma,
        lod=obs.lod * scale,
        state=np.where(lost, UNCONVERTIBLE, obs.state).astype(np.int8),
    )


def _share_left(loss: Floats) -> Floats:
    """What is left of the mass after a loss [%]; NaN where nothing is."""
    left = 1.0 - loss / 100.0
    return np.where(left > 0, left, np.nan)


def _own_or_mean(
    obs: Observations, place: Integers, chosen: Any, value: Floats, sigma: Floats, owners: int
) -> tuple[Floats, Floats]:
    """A helper quantity for every observation: its own measurement's, else the mean of the sample's, else NaN."""
    if not chosen.any():
        return np.full(len(value), np.nan), np.full(len(value), np.nan)
    own, s_own = (np.full(owners, np.nan) for _ in range(2))
    own[place[chosen]], s_own[place[chosen]] = value[chosen], sigma[chosen]
    mean, error, _ = _mean(obs.sample[chosen], value[chosen], sigma[chosen], len(obs.keys))
    mine = own[place]
    return (
        np.where(np.isnan(mine), mean[obs.sample], mine),
        np.where(np.isnan(mine), error[obs.sample], s_own[place]),
    )


def _mean(cell: Integers, value: Floats, sigma: Floats, size: int) -> tuple[Floats, Floats, Integers]:
    """Mean, standard error and number of values by cell."""
    number = np.bincount(cell, minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(cell, value, size) / number
        scatter = np.bincount(cell, (value - mean[cell]) ** 2, size) / (number - 1) / number
        told = ~np.isnan(sigma)
        times = np.bincount(cell[told], minlength=size)
        stated = np.bincount(cell[told], sigma[told] ** 2, size) / times
        error = np.sqrt(np.where(number > 1, scatter, 0.0) + np.where(times > 0, stated, 0.0))
    return mean, np.where((number > 1) | (times > 0), error, np.nan), number


def average(
    obs: Observations,
    *,
    agg: str = "mean",
    censored: str = "nan",
    rows: Integers | None = None,
    size: int = 0,
    one_basis: bool = False,
) -> Means:
    """Means of observations by row and column.

    Parameters
    ----------
    obs : Observations
    agg : {"mean", "latest"}
        All observations of a cell, or the newest alone.
    censored : {"nan", "half", "zero"}
        What stands for a value below detection: nothing; half the detection limit (standard uncertainty
        LOD/sqrt(12)); or zero (LOD/sqrt(3)).
    rows : ndarray, optional
        Row of each observation; its sample by default.
    size : int
        Number of rows, where `rows` is given.
    one_basis : bool
        Refuse to average what was stored on different bases (for observations that were not converted).

    Returns
    -------
    Means
        With n values of sample standard deviation s and stated standard uncertainties u_i, the standard error is
        sqrt(s^2/n + mean(u_i^2)): scatter shrinks with n; what was stated is taken as shared by all n (systematic)
        and does not. NaN where n = 1 and nothing is stated.
    """
    shape = (len(obs.keys) if rows is None else size, len(obs.columns))
    cells = shape[0] * shape[1]
    cell = (obs.sample if rows is None else rows) * shape[1] + obs.column
    if agg == "latest":
        best = np.full(cells, -1, dtype=np.int64)
        usable = obs.state != UNCONVERTIBLE
        np.maximum.at(best, cell[usable], obs.rank[usable])
        kept = (obs.rank == best[cell]) | (~usable & (best[cell] < 0))
        obs, cell = obs.take(kept), cell[kept]
    states = [np.bincount(cell[obs.state == k], minlength=cells) for k in range(4)]
    value, sigma, used = obs.value, obs.sigma, obs.state == MEASURED
    if censored != "nan":
        filled = (obs.state == BELOW) & ~np.isnan(obs.lod)
        share, spread = (0.5, 12.0) if censored == "half" else (0.0, 3.0)
        value = np.where(filled, share * obs.lod, value)
        sigma = np.where(filled, obs.lod / np.sqrt(spread), sigma)
        used = used | filled
    mean, error, _ = _mean(cell[used], value[used], sigma[used], cells)
    limit = np.full(cells, np.inf)
    told = ~np.isnan(obs.lod) & (obs.state != UNCONVERTIBLE)
    np.minimum.at(limit, cell[told], obs.lod[told])
    stated, several = _stated(obs, cell, cells)
    guessed = np.bincount(cell[obs.estimated & (obs.state == MEASURED)], minlength=cells) > 0
    flag = _flag(states, guessed)
    if one_basis:
        mean[several], error[several], limit[several], flag[several] = (
            np.nan,
            np.nan,
            np.inf,
            FLAGS.index("mixed_basis"),
        )
    return Means(
        mean.reshape(shape),
        error.reshape(shape),
        np.where(np.isinf(limit), np.nan, limit).reshape(shape),
        (states[MEASURED] + states[BELOW] + states[ABOVE]).astype(np.int32).reshape(shape),
        flag.reshape(shape),
        np.where(several, 0, stated).astype(np.int8).reshape(shape),
    )


def _stated(obs: Observations, cell: Integers, cells: int) -> tuple[Any, Any]:
    """Basis of each cell, and whether there are several."""
    low, high = np.full(cells, 9), np.full(cells, -1)
    here = (obs.state == MEASURED) | (obs.state == BELOW)
    np.minimum.at(low, cell[here], obs.stated[here])
    np.maximum.at(high, cell[here], obs.stated[here])
    return np.where(high < 0, 0, high), (high >= 0) & (low != high)


def _flag(states: Sequence[Any], guessed: Any) -> Any:
    measured, below, above, lost = (n > 0 for n in states)
    some = np.where(below, 3, np.where(above, 7, np.where(lost, 5, np.where(guessed, 6, 0))))
    none = np.where(above, 7, np.where(below, 2, np.where(lost, 4, 1)))
    return np.where(measured, some, none).astype(np.int8)


def newest_head(conn: Connection) -> str:
    """Hash of the newest audit event: which state of the laboratory was asked."""
    from .audit import head

    return head(conn)[2]


def dates(conn: Connection, keys: Sequence[int]) -> tuple[str, str]:
    """First and last date of measurements."""
    m = s.measurement
    query = select(func.min(m.c.measured_at), func.max(m.c.measured_at)).where(
        f.is_one_of(m.c.id, keys), m.c.measured_at != ""
    )
    row = conn.execute(query).one()
    return (row[0] or "", row[1] or "")
