"""The same model fitted again to parts of the tests: what held-out scores and intervals of effects are made of.

Whole mixes (or whole sources) are left out, never single rows. What a model is here: anything with
``predict(features)``. Nothing in this module looks inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, UnknownNameError, suggest
from .design import FloatArray, IntArray
from .folds import group_folds
from .table import TrainingData

if TYPE_CHECKING:
    import pandas as pd

BoolArray = NDArray[np.bool_]


class Predictor(Protocol):
    """Anything that predicts rows of raw features."""

    def predict(self, features: pd.DataFrame, /) -> Any:
        """One number a row."""


#: Fits a model to tests.
Fit = Callable[[TrainingData], Predictor]
#: Which rows of raw features lie where a model was fitted.
Inside = Callable[["pd.DataFrame"], Any]


def predicted(model: Predictor, features: pd.DataFrame) -> FloatArray:
    """Predictions as float64, checked.

    Raises
    ------
    ModelError
        If there is not one finite number for each row.
    """
    values = np.asarray(model.predict(features), dtype=np.float64)
    if values.shape != (len(features),):
        raise ModelError(
            f"predict gave shape {values.shape} for {len(features)} rows; expected one number a row. Give a model "
            f"whose predict(features) returns the mean alone."
        )
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise ModelError(
            f"predict gave {values[bad[0]]} for row {int(bad[0]) + 1} ({features.iloc[bad[0]].to_dict()}). A model "
            f"that is to be understood has to give a finite number for every row of its own tests."
        )
    return values


@dataclass(frozen=True)
class Refits:
    """A model fitted several times to parts of the tests.

    Attributes
    ----------
    models : tuple of Predictor
    tests : tuple of ndarray of int
        Rows that each did not see.
    kind : {"folds", "halves"}
        Each row left out once; or random halves of the groups.
    by : {"mix", "source"}
        What was left out whole.
    """

    models: tuple[Predictor, ...]
    tests: tuple[IntArray, ...]
    kind: str
    by: str = "mix"

    def __post_init__(self) -> None:
        if self.kind not in ("folds", "halves"):
            raise UnknownNameError(f"There are no refits by {self.kind!r}; expected 'folds' or 'halves'.")
        if len(self.models) < 2 or len(self.models) != len(self.tests):
            raise ModelError(
                f"{len(self.models)} refits with {len(self.tests)} sets of rows left out: expected at least 2 of each."
            )

    @property
    def scale(self) -> float:
        """Standard deviation of the full fit per root-mean-square deviation of the refits from their mean.

        Notes
        -----
        The grouped jackknife: of k folds the variance is (k - 1)/k times the sum of squares, of random halves it is
        the variance among them.
        """
        return float(np.sqrt(len(self.models) - 1.0)) if self.kind == "folds" else 1.0

    @property
    def t(self) -> Callable[[float], float]:
        """Half-width of a two-sided interval at a level, in standard deviations (Student, one less than refits)."""
        from scipy.stats import t

        return lambda level: float(t.ppf(0.5 + 0.5 * level, len(self.models) - 1))

    def predict_all(self, features: pd.DataFrame) -> FloatArray:
        """Predictions of every refit, shape (n_rows, n_refits)."""
        return np.column_stack([predicted(m, features) for m in self.models])

    def sd(self, values: FloatArray) -> FloatArray:
        """Standard error of what the last axis holds for each refit."""
        return self.scale * np.asarray(np.std(values, axis=-1))

    def out_of_fold(self, features: pd.DataFrame) -> FloatArray:
        """Prediction of each row by the refit that did not see it.

        Raises
        ------
        ModelError
            If the refits are not folds of these rows.
        """
        if self.kind != "folds" or sum(map(len, self.tests)) != len(features):
            raise ModelError("Out-of-fold predictions need folds in which every row of the table is left out once.")
        out = np.empty(len(features))
        for model, test in zip(self.models, self.tests, strict=True):
            out[test] = predicted(model, features.iloc[test].reset_index(drop=True))
        return out


def refit_folds(fit: Fit, data: TrainingData, n_folds: int = 5, seed: int = 0, *, by: str = "mix") -> Refits:
    """Fit a model once for each fold, without the mixes (or sources) of that fold.

    Parameters
    ----------
    fit : callable
        Fits a model to a `TrainingData`.
    data : TrainingData
    n_folds : int
    seed : int
        Of the folds.
    by : {"mix", "source"}

    Returns
    -------
    Refits
    """
    groups = _groups(data, by)
    pairs = group_folds(groups, n_folds, seed)
    return Refits(tuple(fit(data.take(train)) for train, _ in pairs), tuple(test for _, test in pairs), "folds", by)


def refit_halves(fit: Fit, data: TrainingData, n: int = 20, seed: int = 0, *, by: str = "mix") -> Refits:
    """Fit a model to random halves of the mixes (or sources).

    Parameters
    ----------
    fit : callable
    data : TrainingData
    n : int
        Number of fits; an interval at 90 % wants 15 or more.
    seed : int
    by : {"mix", "source"}

    Returns
    -------
    Refits

    Notes
    -----
    The scatter of a statistic among random halves without replacement estimates its standard error from all of the
    data (delete-half jackknife [1]_). Unlike a bootstrap no test occurs twice, which a model with a noise term would
    take for a replicate. Models that need many tests are worse on half of them; then the interval is too wide.

    References
    ----------
    .. [1] J. Shao, C. F. J. Wu, "A general theory for jackknife variance estimation", The Annals of Statistics 17
       (1989) 1176-1197, doi:10.1214/aos/1176347263.
    """
    if n < 2:
        raise ModelError(f"n = {n}: expected 2 fits or more.")
    groups = _groups(data, by)
    names = np.unique(groups)
    rng = np.random.default_rng(seed)
    models, tests = [], []
    for _ in range(n):
        kept = rng.permutation(names)[: (len(names) + 1) // 2]
        mask = np.isin(groups, kept)
        models.append(fit(data.take(mask)))
        tests.append(np.flatnonzero(~mask).astype(np.int64))
    return Refits(tuple(models), tuple(tests), "halves", by)


def _groups(data: TrainingData, by: str) -> IntArray:
    if by not in ("mix", "source"):
        raise UnknownNameError(
            f"There are no groups {by!r}; expected 'mix' or 'source'.{suggest(by, ['mix', 'source'])}"
        )
    groups = data.mix if by == "mix" else data.source
    if groups is None:
        raise ModelError("The table does not say from which source its tests are. Leave out by mix, or add a source.")
    if len(np.unique(groups)) < 4:
        raise ModelError(
            f"{len(np.unique(groups))} {'mixes' if by == 'mix' else 'sources'} are too few to leave some out: "
            f"expected 4 or more."
        )
    return groups


def records(table: pd.DataFrame) -> list[Any]:
    """Rows of a table, as named tuples."""
    return list(table.itertuples(index=False))


def numeric(data: TrainingData) -> list[str]:
    """Columns of the features that are numbers."""
    import pandas as pd

    return [c for c in data.features.columns if pd.api.types.is_float_dtype(data.features[c].dtype)]


def checked_columns(data: TrainingData, columns: Sequence[str], what: str = "column") -> list[str]:
    """The columns, if the table has them.

    Raises
    ------
    UnknownNameError
    """
    for column in columns:
        if column not in data.features.columns:
            raise UnknownNameError(
                f"{what} '{column}' is not a feature of these tests.{suggest(column, data.features.columns)} "
                f"Features: {', '.join(data.features.columns)}."
            )
    return list(columns)


def one_row_a_mix(data: TrainingData) -> IntArray:
    """The first row of each mix."""
    return np.sort(np.unique(data.mix, return_index=True)[1]).astype(np.int64)


def varies_within_mixes(data: TrainingData, column: str) -> bool:
    """Whether rows of one mix differ in a column (age, curing) in more than one in twenty of the mixes tested again."""
    codes = data.features[column].astype("category").cat.codes.to_numpy()
    order = np.lexsort((codes, data.mix))
    mix, codes = data.mix[order], codes[order]
    same = mix[1:] == mix[:-1]
    repeated = len(np.unique(mix[1:][same]))
    differing = len(np.unique(mix[1:][same & (codes[1:] != codes[:-1])]))
    return repeated > 0 and differing > 0.05 * repeated


@dataclass(frozen=True)
class SeenRegion:
    """Where there are tests: inside the range of every column, and not further from a mix than mixes are apart.

    Attributes
    ----------
    low, high : mapping of str to float
        Range of each number.
    levels : mapping of str to set of str
        Of each text column.
    missing : frozenset of str
        Columns that tests may lack.
    limit : float
        Largest distance to the nearest mix, of columns scaled to their ranges, root-mean-square over columns.
    """

    low: dict[str, float]
    high: dict[str, float]
    levels: dict[str, frozenset[str]]
    missing: frozenset[str]
    limit: float
    _tree: Any
    _middle: dict[str, float]
    _distance: tuple[str, ...]

    def __call__(self, features: pd.DataFrame) -> BoolArray:
        """Whether each row is inside."""
        inside = np.ones(len(features), dtype=bool)
        for column, low in self.low.items():
            x, high = features[column].to_numpy(dtype=np.float64), self.high[column]
            slack = 1e-9 * max(abs(low), abs(high), 1e-300)
            empty = np.isnan(x)
            inside &= np.where(empty, column in self.missing, (x >= low - slack) & (x <= high + slack))
        for column, levels in self.levels.items():
            inside &= features[column].astype("str").isin(sorted(levels)).to_numpy()
        if self._distance:
            found, _ = self._tree.query(self._points(features))
            inside &= found <= self.limit * (1 + 1e-9) + 1e-12
        return inside

    def _points(self, features: pd.DataFrame) -> FloatArray:
        columns = []
        for c in self._distance:
            x = features[c].to_numpy(dtype=np.float64)
            columns.append((np.where(np.isnan(x), self._middle[c], x) - self.low[c]) / (self.high[c] - self.low[c]))
        return np.asarray(np.column_stack(columns) / np.sqrt(len(columns)), dtype=np.float64)


def seen_region(data: TrainingData, quantile: float = 0.95) -> SeenRegion:
    """Where there are tests, by ranges and by distance to the nearest mix.

    Parameters
    ----------
    data : TrainingData
    quantile : float
        Of the distances of mixes to their nearest other mix that is still inside.

    Returns
    -------
    SeenRegion
        Called with features it says which rows are inside. Age counts by its range only.
    """
    from scipy.spatial import cKDTree

    columns = numeric(data)
    table = {c: data.features[c].to_numpy() for c in columns}
    known = {c: x[~np.isnan(x)] for c, x in table.items()}
    known = {c: x for c, x in known.items() if len(x)}
    low = {c: float(x.min()) for c, x in known.items()}
    high = {c: float(x.max()) for c, x in known.items()}
    region = SeenRegion(
        low=low, high=high,
        levels={c: frozenset(data.features[c].astype("str")) for c in data.features.columns if c not in columns},
        missing=frozenset(c for c in columns if np.isnan(table[c]).any()), limit=np.inf, _tree=None,
        _middle={c: float(np.median(x)) for c, x in known.items()},
        _distance=tuple(c for c in low if c != data.age and high[c] > low[c]),
    )  # fmt: skip
    if not region._distance:
        return region
    points = np.unique(region._points(data.features.iloc[one_row_a_mix(data)]), axis=0)
    tree = cKDTree(points)
    apart = tree.query(points, k=min(2, len(points)))[0].reshape(len(points), -1)[:, -1]
    return SeenRegion(
        region.low, region.high, region.levels, region.missing, float(np.quantile(apart, quantile)), tree,
        region._middle, region._distance,
    )  # fmt: skip
