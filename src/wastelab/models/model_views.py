"""What can be asked of a fitted property model beside a prediction: what matters, what would help, what looks wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MissingDataError, ModelError
from .design import Design, FloatArray
from .folds import group_folds
from .gp import GaussianProcess
from .learners import Blend
from .scales import backward, forward, slope
from .table import TrainingData, read_features

if TYPE_CHECKING:
    import pandas as pd

    from .advice import Advice
    from .card import ModelCard
    from .compiled import CompiledModel
    from .dependence import Dependence
    from .importance import Importance
    from .influence import Influence
    from .property_model import PropertyModel
    from .refits import Refits
    from .residuals import Residuals
    from .shapley import Shapley
    from .suspicious import Suspicious
    from .validation import LearningCurve


class Views:
    """Methods of a `PropertyModel` that look at it; each is a function of its own that takes more options."""

    data_: TrainingData
    oof_: pd.DataFrame

    # -- what matters
    def refits(self: PropertyModel) -> Refits:  # type: ignore[misc]
        """The model fitted again without each fifth of the mixes; made once, used by all views."""
        from .refits import Refits

        self._needs_tests()
        kept: Refits | None = getattr(self, "_refits", None)
        if kept is None:
            data = self.data_
            folds = group_folds(data.mix, self.n_folds, self.random_state)
            design = self.builder_.design(data.features)
            models = tuple(Refit(self, design, train) for train, _ in folds)
            kept = self._refits = Refits(models, tuple(test for _, test in folds), "folds")
        return kept

    def importance(self: PropertyModel, **options: Any) -> Importance:  # type: ignore[misc]
        """By how much the error on unseen mixes grows when a column is shuffled; see `permutation_importance`."""
        from .importance import permutation_importance

        return permutation_importance(self._needs_tests(), self.refits(), **options)

    def shap(self: PropertyModel, rows: pd.DataFrame | None = None, **options: Any) -> Shapley:  # type: ignore[misc]
        """Shapley values of the raw columns (extra ``explain``); see `shap_values`."""
        from .shapley import shap_values

        return shap_values(self, self._needs_tests(), rows, inside=self.inside, **options)

    def partial_dependence(self: PropertyModel, columns: str | Sequence[str], **options: Any) -> Dependence:  # type: ignore[misc]
        """How the prediction changes with one or two columns, inside the domain; see `dependence`."""
        from .dependence import partial_dependence

        options.setdefault("inside", self.inside)
        options.setdefault("refits", self.refits())
        return partial_dependence(self, self._needs_tests(), columns, **options)

    def age_curves(self: PropertyModel, mixes: Any, **options: Any) -> pd.DataFrame:  # type: ignore[misc]
        """Course of the property with age of some mixes, with intervals; see `dependence.age_curves`."""
        from .dependence import age_curves

        options.setdefault("inside", self.inside)
        options.setdefault("band", self.band)
        return age_curves(self, self._needs_tests(), self.read_mixes(mixes), **options)

    def advise(self: PropertyModel, mix: Any, **options: Any) -> Advice:  # type: ignore[misc]
        """What would raise (or lower) the property of a mix, inside the domain; see `advice.advise`."""
        from .advice import advise

        options.setdefault("inside", self.inside)
        options.setdefault("refits", self.refits())
        return advise(self, mix, self._needs_tests(), **options)

    # -- what looks wrong
    def residuals(self: PropertyModel) -> Residuals:  # type: ignore[misc]
        """Diagnostics of the errors on unseen mixes."""
        from .residuals import residual_diagnostics

        data = self._needs_tests()
        return residual_diagnostics(data, self.oof_["mean"], scale=self._scale())

    def suspicious_rows(self: PropertyModel, **options: Any) -> Suspicious:  # type: ignore[misc]
        """Tests that do not go with the others, with reasons and what to check."""
        from .suspicious import suspicious_rows

        data = self._needs_tests()
        return suspicious_rows(data, self.oof_["mean"], scale=self._scale(), **options)

    def influence(self: PropertyModel, **options: Any) -> Influence:  # type: ignore[misc]
        """How far each mix moves the predictions of the others."""
        from .influence import influence

        return influence(self._needs_tests(), self.oof_["mean"], **options)

    def learning_curve(self: PropertyModel, sizes: Sequence[int] | None = None, **options: Any) -> LearningCurve:  # type: ignore[misc]
        """Error on unseen mixes (or sources, ``by="source"``) by number of tests fitted to."""
        from .tuning import learning_curve

        data = self._needs_tests()

        def fit_predict(train: TrainingData, test: TrainingData) -> FloatArray:
            design = self.builder_.design(train.features)
            members = self._members(train)()
            known = dict(zip([name for name, _ in self.learner_.members], self.weights_["mix"], strict=True))
            weights = np.array([known.get(name, 0.0) for name, _ in members])
            learner = Blend(members, tuple(weights / weights.sum()) if weights.sum() > 0 else None)
            learner.fit(design, train.target, mix=train.mix, source=train.source)
            return learner.predict(self.builder_.design(test.features))

        options.setdefault("seed", self.random_state)
        return learning_curve(fit_predict, data, sizes, **options)

    # -- what next
    def suggest(self: PropertyModel, candidates: Any, n: int = 1, **options: Any) -> pd.DataFrame:  # type: ignore[misc]
        """Which candidates to test next; see `wastelab.models.suggest.suggest`.

        Parameters
        ----------
        candidates : pandas.DataFrame or path
            Mixes that could be tested, with the age of the test where the model has one.
        n : int
        **options
            `objective`, `strategy`, `limit`, `front`, `constraints`, `cost`, `outside`, `seed` and others.

        Returns
        -------
        pandas.DataFrame
            By order of testing, with prediction, interval, chance of being the best, and why.
        """
        from .suggest import suggest
        from .table import table_of

        data = self._needs_tests()
        frame, _ = table_of(candidates)
        features = self.read_mixes(frame)
        rest = frame[[c for c in frame.columns if c not in features.columns]]
        table = features.set_axis(frame.index).join(rest)
        options.setdefault("columns", [c for c in features.columns if c != data.age] or None)
        options.setdefault("in_domain", self.inside(features))
        tested, measured = self._tested_like(features)
        belief = Belief(self)
        options.setdefault("noise_variance", belief.noise)
        options.setdefault("compare", "believed")
        return suggest(table, belief, n, tested=tested, measured=measured, **options)

    def _tested_like(self: PropertyModel, features: pd.DataFrame) -> tuple[pd.DataFrame, FloatArray]:  # type: ignore[misc]
        """Tests to beat: those at the age of the candidates where they have one; repeats are their mean."""
        data = self._needs_tests()
        rows = np.arange(len(data))
        if data.age and features[data.age].nunique() == 1:
            rows = np.flatnonzero(np.isclose(data.features[data.age], features[data.age].iloc[0]))
        frame = data.features.iloc[rows].reset_index(drop=True)
        groups = frame.assign(_y=data.target[rows]).groupby(list(frame.columns), sort=False, dropna=False)["_y"].mean()
        table = groups.reset_index()
        return table[list(frame.columns)], table["_y"].to_numpy(dtype=np.float64)

    # -- what it is
    def card(self: PropertyModel, lang: str = "en", **options: Any) -> ModelCard:  # type: ignore[misc]
        """The model card; ``str()`` of it, ``report(lang)`` and ``markdown(lang)`` are texts."""
        from .card import card_of, model_card

        return model_card(self, **options) if options else card_of(self)

    def save(self: PropertyModel, path: str | Path, **options: Any) -> Path:  # type: ignore[misc]
        """Save as a folder of JSON and plain arrays; see `wastelab.models.persistence.save_model`."""
        from .persistence import save_model

        save_model(self, path, **options)
        return Path(path)

    def compiled(self: PropertyModel, **options: Any) -> CompiledModel:  # type: ignore[misc]
        """The same model as plain arrays for kernels; see `wastelab.models.compiled`.

        Raises
        ------
        ModelError
            If the model was calibrated to a laboratory: arrays do not hold that.
        """
        from .compiled import CompiledModel

        if self.effect_ is not None:
            raise ModelError(
                "This model was calibrated to a laboratory; compiled arrays would speak of an unknown one. Compile the "
                "model that was fitted, or fit to a table that has the laboratory's tests."
            )

        return CompiledModel.from_model(self, **options)

    # -- for the views
    def inside(self: PropertyModel, features: pd.DataFrame) -> Any:  # type: ignore[misc]
        """Whether mixes (raw features of the training table) are inside the domain, shape (n_rows,)."""
        return self.domain_.check(features, self.builder_.design(features))["in_domain"].to_numpy()

    def band(self: PropertyModel, features: pd.DataFrame) -> FloatArray:  # type: ignore[misc]
        """Lower and upper end of the 90 % interval, shape (n_rows, 2)."""
        found: FloatArray = self.predict(features, interval=0.9)[["lower", "upper"]].to_numpy()
        return found

    def _scale(self: PropertyModel) -> FloatArray | None:  # type: ignore[misc]
        lower, upper = self.intervals_.cross_interval("mix", 0.9)
        width = np.asarray(upper) - np.asarray(lower)
        return None if not np.isfinite(width).all() else width / 2.0 / 1.645

    def _needs_tests(self: PropertyModel) -> TrainingData:  # type: ignore[misc]
        data: TrainingData | None = getattr(self, "data_", None)
        if data is None:
            self._table()  # raises where it is not fitted at all
            raise MissingDataError(
                "This model was loaded without its tests, which this needs. Ask whoever fitted it for one saved with "
                "them, or fit it again."
            )
        return data


class Refit:
    """A property model fitted to some of its tests: predicts raw features."""

    def __init__(self, model: PropertyModel, design: Design, rows: Any) -> None:
        data = model.data_
        self.model = model
        source = None if data.source is None else data.source[rows]
        members = model._members(data)()
        self.learner = Blend(members, model.learner_.weights).fit(
            design.rows(rows), data.target[rows], mix=data.mix[rows], source=source
        )

    def predict(self, features: pd.DataFrame) -> FloatArray:
        """Means, shape (n_rows,)."""
        like = self.model._table()
        return self.model._bounded(self.learner.predict(self.model.builder_.design(read_features(features, like))))


class Belief:
    """What a model believes of mixes, jointly: its means and calibrated widths, hung together by its Gaussian process.

    Attributes
    ----------
    inverse : callable
        From the scale of the belief to the property.
    noise : float
        Variance of one test of a mix on that scale.
    """

    def __init__(self, model: PropertyModel) -> None:
        process = next((m for _, m in model.learner_.members if isinstance(m, GaussianProcess)), None)
        if process is None:
            raise ModelError(
                "suggest: needs a model with a Gaussian process among its members, which knows how mixes hang "
                "together. Fit with learner='auto' or 'gaussian_process'."
            )
        self.model, self.process = model, process
        scale = process.transform_
        self.inverse: Callable[[FloatArray], FloatArray] = lambda z: backward(np.asarray(z), scale)
        self.noise = (process.noise_ + process.mix_variance_) * process.y_sd_**2

    def __call__(self, candidates: pd.DataFrame, /) -> tuple[FloatArray, FloatArray]:
        """Mean and covariance on the scale of the process."""
        features = self.model.read_mixes(candidates)
        _, covariance = self.process.posterior(self.model.builder_.design(features))
        found = self.model.predict(features, interval=0.9)
        centre = np.maximum(found["mean"].to_numpy(), 1e-9 if self.model.bounded else -np.inf)
        mean = forward(centre, self.process.transform_)
        half = np.minimum(found["upper"] - found["mean"], 1e6).to_numpy() / 1.645  # of a new test
        latent = np.square(half / np.maximum(slope(mean, self.process.transform_), 1e-9)) - self.noise
        own = np.maximum(np.diag(covariance), 1e-12)
        factor = np.sqrt(np.maximum(latent, 0.1 * own) / own)
        return mean, covariance * np.outer(factor, factor)
