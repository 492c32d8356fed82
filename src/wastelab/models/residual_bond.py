"""What the error of one property tells of another of the same mix, estimated from errors on mixes that were not seen.

Errors are divided by their expected size; their correlation over mixes, drawn towards 0 where few mixes have both
tests, gives the conditional normal. Widths are not taken from the normal: they are calibrated on conditional errors of
mixes left out (conformal, counted by mix, or by source where models are judged by sources).

References
----------
Conditional normal distribution: T. W. Anderson, *An Introduction to Multivariate Statistical Analysis*, 3rd ed., Wiley
(2003), sect. 2.5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .conformal import group_multiplier
from .design import FloatArray, IntArray
from .folds import assign_groups

if TYPE_CHECKING:
    import pandas as pd

#: Mixes with both tests below which two properties are taken as telling nothing of each other.
LEAST_COMMON = 10
#: Standardised error beyond which a result counts as this much: a wrong test must not move another property further.
LIMIT = 3.0
N_FOLDS = 5


@dataclass(frozen=True)
class ResidualBond:
    """Errors of several properties on the same mixes.

    Attributes
    ----------
    targets : tuple of str
    z : ndarray, shape (n_units, n_targets)
        Error (measured - predicted) / expected error of each unit (one mix at one age); NaN where not tested.
    scale : ndarray, shape (n_units, n_targets)
        That expected error [unit of the target].
    mix : ndarray of int, shape (n_units,)
    group : ndarray of int, shape (n_units,)
        What errs together and is left out whole: the source where models are judged by sources, else the mix.
    unit : ndarray, shape (n_targets,)
        Root mean square of each column of z.
    common : ndarray of int, shape (n_targets, n_targets)
        Mixes with both tests.
    correlation : ndarray, shape (n_targets, n_targets)
        Drawn towards 0; 0 of pairs with too few common mixes, or of use in neither direction.
    useful : ndarray of bool, shape (n_targets, n_targets)
        Whether a result of the second makes the error of the first smaller, on mixes left out.
    """

    targets: tuple[str, ...]
    z: FloatArray
    scale: FloatArray
    mix: IntArray
    group: IntArray
    seed: int = 0
    unit: FloatArray = field(init=False, compare=False)
    common: IntArray = field(init=False, compare=False)
    correlation: FloatArray = field(init=False, compare=False)
    useful: NDArray[np.bool_] = field(init=False, compare=False)
    _fold: IntArray = field(init=False, repr=False, compare=False)
    _without: tuple[FloatArray, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        there = np.isfinite(self.z)
        unit = np.array([size_of(c[ok]) for c, ok in zip(self.z.T, there.T, strict=True)])
        scaled = np.clip(self.z / unit, -LIMIT, LIMIT)
        fold = assign_groups(self.group, N_FOLDS, self.seed) if len(self.mix) else np.zeros(0, dtype=np.int64)
        whole = _correlation(scaled, self.mix, self.group, LEAST_COMMON)
        least = LEAST_COMMON - LEAST_COMMON // N_FOLDS
        parts = [
            _correlation(scaled[fold != k], self.mix[fold != k], self.group[fold != k], least) for k in range(N_FOLDS)
        ]
        useful = _useful(self.z / unit, scaled, self.scale * unit, fold, whole, parts)
        either = useful | useful.T
        for name, value in (
            ("unit", unit), ("common", _common(there, self.mix)), ("correlation", _valid(whole * either)),
            ("useful", useful), ("_fold", fold), ("_without", tuple(_valid(part * either) for part in parts)),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    def condition(self, target: str, known: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Expected standardised error of a property, and what is left of its variance, given those of others.

        Parameters
        ----------
        target : str
        known : ndarray, shape (n_rows, n_targets)
            Error / expected error of what was measured, NaN where it was not. The target's own column is not used.

        Returns
        -------
        shift, left : ndarray, shape (n_rows,)
            Shift in expected errors; share of the variance that is left (1 where nothing is known).
        """
        t = self.targets.index(target)
        shift, left = np.zeros(len(known)), np.ones(len(known))
        for pattern, rows in self._patterns(known, t):
            beta, left[rows] = _regression(self.correlation, t, pattern)
            shift[rows] = self._scaled(known[rows])[:, pattern] @ beta * self.unit[t]
        return shift, left

    def half_width(self, target: str, known: FloatArray, level: float) -> FloatArray:
        """Half of the interval given what is known [expected errors], infinite where too few mixes have those tests."""
        t = self.targets.index(target)
        out = np.full(len(known), math.inf)
        for pattern, rows in self._patterns(known, t):
            units = self._tested(t, pattern)
            error = self._left_out(t, pattern, units)
            out[rows] = group_multiplier(np.abs(error), self.group[units], level)
        return out

    def helps(self, target: str) -> tuple[str, ...]:
        """Properties whose results sharpen the prediction of this one."""
        t = self.targets.index(target)
        return tuple(name for j, name in enumerate(self.targets) if j != t and self.useful[t, j])

    def gain(self, level: float = 0.9, sets: Mapping[str, Sequence[Sequence[str]]] | None = None) -> pd.DataFrame:
        """Errors without and with the results of others, on mixes whose correlations were estimated from the others.

        Parameters
        ----------
        level : float
            Of the intervals; each is calibrated without the mixes it is tested on.
        sets : mapping of str to sequence of sequence of str, optional
            By target, sets of known properties; by default each one that helps, and all of them.

        Returns
        -------
        pandas.DataFrame
            ``target``, ``known``, ``n_mixes``, ``RMSE``, ``RMSE_known``, ``width``, ``width_known``, ``coverage``,
            ``coverage_known`` (widths and coverage NaN with too few groups for the level). ``attrs["interval"]``.
        """
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for target in self.targets:
            others = self.helps(target)
            asked = [[o] for o in others] + ([list(others)] if len(others) > 1 else [])
            for known in asked if sets is None else sets.get(target, []):
                pattern = np.array([self.targets.index(k) for k in known], dtype=np.int64)
                found = self._gain(self.targets.index(target), pattern, level)
                if found:
                    rows.append({"target": target, "known": ", ".join(known)} | found)
        columns = [
            "target", "known", "n_mixes", "RMSE", "RMSE_known", "width", "width_known", "coverage", "coverage_known",
        ]  # fmt: skip
        out = pd.DataFrame(rows, columns=columns)
        out.attrs["interval"] = level
        return out

    def _gain(self, t: int, pattern: NDArray[np.int64], level: float) -> dict[str, float]:
        units = self._tested(t, pattern)
        if len(np.unique(self.mix[units])) < LEAST_COMMON:
            return {}
        used = self._chosen(t, pattern[self.useful[t, pattern]])
        alone, given = self.z[units, t], self._left_out(t, used, units)
        scale, fold = self.scale[units, t], self._fold[units]
        half = np.empty((2, len(units)))
        for k in np.unique(fold):
            others, test = fold != k, fold == k
            groups = self.group[units[others]]
            for error, out in ((alone, half[0]), (given, half[1])):
                out[test] = group_multiplier(np.abs(error[others]), groups, level) * scale[test]
        half[1] = np.minimum(half[0], half[1])
        if np.isinf(half).any():  # too few groups for the level
            half[:] = np.nan
        covered = [
            float(np.mean(np.abs(e) * scale <= h)) if np.isfinite(h).all() else math.nan
            for e, h in zip((alone, given), half, strict=True)
        ]
        return {
            "n_mixes": len(np.unique(self.mix[units])),
            "RMSE": rms(alone * scale), "RMSE_known": rms(given * scale),
            "width": 2 * float(half[0].mean()), "width_known": 2 * float(half[1].mean()),
            "coverage": covered[0], "coverage_known": covered[1],
        }  # fmt: skip

    def _left_out(self, t: int, pattern: NDArray[np.int64], units: IntArray) -> FloatArray:
        """Conditional errors of units that have all these tests, by correlations of the other folds."""
        error: FloatArray = self.z[units, t].copy()
        known = self._scaled(self.z[units])[:, pattern]
        for k in np.unique(self._fold[units]):
            test = self._fold[units] == k
            beta, _ = _regression(self._without[k], t, pattern)
            error[test] -= known[test] @ beta * self.unit[t]
        return error

    def _tested(self, t: int, pattern: NDArray[np.int64]) -> IntArray:
        """Units that have all these tests."""
        return np.flatnonzero(np.isfinite(self.z[:, [t, *pattern]]).all(axis=1))

    def _patterns(self, known: FloatArray, t: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Which others are looked at, and the rows of which they are known; rows without any are left out."""
        there = np.isfinite(known) & self.useful[t]
        there[:, t] = False
        found, code = np.unique(there, axis=0, return_inverse=True)
        rows = [np.flatnonzero(code.ravel() == k) for k in range(len(found))]
        return [(self._chosen(t, np.flatnonzero(p)), at) for p, at in zip(found, rows, strict=True) if p.any()]

    def _chosen(self, t: int, pattern: NDArray[np.int64]) -> NDArray[np.int64]:
        """All that is known, or the best one of it where the others only add error, on mixes left out."""
        units = self._tested(t, pattern)
        if len(pattern) < 2 or len(np.unique(self.mix[units])) < LEAST_COMMON:
            return pattern
        tried = [pattern, *(pattern[i : i + 1] for i in range(len(pattern)))]
        cost = [rms(self._left_out(t, p, units) * self.scale[units, t]) for p in tried]
        return tried[int(np.argmin(cost))]

    def _scaled(self, known: FloatArray) -> FloatArray:
        return np.clip(known / self.unit, -LIMIT, LIMIT)

    def beyond(self, known: FloatArray) -> NDArray[np.bool_]:
        """Results so far from their prediction that they are taken as less far, shape of `known`."""
        out: NDArray[np.bool_] = np.abs(known / self.unit) > LIMIT
        return out

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON (None where a mix was not tested)."""

        def plain(values: FloatArray) -> list[list[float | None]]:
            return [[None if math.isnan(v) else v for v in row] for row in values.tolist()]

        return {
            "targets": list(self.targets), "z": plain(self.z), "scale": plain(self.scale), "mix": self.mix.tolist(),
            "group": self.group.tolist(), "seed": self.seed,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ResidualBond:
        """Inverse of `to_dict`."""
        n = len(values["targets"])
        z, scale = (np.array(values[k], dtype=np.float64).reshape(-1, n) for k in ("z", "scale"))
        mix, group = (np.array(values[k], dtype=np.int64) for k in ("mix", "group"))
        return cls(tuple(values["targets"]), z, scale, mix, group, int(values["seed"]))


def size_of(values: FloatArray) -> float:
    """Root mean square, of values cut at three robust deviations."""
    if not len(values):
        return 1.0
    robust = 1.4826 * float(np.median(np.abs(values)))
    cut = np.clip(values, -3 * robust, 3 * robust) if robust > 0 else values
    return rms(cut) or 1.0


def rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _common(there: NDArray[np.bool_], mix: IntArray) -> IntArray:
    n = there.shape[1]
    out = np.zeros((n, n), dtype=np.int64)
    for i in range(n):
        for j in range(n):
            out[i, j] = len(np.unique(mix[there[:, i] & there[:, j]]))
    return out


def _correlation(scaled: FloatArray, mix: IntArray, group: IntArray, least: int) -> FloatArray:
    """Correlations about 0 of pairs, each times the share of its square that chance does not explain.

    The variance of a correlation of n groups is (1 - r^2)^2 / (n - 1).
    """
    there = np.isfinite(scaled)
    n = scaled.shape[1]
    out = np.eye(n)
    for i in range(n):
        for j in range(i):
            both = there[:, i] & there[:, j]
            groups = len(np.unique(group[both]))
            if len(np.unique(mix[both])) < least or groups < 2:
                continue
            a, b = scaled[both, i], scaled[both, j]
            norm = math.sqrt(float(a @ a) * float(b @ b))
            r = float(a @ b) / norm if norm > 0 else 0.0
            chance = (1.0 - r**2) ** 2 / (groups - 1)
            out[i, j] = out[j, i] = np.clip(r * r**2 / (r**2 + chance), -0.99, 0.99) if r else 0.0
    return out


def _useful(
    error: FloatArray,
    scaled: FloatArray,
    scale: FloatArray,
    fold: IntArray,
    whole: FloatArray,
    parts: Sequence[FloatArray],
) -> NDArray[np.bool_]:
    """Whether errors of the first are smaller given the second, in mixes that the correlation was not estimated from.

    Both in expected errors and in the unit of the property.
    """
    n = scaled.shape[1]
    out = np.eye(n, dtype=np.bool_)
    for i in range(n):
        for j in range(n):
            if i == j or whole[i, j] == 0.0:
                continue
            both = np.isfinite(scaled[:, i]) & np.isfinite(scaled[:, j])
            before, size = error[both, i], scale[both, i]
            after = before - np.array([part[i, j] for part in parts])[fold[both]] * scaled[both, j]
            out[i, j] = bool(np.sum(after**2) < np.sum(before**2) and rms(after * size) < rms(before * size))
    return out


def _valid(correlation: FloatArray) -> FloatArray:
    """The same without negative eigenvalues (pairs are estimated from different mixes); zeros stay zero."""
    values, vectors = np.linalg.eigh(correlation)
    if values.min() >= 0.01:
        return correlation
    fixed = (vectors * np.maximum(values, 0.01)) @ vectors.T
    size = np.sqrt(np.diag(fixed))
    made: FloatArray = np.where(correlation == 0.0, 0.0, fixed / np.outer(size, size))
    np.fill_diagonal(made, 1.0)
    return made


def _regression(correlation: FloatArray, t: int, pattern: NDArray[np.int64]) -> tuple[FloatArray, float]:
    """Weights of the known standardised errors, and the share of the variance that is left."""
    among, across = correlation[np.ix_(pattern, pattern)], correlation[pattern, t]
    beta: FloatArray = np.linalg.lstsq(among, across, rcond=1e-10)[0]
    return beta, float(np.clip(1.0 - across @ beta, 0.0, 1.0))
