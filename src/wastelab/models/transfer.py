"""From public data to a laboratory's own 10 to 50 tests, without ending worse than with those tests alone.

Three ways are fitted to the own tests: a model of them alone; the public model with what they say about its error, as a
Gaussian process around it; and a model of them that sees the public prediction as one more column. How far each is
trusted follows from mixes that were left out, over many draws of the mixes; where the public model does not help, what
is left is the model of the own tests. Where the property must not fall with age the blend does not, and is 0 at age 0.

References
----------
L. Breiman, Stacked regressions, *Machine Learning* 24 (1996) 49-64: weights from left-out predictions, not negative.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import MissingDataError, ModelError, UnknownNameError
from .columns import factor, split_unit
from .course import Course
from .design import Design, Feature, FloatArray, IntArray
from .folds import group_folds
from .gp import GaussianProcess
from .local_effect import EffectModel, LocalEffect, condition
from .scales import forward
from .source_covariance import DERIVED, PRIOR, Components, Coordinates, SourceCovariance, blocks_of

if TYPE_CHECKING:
    import pandas as pd

#: Ways, as they are named in tables; the first is the fall-back.
WAYS = ("own tests alone", "public model + own effect", "own tests + public prediction")
#: Fewest own mixes.
LEAST_MIXES = 5
#: Mixes up to which each is left out once; above, folds of mixes.
LEAVE_ONE_OUT = 20
#: Draws of mixes for the weights, and the share of them in which a blend must beat the own tests alone.
DRAWS, LEAST_SHARE = 400, 0.5
#: Ages [d] beside the tested ones between which the course of a blend is straight, and their weight beside one test.
USUAL_AGES, USUAL_WEIGHT = (1.0, 2.0, 3.0, 7.0, 14.0, 28.0, 56.0, 90.0, 180.0, 365.0), 0.25
_STEP = 10
_PRIOR_SD = 0.8
#: Public predictions of the same rows at another age [ln d].
PublicAt = Callable[[float], FloatArray]


def public_columns(table: pd.DataFrame, columns: Mapping[str, str | float | Sequence[str]]) -> pd.DataFrame:
    """A laboratory's own table in the columns of a public model.

    Parameters
    ----------
    table : pandas.DataFrame
    columns : mapping
        By column of the public model: the own column, several own columns (summed), or a number for all rows. Units at
        the end of names are converted.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    UnknownNameError
        An own column that is not in the table.
    UnitError
        Units that do not convert into each other.
    """
    import pandas as pd

    out: dict[str, Any] = {}
    for wanted, own in columns.items():
        if isinstance(own, int | float):
            out[wanted] = np.full(len(table), float(own))
            continue
        total = np.zeros(len(table))
        for name in [own] if isinstance(own, str) else own:
            if name not in table.columns:
                raise UnknownNameError(
                    f"column '{name}', named for '{wanted}' of the public model, is not in the table. It has: "
                    f"{', '.join(map(str, table.columns))}."
                )
            into, unit = split_unit(wanted)[1], split_unit(name)[1]
            scale = factor(unit, into, what=name) if unit and into else 1.0
            total = total + scale * table[name].to_numpy(dtype=np.float64)
        out[wanted] = total
    return pd.DataFrame(out, index=table.index)


class TransferModel:
    """Own tests with the help of a public model.

    Parameters
    ----------
    own : learner, optional
        Of the own tests: anything with ``fit(design, y, mix=...)`` and ``predict(design)`` and scikit-learn
        parameters; by default a `GaussianProcess`.
    effect : EffectModel, optional
        How the public model errs in sources it has not seen (``SourceEffect.model_``), if known; else general guesses.
    scale : {"identity", "sqrt", "log"}, optional
        Of the error of the public model; by default that of `effect`, or "sqrt" for targets above 0.
    random_state : int

    Attributes
    ----------
    weights_ : dict of str to float
        By way (`WAYS`).
    table_ : pandas.DataFrame
        By way, and of the blend: root mean square error of mixes left out, and the weight.
    better_ : float
        Share of the draws of mixes in which the blend beats the own tests alone; below `LEAST_SHARE` they stand alone.
    oof_ : ndarray, shape (n_rows, n_ways)
        Predictions of mixes left out.
    oof_blend_ : ndarray, shape (n_rows,)
        Their blend, as `predict` gives it.
    oof_spread_ : ndarray, shape (n_rows,)
        Their standard deviations as `spread` gives them.
    n_mixes_ : int
    """

    def __init__(
        self,
        own: Any = None,
        *,
        effect: EffectModel | None = None,
        scale: str | None = None,
        random_state: int = 0,
    ) -> None:
        self.own = own
        self.effect = effect
        self.scale = scale
        self.random_state = random_state

    def fit(
        self,
        design: Design,
        y: ArrayLike,
        public: ArrayLike,
        *,
        mix: ArrayLike,
        noise: ArrayLike | None = None,
        public_at: PublicAt | None = None,
    ) -> TransferModel:
        """Fit all ways and weigh them.

        Parameters
        ----------
        design : Design
            Of the own tests.
        y : array_like, shape (n_rows,)
        public : array_like, shape (n_rows,)
            What the public model predicts for each.
        mix : array_like, shape (n_rows,)
        noise : array_like, optional
            Variance of each mean, NaN where unknown.
        public_at : callable, optional
            As in `predict`, for `oof_blend_`.

        Raises
        ------
        MissingDataError
            Fewer than `LEAST_MIXES` own mixes.
        ModelError
            Numbers that are not finite, or of another length than the design.
        """
        target, p = np.asarray(y, dtype=np.float64), np.asarray(public, dtype=np.float64)
        groups = np.unique(np.asarray(mix), return_inverse=True)[1].ravel()
        if not len(target) == len(p) == len(groups) == len(design):
            raise ModelError(
                f"{len(target)} results, {len(p)} public predictions, {len(design)} rows; expected as many."
            )
        for what, values in (("result", target), ("public prediction", p)):
            if not np.isfinite(values).all():
                row = int(np.flatnonzero(~np.isfinite(values))[0])
                raise ModelError(f"row {row}: the {what} is not a number. Leave the row out.")
        self.n_mixes_ = len(np.unique(groups))
        if self.n_mixes_ < LEAST_MIXES:
            raise MissingDataError(
                f"{self.n_mixes_} own mixes: at least {LEAST_MIXES} are needed to see whether a public model helps. "
                f"With fewer, use the public model with local tests (PropertyModel.calibrate)."
            )
        variance = np.full(len(target), np.nan) if noise is None else np.asarray(noise, dtype=np.float64)
        folds = self.n_mixes_ if self.n_mixes_ <= LEAVE_ONE_OUT else 10
        self.course_ = _course(design)
        self.starts_at_zero_ = bool(len(self.course_.knots)) and float(target.min()) >= 0
        self.first_age_ = float(np.nanmin(design.values[:, design.age])) if design.age is not None else 0.0
        self.oof_, self.oof_spread_ = np.empty((len(target), len(WAYS))), np.empty(len(target))
        split, tables = list(group_folds(groups, folds, self.random_state)), []
        given = None if public_at is None else [public_at(float(knot)) for knot in self.course_.knots]
        for train, test in split:
            ways = self._ways(design.rows(train), target[train], p[train], groups[train], variance[train])
            held = design.rows(test)
            self.oof_[test] = _predictions(ways, held, p[test])
            self.oof_spread_[test] = ways[1].spread(held, p[test])
            if given is not None:
                tables.append(self._at_knots(ways, held, [values[test] for values in given]))
        self._weigh(target, groups)
        self.oof_blend_ = self.oof_ @ self._weights()
        for (_, test), table in zip(split, tables, strict=False):
            self.oof_blend_[test] = self._along(table, design.rows(test), self.oof_blend_[test])
        self.ways_ = self._ways(design, target, p, groups, variance)
        return self

    def predict(self, design: Design, public: ArrayLike, *, public_at: PublicAt | None = None) -> FloatArray:
        """Expected value of each row, shape (n_rows,), given what the public model predicts for it.

        Parameters
        ----------
        design : Design
        public : array_like, shape (n_rows,)
        public_at : callable, optional
            ``public_at(log_age) -> (n_rows,)``: what the public model predicts of the same rows at another age [ln d].
            Where the property must not fall with age, the course of the blend over age then does not: it is the
            nearest such course at the tested and the usual ages, straight between them over ln(age), below the
            youngest own test of the shape of the public one, and 0 at age 0 if no own test is below 0. Without it a
            row is the blend at its own age alone, which neither holds for.
        """
        p = np.asarray(public, dtype=np.float64)
        blend: FloatArray = _predictions(self.ways_, design, p) @ self._weights()
        if public_at is None or not len(self.course_.knots):
            return blend
        table = self._at_knots(self.ways_, design, [public_at(float(knot)) for knot in self.course_.knots])
        return self._along(table, design, blend)

    def spread(self, design: Design, public: ArrayLike) -> FloatArray:
        """Standard deviation of a new test, as the Gaussian process around the public model has it, shape (n_rows,)."""
        values: FloatArray = self.ways_[1].spread(design, np.asarray(public, dtype=np.float64))
        return values

    def predict_ways(self, design: Design, public: ArrayLike, *, public_at: PublicAt | None = None) -> pd.DataFrame:
        """Predictions of each way at the ages of the rows, and the blend as `predict` gives it."""
        import pandas as pd

        p = np.asarray(public, dtype=np.float64)
        frame = pd.DataFrame(_predictions(self.ways_, design, p), columns=list(WAYS))
        frame["blend"] = self.predict(design, p, public_at=public_at)
        return frame

    def _weights(self) -> FloatArray:
        return np.array([self.weights_[way] for way in WAYS])

    def _at_knots(self, ways: Sequence[Any], design: Design, public: Sequence[FloatArray]) -> FloatArray:
        """Predictions of the ways at the ages of the course, shape (n_rows, n_knots, n_ways).

        Below the youngest own test nothing of the own tests says how a mix gets there: there the public course does.
        """
        knots = self.course_.knots
        first = int(np.argmin(np.abs(knots - self.first_age_)))
        table = np.empty((len(design), len(knots), len(WAYS)))
        for j in range(first, len(knots)):
            table[:, j] = _predictions(ways, design.at_age(knots[j]), public[j])
        for j in range(first):
            if self.starts_at_zero_:
                usual = np.log1p(np.exp(knots[j])) / np.log1p(np.exp(knots[first]))
                known = public[first] > 0
                share = np.where(known, public[j] / np.where(known, public[first], 1.0), usual)
                table[:, j] = table[:, first] * np.clip(share, 0.0, 1.0)[:, None]
            else:
                table[:, j] = table[:, first] + np.minimum(public[j] - public[first], 0.0)[:, None]
        return table

    def _along(self, table: FloatArray, design: Design, blend: FloatArray) -> FloatArray:
        """Blend at the ages of the rows on courses that do not fall; where the age is missing, as it is."""
        knots = self.course_.knots
        if design.age is None or not len(knots):
            return blend
        age = design.values[:, design.age]
        known = ~np.isnan(age)
        courses = np.ascontiguousarray(table @ self._weights())
        out = self.course_.along(courses, np.where(known, age, knots[0]))
        if self.starts_at_zero_:
            early = known & (age < knots[0])
            out[early] *= np.log1p(np.exp(age[early])) / np.log1p(np.exp(knots[0]))
            out = np.maximum(out, 0.0)
        return np.where(known, out, blend)

    def report(self) -> str:
        """What a person should know."""
        rows = [f"  {way}: {row.rmse:.3g}, weight {row.weight:.2f}" for way, row in self.table_.iloc[:-1].iterrows()]
        own, blend = self.table_.rmse.iloc[0], self.table_.rmse.iloc[-1]
        if self.weights_[WAYS[0]] == 1.0:
            last = "The public model does not help here: predictions are those of the own tests alone."
        else:
            last = (
                f"Blend: {blend:.3g} against {own:.3g} of the own tests alone; better in {100 * self.better_:.0f} % of "
                f"the draws of mixes."
            )
        return "\n".join([f"Root mean square error of own mixes left out ({self.n_mixes_} mixes):", *rows, last])

    def _ways(self, design: Design, y: FloatArray, p: FloatArray, mix: IntArray, noise: FloatArray) -> list[Any]:
        return [
            _Own(self.own).fit(design, y, p, mix, noise),
            _around(design, y, p, mix, noise, self.effect, self.scale),
            _Own(self.own, sees=True).fit(design, y, p, mix, noise),
        ]

    def _weigh(self, y: FloatArray, mix: IntArray) -> None:
        """Weights from left-out mixes, averaged over draws of mixes; all to the own tests if that is no gain."""
        import pandas as pd

        errors = self.oof_ - y[:, None]
        products = np.einsum("ni,nj->nij", errors, errors)
        by_mix = np.array([products[mix == m].sum(axis=0).ravel() for m in range(mix.max() + 1)])
        grid = _simplex(len(WAYS), _STEP)
        drawn = np.random.default_rng(self.random_state).multinomial(
            len(by_mix), np.full(len(by_mix), 1 / len(by_mix)), DRAWS
        )
        sums = (drawn @ by_mix).reshape(DRAWS, len(WAYS), len(WAYS))
        costs = np.einsum("gi,bij,gj->bg", grid, sums, grid)
        weights = grid[np.argmin(costs, axis=1)].mean(axis=0) ** 2  # squares: what seldom wins is noise, not a hedge
        weights /= weights.sum()
        self.better_ = float(np.mean(np.einsum("i,bij,j->b", weights, sums, weights) < sums[:, 0, 0]))
        if self.better_ < LEAST_SHARE:
            weights = np.eye(len(WAYS))[0]
        self.weights_ = dict(zip(WAYS, weights.tolist(), strict=True))
        blend = self.oof_ @ weights - y
        rmse = np.sqrt(np.mean(np.column_stack([errors, blend]) ** 2, axis=0))
        self.table_ = pd.DataFrame({"rmse": rmse, "weight": [*weights, np.nan]}, index=[*WAYS, "blend"])


@dataclass
class _Own:
    """A learner of the own tests, with or without the public prediction as a column."""

    learner: Any
    sees: bool = False

    def fit(self, design: Design, y: FloatArray, p: FloatArray, mix: IntArray, noise: FloatArray) -> _Own:
        from sklearn.base import clone

        self.fitted = clone(self.learner) if self.learner is not None else GaussianProcess()
        self.fitted.fit(self._design(design, p), y, mix=mix, noise=noise if np.isfinite(noise).any() else None)
        return self

    def predict(self, design: Design, p: FloatArray) -> FloatArray:
        values: FloatArray = self.fitted.predict(self._design(design, p))
        return values

    def _design(self, design: Design, p: FloatArray) -> Design:
        if not self.sees:
            return design
        feature = Feature("public_prediction", "", "input", "prediction of the public model")
        return Design(np.ascontiguousarray(np.column_stack([design.values, p])), (*design.features, feature))


@dataclass
class _Around:
    """The public model and a Gaussian process of its error."""

    local: LocalEffect

    def predict(self, design: Design, p: FloatArray) -> FloatArray:
        return self.local.adjust(design, p)[0]

    def spread(self, design: Design, p: FloatArray) -> FloatArray:
        return self.local.spread(design, self.predict(design, p))


def _around(
    design: Design,
    y: FloatArray,
    p: FloatArray,
    mix: IntArray,
    noise: FloatArray,
    effect: EffectModel | None,
    scale: str | None,
) -> _Around:
    name = scale or (effect.scale if effect is not None else "sqrt")
    name = name if y.min() > 0 else "identity"
    coordinates = Coordinates.of(design, DERIVED)
    floor = -np.inf if name == "identity" else 0.25 * float(y.min())
    error = forward(y, name) - forward(np.maximum(p, floor), name)
    known = effect is not None and effect.scale == name
    unit = effect.unit if effect is not None and known else float(np.sqrt(np.mean(error**2))) or 1.0
    prior = _prior(coordinates, effect) if effect is not None and known else None
    problem = SourceCovariance(len(coordinates.names), coordinates.slopes, prior=prior, prior_sd=_PRIOR_SD)
    x = coordinates(design)
    blocks = blocks_of(x, error / unit, np.zeros(len(y), dtype=np.int64), mix, most=len(y), seed=0)
    theta, _ = problem.fit(blocks)
    model = EffectModel(coordinates, problem.unpack(theta), name, unit, float(y.min()), Course.of(design))
    given = noise if np.isfinite(noise).any() else None
    return _Around(condition(model, design, y, p, noise=given))


def _prior(own: Coordinates, effect: EffectModel) -> Components:
    """What is known of the public model's errors, in the standard deviations of the own columns."""
    public, parts = effect.coordinates, effect.components
    at = {name: j for j, name in enumerate(public.names)}
    lengths = np.full(len(own.names), float(np.exp(PRIOR["length"][0])))
    for j, name in enumerate(own.names):
        if name in at:
            lengths[j] = parts.lengths[at[name]] * public.sd[at[name]] / own.sd[j]
    slopes = np.full(len(own.slopes), float(np.exp(PRIOR["slope"][0])))
    of_public = {public.names[j]: (j, parts.slopes[i]) for i, j in enumerate(public.slopes)}
    for i, j in enumerate(own.slopes):
        if own.names[j] in of_public:
            column, variance = of_public[own.names[j]]
            slopes[i] = variance * (own.sd[j] / public.sd[column]) ** 2
    mix = parts.mix or float(np.exp(PRIOR["mix"][0]))
    return Components(parts.offset, slopes, parts.smooth, lengths, mix, parts.noise)


def _course(design: Design) -> Course:
    """Tested and usual ages, if the property must not fall with age; usual ones give way to tested ones."""
    tested = Course.of(design)
    if not len(tested.knots):
        return tested
    usual = np.log(USUAL_AGES)
    usual = usual[np.min(np.abs(usual[:, None] - tested.knots), axis=1) > 1e-6]
    knots = np.concatenate([tested.knots, usual])
    order = np.argsort(knots)
    return Course(knots[order], np.concatenate([tested.weights, np.full(len(usual), USUAL_WEIGHT)])[order])


def _predictions(ways: Sequence[Any], design: Design, p: FloatArray) -> FloatArray:
    return np.column_stack([way.predict(design, p) for way in ways])


def _simplex(n: int, steps: int) -> FloatArray:
    """All weights that are multiples of 1/steps and sum to 1."""
    points = np.array(np.meshgrid(*[np.arange(steps + 1)] * (n - 1), indexing="ij")).reshape(n - 1, -1).T
    points = points[points.sum(axis=1) <= steps]
    grid: FloatArray = np.column_stack([points, steps - points.sum(axis=1)])[:, ::-1] / steps
    return grid
