"""Prediction intervals that hold for a new mix, and for a new source, because they were calibrated on such.

Split-conformal over out-of-fold predictions: errors of rows whose mix (whose source) the model had not seen, divided
by an expected error that is learned the same way. See `wastelab.models.conformal` for the step itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ..errors import MissingDataError, ModelError
from .conformal import GroupConformal, vector
from .coverage import check_level, coverage_table
from .design import Design, FloatArray, IntArray
from .interval_warp import WARPS, Warp
from .notices import Notice

if TYPE_CHECKING:
    import pandas as pd

#: Standard errors by which the largest errors must lean to one side for another scale to be tried.
_CLEAR = 2.5
#: What a new row may be new in, and the words for it.
KINDS = ("mix", "source")
_PLURAL = {"mix": "mixes", "source": "sources"}
_FEW = {
    "mix": "The {level} % interval of a new mix rests on {groups} mixes; {needed} are needed to take it from their "
    "errors alone. It assumes that errors are normally distributed, which so few mixes cannot show.",
    "source": "The {level} % interval of a new source rests on {groups} sources; {needed} are needed to take it from "
    "their errors alone. It assumes that sources differ by a normal distribution, which so few sources cannot show.",
}  # fmt: skip


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
    non_negative : bool
        Whether the property cannot be below 0: intervals end there.
    few_groups : {"assume", "widen", "refuse"}
        Where there are too few groups for a level: an interval that assumes normal errors (`notices` says so), an
        infinite one, or `MissingDataError`.
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
        non_negative: bool = False,
        few_groups: str = "assume",
        n_trees: int = 100,
        n_folds: int = 8,
    ) -> None:
        if few_groups not in ("assume", "widen", "refuse"):
            raise ModelError(f"few_groups = {few_groups!r}: expected 'assume', 'widen' or 'refuse'.")
        self.random_state = random_state
        self.non_negative = bool(non_negative)
        self.few_groups = few_groups
        self.n_trees = n_trees
        self.n_folds = n_folds

    def fit(
        self,
        design: Design,
        data: Labelled,
        by_mix: Mapping[str, Any] | pd.DataFrame,
        by_source: Mapping[str, Any] | pd.DataFrame | None = None,
        *,
        scale: str = "auto",
    ) -> ConformalIntervals:
        """Calibrate on out-of-fold predictions.

        Parameters
        ----------
        design : Design
        data : TrainingData
            For the results, and the mix and source of each row.
        by_mix, by_source : pandas.DataFrame or mapping, n_rows each
            Predictions by folds that keep mixes (sources) whole: ``mean``, and ``spread`` (the model's own standard
            deviation) and ``disagreement`` (that among its members) where there are any. Rows without a mean (NaN)
            are left out.
        scale : {"auto", "identity", "sqrt", "log"}
            On which errors are taken. By itself the unit of the property, unless this cannot be below 0, the largest
            errors lie clearly more on one side (by 2.5 standard errors of the difference), and less so on the square
            root or the logarithm. The interval is symmetric on this scale, and not in the unit.

        Raises
        ------
        ModelError
            If there are fewer than 2 groups, or predictions do not fit the table.
        """
        self.kinds: dict[str, GroupConformal] = {}
        self._rows: dict[str, IntArray] = {}
        self._n_rows = len(design)
        self.warp = Warp()
        for kind, given in (("mix", by_mix), ("source", by_source)):
            if given is None:
                continue
            groups = data.mix if kind == "mix" else data.source
            if groups is None:
                raise ModelError("there are predictions by source, but the table names no sources.")
            columns = {
                name: np.asarray(given[name], dtype=np.float64)
                for name in ("mean", "spread", "disagreement") if name in given
            }  # fmt: skip
            if "mean" not in columns:
                raise ModelError(f"predictions by {kind} have no 'mean'; found {', '.join(map(str, given))}.")
            for name, values in columns.items():
                if values.shape != (len(design),):
                    raise ModelError(
                        f"predictions by {kind}: '{name}' has shape {values.shape}; expected one number for each of "
                        f"{len(design)} rows."
                    )
            at = np.flatnonzero(np.isfinite(columns["mean"]))
            kept = {name: values[at] for name, values in columns.items()}
            rows, y, own = design.rows(at), data.target[at], groups[at]

            def held(warp: Warp, rows: Design = rows, y: FloatArray = y, own: IntArray = own,
                     kept: dict[str, FloatArray] = kept) -> GroupConformal:  # fmt: skip
                made = GroupConformal(self.random_state, n_trees=self.n_trees, n_folds=self.n_folds, warp=warp)
                return made.fit(
                    rows, kept["mean"], y, own, spread=kept.get("spread"), disagreement=kept.get("disagreement")
                )

            if kind == "mix":
                self.kinds[kind] = self._on_a_scale(held, data.target[at], scale)
            else:
                self.kinds[kind] = held(self.warp)
            self._rows[kind] = at
        return self

    def _on_a_scale(self, held: Callable[[Warp], GroupConformal], y: FloatArray, scale: str) -> GroupConformal:
        """The calibration on the scale that was asked for, or on which its errors are symmetric."""
        names = (WARPS if self.non_negative else WARPS[:1]) if scale == "auto" else (scale,)
        found: list[GroupConformal] = []
        for name in names:
            warp = Warp.of(name, y)
            if warp is None:
                if scale != "auto":
                    raise ModelError(f"scale = {scale!r}: the least result is {y.min():g}; take 'identity' or 'auto'.")
                continue
            found.append(held(warp))
            if name == "identity" and abs(found[-1].lean) < _CLEAR:
                break
        best = min(found, key=lambda f: abs(f.lean))
        self.warp = best.warp
        return best

    def interval(
        self,
        design: Design,
        centre: ArrayLike,
        spread: ArrayLike | None = None,
        disagreement: ArrayLike | None = None,
        level: float = 0.9,
        *,
        kind: str | ArrayLike = "mix",
        stretch: ArrayLike | None = None,
        narrowing: ArrayLike | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper end of each row.

        Parameters
        ----------
        design : Design
        centre, spread, disagreement : array_like, shape (n_rows,)
            Of the model fitted to all tests.
        level : float
            Share of new rows that lie inside: 0.9 for 90 %. Intervals of a higher level contain those of a lower one.
        kind : {"mix", "source"} or array_like of them, shape (n_rows,)
            What a row is new in. ``"source"``, for a laboratory, heap or supplier that is not in the table, takes the
            wider of both intervals.
        stretch : array_like, shape (n_rows,), optional
            At least 1: what the width is multiplied by outside the domain (`wastelab.models.domain.Domain.check`).
        narrowing : array_like, shape (n_rows,), optional
            Above 0 and at most 1: what is left of the width for a new source where some of its own tests correct the
            prediction. It never becomes narrower than the interval of a new mix of a known source.

        Returns
        -------
        lower, upper : ndarray, shape (n_rows,)
            Where there are too few groups for the level, see `few_groups`; infinite for a single group.

        Raises
        ------
        MissingDataError
            If a row is of a new source and the model was fitted to one source only; with ``few_groups="refuse"`` also
            if there are too few groups for the level.
        ModelError
            If the level is not between 0 and 1, a number is not finite, or a factor is on the wrong side of 1.
        """
        middle = vector(centre, len(design), "centre")
        words = np.broadcast_to(np.asarray(kind, dtype=str), len(middle))
        left = _factor(narrowing, len(middle), "narrowing", np.nextafter(0.0, 1.0), 1.0)
        wider = _factor(stretch, len(middle), "stretch", 1.0, math.inf)
        half = np.zeros(len(middle))
        for word in ("mix", *sorted(set(words.tolist()) - {"mix"})):
            self.of(word)
            at = np.flatnonzero(np.isin(words, ("mix", "source") if word == "mix" else (word,)))
            own, among = (None if v is None else np.asarray(v)[at] for v in (spread, disagreement))
            wide = self._half(word, design.rows(at), middle[at], own, among, level, half[at])
            half[at] = np.maximum(half[at], wide * left[at] if word == "source" else wide)
            if self.few_groups == "refuse" and np.isinf(half[at]).any():
                self._refuse(word, level)
        return self._ends(middle, half * wider)

    def _half(
        self, kind: str, design: Design, middle: FloatArray, spread: FloatArray | None, among: FloatArray | None,
        level: float, of_mix: FloatArray,
    ) -> FloatArray:  # fmt: skip
        """Half-widths for one kind; `of_mix` those of a new mix."""
        held = self.of(kind)
        wide = held.half_width(design, middle, spread, among, level)
        if self.few_groups != "assume" or np.isfinite(wide).all():
            return wide
        far, largest = held.assumed(design, middle, spread, among, level, between=kind == "source")
        if kind == "source":
            far = np.hypot(far, of_mix)
        return np.where(np.isfinite(wide), wide, np.maximum(far, largest))

    def notices(self, level: float = 0.9) -> tuple[Notice, ...]:
        """What has to be said of intervals of a level: where they rest on an assumption, and with what it is left."""
        level = check_level(level)
        return tuple(
            Notice(
                f"intervals.few_{_PLURAL[kind]}", _FEW[kind],
                {
                    "groups": int(min(held.band_groups)), "level": f"{100 * level:g}",
                    "needed": math.ceil(level / (1.0 - level) - 1e-9),
                },
            )
            for kind, held in self.kinds.items()
            if self.few_groups == "assume" and level > self.widest_level(kind) + 1e-9
        )  # fmt: skip

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

    def rows(self, kind: str) -> IntArray:
        """Numbers of the rows of the table that a kind was calibrated on."""
        self.of(kind)
        return self._rows[kind]

    def widest_level(self, kind: str = "mix") -> float:
        """The highest level that needs no assumption at any age: ``K / (K + 1)`` with K groups."""
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
            table = self.coverage_report(kind, 0.9) if self.widest_level(kind) >= 0.9 - 1e-9 else None
            out[kind] = {
                "groups": len(np.unique(held.groups)), "effective_groups": round(held.n_groups, 1),
                "scale": held.scale.kind, "symmetric_on": held.warp.name, "age_bands_d": list(held.edges),
                "highest_level": round(self.widest_level(kind), 4),
                "notices": [n.to_dict() for n in self.notices(0.9) if n.key.endswith(_PLURAL[kind])],
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
            "non_negative": self.non_negative, "few_groups": self.few_groups, "n_trees": self.n_trees,
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
                meta["random_state"], non_negative=meta["non_negative"], few_groups=meta["few_groups"],
                n_trees=meta["n_trees"], n_folds=meta["n_folds"],
            )  # fmt: skip
            made.kinds, made._rows, made._n_rows = {}, {}, int(meta["n_rows"])
            for kind, both in meta["kinds"].items():
                parts = {k.removeprefix(f"{kind}."): v for k, v in arrays.items() if k.startswith(f"{kind}.")}
                made._rows[kind] = np.asarray(parts.pop("rows"))
                made.kinds[kind] = GroupConformal.from_arrays(
                    {**parts, "scale_meta": both["scale"], "meta": both["own"]}
                )
            made.warp = made.kinds["mix"].warp
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            if isinstance(exc, ModelError):
                raise
            raise ModelError(
                f"saved intervals are damaged: {type(exc).__name__} {exc}. Fit or fetch them again."
            ) from exc
        return made

    def _ends(self, middle: FloatArray, half: FloatArray) -> tuple[FloatArray, FloatArray]:
        lower, upper = self.warp.ends(middle, half)
        return (np.maximum(lower, 0.0), np.maximum(upper, 0.0)) if self.non_negative else (lower, upper)

    def _refuse(self, kind: str, level: float) -> None:
        needed = math.ceil(level / (1.0 - level) - 1e-9)
        what = _PLURAL[kind]
        raise MissingDataError(
            f"a {100 * level:g} % interval for a new {kind} needs tests of at least {needed} {what}; there are "
            f"{int(min(self.of(kind).band_groups))} to go by. Test more "
            f"{what}, or ask for at most {math.floor(100 * self.widest_level(kind) + 1e-9)} %."
        )


def _factor(values: ArrayLike | None, rows: int, name: str, least: float, most: float) -> FloatArray:
    if values is None:
        return np.ones(rows)
    out = vector(np.broadcast_to(np.asarray(values, dtype=np.float64), rows), rows, name)
    bad = np.flatnonzero((out < least) | (out > most))
    if len(bad):
        side = "at least 1" if math.isinf(most) else "above 0 and at most 1"
        raise ModelError(f"{name}, row {bad[0]}: {out[bad[0]]:g}; expected a factor {side}.")
    return out
