"""Prediction intervals that hold for a new mix, and for a new source, because they were calibrated on such.

Split-conformal over out-of-fold predictions: errors of rows whose mix (whose source) the model had not seen, divided
by an expected error that is learned the same way. See `wastelab.models.conformal` for the step itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ..errors import MissingDataError, ModelError
from .conformal import GroupConformal, vector
from .coverage import coverage_table
from .design import Design, FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

#: What a new row may be new in, and the words for it.
KINDS = ("mix", "source")


class Labelled(Protocol):
    """What is needed of a `TrainingData`."""

    @property
    def target(self) -> FloatArray: ...
    @property
    def mix(self) -> IntArray: ...
    @property
    def source(self) -> IntArray | None: ...


class ConformalIntervals:
    """Intervals of a property model: of a new mix, and of a new source where the table had several.

    Parameters
    ----------
    random_state : int
    lower_bound : float or None
        Below which the property cannot be (0 for a strength), or None.
    few_groups : {"widen", "refuse"}
        Where there are too few groups for a level: an infinite interval, or `MissingDataError`.
    n_trees, n_folds : int
        Of the expected error.

    Attributes
    ----------
    kinds : dict of str to GroupConformal
        ``"mix"``, and ``"source"`` where it could be calibrated.
    """

    def __init__(
        self,
        random_state: int = 0,
        *,
        lower_bound: float | None = None,
        few_groups: str = "widen",
        n_trees: int = 100,
        n_folds: int = 8,
    ) -> None:
        if few_groups not in ("widen", "refuse"):
            raise ModelError(f"few_groups = {few_groups!r}: expected 'widen' or 'refuse'.")
        self.random_state = random_state
        self.lower_bound = lower_bound
        self.few_groups = few_groups
        self.n_trees = n_trees
        self.n_folds = n_folds

    def fit(
        self,
        design: Design,
        data: Labelled,
        predictions: Mapping[str, tuple[ArrayLike, ArrayLike | None, ArrayLike | None]],
    ) -> ConformalIntervals:
        """Calibrate on out-of-fold predictions.

        Parameters
        ----------
        design : Design
        data : TrainingData
            For the results, and the mix and source of each row.
        predictions : mapping of str to (centre, spread, disagreement)
            By what the folds keep whole: ``"mix"`` and, where there are sources, ``"source"``. Rows without a centre
            (NaN) are left out.

        Raises
        ------
        ModelError
            If ``"mix"`` is not among them, or a kind has fewer than 2 groups.
        """
        if "mix" not in predictions or set(predictions) - set(KINDS):
            raise ModelError(
                f"predictions are of {sorted(predictions)}; expected 'mix', and 'source' where there are sources."
            )
        self.kinds: dict[str, GroupConformal] = {}
        self._rows: dict[str, IntArray] = {}
        self._n_rows = len(design)
        for kind, (centre, spread, disagreement) in predictions.items():
            groups = data.mix if kind == "mix" else data.source
            if groups is None:
                raise ModelError("there are predictions by source, but the table names no sources.")
            middle = np.asarray(centre, dtype=np.float64)
            at = np.flatnonzero(np.isfinite(middle))
            own, among = (None if v is None else np.asarray(v, dtype=np.float64)[at] for v in (spread, disagreement))
            self.kinds[kind] = GroupConformal(self.random_state, n_trees=self.n_trees, n_folds=self.n_folds).fit(
                design.rows(at), middle[at], data.target[at], groups[at], spread=own, disagreement=among
            )
            self._rows[kind] = at
        return self

    def interval(
        self,
        design: Design,
        centre: ArrayLike,
        spread: ArrayLike | None = None,
        disagreement: ArrayLike | None = None,
        level: float = 0.9,
        *,
        new_source: ArrayLike = False,
        widen: ArrayLike = 1.0,
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper end of each row.

        Parameters
        ----------
        design : Design
        centre, spread, disagreement : array_like, shape (n_rows,)
            Of the model fitted to all tests.
        level : float
            Share of new rows that lie inside: 0.9 for 90 %. Intervals of a higher level contain those of a lower one.
        new_source : array_like of bool, shape (n_rows,) or scalar
            Rows of a source (laboratory, heap, supplier) that was not in the table: the wider of the intervals of a
            new mix and of a new source.
        widen : array_like, shape (n_rows,) or scalar
            At least 1: what the width is multiplied by, see `wastelab.models.domain.Domain.widening`.

        Returns
        -------
        lower, upper : ndarray, shape (n_rows,)
            Infinite where there are too few groups for the level.

        Raises
        ------
        MissingDataError
            If a row is of a new source and the model was fitted to one source only; with ``few_groups="refuse"`` also
            if there are too few groups for the level.
        """
        middle = vector(centre, len(design), "centre")
        fresh = np.broadcast_to(np.asarray(new_source, dtype=bool), len(middle))
        factor = np.broadcast_to(np.asarray(widen, dtype=np.float64), len(middle))
        if np.any(~(factor >= 1.0)):
            raise ModelError(
                f"widen = {factor[~(factor >= 1.0)][0]:g}: an interval outside the domain is not narrower."
            )
        half = self.kinds["mix"].half_width(design, middle, spread, disagreement, level)
        if fresh.any():
            half = np.where(fresh, np.maximum(half, self.of("source").half_width(
                design, middle, spread, disagreement, level)), half)  # fmt: skip
        if self.few_groups == "refuse" and np.isinf(half).any():
            self._refuse("source" if math.isfinite(self.widest_level("mix")) and level <= self.widest_level("mix")
                         else "mix", level)  # fmt: skip
        return self._ends(middle, half * factor)

    def of(self, kind: str) -> GroupConformal:
        """What was calibrated on new mixes (``"mix"``) or new sources (``"source"``).

        Raises
        ------
        MissingDataError
            If the table did not allow it; says what to measure.
        """
        if kind not in KINDS:
            raise ModelError(f"kind = {kind!r}: expected 'mix' or 'source'.")
        if kind not in self.kinds:
            raise MissingDataError(
                "how wrong the model is at a new source is not known: its table names no sources, or too few. Give "
                "tests of at least two sources (laboratories, heaps, suppliers) with a column 'source'; 9 are needed "
                "for a 90 % interval."
            )
        return self.kinds[kind]

    def widest_level(self, kind: str = "mix") -> float:
        """The highest level with a finite interval at every age: ``K / (K + 1)`` with K effective groups."""
        return min(k / (k + 1.0) for k in self.of(kind).band_groups)

    def cross_interval(self, kind: str, level: float = 0.9) -> tuple[FloatArray, FloatArray]:
        """Intervals of the rows of the table, none calibrated by a row of its own group; NaN where not predicted."""
        held = self.of(kind)
        lower, upper = self._ends(held.centre, held.cross_half_width(level))
        out = np.full((2, self._n_rows), np.nan)
        out[:, self._rows[kind]] = lower, upper
        return out[0], out[1]

    def coverage_report(self, kind: str = "mix", level: float = 0.9) -> pd.DataFrame:
        """`coverage_table` of the table's own rows, by `cross_interval`."""
        held = self.of(kind)
        lower, upper = (v[self._rows[kind]] for v in self.cross_interval(kind, level))
        age = held.age if np.isfinite(held.age).any() else None
        return coverage_table(held.observed, lower, upper, level=level, centre=held.centre, age=age)

    def to_dict(self) -> dict[str, Any]:
        """What a card says: by kind, groups, scale, highest level, and the coverage table at 90 %."""
        out: dict[str, Any] = {}
        for kind, held in self.kinds.items():
            table = self.coverage_report(kind, 0.9) if self.widest_level(kind) >= 0.9 else None
            out[kind] = {
                "groups": len(np.unique(held.groups)), "effective_groups": round(held.n_groups, 1),
                "scale": held.scale.kind, "age_bands_d": list(held.edges),
                "highest_level": round(self.widest_level(kind), 4),
                "coverage_90": None if table is None else json.loads(table.to_json(orient="index")),
            }  # fmt: skip
        return out

    def to_arrays(self) -> dict[str, Any]:
        """Arrays, and JSON text under ``meta``: enough to predict without the table and without scikit-learn."""
        out: dict[str, Any] = {}
        metas: dict[str, Any] = {}
        for kind, held in self.kinds.items():
            parts = held.to_arrays()
            scale_meta, meta = parts.pop("scale_meta"), parts.pop("meta")
            metas[kind] = {"scale": scale_meta, "own": meta}
            out |= {f"{kind}.{k}": np.asarray(v) for k, v in parts.items()}
            out[f"{kind}.rows"] = self._rows[kind]
        out["meta"] = json.dumps({
            "kinds": metas, "n_rows": self._n_rows, "random_state": self.random_state,
            "lower_bound": self.lower_bound, "few_groups": self.few_groups, "n_trees": self.n_trees,
            "n_folds": self.n_folds,
        })  # fmt: skip
        return out

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> ConformalIntervals:
        """The intervals that `to_arrays` took apart.

        Raises
        ------
        ModelError
            If something is missing or damaged.
        """
        try:
            meta = json.loads(str(arrays["meta"]))
            made = cls(
                meta["random_state"], lower_bound=meta["lower_bound"], few_groups=meta["few_groups"],
                n_trees=meta["n_trees"], n_folds=meta["n_folds"],
            )  # fmt: skip
            made.kinds, made._rows, made._n_rows = {}, {}, int(meta["n_rows"])
            for kind, both in meta["kinds"].items():
                parts = {k.removeprefix(f"{kind}."): v for k, v in arrays.items() if k.startswith(f"{kind}.")}
                made._rows[kind] = np.asarray(parts.pop("rows"))
                made.kinds[kind] = GroupConformal.from_arrays(
                    {**parts, "scale_meta": both["scale"], "meta": both["own"]}
                )
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            if isinstance(exc, ModelError):
                raise
            raise ModelError(
                f"saved intervals are damaged: {type(exc).__name__} {exc}. Fit or fetch them again."
            ) from exc
        return made

    def _ends(self, middle: FloatArray, half: FloatArray) -> tuple[FloatArray, FloatArray]:
        lower, upper = middle - half, middle + half
        if self.lower_bound is None:
            return lower, upper
        return np.maximum(lower, self.lower_bound), np.maximum(upper, self.lower_bound)

    def _refuse(self, kind: str, level: float) -> None:
        needed = math.ceil(level / (1.0 - level) - 1e-9)
        what = {"mix": "mixes", "source": "sources"}[kind]
        raise MissingDataError(
            f"a {100 * level:g} % interval for a new {kind} needs tests of at least {needed} {what}; there are "
            f"{len(np.unique(self.of(kind).groups))} (worth {self.of(kind).n_groups:.1f} equal ones). Test more "
            f"{what}, or ask for at most {100 * self.widest_level(kind):.0f} %."
        )
