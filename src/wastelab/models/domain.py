"""Where a property model may be asked: what its tests cover, and how much wider an interval is beyond.

Inductive: a row is compared with the training table alone, never with other rows that are asked about. Outside, every
reason is named; nothing is refused silently.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError, ValidityError
from . import domain_texts as texts
from .design import Design, FloatArray
from .domain_derived import DerivedRange
from .domain_space import MixSpace
from .domain_stretch import Stretch
from .domain_table import TableRange
from .notices import Notice

if TYPE_CHECKING:
    import pandas as pd

    from .intervals import ConformalIntervals
    from .table import TrainingData


class Domain:
    """The domain of validity of a model.

    Parameters
    ----------
    tolerance : float
        Share of a column's span by which a value may lie beyond it, and five times that of what is derived from
        columns (a water/binder ratio below any that was tested may be unworkable). An amount is never below 0.
    percentile : float
        Of the distances between training mixes: a row further from its nearest mixes than this is outside.
    neighbours : int
        Nearest mixes whose mean distance counts.

    Attributes
    ----------
    table : TableRange
        Ranges, ages, constant columns, categories and combinations of the training table.
    derived : DerivedRange
        Ranges of the derived columns of the design.
    space : MixSpace
        Training mixes in standardised columns: distances and leverage.
    stretch : Stretch
        How errors grow with distance.

    Notes
    -----
    A row is *outside* when a value lies beyond the range of its column or an amount below 0, an age beyond the tested
    ages, a category or a combination was never tested, a derived ratio is beyond those of the tests, a constant column
    has another value, a value is missing that every test had, it is further from the training mixes than `percentile`
    percent of these are from each other, or its leverage exceeds that of every training mix. A leverage above three
    times the mean is only a warning.

    References
    ----------
    Leverage and its threshold as used in QSAR: P. Gramatica, Principles of QSAR models validation: internal and
    external, QSAR and Combinatorial Science 26 (2007) 694-701, doi:10.1002/qsar.200610151.
    """

    def __init__(self, *, tolerance: float = 0.05, percentile: float = 99.0, neighbours: int = 3) -> None:
        if not tolerance >= 0.0:
            raise ModelError(f"tolerance = {tolerance!r}: expected a share of the span, at least 0.")
        if not 50.0 <= percentile <= 100.0:
            raise ModelError(f"percentile = {percentile!r}: expected 50 to 100.")
        if neighbours < 1:
            raise ModelError(f"neighbours = {neighbours!r}: expected at least 1.")
        self.tolerance = tolerance
        self.percentile = percentile
        self.neighbours = neighbours

    def fit(self, data: TrainingData, design: Design, intervals: ConformalIntervals | None = None) -> Domain:
        """Learn what the tests cover.

        Parameters
        ----------
        data : TrainingData
        design : Design
            Of all its rows, with what is derived from them.
        intervals : ConformalIntervals, optional
            Calibrated on the same rows: how their errors grow with distance from other mixes then sets how fast
            intervals widen outside. Without them the width grows in proportion to the distance.
        """
        self.table = TableRange.learn(data, self.tolerance)
        self.derived = DerivedRange.learn(design, self.tolerance / 5)
        self.space = MixSpace.learn(design, data.mix, self.neighbours, self.percentile)
        self.stretch = Stretch()
        if intervals is not None:
            held = intervals.kinds["mix"]
            apart = self.space.distance_to_others(design, data.mix)[intervals.rows("mix")]
            limit = self.space.limit if self.space.limit > 0 else 1.0
            self.stretch = Stretch.learn(apart / limit, held.score, held.groups)
        return self

    def check(self, features: pd.DataFrame, design: Design, *, on_outside: str = "flag") -> pd.DataFrame:
        """Say of each row whether it is inside, and if not, why.

        Parameters
        ----------
        features : pandas.DataFrame
            Columns of the training table (`read_features`).
        design : Design
            Of the same rows.
        on_outside : {"flag", "refuse"}
            "refuse" raises at the first row outside.

        Returns
        -------
        pandas.DataFrame
            ``in_domain`` (bool), ``distance`` (mean over the nearest training mixes of the root mean square difference
            in standard deviations), ``leverage``, ``stretch`` (factor of the interval's width, 1 inside), ``reasons``
            (text, empty inside), ``warnings`` (text), ``notices`` (tuple of `Notice` behind the reasons). ``attrs``:
            ``distance_limit``, ``leverage_limit``.

        Raises
        ------
        ValidityError
            With ``on_outside="refuse"``, naming row and reasons.
        ModelError
            If columns are missing or lengths differ.
        """
        import pandas as pd

        if on_outside not in ("flag", "refuse"):
            raise ModelError(f"on_outside = {on_outside!r}: expected 'flag' or 'refuse'.")
        if len(features) != len(design):
            raise ModelError(f"{len(features)} rows of features and {len(design)} of the design: these must match.")
        reasons, far = self.table.reasons(features)
        far = self.derived.judge(design, reasons, far)
        distance, leverage = self.space.distance(design), self.space.leverage(design)
        warned: list[list[Notice]] = [[] for _ in range(len(design))]
        for row in range(len(design)):
            if distance[row] > self.space.limit:
                reasons[row].append(texts.far_from_mixes(distance[row], self.space.limit, self.percentile))
            if leverage[row] > self.space.highest_leverage:
                reasons[row].append(texts.leverage(leverage[row], self.space.highest_leverage))
            elif leverage[row] > self.space.leverage_limit:
                warned[row].append(texts.leverage_warning(leverage[row], self.space.leverage_limit))
        inside = np.array([not r for r in reasons], dtype=bool)
        out = pd.DataFrame(
            {
                "in_domain": inside,
                "distance": distance,
                "leverage": leverage,
                "stretch": np.where(inside, 1.0, self.stretch.at(self._how_far(distance, far))),
                "reasons": [" ".join(map(str, r)) for r in reasons],
                "warnings": [" ".join(map(str, w)) for w in warned],
            }
        )
        out["notices"] = pd.Series([tuple(r) for r in reasons], dtype=object)
        out.attrs.update(distance_limit=self.space.limit, leverage_limit=self.space.leverage_limit)
        if on_outside == "refuse" and not inside.all():
            row = int(np.flatnonzero(~inside)[0])
            raise ValidityError(
                f"row {row + 1} of {len(inside)}: outside the domain of this model ({int((~inside).sum())} rows are). "
                f"{out['reasons'][row]} Test such mixes and fit again, or ask for a widened interval."
            )
        return out

    def _how_far(self, distance: FloatArray, far: FloatArray) -> FloatArray:
        """Distance in limits, or 1 plus the largest excess over a range in spans, whichever is more."""
        near = self.space.limit if self.space.limit > 0 else 1.0
        return np.maximum(np.minimum(distance / near, 1e6), 1.0 + far)

    def summary(self) -> dict[str, Any]:
        """Plain values for a card."""
        return {
            **self.table.summary(), "derived_ranges": self.derived.to_dict()["ranges"],
            "distance_limit": self.space.limit, "percentile": self.percentile,
            "leverage_limit": self.space.leverage_limit, "columns_of_distance": list(self.space.names),
            "mixes": len(self.space.points), "stretch": self.stretch.to_dict(),
        }  # fmt: skip

    def to_arrays(self) -> dict[str, Any]:
        """Arrays, and JSON text under ``meta``."""
        out, space = self.space.to_arrays()
        out["meta"] = json.dumps({
            "table": self.table.to_dict(), "derived": self.derived.to_dict(), "space": space,
            "stretch": self.stretch.to_dict(), "tolerance": self.tolerance,
            "percentile": self.percentile, "neighbours": self.neighbours,
        })  # fmt: skip
        return out

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Domain:
        """The domain that `to_arrays` took apart.

        Raises
        ------
        ModelError
            If something is missing or damaged.
        """
        try:
            meta = json.loads(str(arrays["meta"]))
            made = cls(
                tolerance=meta["tolerance"], percentile=meta["percentile"], neighbours=meta["neighbours"]
            )  # fmt: skip
            made.table = TableRange.from_dict(meta["table"])
            made.derived = DerivedRange.from_dict(meta.get("derived", {"ranges": {}, "tolerance": 0.0}))
            made.space = MixSpace.from_arrays(arrays, meta["space"])
            made.stretch = Stretch.from_dict(meta["stretch"])
        except (KeyError, TypeError, ValueError) as exc:
            if isinstance(exc, ModelError):
                raise
            raise ModelError(f"a saved domain is damaged: {type(exc).__name__} {exc}. Fit or fetch it again.") from exc
        return made
