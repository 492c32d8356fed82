"""Checks of the results as a whole: too smooth, interpolated, falling with age, cut off at a limit, not positive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .audit_view import Finding, View, at_least, at_least_of, groups_of, pair
from .baselines import encode
from .design import FloatArray, IntArray

#: Least scatter of a test result, in % of the median, where a table has no equal rows. Strength: within-batch
#: coefficients of variation of well-run laboratories are about 3 %, of a mean of three 1.7 %; batches add to it
#: (evidence: memory, after the precision statements of ASTM C39). Density is measured far more closely.
LEAST_SCATTER_PCT = {"strength": 1.5, "density": 0.1, "": 0.5}
#: Rows beyond which a sample is looked at.
SAMPLE = 150


def too_smooth(view: View) -> Iterator[Finding]:
    """A target that a smooth formula reproduces more closely than tests can be repeated.

    Leave-one-out residuals of a full quadratic, and where these come within four times the least scatter also of a
    Gaussian process with a length for each column. Flagged where the upper 95 % confidence bound of their standard
    deviation (chi-square) is below the least scatter: that of equal rows in the table if there are any, else
    `LEAST_SCATTER_PCT` of the median. Needs 25 different rows; those found to be interpolated are left out. Residuals
    contain the error of the model as well, so that real tests are above.
    """
    from scipy.special import gammaincinv

    first = np.array([rows[0] for rows in groups_of(view.cell)])
    median = float(np.median(np.abs(view.y)))
    spread, _, freedom = view.scatter
    kind = "strength" if view.is_strength else "density" if "density" in view.data.name.lower() else ""
    floor = LEAST_SCATTER_PCT[kind] / 100 * median
    if len(first) < 25 or median == 0 or np.ptp(view.y) == 0 or (freedom >= 3 and spread > floor):
        return
    first = np.setdiff1d(first, [i for f in interpolated(view) for i in f.at])
    if len(first) < 25:
        return
    if len(first) > SAMPLE:
        first = np.sort(np.random.default_rng(0).choice(first, SAMPLE, replace=False))
    data = view.data.take(first)
    x, _, _ = encode(data, data, age=True)
    x = _told_apart(x)
    if not x.shape[1]:
        return
    name, residual = "quadratic", _quadratic_loo(x, data.target)
    bound = np.sqrt(len(first) / (2.0 * gammaincinv(len(first) / 2.0, 0.05)))
    if np.std(residual) <= 4.0 * floor and np.std(residual) * bound >= floor:
        name, residual = "Gaussian process", _process_loo(x, data.target)
    sd = float(np.sqrt(np.mean(residual**2)))
    if sd * bound < floor and sd < 0.2 * np.std(data.target):
        yield view.finding(
            "too_smooth", "severe", (), model=name, residual=f"{sd:.2g}", percent=f"{100 * sd / median:.2g}",
            upper=f"{sd * bound:.2g}", floor=f"{floor:.2g}",
        )  # fmt: skip


def _told_apart(x: FloatArray) -> FloatArray:
    """Columns without those that say the same as one before."""
    kept: list[int] = []
    for j in range(x.shape[1]):
        if not kept or np.max(np.abs(x[:, kept].T @ x[:, j])) < 0.9995 * len(x):
            kept.append(j)
    return np.asarray(x[:, kept], dtype=np.float64)


def _quadratic_loo(x: FloatArray, y: FloatArray) -> FloatArray:
    """Leave-one-out residuals of a full quadratic with the weak penalty that makes them smallest."""
    n, d = x.shape
    second = [x[:, i] * x[:, j] for i in range(d) for j in range(i, d)]
    z = np.column_stack([x, *second])
    z = z - z.mean(axis=0)
    scale = z.std(axis=0)
    u, s, _ = np.linalg.svd(z[:, scale > 1e-9] / scale[scale > 1e-9], full_matrices=False)
    centred = y - y.mean()
    best = centred * n / (n - 1)
    for penalty in (1e-4, 1e-2, 1.0, 10.0):
        shrink = s**2 / (s**2 + penalty)
        hat = np.sum(u**2 * shrink, axis=1) + 1.0 / n
        residual = (centred - u @ (shrink * (u.T @ centred))) / np.maximum(1.0 - hat, 1e-9)
        if np.sum(residual**2) < np.sum(best**2):
            best = residual
    return np.asarray(best, dtype=np.float64)


def _process_loo(x: FloatArray, y: FloatArray) -> FloatArray:
    """Leave-one-out residuals of a Gaussian process whose lengths and noise have the greatest marginal likelihood."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    scale = float(y.std())
    kernel = ConstantKernel(10.0, (1e-2, 1e5)) * RBF(np.full(x.shape[1], 3.0), (0.1, 1e4)) + WhiteKernel(
        0.01, (1e-7, 1.0)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        process = GaussianProcessRegressor(kernel).fit(x, (y - y.mean()) / scale)
    inverse = np.linalg.inv(process.kernel_(x))
    return np.asarray(scale * (inverse @ ((y - y.mean()) / scale)) / np.diag(inverse), dtype=np.float64)


def interpolated(view: View) -> Iterator[Finding]:
    """Results on straight lines between others, along one column of a designed grid.

    A line is a set of three or more rows that differ in one column only (columns that are functions of it, or follow it
    monotonically, may change too). Counted are interior rows within two steps of rounding of the segment between their
    neighbours; by chance, with results that scatter by 1 % at least, there would be few: reported where the
    binomial probability is below 1e-6. A level of the column counts as interpolated where most of its rows are; then
    also levels whose rows lie, nine tenths of them and within 0.5 % of the median, on the segment between the levels
    left (interpolated in another quantity).
    """
    tolerance = 2.0 * view.resolution
    median = float(np.median(np.abs(view.y)))
    scatter = max(view.scatter[0] if view.scatter[2] >= 3 else 0.0, 0.01 * median)
    chance = 2.0 * tolerance / (np.sqrt(2.0 * np.pi * 1.5) * max(scatter, 1e-12))
    if chance > 0.25:
        return
    for column, x in view.numeric.items():
        lines = _lines(view, column)
        levels = sorted(set(x[np.concatenate(lines)].tolist())) if lines else []
        if len(levels) < 3:
            continue
        hits = _hits(view, x, lines, tolerance)
        every = np.concatenate(list(hits.values()))
        if len(every) < 6 or at_least_of(int(every.sum()), len(every), chance) > 1e-6:
            continue
        found = {v for v, h in hits.items() if h.mean() > 0.5 and at_least_of(int(h.sum()), len(h), chance) < 0.05}
        for level in [v for v in hits if v not in found]:
            nodes = [v for v in levels if v not in found]
            off = np.array(_off_line(view, x, lines, level, nodes))
            if len(off) >= 5 and np.mean(off <= 0.005 * median) >= 0.9:
                found.add(level)
        if not found:
            continue
        at = np.flatnonzero(np.isin(x, sorted(found)))
        share = np.concatenate([hits[v] for v in found]).mean()
        yield view.finding(
            "interpolated", "severe", at, (column,), column=column, total=view.n, lines=len(lines),
            levels=_listed(sorted(found)), nodes=_listed([v for v in levels if v not in found]),
            share=f"{100 * share:.0f}", tolerance=f"{tolerance:g}", chance=f"{100 * chance:.1g}",
        )  # fmt: skip
        return


def _hits(view: View, x: FloatArray, lines: Sequence[IntArray], tolerance: float) -> dict[float, NDArray[np.bool_]]:
    """By level, whether each interior row is on the segment between its neighbours."""
    level, hit = [], []
    for rows in lines:
        t, y = x[rows], view.y[rows]
        share = (t[1:-1] - t[:-2]) / (t[2:] - t[:-2])
        level.append(t[1:-1])
        hit.append(np.abs(y[1:-1] - (1 - share) * y[:-2] - share * y[2:]) <= tolerance)
    at, hits = np.concatenate(level), np.concatenate(hit)
    return {float(v): hits[at == v] for v in np.unique(at)}


def _off_line(
    view: View, x: FloatArray, lines: Sequence[IntArray], level: float, nodes: Sequence[float]
) -> list[float]:
    """Distance of the results at a level from the segments between the nearest of the nodes on both sides of it."""
    out = []
    for rows in lines:
        t, y = x[rows], view.y[rows]
        here = np.flatnonzero(t == level)
        known = np.flatnonzero(np.isin(t, nodes) & (t != level))
        below, above = known[t[known] < level], known[t[known] > level]
        if len(here) and len(below) and len(above):
            i, j = below[-1], above[0]
            share = (level - t[i]) / (t[j] - t[i])
            out.append(abs(float(y[here[0]] - (1 - share) * y[i] - share * y[j])))
    return out


def _lines(view: View, column: str) -> list[IntArray]:
    """Rows that differ in one column only (or in what follows it), in its order."""
    x = view.numeric[column]
    if np.isnan(x).any() or len(np.unique(x)) < 4:
        return []
    level = np.unique(x, return_inverse=True)[1].astype(np.int64)
    key = np.zeros(view.n, dtype=np.int64)
    follow: list[FloatArray] = []
    for other in view.data.features.columns:
        if other == column:
            continue
        if other in view.numeric:
            z = view.numeric[other]
            code = np.unique(z, return_inverse=True)[1].astype(np.int64)
        else:
            z = None
            code = np.unique(view.data.features[other].to_numpy(dtype=str), return_inverse=True)[1].astype(np.int64)
        if len(np.unique(pair(level, code))) == level.max() + 1:
            continue  # a function of the column
        if z is not None and code.max() + 1 > max(6, level.max() + 1):
            follow.append(z)
        else:
            key = pair(key, code)
    lines = []
    for rows in groups_of(key, 3):
        rows = rows[np.argsort(x[rows], kind="stable")]
        if len(np.unique(x[rows])) == len(rows) and all(_monotone(z[rows]) for z in follow):
            lines.append(rows)
    return lines


def _monotone(values: FloatArray) -> bool:
    step = np.diff(values)
    return bool(np.all(step >= 0) or np.all(step <= 0))


def falls_with_age(view: View) -> Iterator[Finding]:
    """A strength that falls between two ages of a mix by more than scatter explains.

    Scatter s: of equal rows, and of what is left by an additive fit of mix and age to the logarithm (the larger one, at
    least 5 %). Reported are falls beyond z s sqrt(2), z such that chance gives 5 % of clean tables one.
    """
    from scipy.special import ndtri

    if not view.data.age or not view.is_strength or np.any(view.y <= 0):
        return
    groups = [rows for rows in groups_of(pair(view.composition, view.data.mix), 2) if len(set(view.log_age[rows])) > 1]
    mean = [_by_age(view, rows) for rows in groups]
    falls = [
        (rows, j, y[j - 1] - y[j], y[j - 1])
        for rows, (_, y) in zip(groups, mean, strict=True)
        for j in range(1, len(y))
    ]
    if not falls:
        return
    limit = -float(ndtri(0.05 / len(falls)))
    relative = max(_additive_scatter(mean), 0.05)
    found = []
    for rows, j, fall, before in falls:
        s = max(relative * before, float(view.noise(before)))
        if fall > limit * np.sqrt(2.0) * s:
            found.append((fall, rows, j))
    if not found:
        return
    found.sort(key=lambda f: -f[0])
    said, at = [], []
    for fall, rows, j in found:
        ages = np.unique(view.log_age[rows].round(9))
        here = rows[np.isin(view.log_age[rows].round(9), ages[[j - 1, j]])]
        at += here.tolist()
        said.append(
            f"{view.data.rows[rows[0]]}: {fall:.3g} {view.data.unit} "
            f"from {np.exp(ages[j - 1]):g} to {np.exp(ages[j]):g} d"
        )
    yield view.finding("falls_with_age", "warn", sorted(set(at)), groups=len(found), worst="; ".join(said[:3]))


def _by_age(view: View, rows: IntArray) -> tuple[FloatArray, FloatArray]:
    """Ages [ln d] and the median result of each."""
    ages = view.log_age[rows].round(9)
    different = np.unique(ages)
    return different, np.array([float(np.median(view.y[rows][ages == a])) for a in different])


def _additive_scatter(curves: Sequence[tuple[FloatArray, FloatArray]]) -> float:
    """Robust standard deviation of ln y about a sum of mix and age effects."""
    ages = np.unique(np.concatenate([a for a, _ in curves]))
    effect = np.zeros(len(ages))
    where = [np.searchsorted(ages, a) for a, _ in curves]
    logs = [np.log(y) for _, y in curves]
    residuals: list[FloatArray] = []
    for _ in range(10):
        residuals = [v - effect[w] for v, w in zip(logs, where, strict=True)]
        residuals = [r - np.mean(r) for r in residuals]
        flat, at = np.concatenate(residuals), np.concatenate(where)
        effect = effect + np.array([np.mean(flat[at == k]) for k in range(len(ages))])
    flat = np.concatenate(residuals)
    return 1.4826 * float(np.median(np.abs(flat))) if len(flat) > 3 else 0.0


def censored(view: View) -> Iterator[Finding]:
    """Many results exactly at the smallest or the largest value.

    At least 4 and 4 % of the rows, and more than the density of the tenth of the range beside it leads to expect
    (Poisson, probability 1e-4). Exact copies of a row count once.
    """
    first = np.array([rows[0] for rows in groups_of(pair(view.cell, np.unique(view.y, return_inverse=True)[1]))])
    y = view.y[first]
    low, high = float(y.min()), float(y.max())
    if high == low or len(y) < 20:
        return
    for value, end in ((low, "smallest"), (high, "largest")):
        count = int(np.sum(y == value))
        beside = int(np.sum((np.abs(y - value) <= 0.1 * (high - low)) & (y != value)))
        expected = max(0.5, beside * view.resolution / (0.1 * (high - low)))
        if count >= max(4, 0.04 * len(y)) and at_least(count, expected) < 1e-4:
            yield view.finding(
                "censored", "warn", np.flatnonzero(view.y == value), value=f"{value:g}", end=end, total=view.n,
                expected=f"{expected:.1g}",
            )  # fmt: skip


def not_positive(view: View) -> Iterator[Finding]:
    """Strengths of 0 or below."""
    if view.is_strength and np.any(view.y <= 0):
        yield view.finding("not_positive", "warn", np.flatnonzero(view.y <= 0))


def _listed(levels: Sequence[float]) -> str:
    """Numbers in words, runs of equal steps shortened."""
    if len(levels) > 12 and len({round(b - a, 9) for a, b in pairwise(levels)}) == 1:
        return f"{levels[0]:g} to {levels[-1]:g}"
    return ", ".join(f"{v:g}" for v in levels[:12]) + (" …" if len(levels) > 12 else "")
