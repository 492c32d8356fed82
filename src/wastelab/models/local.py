"""Local calibration: what a few tests of one's own say about one's own laboratory, cement and waste.

A model of many sources is off in a new one by an effect that its tests share. How large such effects are, and how they
vary with age, water/binder and mix, is learned once from how the model errs on sources it had not seen. A few local
tests then give the effect in closed form, with its uncertainty; and before any test, which tests would tell most.

References
----------
C. E. Rasmussen, C. K. I. Williams, *Gaussian Processes for Machine Learning*, MIT Press (2006), ch. 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import MissingDataError, ModelError
from .course import Course
from .design import Design, FloatArray
from .first_tests import plan
from .local_effect import EffectModel, LocalEffect, condition
from .scales import TRANSFORMS, forward, log_jacobian
from .source_covariance import DERIVED, Coordinates, SourceCovariance, blocks_of

if TYPE_CHECKING:
    import pandas as pd

    from .table import TrainingData

__all__ = ["EffectModel", "LocalEffect", "SourceEffect"]

#: Rows of one source beyond which a random part of them is used to learn variances.
MOST_ROWS = 80
#: Fewer sources than this: their spread is mostly assumed, and the report says so.
FEW_SOURCES = 6


class SourceEffect:
    """How a model errs in a source that it has not seen, learned from sources that were left out.

    Parameters
    ----------
    scale : {"auto", "identity", "sqrt", "log"}
        Scale on which errors are alike; "auto" takes the most likely one.
    smooth : bool
        Whether the effect may vary smoothly with the mix, beside a constant and slopes.
    derived : sequence of str
        Derived features that it may vary with, beside what is in the table.
    random_state : int
        Chooses rows of sources with more than `MOST_ROWS`.

    Attributes
    ----------
    model_ : EffectModel
        Variances, lengths and scale.
    n_sources_, n_rows_ : int
        Learned from.
    log_density_ : dict of str to float
        By scale: logarithm of the posterior density of the errors, comparable between scales.

    Notes
    -----
    Errors must be those of predictions made without the source (folds by source); errors of a fit are far too small.
    Of a source with one row only the total variance is learned.
    """

    def __init__(
        self,
        scale: str = "auto",
        *,
        smooth: bool = True,
        derived: Sequence[str] = DERIVED,
        random_state: int = 0,
    ) -> None:
        self.scale = scale
        self.smooth = smooth
        self.derived = tuple(derived)
        self.random_state = random_state

    def fit(
        self, design: Design, data: TrainingData, predicted: ArrayLike, *, heap: ArrayLike | None = None
    ) -> SourceEffect:
        """Learn the variances of the effect.

        Parameters
        ----------
        design : Design
        data : TrainingData
            With sources; rows as in the design.
        predicted : array_like, shape (n_rows,)
            Predictions of each row by models that had not seen its source; NaN where there is none.
        heap : array_like, shape (n_rows,), optional
            Name of the heap (or delivery) of the main material of each row, where laboratories have several or share
            one: what tests of a heap share is then told apart from what those of a laboratory share.

        Raises
        ------
        MissingDataError
            Without sources, or with fewer than two of them, or if none has two rows.
        ModelError
            Unknown scale; a scale that the target does not allow.
        """
        if data.source is None:
            raise MissingDataError(
                "local calibration needs to know how laboratories differ: no column names the source of the tests. "
                "Name it (source=...), or transfer from the model with TransferModel."
            )
        p = np.asarray(predicted, dtype=np.float64)
        use = np.flatnonzero(np.isfinite(p))
        source = np.asarray(data.source)[use]
        counts = np.unique(source, return_counts=True)[1]
        if len(counts) < 2 or counts.max() < 2:
            raise MissingDataError(
                f"local calibration needs tests of at least two sources, one with two or more; there are {len(counts)} "
                f"with at most {counts.max() if len(counts) else 0} each. Use TransferModel with your own tests."
            )
        y, p = np.asarray(data.target, dtype=np.float64)[use], p[use]
        part = design.rows(use)
        coordinates = Coordinates.of(part, self.derived, heap is not None)
        heaps = None if heap is None else np.asarray(heap)[use]
        x = coordinates(part, heaps)
        columns = len(coordinates.names)
        mix = np.asarray(data.mix)[use]
        repeated = len(np.unique(mix)) < len(mix)
        covariance = SourceCovariance(
            columns, coordinates.slopes, smooth=self.smooth, mix=repeated, heap=heaps is not None
        )
        best: tuple[float, str, float, FloatArray] | None = None
        self.log_density_: dict[str, float] = {}
        for name in self._scales(y):
            floor = -np.inf if name == "identity" else 0.25 * float(y.min())
            z = forward(y, name) - forward(np.maximum(p, floor), name)
            unit = float(np.sqrt(np.mean(z * z)))
            if unit <= 0:
                raise ModelError("the predictions equal the tests exactly: they are not those of unseen sources.")
            blocks = blocks_of(
                x[:, :columns], z / unit, source, mix, heap=heaps, most=MOST_ROWS, seed=self.random_state
            )
            theta, value = covariance.fit(blocks)
            used = sum(len(block.z) for block in blocks)
            self.log_density_[name] = -value + log_jacobian(y, name) * used / len(y) - used * float(np.log(unit))
            if best is None or self.log_density_[name] > best[0]:
                best = (self.log_density_[name], name, unit, theta)
        assert best is not None
        _, scale, unit, theta = best
        self.model_ = EffectModel(coordinates, covariance.unpack(theta), scale, unit, float(y.min()), Course.of(part))
        self.n_sources_, self.n_rows_ = len(counts), len(y)
        return self

    def _scales(self, y: FloatArray) -> list[str]:
        if self.scale == "auto":
            return list(TRANSFORMS) if y.min() > 0 else ["identity"]
        if self.scale not in TRANSFORMS:
            raise ModelError(f"scale = {self.scale!r}: expected 'auto' or one of {', '.join(TRANSFORMS)}.")
        if y.min() <= 0 and self.scale != "identity":
            raise ModelError(f"scale = {self.scale!r}: the target has values of 0 or less; use 'identity'.")
        return [self.scale]

    # -- with local tests
    def condition(
        self,
        design: Design,
        y: ArrayLike,
        predicted: ArrayLike,
        *,
        mix: ArrayLike | None = None,
        heap: ArrayLike | None = None,
        noise: ArrayLike | None = None,
    ) -> LocalEffect:
        """The effect of one source, given tests of it.

        Parameters
        ----------
        design : Design
            Of the local tests.
        y, predicted : array_like, shape (n_tests,)
            Measured, and what the model predicts without knowing the source.
        mix : array_like, optional
            Mix of each test; by default rows that differ in nothing but age are one mix.
        heap : array_like, optional
            Heap of each test, where `fit` was given heaps; by default all are of one heap, which predictions are for.
        noise : array_like, optional
            Variance of each measured mean as its specimens show it, NaN where unknown. It replaces the noise that was
            learned, within a quarter and four times of it: specimens of one batch do not show what batches differ by.

        Returns
        -------
        LocalEffect

        Raises
        ------
        ModelError
            Unequal lengths, no test, a value that is not finite, or not above 0 on a scale that needs it.
        """
        return condition(self.model_, design, y, predicted, mix=mix, heap=heap, noise=noise)

    # -- before any test
    def first_tests(
        self,
        design: Design,
        n: int = 3,
        *,
        predicted: ArrayLike | None = None,
        tested: Design | None = None,
        heap: ArrayLike | None = None,
        tested_heap: ArrayLike | None = None,
        rows: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Which candidates to test first so that the model knows most about all of them.

        Greedy: each is the one that lowers the mean variance of the effect over all candidates most, given those
        before it; equal ones by order of the rows. No result is needed: variances do not depend on results.

        Parameters
        ----------
        design : Design
            Of the candidates.
        n : int
        predicted : array_like, optional
            Predictions of the candidates: errors then count in the unit of the target; else on the scale of the effect.
        tested : Design, optional
            What this source has tested already.
        heap, tested_heap : array_like, optional
            Heaps of both, where `fit` was given heaps.
        rows : sequence of str, optional
            Names of the candidates.

        Returns
        -------
        pandas.DataFrame
            By order of testing: ``row`` (number of the candidate), ``name``, ``sd_before``, ``sd_after`` (expected
            error of a new test, root mean square over the candidates, before and after this test), ``why``.
            ``attrs["effect_sd"]`` has the part that local tests can lower, before the first and after each.

        Raises
        ------
        ModelError
            If there are fewer candidates than tests asked for, or n < 1.
        """
        given = None if tested is None else self.model_.coordinates(tested, tested_heap)
        return plan(self.model_, design, n, predicted=predicted, given=given, heap=heap, rows=rows)

    # -- telling and keeping
    @property
    def shares(self) -> dict[str, float]:
        """What errors in an unseen source consist of, as shares that sum to 1 (at the mean mix)."""
        c = self.model_.components
        parts = {
            "constant": c.offset,
            "slopes": float(np.sum(c.slopes)),
            "smooth": c.smooth,
            "heap": c.heap,
            "mix": c.mix,
            "noise": c.noise,
        }
        total = sum(parts.values())
        return {name: value / total for name, value in parts.items()}

    def report(self) -> str:
        """What a person should know."""
        shares = self.shares
        own = shares["constant"] + shares["slopes"] + shares["smooth"] + shares["heap"]
        lines = [
            f"Effect of a source, learned from {self.n_rows_} tests of {self.n_sources_} sources that were left out "
            f"(scale: {self.model_.scale}).",
            f"Of the squared error in an unseen source, {100 * own:.0f} % is shared by tests of the source and can be "
            f"learned from local tests ({100 * shares['constant']:.0f} % a constant, {100 * shares['slopes']:.0f} % "
            f"slopes, {100 * shares['smooth']:.0f} % varies with the mix).",
        ]
        if shares["heap"] > 0:
            lines.append(f"{100 * shares['heap']:.0f} % is shared by tests of one heap, in whichever laboratory.")
        if self.n_sources_ < FEW_SOURCES:
            lines.append(f"Only {self.n_sources_} sources: how much sources differ is mostly assumed.")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; enough to rebuild."""
        return {
            "parameters": {"scale": self.scale, "smooth": self.smooth, "derived": list(self.derived),
                           "random_state": self.random_state},
            "model": self.model_.to_dict(), "log_density": dict(self.log_density_),
            "n_sources": self.n_sources_, "n_rows": self.n_rows_,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SourceEffect:
        """Inverse of `to_dict`."""
        made = cls(**values["parameters"])
        made.model_ = EffectModel.from_dict(values["model"])
        made.log_density_ = {str(name): float(v) for name, v in values["log_density"].items()}
        made.n_sources_, made.n_rows_ = int(values["n_sources"]), int(values["n_rows"])
        return made
