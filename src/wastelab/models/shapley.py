"""Shapley values of raw inputs: how a prediction is put together from an average mix, column by column.

Computed by the `shap` package (extra ``explain``) for any model that predicts tables; a background of training mixes
stands for "not known".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MissingDataError, ModelError, UnknownNameError, suggest
from ..i18n import DEFAULT, Message
from .design import FloatArray
from .refits import Inside, Predictor, predicted, records
from .table import TrainingData

if TYPE_CHECKING:
    import pandas as pd

#: Columns up to which all coalitions are enumerated.
EXACT_COLUMNS = 10


@dataclass(frozen=True)
class Shapley:
    """Contributions of raw columns to predictions.

    Attributes
    ----------
    values : pandas.DataFrame, shape (n_rows, n_columns)
        Contribution [unit of the target]; a row sums to its prediction less `base`.
    features : pandas.DataFrame
        The rows explained.
    prediction : ndarray
    base : float
        Mean prediction of the background.
    unit : str
    method : {"exact", "permutation"}
    n_background : int
    additivity : float
        Largest difference of base + sum from the prediction [unit of the target].
    outside : float
        Share of sampled mixtures of row and background outside the domain; NaN where no domain was given.
    notes : tuple of Message
    """

    values: pd.DataFrame
    features: pd.DataFrame
    prediction: FloatArray
    base: float
    unit: str
    method: str
    n_background: int
    additivity: float
    outside: float
    notes: tuple[Message, ...] = ()

    def summary(self) -> pd.DataFrame:
        """Mean absolute contribution by column, most important first; ``trend``: rank correlation with its value."""
        import pandas as pd
        from scipy.stats import spearmanr

        rows = []
        for column in self.values.columns:
            v, x = self.values[column].to_numpy(), self.features[column]
            trend = np.nan
            if pd.api.types.is_float_dtype(x.dtype):
                there = x.notna().to_numpy()
                if there.sum() > 2 and np.ptp(x.to_numpy()[there]) > 0 and np.ptp(v[there]) > 0:
                    trend = float(spearmanr(x.to_numpy()[there], v[there]).statistic)
            rows.append({"name": column, "mean_abs": float(np.mean(np.abs(v))), "trend": trend})
        table = pd.DataFrame(rows).sort_values("mean_abs", ascending=False, kind="stable").reset_index(drop=True)
        table.attrs["units"] = {"mean_abs": self.unit}
        return table

    def report(self, lang: str = DEFAULT) -> str:
        """The summary as text."""
        table = self.summary()
        width = max(map(len, table["name"]))
        head = Message(
            "understanding.shap_head",
            {"rows": len(self.values), "background": self.n_background, "base": round(self.base, 3), "unit": self.unit},
        ).text(lang)  # fmt: skip
        lines = [f"{r.name:<{width}}  {r.mean_abs:.3g}" for r in records(table)]
        return "\n".join([head, *lines, *(n.text(lang) for n in self.notes)])

    def __str__(self) -> str:
        return self.report()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "values": self.values.to_dict("records"), "prediction": self.prediction.tolist(), "base": self.base,
            "unit": self.unit, "method": self.method, "n_background": self.n_background,
            "additivity": self.additivity, "outside": None if np.isnan(self.outside) else self.outside,
            "notes": [str(n) for n in self.notes],
        }  # fmt: skip


def shap_values(
    model: Predictor,
    data: TrainingData,
    rows: pd.DataFrame | None = None,
    *,
    max_rows: int = 30,
    background: int = 50,
    method: str = "auto",
    n_permutations: int = 10,
    inside: Inside | None = None,
    seed: int = 0,
) -> Shapley:
    """Shapley values of the raw columns.

    Parameters
    ----------
    model : Predictor
    data : TrainingData
        Tests it was fitted to; the background is drawn from them, one row a mix.
    rows : pandas.DataFrame, optional
        Raw features to explain; a random choice of `max_rows` tests by default.
    max_rows : int
    background : int
        Mixes that stand for "not known".
    method : {"auto", "exact", "permutation"}
        Enumerate all 2^columns coalitions (up to 10 columns by default), or sample orders of the columns, which is
        exact in its sum and approximate in its parts.
    n_permutations : int
        Orders sampled for each row, each also backwards.
    inside : callable, optional
        Domain; to say how many of the mixtures asked about were never near a test.
    seed : int

    Returns
    -------
    Shapley

    Raises
    ------
    MissingDataError
        If the package shap is not installed.
    ModelError
        If the contributions do not add up to the prediction.

    Notes
    -----
    Each mixture takes some columns from the row and the others from a mix of the background: the masses then no
    longer sum to the mass of a mix. A contribution says what the model does with a column, not what would happen if
    a person changed that mass alone; for that see `wastelab.models.advice.advise`. Cost: exact 2^columns x background
    predictions a row; sampled 2 x columns x n_permutations x background.

    References
    ----------
    S. M. Lundberg, S.-I. Lee, "A unified approach to interpreting model predictions", Advances in Neural Information
    Processing Systems 30 (2017) 4765-4774.
    """
    if method not in ("auto", "exact", "permutation"):
        raise UnknownNameError(f"There is no method {method!r}.{suggest(method, ['exact', 'permutation'])}")
    if min(max_rows, background, n_permutations) < 1:
        raise ModelError("max_rows, background and n_permutations have to be 1 or more.")
    import warnings

    try:
        with warnings.catch_warnings():  # its colour maps use what matplotlib is about to drop
            warnings.simplefilter("ignore")
            import shap
    except ImportError:
        raise MissingDataError(
            "Shapley values need the package shap, which is not installed: pip install 'wastelab[explain]'."
        ) from None
    import pandas as pd

    rng = np.random.default_rng(seed)
    columns = list(data.features.columns)
    if rows is None:
        rows = data.features.iloc[np.sort(rng.permutation(len(data))[:max_rows])]
    elif list(rows.columns) != columns:
        raise ModelError(f"rows has columns {list(rows.columns)}; expected those of the tests: {columns}.")
    elif not len(rows):
        raise ModelError("rows is empty: give at least one mix to explain.")
    rows = rows.reset_index(drop=True)
    picks = [rng.choice(np.flatnonzero(data.mix == m)) for m in rng.permutation(np.unique(data.mix))[:background]]
    coder = _Coder(pd.concat([data.features, rows], ignore_index=True))
    ground = coder.encode(data.features.iloc[np.sort(picks)])
    matrix = coder.encode(rows)
    chosen = ("exact" if len(columns) <= EXACT_COLUMNS else "permutation") if method == "auto" else method
    masker = shap.maskers.Independent(ground, max_samples=len(ground))
    state = np.random.get_state()  # noqa: NPY002 - shap seeds the global generator
    try:
        if chosen == "exact":
            found = shap.explainers.Exact(lambda x: predicted(model, coder.decode(x)), masker)(
                matrix, max_evals=2 ** len(columns) + 1, silent=True
            )
        else:
            explainer = shap.explainers.Permutation(lambda x: predicted(model, coder.decode(x)), masker, seed=seed)
            found = explainer(matrix, max_evals=n_permutations * (2 * len(columns) + 1), silent=True)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    values = np.asarray(found.values, dtype=np.float64)
    prediction = predicted(model, rows)
    base = float(np.mean(predicted(model, coder.decode(ground))))
    gap = float(np.max(np.abs(base + values.sum(axis=1) - prediction)))
    if gap > 1e-6 * max(float(np.max(np.abs(prediction))), 1e-12):
        raise ModelError(
            f"Contributions and prediction differ by {gap:.3g} {data.unit}: the model does not give the same number "
            f"for the same row twice. Fix its random state."
        )
    share = np.nan
    if inside is not None:
        take = rng.random((1000, len(columns))) < rng.random((1000, 1))
        mixed = np.where(
            take, matrix[rng.integers(len(matrix), size=1000)], ground[rng.integers(len(ground), size=1000)]
        )
        share = float(1.0 - np.mean(np.asarray(inside(coder.decode(mixed)), dtype=bool)))
    notes = [Message("understanding.shap_compositional")]
    if chosen == "permutation":
        notes.append(Message("understanding.shap_sampled", {"n": n_permutations}))
    if share > 0:
        notes.append(Message("understanding.shap_outside", {"share": round(100 * share)}))
    table = pd.DataFrame(values, columns=columns)
    table.attrs["units"] = dict.fromkeys(columns, data.unit)
    return Shapley(table, rows, prediction, base, data.unit, chosen, len(ground), gap, share, tuple(notes))


class _Coder:
    """Tables with text columns as matrices of numbers and back."""

    def __init__(self, table: pd.DataFrame) -> None:
        import pandas as pd

        self.columns = list(table.columns)
        self.levels = {
            c: np.array(sorted(set(table[c].astype("str"))), dtype=object)
            for c in self.columns
            if not pd.api.types.is_float_dtype(table[c].dtype)
        }

    def encode(self, table: pd.DataFrame) -> FloatArray:
        return np.column_stack([
            np.searchsorted(self.levels[c].astype(str), table[c].astype("str").to_numpy().astype(str)).astype(float)
            if c in self.levels else table[c].to_numpy(dtype=np.float64)
            for c in self.columns
        ])  # fmt: skip

    def decode(self, matrix: FloatArray) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame({
            c: pd.array(self.levels[c][matrix[:, j].astype(int)], dtype="str") if c in self.levels else matrix[:, j]
            for j, c in enumerate(self.columns)
        })  # fmt: skip
