"""Conversions in closed form where the rate law separates: d(alpha)/dt = A exp(-Ea/RT) f(alpha).

alpha = g^-1(A theta), theta the integral of exp(-Ea/RT) dt: it adds up over the ramps and holds of any piecewise linear
program, so the result is exact to 1e-12 however long the steps are. Not for rates that feel the gas or other reactions:
those are integrated in `coupled`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import MissingDataError, ValidityError
from ...provenance import weakest
from ...reference.kinetics import Reaction, Triplet, triplet
from ..heating import TemperatureProgram, as_program
from ._integral_kernels import GAS_CONSTANT, conversions
from .models import ReactionModel, reaction_model
from .temperature_integral import EA_RANGE, T_RANGE, check_range, table

if TYPE_CHECKING:
    import xarray as xr

FloatArray = NDArray[np.float64]
Program = TemperatureProgram | str


def conversion(
    program: Program, laws: Triplet | Reaction | str | Iterable[Triplet | Reaction | str], times: ArrayLike | int = 201
) -> xr.Dataset:
    """Conversion, rate and temperature over time for independent reactions.

    Parameters
    ----------
    program : TemperatureProgram or str
        ``"10 K/min to 1000 degC, hold 30 min"``.
    laws : Triplet, Reaction, str, or several
        Triplets, ids of triplets (``"kaolinite/eskelinen-2015"``), or reactions (their default triplet is taken and
        what their rate feels beside temperature is left out, which the result says).
    times : array_like or int
        Times [s], or how many evenly spaced ones.

    Returns
    -------
    xarray.Dataset
        ``conversion`` and ``rate`` (time, reaction), ``temperature`` (time).

    Raises
    ------
    MissingDataError
        For a reaction without triplet.
    ValidityError
        For times outside the program, or values outside 10 to 1000 kJ/mol and 273 to 2273 K.
    """
    import xarray as xr

    from ... import __version__

    given = [laws] if isinstance(laws, str | Triplet | Reaction) else list(laws)
    found = [_law(x) for x in given]
    p = as_program(program)
    t = _times(p, times)
    a = np.array([[x.A for x in found]])
    ea = np.array([[x.Ea for x in found]])
    models = [reaction_model(x.model) for x in found]
    alpha = batch(p, a, ea, models, t)[0]
    temperature = p.at(t)
    k = a * np.exp(-ea / (GAS_CONSTANT * temperature[:, None]))
    rate = k * np.stack([m.f(alpha[:, j]) for j, m in enumerate(models)], axis=1)
    warnings = [
        f"{x.id}: the rate also feels the gas ({x.approach}), which is left out here; wl.calcine takes it into account"
        for x in given
        if isinstance(x, Reaction) and x.approach
    ]
    warnings += [
        f"{x.id}: measured between {x.T_low:g} and {x.T_high:g} K; the program goes to {p.peak_K:g} K"
        for x in found
        if x.T_low is not None and x.T_high is not None and p.peak_K > x.T_high
    ]
    return xr.Dataset(
        {
            "conversion": (("time", "reaction"), alpha, {"units": "1", "long_name": "conversion"}),
            "rate": (("time", "reaction"), rate, {"units": "1/s", "long_name": "rate of conversion"}),
            "temperature": (("time",), temperature, {"units": "K"}),
        },
        coords={
            "time": ("time", t, {"units": "s"}),
            "reaction": ("reaction", [x.id for x in found], {"units": "1"}),
        },
        attrs={
            "program": str(p),
            "source": json.dumps({x.id: x.source.text for x in found}, ensure_ascii=False),
            "evidence": str(weakest(x.source.evidence for x in found)),
            "assumptions": "independent reactions, uniform temperature, no influence of the gas",
            "warnings": "\n".join(warnings),
            "relative_error": "1e-12",
            "wastelab_version": __version__,
        },
    )


def conversion_at(
    program: Program, A: ArrayLike, Ea: ArrayLike, model: str | ReactionModel, times: ArrayLike | int | None = None
) -> FloatArray:
    """Conversion of one rate law, or of many with the same model.

    Parameters
    ----------
    program : TemperatureProgram or str
    A, Ea : array_like
        [1/s], [J/mol]; broadcast against each other.
    model : str or ReactionModel
    times : array_like or int, optional
        Times [s], or how many evenly spaced ones; the end of the program if not given.

    Returns
    -------
    ndarray
        Shape of A and Ea, then of times where those are given [-].
    """
    a, ea = np.broadcast_arrays(np.asarray(A, dtype=np.float64), np.asarray(Ea, dtype=np.float64))
    chosen = reaction_model(model) if isinstance(model, str) else model
    out = batch(program, a.reshape(-1, 1), ea.reshape(-1, 1), [chosen], times)
    return out.reshape(a.shape) if times is None else out[..., 0].reshape(*a.shape, -1)


def batch(
    program: Program | tuple[ArrayLike, ArrayLike],
    A: ArrayLike,
    Ea: ArrayLike,
    models: Sequence[str | ReactionModel],
    times: ArrayLike | int | None = None,
    *,
    threads: int = 1,
) -> FloatArray:
    """Conversions of parallel reactions for many recipes or many process points.

    Parameters
    ----------
    program : TemperatureProgram, str, or (times, temperatures)
        One for all, or two arrays (n, n_corners) [s], [K]: a program for each.
    A, Ea : array_like, shape (n, n_reactions) or (n_reactions,)
        [1/s], [J/mol]; one row serves all programs.
    models : sequence, length n_reactions
    times : array_like or int, optional
        Times [s], ascending, (n_times,) or (n, n_times); or how many evenly spaced ones; the end if not given.
    threads : int
        The kernel runs without the interpreter lock; recipes are dealt out to this many threads.

    Returns
    -------
    ndarray, shape (n, n_times, n_reactions), or (n, n_reactions) at the end
        Conversion, absolute error at most 1e-12 of the law as given.

    Raises
    ------
    ValidityError
        For shapes that do not fit, A not above zero, values outside the range of the temperature integral, times
        before the start, after the end or not ascending.
    """
    corners, temps = _programs(program)
    a, ea = np.atleast_2d(np.asarray(A, dtype=np.float64)), np.atleast_2d(np.asarray(Ea, dtype=np.float64))
    laws = [reaction_model(m) if isinstance(m, str) else m for m in models]
    if a.shape != ea.shape or a.shape[1] != len(laws):
        raise ValidityError(
            f"A has shape {a.shape}, Ea {ea.shape} for {len(laws)} models; expected (n, {len(laws)}) for both."
        )
    if not ((a > 0) & np.isfinite(a)).all():
        raise ValidityError("A must be a number above zero [1/s].")
    check_range("Ea", ea, EA_RANGE, "J/mol")
    n = max(a.shape[0], corners.shape[0])
    if {a.shape[0], corners.shape[0]} - {1, n}:
        raise ValidityError(f"{a.shape[0]} rows of A and Ea do not go with {corners.shape[0]} programs.")
    at = _out_times(corners, times)
    if at.shape[0] > 1 and corners.shape[0] == 1:
        corners, temps = (np.ascontiguousarray(np.broadcast_to(x, (at.shape[0], x.shape[1]))) for x in (corners, temps))
        n = max(n, at.shape[0])
    codes = np.array([m.code for m in laws], dtype=np.int64)
    params = np.array([[m.n, m.m, m.p] for m in laws], dtype=np.float64).reshape(len(laws), 3)
    alpha_knots, g_knots = _all_knots(laws)
    out = np.empty((n, at.shape[1], len(laws)))
    energy = np.ascontiguousarray(ea) / GAS_CONSTANT
    a = np.ascontiguousarray(a)
    own_law, own_program = a.shape[0] > 1, corners.shape[0] > 1

    def run(part: slice) -> None:
        law, prog = part if own_law else slice(None), part if own_program else slice(None)
        conversions(
            corners[prog], temps[prog], a[law], energy[law], codes, params, alpha_knots, g_knots, at[prog], *table(),
            out[part],
        )  # fmt: skip

    if threads > 1 and n >= 2 * threads:
        from concurrent.futures import ThreadPoolExecutor

        edges = np.linspace(0, n, threads + 1).astype(int)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, [slice(i, j) for i, j in pairwise(edges)]))
    else:
        run(slice(0, n))
    return out[:, 0, :] if times is None else out


def _law(law: Triplet | Reaction | str) -> Triplet:
    if isinstance(law, Triplet):
        return law
    if isinstance(law, str):
        return triplet(law)
    if law.triplet is None:
        raise MissingDataError(
            f"{law.id} ({law.name}): kinetics unknown, no published triplet predicts where laboratories see it. "
            "Measure TG or DSC at three heating rates or more and fit one with fit_kinetics, or give a Triplet."
        )
    return law.triplet


def _times(p: TemperatureProgram, times: ArrayLike | int) -> FloatArray:
    if isinstance(times, int):
        if times < 2:
            raise ValidityError(f"times = {times}: give at least 2, or the times themselves [s].")
        return np.linspace(0.0, p.duration_s, times)
    return np.atleast_1d(np.asarray(times, dtype=np.float64))


def _programs(program: Program | tuple[ArrayLike, ArrayLike]) -> tuple[FloatArray, FloatArray]:
    if isinstance(program, str | TemperatureProgram):
        p = as_program(program)
        t, temps = np.array([p.time_s]), np.array([p.temperature_K])
    else:
        t, temps = (np.atleast_2d(np.ascontiguousarray(x, dtype=np.float64)) for x in program)
        if t.shape != temps.shape or t.shape[1] < 2:
            raise ValidityError(
                f"programs: times have shape {t.shape}, temperatures {temps.shape}; expected the same, (n, n_corners) "
                "with two corners or more."
            )
        if not (np.isfinite(t).all() and (t[:, 0] == 0).all() and (np.diff(t, axis=1) > 0).all()):
            raise ValidityError("programs: each starts at time 0 and every ramp and hold needs a length above zero.")
    check_range("temperature", temps, T_RANGE, "K")
    return t, temps


def _out_times(corners: FloatArray, times: ArrayLike | int | None) -> FloatArray:
    end = corners[:, -1:]
    if times is None:
        return np.ascontiguousarray(end)
    if isinstance(times, int):
        if times < 2:
            raise ValidityError(f"times = {times}: give at least 2, or the times themselves [s].")
        return np.ascontiguousarray(end * np.linspace(0.0, 1.0, times))
    at = np.atleast_2d(np.asarray(times, dtype=np.float64))
    if at.shape[0] == 1:
        at = np.broadcast_to(at, (corners.shape[0], at.shape[1]))
    elif corners.shape[0] not in (1, at.shape[0]):
        raise ValidityError(f"{at.shape[0]} rows of times do not go with {corners.shape[0]} programs.")
    if not ((at >= 0) & (at <= end * (1 + 1e-12))).all() or (np.diff(at, axis=1) < 0).any():
        raise ValidityError(f"times must ascend from 0 to the end of the program, {float(end.min()):g} s.")
    return np.ascontiguousarray(at)


def _all_knots(laws: Sequence[ReactionModel]) -> tuple[FloatArray, FloatArray]:
    knots: list[Any] = [None if m.closed else m.knots() for m in laws]
    width = max((k[0].size for k in knots if k is not None), default=1)
    alpha, g = np.ones((len(laws), width)), np.full((len(laws), width), np.inf)
    for j, k in enumerate(knots):
        if k is not None:
            alpha[j], g[j] = k
    return alpha, g
