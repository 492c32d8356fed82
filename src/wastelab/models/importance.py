"""Importance of the columns a person knows: how much worse held-out mixes are predicted when a column is shuffled.

Shuffled are whole mixes among the mixes a model did not see, on the raw columns of the table, not on features made
of them. Columns that cannot move alone (sums, closures, correlation above 0.95) are also shuffled together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError, UnknownNameError, suggest
from ..i18n import DEFAULT, Message
from .design import FloatArray, IntArray
from .refits import Refits, checked_columns, numeric, one_row_a_mix, predicted, records, varies_within_mixes
from .table import TrainingData

if TYPE_CHECKING:
    import pandas as pd

_SCORES = ("rmse", "mae")
#: Correlation of two columns over mixes above which they are one group.
CORRELATED = 0.95


@dataclass(frozen=True)
class Importance:
    """Rise of the error on held-out mixes when columns are shuffled.

    Attributes
    ----------
    table : pandas.DataFrame
        Most important first: ``name``; ``columns`` (tuple); ``kind`` ("single", "group", or "member": a column of a
        group shuffled alone); ``shuffled`` ("mixes" or "rows"); ``rise`` of the score [unit of the target] pooled
        over folds, mean over repeats; ``sd_repeats``; ``sd_folds``; ``lower``, ``upper``: two-sided interval of the
        mean over folds.
    score : {"rmse", "mae"}
    baseline : float
        Score of the held-out mixes as they are.
    unit : str
    n_folds, n_repeats, n_mixes : int
    notes : tuple of Message
    """

    table: pd.DataFrame
    score: str
    baseline: float
    unit: str
    n_folds: int
    n_repeats: int
    n_mixes: int
    notes: tuple[Message, ...] = ()

    def report(self, lang: str = DEFAULT) -> str:
        """The table as text."""
        width = max((len(n) for n in self.table["name"]), default=4)
        head = Message(
            "understanding.importance_head",
            {"score": self.score.upper(), "baseline": round(self.baseline, 3), "unit": self.unit,
             "mixes": self.n_mixes, "folds": self.n_folds, "repeats": self.n_repeats},
        ).text(lang)  # fmt: skip
        lines = [
            f"{'  ' if row.kind == 'member' else ''}{row.name:<{width}}  +{row.rise:.3g}  ({row.lower:.3g} .. "
            f"{row.upper:.3g})".replace("+-", "-")
            for row in records(self.table)
        ]
        return "\n".join([head, *lines, *(n.text(lang) for n in self.notes)])

    def __str__(self) -> str:
        return self.report()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "score": self.score, "baseline": self.baseline, "unit": self.unit, "n_folds": self.n_folds,
            "n_repeats": self.n_repeats, "n_mixes": self.n_mixes,
            "table": [{k: list(v) if isinstance(v, tuple) else v for k, v in row.items()}
                      for row in self.table.to_dict("records")],
            "notes": [str(n) for n in self.notes],
        }  # fmt: skip


def permutation_importance(
    data: TrainingData,
    refits: Refits,
    *,
    columns: Sequence[str] | None = None,
    score: str = "rmse",
    n_repeats: int = 5,
    level: float = 0.9,
    seed: int = 0,
) -> Importance:
    """Rise of the error on mixes that a model did not see when a column is shuffled among them.

    Parameters
    ----------
    data : TrainingData
        The tests the refits are of.
    refits : Refits
        Folds; see `wastelab.models.refits.refit_folds`.
    columns : sequence of str, optional
        Raw features; all by default. A group is shuffled where all of its columns are among them.
    score : {"rmse", "mae"}
    n_repeats : int
        Shufflings of each fold.
    level : float
        Of the interval over folds (Student).
    seed : int

    Returns
    -------
    Importance

    Raises
    ------
    ModelError
        If the refits are not folds of these rows, or a fold holds fewer than 3 mixes.
    UnknownNameError
        If a column or score does not exist.

    Notes
    -----
    What differs between rows of one mix (age, curing) is shuffled by row; everything else by mix: all rows of a mix
    get the value of another mix. A column that can be read off others keeps little importance when shuffled alone
    (the model has the others) or much (it is asked about impossible mixes): such columns are ``member`` rows under
    the ``group`` that is shuffled as one. Importance is of a column to this model, not of a cause to the property.

    References
    ----------
    A. Fisher, C. Rudin, F. Dominici, "All models are wrong, but many are useful", Journal of Machine Learning
    Research 20 (2019) 177.
    """
    if score not in _SCORES:
        raise UnknownNameError(
            f"There is no score {score!r}; expected one of {', '.join(_SCORES)}.{suggest(score, _SCORES)}"
        )
    if n_repeats < 1:
        raise ModelError(f"n_repeats = {n_repeats}: expected 1 or more.")
    import pandas as pd
    from scipy.stats import t

    wanted = checked_columns(data, list(data.features.columns) if columns is None else columns)
    oof = refits.out_of_fold(data.features)
    for number, test in enumerate(refits.tests):
        if len(np.unique(data.mix[test])) < 3:
            raise ModelError(
                f"Fold {number + 1} leaves out {len(np.unique(data.mix[test]))} mixes: expected 3 or more to shuffle "
                f"among. Use fewer folds."
            )
    groups = [g for g in columns_together(data) if set(g) <= set(wanted)]
    inside = {c for g in groups for c in g}
    jobs = [(" + ".join(g), g, "group") for g in groups]
    jobs += [(c, (c,), "member" if c in inside else "single") for c in wanted]
    base = np.array([_score(data.target[k] - oof[k], score) for k in refits.tests])
    baseline = _score(data.target - oof, score)
    half = float(t.ppf(0.5 + 0.5 * level, len(refits.models) - 1)) / np.sqrt(len(refits.models))
    rows = []
    for name, job, kind in jobs:
        by_row = any(varies_within_mixes(data, c) for c in job)
        rng = np.random.default_rng(seed)  # the same shuffles for every column
        pooled = np.empty(n_repeats)
        each = np.empty((n_repeats, len(refits.models)))
        for repeat in range(n_repeats):
            rest = np.empty(len(data))
            for k, (model, test) in enumerate(zip(refits.models, refits.tests, strict=True)):
                donors = _shuffled(data.mix[test], rng, by_row)
                table = data.features.iloc[test].reset_index(drop=True)
                for column in job:
                    table[column] = table[column].to_numpy()[donors]
                rest[test] = data.target[test] - predicted(model, table)
                each[repeat, k] = _score(rest[test], score) - base[k]
            pooled[repeat] = _score(rest, score) - baseline
        over = each.mean(axis=0)
        rows.append({
            "name": name, "columns": job, "kind": kind, "shuffled": "rows" if by_row else "mixes",
            "rise": float(pooled.mean()), "sd_repeats": float(pooled.std(ddof=1)) if n_repeats > 1 else np.nan,
            "sd_folds": float(over.std(ddof=1)), "lower": float(over.mean() - half * over.std(ddof=1)),
            "upper": float(over.mean() + half * over.std(ddof=1)),
        })  # fmt: skip
    table = _ordered(pd.DataFrame(rows), groups)
    table.attrs["units"] = dict.fromkeys(("rise", "sd_repeats", "sd_folds", "lower", "upper"), data.unit)
    notes = [Message("understanding.importance_not_cause")]
    notes += [Message("understanding.importance_group", {"columns": ", ".join(g)}) for g in groups]
    if any(kind == "single" and job[0] not in numeric(data) for _, job, kind in jobs):
        notes.append(Message("understanding.importance_text"))
    return Importance(table, score, baseline, data.unit, len(refits.models), n_repeats, data.n_mixes, tuple(notes))


def columns_together(data: TrainingData, threshold: float = CORRELATED) -> list[tuple[str, ...]]:
    """Groups of number columns of which none can change alone.

    Parameters
    ----------
    data : TrainingData
    threshold : float
        Absolute correlation over mixes, plain or of ranks, above which two columns are one group.

    Returns
    -------
    list of tuple of str
        Columns that are correlated, one that is the sum of others, and columns of one unit whose sum is constant
        (fractions of a whole). Age is never in a group.
    """
    rows = one_row_a_mix(data)
    names = [c for c in numeric(data) if c != data.age]
    x = {c: data.features[c].to_numpy()[rows] for c in names}
    names = [c for c in names if np.isfinite(x[c]).sum() >= 4 and np.nanmax(x[c]) > np.nanmin(x[c])]
    links = [
        p for i, a in enumerate(names) for b in names[i + 1 :] if _correlated(x[a], x[b], threshold) for p in [(a, b)]
    ]
    by_unit: dict[str, list[str]] = {}
    for c in names:
        if data.units.get(c):
            by_unit.setdefault(data.units[c], []).append(c)
    sums = [s for members in by_unit.values() if len(members) > 2 for s in _sums({c: x[c] for c in members})]
    parent = {c: c for c in names}

    def root(c: str) -> str:
        while parent[c] != c:
            c = parent[c]
        return c

    for a, b in [*links, *((s[0], c) for s in sums for c in s[1:])]:
        parent[root(a)] = root(b)
    found: dict[str, list[str]] = {}
    for c in names:
        found.setdefault(root(c), []).append(c)
    return [tuple(g) for g in found.values() if len(g) > 1]


def _correlated(a: FloatArray, b: FloatArray, threshold: float) -> bool:
    from scipy.stats import rankdata

    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    if len(a) < 4 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return False
    plain, ranks = np.corrcoef(a, b)[0, 1], np.corrcoef(rankdata(a), rankdata(b))[0, 1]
    return bool(max(abs(plain), abs(ranks)) > threshold)


def _sums(x: dict[str, FloatArray]) -> list[tuple[str, ...]]:
    """Columns of one unit of which one is the sum of others, or whose sum is constant."""
    from scipy.optimize import nnls

    names = list(x)
    matrix = np.column_stack([x[c] for c in names])
    matrix = matrix[np.isfinite(matrix).all(axis=1)]
    if len(matrix) <= matrix.shape[1] + 1:
        return []
    found = []
    for goal in (None, *range(len(names))):
        others = [j for j in range(len(names)) if j != goal]
        y = np.ones(len(matrix)) if goal is None else matrix[:, goal]
        weights, rest = nnls(matrix[:, others], y)
        used = weights > 1e-3 * weights.max(initial=0.0)
        equal = used.sum() >= 2 and np.ptp(weights[used]) <= 0.01 * weights[used].max()
        if goal is not None:
            equal = equal and abs(weights[used].mean() - 1.0) <= 0.01
        if equal and rest <= 2e-3 * np.linalg.norm(y):
            found.append(
                tuple(
                    ([] if goal is None else [names[goal]]) + [names[j] for j, u in zip(others, used, strict=True) if u]
                )
            )
    return found


def _shuffled(mix: IntArray, rng: np.random.Generator, by_row: bool) -> IntArray:
    """Row each row takes its value from."""
    if by_row:
        return rng.permutation(len(mix)).astype(np.int64)
    _, first, code = np.unique(mix, return_index=True, return_inverse=True)
    return np.asarray(first[rng.permutation(len(first))][code], dtype=np.int64)


def _score(residual: FloatArray, score: str) -> float:
    return float(np.sqrt(np.mean(residual**2))) if score == "rmse" else float(np.mean(np.abs(residual)))


def _ordered(table: pd.DataFrame, groups: Sequence[tuple[str, ...]]) -> pd.DataFrame:
    """Most important first, members under their group."""
    lead = dict(zip(table["columns"], table["rise"], strict=True))
    of = {c: g for g in groups for c in g}
    key = [
        (-lead[of[row.columns[0]] if row.kind == "member" else row.columns],
         " + ".join(of[row.columns[0]]) if row.kind == "member" else row.name, row.kind == "member", -row.rise)
        for row in records(table)
    ]  # fmt: skip
    return table.iloc[sorted(range(len(table)), key=key.__getitem__)].reset_index(drop=True)
