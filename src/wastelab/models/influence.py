"""Which tests decide what a model says: predictions with and without each mix, and a distance like Cook's.

In closed form for a model that is linear in the results (a Gaussian process of fixed kernel, ridge); for any other
by a kernel stand-in whose agreement with the model is stated, or by fitting again without a few chosen mixes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ModelError, UnknownNameError, suggest
from ..i18n import DEFAULT, Message
from .design import FloatArray, IntArray
from .refits import Fit, numeric, predicted, records
from .table import TrainingData

if TYPE_CHECKING:
    import pandas as pd

#: Rows up to which a full matrix is inverted.
MAX_ROWS = 4000
#: Length scales [root-mean-square of standardised columns] and noise shares the stand-in chooses from.
_LENGTHS, _NOISES = (1.0, 2.0, 4.0, 8.0), (0.01, 0.03, 0.1, 0.3)
#: Share of the stand-in's variance that is a straight line in every column.
_LINEAR = 1.0


@dataclass(frozen=True)
class Influence:
    """What leaving out each mix would change.

    Attributes
    ----------
    table : pandas.DataFrame
        Most influential first: ``mix``, ``n_rows``, ``distance`` (mean squared change of the predictions over the
        squared error scale; like Cook's), ``largest_change`` and ``mean_change`` [unit of the target], ``where``
        (which row changes most), ``own_residual`` (mean measured less predicted without it).
    method : str
        "stand-in" or "refits".
    agreement : float
        Correlation of the stand-in's predictions without each mix with the given out-of-fold predictions; NaN else.
    scale : float
        Root-mean-square residual without each mix [unit of the target].
    unit : str
    notes : tuple of Message
    """

    table: pd.DataFrame
    method: str
    agreement: float
    scale: float
    unit: str
    notes: tuple[Message, ...] = ()

    def report(self, lang: str = DEFAULT, top: int = 8) -> str:
        """The most influential mixes as text."""
        head = Message(f"understanding.influence_by_{self.method.replace('-', '_')}", {"n": len(self.table)})
        lines = [
            Message("understanding.influence_row", {
                "mix": row.mix, "rows": row.n_rows, "distance": round(row.distance, 4),
                "change": f"{row.largest_change:+.2f}", "unit": self.unit, "where": row.where,
            }).text(lang)
            for row in records(self.table.head(top))
        ]  # fmt: skip
        return "\n".join([head.text(lang), *lines, *(n.text(lang) for n in self.notes)])

    def __str__(self) -> str:
        return self.report()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON (NaN as None)."""
        return {
            "method": self.method, "agreement": None if np.isnan(self.agreement) else self.agreement,
            "scale": self.scale, "unit": self.unit,
            "table": self.table.astype(object).where(self.table.notna(), None).to_dict("records"),
            "notes": [str(n) for n in self.notes],
        }  # fmt: skip


def kernel_influence(
    covariance: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike,
    cross: ArrayLike | None = None,
    *,
    signal: ArrayLike | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Change of the predictions of a Gaussian process when groups of its tests are left out, in closed form.

    Parameters
    ----------
    covariance : array_like, shape (n, n)
        Of the tests with their noise.
    y : array_like, shape (n,)
        Results less the prior mean.
    groups : array_like of int, shape (n,)
    cross : array_like, shape (m, n), optional
        Covariance of the points of interest with the tests.
    signal : array_like, shape (n, n), optional
        Covariance without noise; the points of interest are then the tests themselves.

    Returns
    -------
    change : ndarray, shape (m, n_groups)
        Prediction with all tests less prediction without the group, in order of the group numbers.
    left_out : ndarray, shape (n,)
        Residual of each test, predicted without its group.

    Raises
    ------
    ModelError
        If shapes do not fit or the covariance is not positive definite.

    Notes
    -----
    With P the inverse covariance and a = P y, leaving out group g changes a by P[:, g] inv(P[g, g]) a[g], and the
    residuals of g without it are inv(P[g, g]) a[g]. Hyperparameters stay as they are. Ridge regression is the case
    of a linear kernel.
    """
    k = np.asarray(covariance, dtype=np.float64)
    z = np.asarray(y, dtype=np.float64)
    g = np.asarray(groups)
    n = len(z)
    if k.shape != (n, n) or g.shape != (n,) or z.ndim != 1:
        raise ModelError(f"covariance {k.shape}, y {z.shape} and groups {g.shape} do not belong together.")
    to = signal if cross is None else cross
    if to is None:
        raise ModelError("Say for which points: cross (covariance with the tests) or signal (the tests themselves).")
    star = np.asarray(to, dtype=np.float64)
    if star.ndim != 2 or star.shape[1] != n:
        raise ModelError(f"cross has shape {star.shape}; expected (points, {n}).")
    from scipy.linalg import cho_factor, cho_solve

    try:
        inverse = cho_solve(cho_factor(k, lower=True), np.eye(n))
    except (np.linalg.LinAlgError, ValueError):
        raise ModelError(
            "The covariance of the tests is not positive definite: add their noise to the diagonal."
        ) from None
    weights = inverse @ z
    names = np.unique(g)
    change = np.empty((len(star), len(names)))
    left_out = np.empty(n)
    reach = star @ inverse
    for j, name in enumerate(names):
        at = np.flatnonzero(g == name)
        left_out[at] = np.linalg.solve(inverse[np.ix_(at, at)], weights[at])
        change[:, j] = reach[:, at] @ left_out[at]
    return change, left_out


def influence(data: TrainingData, out_of_fold: ArrayLike | None = None, *, at: pd.DataFrame | None = None) -> Influence:
    """Influence of each mix on the predictions, by a kernel stand-in for any model.

    Parameters
    ----------
    data : TrainingData
    out_of_fold : array_like, shape (n_rows,), optional
        The model's predictions without each mix; says how far the stand-in speaks for it.
    at : pandas.DataFrame, optional
        Raw features of the points of interest; the tests of all other mixes by default.

    Returns
    -------
    Influence

    Raises
    ------
    ModelError
        If there are fewer than 10 rows, or more than 4000.

    Notes
    -----
    The stand-in is a Gaussian process on standardised columns (logarithm of age; one column for each level of a text;
    what is missing at the mean, with a column that says so) with a linear and a Matern-3/2 part; its length and noise
    are the pair of 16 that predicts left-out mixes best. Leaving out is then exact (`kernel_influence`). It says which
    tests pull on a smooth fit of these data, not what another model made of them: see ``agreement``, and confirm the
    first few by `leave_mixes_out`.
    """
    if not 10 <= len(data) <= MAX_ROWS:
        raise ModelError(
            f"{len(data)} rows: the stand-in wants 10 to {MAX_ROWS}. Use leave_mixes_out for chosen mixes of a larger "
            f"table."
        )
    x = _Standard(data)
    train = x(data.features)
    y = data.target - data.target.mean()
    gap = _distances(train, train)
    linear = _LINEAR * (train @ train.T) / train.shape[1]
    variance = float(np.var(y)) or 1.0
    best: tuple[float, float, float, FloatArray] | None = None
    for length in _LENGTHS:
        kernel = variance * (_matern(gap, length) + linear)
        for noise in _NOISES:
            covariance = kernel + noise * variance * np.eye(len(y))
            _, rest = kernel_influence(covariance, y, data.mix, np.empty((0, len(y))))
            error = float(np.sqrt(np.mean(rest**2)))
            if best is None or error < best[0]:
                best = (error, length, noise, kernel)
    assert best is not None
    error, length, noise, kernel = best
    covariance = kernel + noise * variance * np.eye(len(y))
    points = data.features if at is None else at
    other = x(points)
    cross = variance * (_matern(_distances(other, train), length) + _LINEAR * (other @ train.T) / train.shape[1])
    change, rest = kernel_influence(covariance, y, data.mix, cross)
    agreement = float("nan")
    if out_of_fold is not None:
        given = np.asarray(out_of_fold, dtype=np.float64)
        if given.shape != y.shape or not np.isfinite(given).all():
            raise ModelError(f"out_of_fold has shape {given.shape} or misses values; expected {len(y)} finite numbers.")
        agreement = float(np.corrcoef(given, data.target - rest)[0, 1])
    table = _ranked(data, np.unique(data.mix), change, rest, error, at)
    notes = [Message("understanding.influence_stand_in", {"length": length, "noise": noise, "error": round(error, 2),
                                                          "unit": data.unit})]  # fmt: skip
    if np.isfinite(agreement):
        notes.append(Message("understanding.influence_agreement", {"r": round(agreement, 3)}))
    return Influence(table, "stand-in", agreement, error, data.unit, tuple(notes))


def leave_mixes_out(fit: Fit, data: TrainingData, mixes: Sequence[str], *, at: pd.DataFrame | None = None) -> Influence:
    """Influence of some mixes, by fitting the model again without each.

    Parameters
    ----------
    fit : callable
        Fits a model to a `TrainingData`.
    data : TrainingData
    mixes : sequence of str
        Names of mixes, as in ``data.mix_names``.
    at : pandas.DataFrame, optional
        Raw features of the points of interest; the tests of all other mixes by default.

    Returns
    -------
    Influence

    Raises
    ------
    UnknownNameError
        If there is no such mix.
    """
    numbers = []
    for name in mixes:
        if name not in data.mix_names or data.mix_names.index(name) not in set(data.mix.tolist()):
            raise UnknownNameError(f"There is no mix {name!r} in these tests.{suggest(str(name), data.mix_names)}")
        numbers.append(data.mix_names.index(name))
    if not numbers:
        raise ModelError("mixes is empty: name at least one mix to leave out.")
    points = data.features if at is None else at
    full = predicted(fit(data), points)
    change = np.empty((len(points), len(numbers)))
    rest = np.full(len(data), np.nan)
    for j, number in enumerate(numbers):
        own = np.asarray(data.mix == number)
        model = fit(data.take(~own))
        change[:, j] = full - predicted(model, points)
        rest[own] = data.target[own] - predicted(model, data.features[own].reset_index(drop=True))
    scale = float(np.sqrt(np.nanmean(rest**2)))
    table = _ranked(data, np.asarray(numbers, dtype=np.int64), change, rest, scale, at)
    return Influence(table, "refits", float("nan"), scale, data.unit)


def _ranked(
    data: TrainingData, mixes: IntArray, change: FloatArray, rest: FloatArray, scale: float, at: pd.DataFrame | None
) -> pd.DataFrame:
    import pandas as pd

    labels = list(data.rows) if at is None else [f"point {i + 1}" for i in range(len(at))]
    rows = []
    for j, mix in enumerate(mixes):
        own = np.asarray(data.mix == mix)
        moved = np.where(own, 0.0, change[:, j]) if at is None else change[:, j]
        n = len(moved) - int(own.sum()) if at is None else len(moved)
        where = int(np.argmax(np.abs(moved)))
        squares, mean = float(np.sum(moved**2)) / max(n, 1), float(np.sum(moved)) / max(n, 1)
        rows.append((data.mix_names[mix], int(own.sum()), squares / max(scale, 1e-300) ** 2, float(moved[where]), mean,
                     labels[where], float(np.mean(rest[own]))))  # fmt: skip
    table = pd.DataFrame(
        rows, columns=["mix", "n_rows", "distance", "largest_change", "mean_change", "where", "own_residual"]
    ).sort_values("distance", ascending=False, kind="stable")
    table.attrs["units"] = dict.fromkeys(("largest_change", "mean_change", "own_residual"), data.unit)
    return table.reset_index(drop=True)


class _Standard:
    """Raw features as standardised numbers."""

    def __init__(self, data: TrainingData) -> None:
        self.age, self.numbers = data.age, numeric(data)
        self.levels = {
            c: sorted(set(data.features[c].astype("str"))) for c in data.features.columns if c not in self.numbers
        }
        raw = self._raw(data.features)
        some = [bool(np.isfinite(x).any()) for x in raw.T]
        self.mean: FloatArray = np.array([np.nanmean(raw[:, j]) if some[j] else 0.0 for j in range(raw.shape[1])])
        sd: FloatArray = np.array([np.nanstd(raw[:, j]) if some[j] else 0.0 for j in range(raw.shape[1])])
        self.sd = np.where(sd > 0, sd, np.inf)

    def __call__(self, features: pd.DataFrame) -> FloatArray:
        raw = self._raw(features)
        return np.asarray(np.nan_to_num((raw - self.mean) / self.sd), dtype=np.float64)

    def _raw(self, features: pd.DataFrame) -> FloatArray:
        columns = []
        for c in self.numbers:
            x = features[c].to_numpy(dtype=np.float64)
            columns += [np.log(x) if c == self.age else x, np.isnan(x).astype(np.float64)]
        for c, levels in self.levels.items():
            text = features[c].astype("str").to_numpy()
            columns += [(text == level).astype(np.float64) for level in levels]
        return np.column_stack(columns)


def _distances(a: FloatArray, b: FloatArray) -> FloatArray:
    square = np.sum(a**2, axis=1)[:, None] + np.sum(b**2, axis=1)[None, :] - 2.0 * (a @ b.T)
    return np.asarray(np.sqrt(np.maximum(square, 0.0)), dtype=np.float64)


def _matern(distance: FloatArray, length: float) -> FloatArray:
    u = np.sqrt(3.0) * distance / length
    return np.asarray((1.0 + u) * np.exp(-u), dtype=np.float64)
