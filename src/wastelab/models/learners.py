"""Learners of property models: trees from scikit-learn kept as plain arrays, a linear and a trivial one, their blend.

Each takes a `Design` and says what it needs of it. Strength does not fall with age in any of them. A full quadratic is
here for designed experiments; off its data it explodes, so that it answers only inside the ranges it was fitted in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ..errors import ModelError
from .course import Course
from .design import Design, FloatArray, filled, medians
from .trees import Trees

#: Members that "auto" may use, and the rows from which each is worth its time.
AUTO = {"gaussian_process": 0, "ratio_process": 0, "ridge": 0, "boosting": 120}


#: Derived features that are other curves or sums of others.
COPIES = ("k_binder/water", "feret", "SCM/binder", "paste volume")


class _Learner(BaseEstimator):  # type: ignore[misc]
    """Shared by all that have no spread of their own."""

    def spread(self, design: Design) -> FloatArray:
        """Own predictive standard deviation: none (NaN)."""
        return np.full(len(design), np.nan)


class Boosting(_Learner):
    """Histogram gradient boosting; monotone where a feature says so; missing numbers are a branch of their own.

    Between tested ages, where trees would jump, courses are straight in ln(age).

    Parameters
    ----------
    learning_rate, max_iter, max_leaf_nodes, l2_regularization, max_features, random_state
        As in `sklearn.ensemble.HistGradientBoostingRegressor`.
    min_samples_leaf : int
        The same; 0 takes a fiftieth of the rows, between 5 and 20.
    without : tuple of str
        Derived features that are not looked at: those that say what others say in another curve. Trees do not mind
        the curve, and copies of a column crowd out the rest where each split looks at a part of the columns.
    """

    def __init__(
        self,
        learning_rate: float = 0.08,
        max_iter: int = 600,
        max_leaf_nodes: int = 12,
        min_samples_leaf: int = 0,
        l2_regularization: float = 1.0,
        max_features: float = 0.15,
        without: tuple[str, ...] = COPIES,
        random_state: int = 0,
    ) -> None:
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.max_leaf_nodes = max_leaf_nodes
        self.min_samples_leaf = min_samples_leaf
        self.l2_regularization = l2_regularization
        self.max_features = max_features
        self.without = without
        self.random_state = random_state

    def fit(self, design: Design, y: ArrayLike, *, mix: Any = None, source: Any = None, noise: Any = None) -> Boosting:
        """Fit to the columns of a design; tests with a smaller variance weigh more."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        self.columns_ = [
            j
            for j, f in enumerate(design.features)
            if (f.kind != "derived" or f.name not in self.without) and not np.isnan(design.values[:, j]).all()
        ]
        self.course_ = Course.of(design)
        parameters = {name: value for name, value in self.get_params().items() if name != "without"}
        parameters["min_samples_leaf"] = self.min_samples_leaf or int(np.clip(len(design) // 50, 5, 20))
        model = HistGradientBoostingRegressor(
            **parameters, early_stopping=False, monotonic_cst=[design.features[j].monotone for j in self.columns_]
        )
        model.fit(design.values[:, self.columns_], np.asarray(y), sample_weight=_weights(noise))
        self.trees_ = Trees.from_boosting(model)
        return self

    def predict(self, design: Design) -> FloatArray:
        """Expected value of each row, shape (n_rows,)."""
        x = np.ascontiguousarray(design.values[:, self.columns_])
        if design.age is None or not len(self.course_.knots) or design.age not in self.columns_:
            return self.trees_.predict(x)
        table = self.trees_.predict_grid(x, {self.columns_.index(design.age): self.course_.knots})
        return self.course_.along(table, design.values[:, design.age])

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Parameters and trees."""
        own = {"knots": self.course_.knots, "knot_weights": self.course_.weights}
        return {"parameters": self.get_params(), "columns": self.columns_}, own | dict(self.trees_.arrays())

    @classmethod
    def from_state(cls, meta: dict[str, Any], arrays: dict[str, Any]) -> Boosting:
        """The same learner from what `to_state` gave."""
        learner = cls(**meta["parameters"] | {"without": tuple(meta["parameters"]["without"])})
        learner.columns_ = list(meta["columns"])
        learner.course_ = Course(arrays["knots"], arrays["knot_weights"])
        own = ("knots", "knot_weights")
        learner.trees_ = Trees.from_arrays({key: value for key, value in arrays.items() if key not in own})
        return learner


class ExtraTrees(_Learner):
    """Extremely randomised trees; missing numbers take the training median and switch a column of their own.

    Parameters
    ----------
    n_estimators, max_features, min_samples_leaf, random_state
        As in `sklearn.ensemble.ExtraTreesRegressor`.

    Notes
    -----
    Where the property must not fall with age, the course of each mix over the tested ages is made the nearest that
    does not fall (pool adjacent violators), and is straight in ln(age) between them. Monotone splits, which
    scikit-learn offers too, cost these trees 0.6 MPa of error on the concrete data shipped here.
    """

    def __init__(
        self, n_estimators: int = 300, max_features: float = 0.5, min_samples_leaf: int = 1, random_state: int = 0
    ) -> None:
        self.n_estimators = n_estimators
        self.max_features = max_features
        self.min_samples_leaf = min_samples_leaf
        self.random_state = random_state

    def fit(
        self, design: Design, y: ArrayLike, *, mix: Any = None, source: Any = None, noise: Any = None
    ) -> ExtraTrees:
        """Fit to all columns of a design; tests with a smaller variance weigh more."""
        from sklearn.ensemble import ExtraTreesRegressor

        self.median_, self.gaps_ = medians(design.values)
        self.course_ = Course.of(design)
        model = ExtraTreesRegressor(**self.get_params(), n_jobs=1)
        model.fit(filled(design.values, self.median_, self.gaps_), np.asarray(y), sample_weight=_weights(noise))
        self.trees_ = Trees.from_forest(model)
        return self

    def predict(self, design: Design) -> FloatArray:
        """Expected value of each row, shape (n_rows,)."""
        x = filled(design.values, self.median_, self.gaps_)
        if design.age is None or not len(self.course_.knots):
            return self.trees_.predict(x)
        table = self.trees_.predict_grid(x, {design.age: self.course_.knots})
        return self.course_.along(table, x[:, design.age])

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Parameters and trees."""
        meta = {"parameters": self.get_params(), "gaps": list(self.gaps_)}
        own = {"median": self.median_, "knots": self.course_.knots, "knot_weights": self.course_.weights}
        return meta, own | dict(self.trees_.arrays())

    @classmethod
    def from_state(cls, meta: dict[str, Any], arrays: dict[str, Any]) -> ExtraTrees:
        """The same learner from what `to_state` gave."""
        learner = cls(**meta["parameters"])
        learner.median_, learner.gaps_ = arrays["median"], list(meta["gaps"])
        learner.course_ = Course(arrays["knots"], arrays["knot_weights"])
        own = ("median", "knots", "knot_weights")
        learner.trees_ = Trees.from_arrays({key: value for key, value in arrays.items() if key not in own})
        return learner


class Ridge(_Learner):
    """Linear in the columns of the table and ln(age), each on its own scale; penalty by generalised cross-validation.

    Parameters
    ----------
    degree : {1, 2}
        1 stays at its value at the edge of the range of each column; 2 adds derived features, squares and products,
        and answers NaN outside the ranges of its training rows.
    """

    def __init__(self, degree: int = 1) -> None:
        self.degree = degree

    def fit(self, design: Design, y: ArrayLike, *, mix: Any = None, source: Any = None, noise: Any = None) -> Ridge:
        """Fit to all columns of a design.

        Raises
        ------
        ModelError
            If the degree is neither 1 nor 2.
        """
        from sklearn.linear_model import RidgeCV

        if self.degree not in (1, 2):
            raise ModelError(f"degree = {self.degree!r}: expected 1 or 2; a polynomial of higher degree explodes.")
        self.median_, self.gaps_ = medians(design.values)
        x = filled(design.values, self.median_, self.gaps_)
        self.mean_, sd = x.mean(axis=0), x.std(axis=0)
        self.sd_ = np.where(sd > 1e-9 * (1.0 + np.abs(self.mean_)), sd, 1.0)
        self.low_, self.high_ = np.nanmin(x, axis=0), np.nanmax(x, axis=0)
        terms = self._terms(x)
        if self.degree == 1 and any(f.kind != "derived" for f in design.features):
            terms[:, design.of_kind("derived")] = 0.0
        self.scale_ = np.where(terms.std(axis=0) > 1e-9, terms.std(axis=0), 1.0)
        self.course_ = Course.of(design) if self.degree == 2 else Course(np.zeros(0), np.zeros(0))
        model = RidgeCV(np.logspace(-3, 4, 29))
        model.fit(terms / self.scale_, np.asarray(y), sample_weight=_weights(noise))
        age = design.age
        if self.degree == 1 and age is not None and design.features[age].monotone * model.coef_[age] < 0:
            terms[:, age] = 0.0  # against physics: as if the age were not known
            model.fit(terms / self.scale_, np.asarray(y), sample_weight=_weights(noise))
        self.coefficient_, self.intercept_ = model.coef_ / self.scale_, float(model.intercept_)
        return self

    def _terms(self, x: FloatArray) -> FloatArray:
        if self.degree == 1:
            edged: FloatArray = (np.clip(x, self.low_, self.high_) - self.mean_) / self.sd_
            return edged
        z: FloatArray = (x - self.mean_) / self.sd_
        upper = np.triu_indices(z.shape[1])
        return np.column_stack([z, z[:, upper[0]] * z[:, upper[1]]])

    def predict(self, design: Design) -> FloatArray:
        """Expected value of each row, shape (n_rows,); of degree 2: NaN outside the training ranges."""
        x = filled(design.values, self.median_, self.gaps_)
        out: FloatArray = self._terms(x) @ self.coefficient_ + self.intercept_
        if design.age is not None and len(self.course_.knots):
            table = np.empty((len(x), len(self.course_.knots)))
            for j, knot in enumerate(self.course_.knots):
                at = filled(design.at_age(knot).values, self.median_, self.gaps_)
                table[:, j] = self._terms(at) @ self.coefficient_ + self.intercept_
            out = self.course_.along(table, design.values[:, design.age])
        if self.degree == 2:
            slack = 1e-9 * (self.high_ - self.low_)
            out[np.any((x < self.low_ - slack) | (x > self.high_ + slack), axis=1)] = np.nan
        return out

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Parameters and coefficients."""
        meta = {"parameters": self.get_params(), "gaps": list(self.gaps_), "intercept": self.intercept_}
        names = ("median", "mean", "sd", "low", "high", "scale", "coefficient")
        own = {"knots": self.course_.knots, "knot_weights": self.course_.weights}
        return meta, own | {name: getattr(self, f"{name}_") for name in names}

    @classmethod
    def from_state(cls, meta: dict[str, Any], arrays: dict[str, Any]) -> Ridge:
        """The same learner from what `to_state` gave."""
        learner = cls(**meta["parameters"])
        learner.gaps_, learner.intercept_ = list(meta["gaps"]), float(meta["intercept"])
        learner.course_ = Course(arrays["knots"], arrays["knot_weights"])
        for name in ("median", "mean", "sd", "low", "high", "scale", "coefficient"):
            setattr(learner, f"{name}_", arrays[name])
        return learner


class Mean(_Learner):
    """The mean of the training rows: what any model must beat."""

    def fit(self, design: Design, y: ArrayLike, *, mix: Any = None, source: Any = None, noise: Any = None) -> Mean:
        """Remember the mean."""
        self.mean_ = float(np.mean(np.asarray(y)))
        return self

    def predict(self, design: Design) -> FloatArray:
        """The mean for each row, shape (n_rows,)."""
        return np.full(len(design), self.mean_)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The mean."""
        return {"mean": self.mean_}, {}

    @classmethod
    def from_state(cls, meta: dict[str, Any], arrays: dict[str, Any]) -> Mean:
        """The same learner from what `to_state` gave."""
        learner = cls()
        learner.mean_ = float(meta["mean"])
        return learner


class Blend(BaseEstimator):  # type: ignore[misc]
    """Weighted mean of learners.

    Parameters
    ----------
    members : sequence of (str, learner)
    weights : sequence of float, optional
        Sum to 1; equal by default. `blend_weights` finds them from out-of-fold predictions.
    """

    def __init__(self, members: Sequence[tuple[str, Any]], weights: Sequence[float] | None = None) -> None:
        self.members = members
        self.weights = weights

    def fit(self, design: Design, y: ArrayLike, *, mix: Any = None, source: Any = None, noise: Any = None) -> Blend:
        """Fit every member."""
        for _, learner in self.members:
            learner.fit(design, y, mix=mix, source=source, noise=noise)
        return self

    def predict_members(self, design: Design) -> dict[str, FloatArray]:
        """Prediction of each member by name."""
        return {name: learner.predict(design) for name, learner in self.members}

    def predict(self, design: Design) -> FloatArray:
        """Weighted mean, shape (n_rows,)."""
        return self.combine(self.predict_members(design))

    def combine(self, predictions: dict[str, FloatArray]) -> FloatArray:
        """Weighted mean of predictions that members have made."""
        parts = np.column_stack([predictions[name] for name, _ in self.members])
        out: FloatArray = parts @ self.shares
        return out

    @property
    def shares(self) -> FloatArray:
        """Weights that sum to 1, shape (n_members,)."""
        if self.weights is None:
            return np.full(len(self.members), 1.0 / len(self.members))
        return np.asarray(self.weights, dtype=np.float64)

    def spread(self, design: Design) -> FloatArray:
        """Predictive standard deviation of the first member that has one."""
        for _, learner in self.members:
            own: FloatArray = learner.spread(design)
            if not np.isnan(own).all():
                return own
        return np.full(len(design), np.nan)


def blend_weights(predictions: FloatArray, y: FloatArray, groups: ArrayLike) -> FloatArray:
    """Weights of members from predictions that none of them was fitted to.

    Least squares on the simplex, drawn towards what each member's own error deserves (the inverse of its square) as if
    ten groups more had been seen: a plain mean of unlike models is hard to beat with few mixes, a poor one is not.

    Parameters
    ----------
    predictions : ndarray, shape (n_rows, n_members)
        Out of fold by group.
    y : ndarray, shape (n_rows,)
    groups : array_like, shape (n_rows,)

    Returns
    -------
    ndarray, shape (n_members,)
        Not below 0, sum 1.
    """
    from scipy.optimize import nnls

    n = predictions.shape[1]
    usable = ~np.isnan(predictions).any(axis=1)
    if n == 1 or usable.sum() < 3:
        return np.full(n, 1.0 / n)
    p, target = predictions[usable], np.asarray(y)[usable]
    errors = np.maximum(np.mean((p - target[:, None]) ** 2, axis=0), 1e-12 * float(np.mean(target**2)) + 1e-30)
    deserved: FloatArray = errors**-2 / np.sum(errors**-2)
    share = 10.0 / max(len(np.unique(np.asarray(groups)[usable])), 1)
    size = np.sqrt(share * errors.min() * len(target))
    firm = 1e4 * np.sqrt(np.mean(target**2) * len(target)) + 1.0
    lhs = np.vstack([p - target[:, None], size * np.eye(n), firm * np.ones((1, n))])
    rhs = np.concatenate([np.zeros(len(target)), size * deserved, [firm]])
    weights, _ = nnls(lhs, rhs)
    total = weights.sum()
    return weights / total if total > 0 else deserved


def _weights(noise: Any) -> FloatArray | None:
    """Weights of tests from the variance of their means, within a factor of 4; None where replicates say nothing."""
    if noise is None:
        return None
    variance = np.asarray(noise, dtype=np.float64)
    known = np.isfinite(variance) & (variance > 0)
    if known.sum() < 8:
        return None
    weights = np.ones(len(variance))
    weights[known] = np.clip(np.sqrt(np.median(variance[known]) / variance[known]), 0.5, 2.0)
    return weights
