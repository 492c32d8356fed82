"""A property of building materials from composition, process and age, with intervals, scores and a domain.

Members are fitted to the same table, validated by mix and by source, and blended by what they predicted of tests they
had not seen. The same out-of-fold predictions calibrate the intervals. A laboratory's own few tests move the whole
model (`PropertyModel.calibrate`); outside its domain a prediction says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ..errors import MissingDataError, ModelError, ValidityError
from .audit import audit_table
from .builder import MixFeatures
from .cross import check_mixes, protocol_splits
from .design import Design, FloatArray, IntArray
from .domain import Domain
from .folds import Split
from .gp import WITHIN_SOURCES
from .intervals import ConformalIntervals
from .learners import AUTO, Blend, blend_weights
from .local import SourceEffect
from .local_effect import LocalEffect
from .model_laboratory import Laboratory
from .model_views import Views
from .oof import out_of_fold
from .replicates import test_noise
from .scores import PROTOCOLS, ProtocolScore, Scores
from .table import TrainingData, read_features, read_table
from .validation import assemble, score_predictions
from .words import never_negative

if TYPE_CHECKING:
    import pandas as pd

#: Learners by the name they are asked for.
LEARNERS = ("auto", "gaussian_process", "ratio_process", "boosting", "extra_trees", "ridge", "quadratic", "mean")
#: Rows beyond which a second Gaussian process is not worth its time.
_TWO_PROCESSES = 1600
#: Least factor of the width outside the domain: the spread of a Gaussian process has grown there by itself already.
_OUTSIDE = 1.25
#: Age [d] that stands for 0, whose logarithm there is none of.
_BIRTH = 1e-9
Progress = Callable[[int, int, str], None]
Runs = Mapping[str, tuple[list[Split], IntArray]]


class PropertyModel(Laboratory, Views, BaseEstimator):  # type: ignore[misc]
    """Model of one property.

    Parameters
    ----------
    target : str
        Column of the property; its name without a unit will do.
    unit : str
        Of the target, where its column does not say it.
    learner : str or sequence of str
        "auto", or some of "gaussian_process", "ratio_process", "boosting", "extra_trees", "ridge", "quadratic", "mean".
        Members of the blend; "auto" takes two Gaussian processes (over the quantities, and with a course over ratios
        beside them), a ridge, and trees where there are rows enough for them. Weights come from grouped out-of-fold
        predictions: small designed sets go to the processes, large literature sets to trees.
    monotone : {"auto", "none"}
        Whether strength may fall with age at a fixed mix ("none").
    n_folds : int
        Of each protocol of validation.
    protocols : sequence of str
        Of ``"source"``, ``"time"``, ``"mix"``, ``"row"``; new mixes are always tested.
    non_negative : {"auto", True, False}
        Whether predictions and intervals end at 0.
    random_state : int

    Attributes
    ----------
    data_ : TrainingData
    builder_ : MixFeatures
    learner_ : Blend
        Fitted to all rows.
    oof_, oof_source_ : pandas.DataFrame
        Predictions of each row by members that saw no test of its mix (of its source; None without sources): one
        column each, ``mean``, ``spread``, ``disagreement``, ``fold``.
    scores_ : Scores
    intervals_, domain_, audit_, local_
        See `wastelab.models.intervals`, `domain`, `audit`, `local`.
    notices_ : tuple of str
        What was set aside in reading the table and making features.
    """

    def __init__(
        self,
        target: str = "",
        *,
        unit: str = "",
        learner: str | Sequence[str] = "auto",
        monotone: str = "auto",
        n_folds: int = 5,
        protocols: Sequence[str] = ("source", "time", "mix", "row"),
        non_negative: str | bool = "auto",
        random_state: int = 0,
    ) -> None:
        self.target = target
        self.unit = unit
        self.learner = learner
        self.monotone = monotone
        self.n_folds = n_folds
        self.protocols = protocols
        self.non_negative = non_negative
        self.random_state = random_state

    # -- fitting
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        groups: Any = None,
        mix: Any = None,
        source: Any = None,
        time: Any = None,
        progress: Progress | None = None,
        **options: Any,
    ) -> PropertyModel:
        """Fit, validate by mix and source, calibrate intervals, and mark the domain.

        Parameters
        ----------
        X : pandas.DataFrame, xarray.Dataset, path, or TrainingData
            Table of tests; see `wastelab.models.read_table`.
        y : array_like, shape (n_rows,), or str, optional
            The property, or its column; by default the column `target`.
        groups, mix : array_like or str, optional
            What is one mix (two names of the same thing).
        source, time : array_like or str, optional
            Laboratory, study or heap of each row; when.
        progress : callable, optional
            ``progress(done, total, what)``.
        **options
            `features`, `drop`, `age`, `sd`, `n`, `units`, `licence`, `origin` of `read_table`.

        Returns
        -------
        PropertyModel
            itself

        Raises
        ------
        ModelError
            If the table cannot be read, or has too few mixes.
        """
        import pandas as pd

        mix = groups if mix is None else mix
        if isinstance(X, TrainingData):
            data = X
        else:
            target = self.target or getattr(y, "name", None) or (y if isinstance(y, str) else "property")
            if y is not None and not isinstance(y, str):
                frame = pd.DataFrame(X).copy() if not isinstance(X, pd.DataFrame) else X.copy()
                frame.columns = [str(c) for c in frame.columns]
                if np.shape(y) != (len(frame),):
                    raise ModelError(f"y has shape {np.shape(y)}; expected one value for each of {len(frame)} rows.")
                if target in frame.columns:
                    raise ModelError(f"'{target}' is a column of X and y is given too. Leave one of them out.")
                frame[target] = np.asarray(y)
                X = frame
            data = read_table(
                X, target or y, mix=mix, source=source, time=time, unit=self.unit or None, **options
            )  # fmt: skip
        check_mixes(data)
        self.data_ = data
        self.bounded_ = self._bounded_below(data)
        self.builder_ = MixFeatures().fit(
            data.features, age=data.age, units=data.units, property=self._property(data), property_unit=data.unit
        )
        self.first_age_ = float(np.log(data.features[data.age].min())) if data.age else 0.0
        design = self.builder_.design(data.features)
        noise = test_noise(data)
        members = self._members(data)
        runs = {}
        for protocol in self._protocols():
            splits, group = protocol_splits(data, protocol, n_folds=self.n_folds, seed=self.random_state)
            if splits and not (protocol == "row" and data.n_mixes == len(data)):
                runs[protocol] = (splits, group)
        predictions = out_of_fold(members, design, data, noise, {p: s for p, (s, _) in runs.items()}, progress)
        self.learner_ = Blend(members()).fit(design, data.target, mix=data.mix, source=data.source, noise=noise)
        self._blend(predictions, runs)
        self._calibrate(design)
        self.scores_ = self._scored(predictions, runs)
        self.audit_ = audit_table(data)
        self.notices_ = tuple(map(str, (*data.notices, *self.builder_.notices_)))
        return self

    def _bounded_below(self, data: TrainingData) -> bool:
        if self.non_negative == "auto":
            return never_negative(data.name) and float(data.target.min()) >= 0
        return bool(self.non_negative)

    def _property(self, data: TrainingData) -> str:
        return "" if self.monotone == "none" else data.name

    def _protocols(self) -> list[str]:
        unknown = set(self.protocols) - set(PROTOCOLS)
        if unknown:
            raise ModelError(
                f"protocols: {sorted(unknown)[0]!r} is not known. Expected some of {', '.join(PROTOCOLS)}."
            )
        return [p for p in PROTOCOLS if p in {*self.protocols, "mix"}]

    def _members(self, data: TrainingData) -> Callable[[], list[tuple[str, Any]]]:
        """What makes new, unfitted members."""
        names = [self.learner] if isinstance(self.learner, str) else list(self.learner)
        if names == ["auto"]:
            ratios = [f for f in self.builder_.features_ if f.kind == "derived" and f.name.endswith("/binder")]
            many = data.source is not None and data.n_sources >= WITHIN_SOURCES
            one = many or len(ratios) < 2 or len(data) > _TWO_PROCESSES  # one process does, or is enough to wait for
            names = [n for n, least in AUTO.items() if len(data) >= least and not (n == "ratio_process" and one)]
        for name in names:
            if name not in LEARNERS or name == "auto":
                raise ModelError(f"learner = {name!r}: expected one or several of {', '.join(LEARNERS)}.")
        seed, alone = self.random_state, "ratio_process" not in names

        def make() -> list[tuple[str, Any]]:
            from .gp import RATIOS, GaussianProcess
            from .learners import Boosting, ExtraTrees, Mean, Ridge

            kinds: dict[str, Callable[[], Any]] = {
                "gaussian_process": lambda: GaussianProcess(derived=RATIOS if alone else (), random_state=seed),
                "ratio_process": lambda: GaussianProcess(derived=RATIOS, random_state=seed),
                "boosting": lambda: Boosting(random_state=seed),
                "extra_trees": lambda: ExtraTrees(random_state=seed),
                "ridge": Ridge, "quadratic": lambda: Ridge(degree=2), "mean": Mean,
            }  # fmt: skip
            return [(name, kinds[name]()) for name in names]

        return make

    def _blend(self, predictions: Mapping[str, pd.DataFrame], runs: Runs) -> None:
        """Weights from predictions of unseen tests; each fold is blended by the weights of the others."""
        names = [name for name, _ in self.learner_.members]
        self.weights_: dict[str, FloatArray] = {}
        for protocol, (_, groups) in runs.items():
            frame = predictions[protocol]
            own = frame[names].to_numpy()
            fold = frame["fold"].to_numpy()
            centre = np.full(len(frame), np.nan)
            for k in np.unique(fold[fold >= 0]):
                others, test = (fold >= 0) & (fold != k), fold == k
                weights = blend_weights(own[others], self.data_.target[others], groups[others])
                centre[test] = own[test] @ weights
            frame["mean"] = self._bounded(centre)
            self.weights_[protocol] = blend_weights(own, self.data_.target, groups)
        self.learner_.weights = tuple(self.weights_[self._kind()])
        self.oof_ = predictions["mix"]
        self.oof_source_ = predictions.get("source")

    def _calibrate(self, design: Design) -> None:
        data = self.data_
        self.intervals_ = ConformalIntervals(non_negative=self.bounded, random_state=self.random_state).fit(
            design, data, self.oof_, self.oof_source_
        )
        self.domain_ = Domain().fit(data, design, self.intervals_)
        self.effect_: LocalEffect | None = None
        self.own_tests_: Any = None
        self.local_ = self._source_effect(design, self.oof_source_)
        # of a source that is in the table: errors of mixes that were left out, by members that saw the source
        self.known_ = None if self.oof_source_ is None else self._source_effect(design, self.oof_)

    def _source_effect(self, design: Design, predictions: pd.DataFrame | None) -> SourceEffect | None:
        """How errors hang together within sources; None where the table cannot say."""
        if predictions is None:
            return None
        try:
            return SourceEffect(random_state=self.random_state).fit(design, self.data_, predictions["mean"].to_numpy())
        except MissingDataError:
            return None

    def _scored(self, predictions: Mapping[str, pd.DataFrame], runs: Runs) -> Scores:
        scores: list[ProtocolScore] = []
        for protocol, (splits, groups) in runs.items():
            frame = predictions[protocol]
            if protocol in ("mix", "source"):
                lower, upper = self.intervals_.cross_interval(protocol, 0.9)
                frame = frame.assign(lower=lower, upper=upper)
                frame.attrs.update(predictions[protocol].attrs)
            scores.append(
                score_predictions(frame, self.data_, protocol, splits=splits, groups=groups, seed=self.random_state)
            )
        return assemble(scores, self.data_)

    # -- predicting
    def predict(
        self,
        X: Any,
        interval: float | None = None,
        *,
        source: str | None = None,
        on_outside: str = "widen",
    ) -> Any:
        """Predict mixes.

        Parameters
        ----------
        X : pandas.DataFrame, mapping, xarray.Dataset or path
            Columns of the training table. A mapping of single values is one mix.
        interval : float, optional
            Probability that the result of a new test lies within, e.g. 0.9. Without it only the means are returned.
        source : str, optional
            One of the sources of the training table: its own tests then correct the prediction. A model that was
            calibrated to a laboratory speaks of that one.
        on_outside : {"widen", "refuse", "ignore"}
            Outside its domain a prediction is flagged and its interval widened by what the model's own errors far from
            its data show; or left empty; or only flagged.

        Returns
        -------
        ndarray, shape (n_rows,), or pandas.DataFrame
            With an interval: ``mean``, ``lower``, ``upper`` [unit of the target], ``in_domain``, ``reasons``;
            ``attrs`` say unit, interval and for what it holds (``"new mix"`` or ``"new source"``).

        Raises
        ------
        MissingDataError
            If a column that every test had is not there.
        UnknownNameError
            If the source is none of the training table.
        ModelError
            If the model is not fitted, or a number is infinite or unreadable.
        """
        import pandas as pd

        if on_outside not in ("widen", "refuse", "ignore"):
            raise ModelError(f"on_outside = {on_outside!r}: expected 'widen', 'refuse' or 'ignore'.")
        if interval is not None and not 0.0 < interval < 1.0:
            raise ModelError(f"interval = {interval!r}: expected a probability between 0 and 1, e.g. 0.9.")
        features = self.read_mixes(X)
        design = self.builder_.design(features)
        known, kind = self._effect_of(source)
        predictions = self.learner_.predict_members(self._not_before(design))
        centre = self._corrected(design, known, kind, predictions)
        if interval is None and on_outside != "refuse":
            return centre
        level = 0.9 if interval is None else interval
        lower, upper, checked = self._ends(features, design, centre, predictions, known, kind, level, on_outside)
        inside = checked["in_domain"].to_numpy()
        if on_outside == "refuse":
            for values in (centre, lower, upper):
                values[~inside] = np.nan
        if interval is None:
            return centre
        out = pd.DataFrame({"mean": centre, "lower": lower, "upper": upper, "in_domain": inside})
        out["reasons"] = checked["reasons"].to_numpy()
        holds = "this source" if known is not None else {"mix": "new mix", "source": "new source"}[kind]
        out.attrs.update(unit=self._table().unit, interval=interval, holds_for=holds, target=self._table().name)
        if self.scores_.label is not None:
            out.attrs["label"] = str(self.scores_.label)
        notices = [str(notice) for notice in self.intervals_.notices(interval)]
        if notices:
            out.attrs["notices"] = notices
        return out

    def _ends(
        self,
        features: pd.DataFrame,
        design: Design,
        centre: FloatArray,
        predictions: Mapping[str, FloatArray],
        known: LocalEffect | None,
        kind: str,
        level: float,
        on_outside: str,
    ) -> tuple[FloatArray, FloatArray, pd.DataFrame]:
        """Ends of the interval, and what the domain says; NaN where a member is silent."""
        from scipy.stats import norm

        young = self._not_before(design)
        own = np.column_stack(list(predictions.values()))
        disagreement = own.std(axis=1) if own.shape[1] > 1 else np.zeros(len(centre))
        spread = self.learner_.spread(young)
        checked = self.domain_.check(features, design)
        stretch = checked["stretch"].to_numpy() if on_outside == "widen" else np.ones(len(centre))
        lower, upper = np.full(len(centre), np.nan), np.full(len(centre), np.nan)
        at = np.flatnonzero(np.isfinite(centre))
        if len(at):
            lower[at], upper[at] = self.intervals_.interval(
                design.rows(at), centre[at], spread[at], disagreement[at], level=level, kind=kind,
                stretch=np.minimum(stretch[at], _OUTSIDE),
            )  # fmt: skip
        if np.any(stretch > _OUTSIDE):  # as wide as the usual interval times the stretch, however sure the members are
            ends = self.intervals_.cross_interval(kind, level)
            usual = float(np.nanmedian(0.5 * (ends[1] - ends[0])))
            half = np.where((stretch > _OUTSIDE) & np.isfinite(usual), stretch * usual, 0.0)
            lower, upper = np.minimum(lower, centre - half), np.maximum(upper, centre + half)
            lower = self._bounded(lower)
        if known is not None:  # what the tests of the source leave open, where that is less
            half = norm.ppf(0.5 + 0.5 * level) * known.spread(young, centre) * stretch
            lower, upper = np.maximum(lower, centre - half), np.minimum(upper, centre + half)
        return lower, upper, checked

    def read_mixes(self, X: Any) -> pd.DataFrame:
        """Features of mixes in the columns and units of the training table.

        Raises
        ------
        ModelError
            If an age is missing or below 0.
        """
        table = self._table()
        features = read_features(X, table)
        if table.age:
            ages = features[table.age].to_numpy(dtype=np.float64)
            wrong = np.flatnonzero(~(ages >= 0))
            if len(wrong):
                raise ModelError(
                    f"row {wrong[0] + 1}, column '{table.age}': age {ages[wrong[0]]:g} d. Expected 0 d or more in "
                    f"every row: the property changes with age."
                )
            features[table.age] = np.maximum(ages, _BIRTH)
        return features

    def _table(self) -> TrainingData:
        """The training table, or of a model that was loaded without it, what is known of its columns."""
        data: TrainingData | None = getattr(self, "data_", None) or getattr(self, "columns_", None)
        if data is None:
            raise ModelError("This model is not fitted. Call fit(table) first, or load one: wastelab.load_model(path).")
        return data

    def _kind(self) -> str:
        """What a row that is predicted is to the model: of a new source wherever sources are told apart."""
        return "source" if "source" in self.weights_ else "mix"

    def _blended(self, design: Design, kind: str, predictions: Mapping[str, FloatArray] | None = None) -> FloatArray:
        """Blend of the members, at mixes none younger than the youngest test."""
        given = self.learner_.predict_members(design) if predictions is None else predictions
        parts = np.column_stack([given[name] for name, _ in self.learner_.members])
        return self._bounded(parts @ self.weights_[kind])

    def _centre(self, design: Design, kind: str) -> FloatArray:
        """What the model says without knowing the source."""
        return self._corrected(design, None, kind)

    def _corrected(
        self,
        design: Design,
        known: LocalEffect | None,
        kind: str,
        predictions: Mapping[str, FloatArray] | None = None,
    ) -> FloatArray:
        """What the model says with what is known of the source; below the youngest test it goes to zero at age zero."""
        young = self._not_before(design)
        centre = self._blended(young, kind, predictions)
        if known is not None:
            centre = self._bounded(known.adjust(young, centre, predict=lambda d: self._blended(d, kind))[0])
        if self._starts_at_zero(design) and design.age is not None:
            log_age = design.values[:, design.age]
            early = log_age < self.first_age_
            centre = centre.copy()
            centre[early] *= np.log1p(np.exp(log_age[early])) / np.log1p(np.exp(self.first_age_))
        return centre

    def _spoken(self, design: Design) -> FloatArray:
        """What this model predicts: calibrated to a laboratory, of that one."""
        return self._corrected(design, *self._effect_of(None))

    def _starts_at_zero(self, design: Design) -> bool:
        return self.bounded and design.age is not None and design.features[design.age].monotone > 0

    def _not_before(self, design: Design) -> Design:
        """The same mixes, none younger than the youngest test."""
        if not self._starts_at_zero(design) or design.age is None:
            return design
        return design.at_age(np.maximum(design.values[:, design.age], self.first_age_))

    def _bounded(self, values: FloatArray) -> FloatArray:
        return np.maximum(values, 0.0) if self.bounded else values

    @property
    def bounded(self) -> bool:
        """Whether the property cannot be below zero."""
        return self.bounded_

    # -- scikit-learn
    def score(self, X: Any, y: ArrayLike) -> float:
        """R2 of mixes that were not fitted to; for scores of this model see `scores_`.

        Raises
        ------
        ValidityError
            If a mix was among the training tests at whatever age: such a score flatters.
        """
        from .table import mix_keys

        features = self.read_mixes(X)
        data = self._table()
        drop = [data.age] if data.age else []
        seen = set(mix_keys(data.features.drop(columns=drop)))
        again = [i for i, key in enumerate(mix_keys(features.drop(columns=drop))) if key in seen]
        if again:
            raise ValidityError(
                f"row {again[0] + 1}: the mix is one of the training tests ({len(again)} of {len(features)} are): such "
                f"a score says how well the model remembers. Print scores_ for honest ones."
            )
        target = np.asarray(y, dtype=np.float64)
        residual = target - np.asarray(self.predict(features))
        return float(1.0 - np.sum(residual**2) / np.sum((target - target.mean()) ** 2))

    def __repr__(self) -> str:
        data: TrainingData | None = getattr(self, "data_", None)
        if data is None or not hasattr(self, "scores_"):
            return f"PropertyModel({self.target!r}, without its tests or not fitted)"
        best = self.scores_.headline
        return (
            f"<PropertyModel of {data.name} [{data.unit}]: {len(data)} tests, {data.n_mixes} mixes; {best.label}: "
            f"RMSE {best.rmse:.3g} {data.unit}{', calibrated to a laboratory' if self.effect_ is not None else ''}"
            f"{'; ' + str(self.scores_.label) if self.scores_.label is not None else ''}>"
        )
