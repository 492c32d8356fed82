"""A laboratory's own model from a table of 10 to 50 tests and a public model, with intervals of its own.

Tables in, tables out: what `TransferModel` does on designs. Intervals are conformal on the laboratory's own mixes that
were left out; levels that these are too few for rest on normal errors, and it says so. Outside what the own tests cover
a prediction says why, and its interval is widened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError
from .builder import MixFeatures
from .design import FloatArray
from .domain import Domain
from .intervals import ConformalIntervals
from .table import TrainingData, read_features, read_table
from .transfer import PublicAt, TransferModel, public_columns

if TYPE_CHECKING:
    import pandas as pd


class LaboratoryModel:
    """Own tests with the help of a public model.

    Parameters
    ----------
    public : PropertyModel, or anything with ``predict(table)``
        Its property must be the same, in the same unit.
    columns : mapping, optional
        By column of the public model: own column, several own columns (summed), or a number for all rows (see
        `public_columns`); by default the columns of the public model have the same names here.
    random_state : int

    Attributes
    ----------
    data_ : TrainingData
    transfer_ : TransferModel
    intervals_ : ConformalIntervals
        Calibrated on own mixes that were left out.
    domain_ : Domain
        Of the own tests: beyond them nothing says how far the public model holds in this laboratory.
    """

    def __init__(
        self,
        public: Any,
        columns: Mapping[str, str | float | Sequence[str]] | None = None,
        *,
        random_state: int = 0,
    ) -> None:
        self.public = public
        self.columns = columns
        self.random_state = random_state

    def fit(self, X: Any, target: str | None = None, **options: Any) -> LaboratoryModel:
        """Fit to own tests.

        Parameters
        ----------
        X : pandas.DataFrame, path, or TrainingData
        target : str, optional
            Column of the property.
        **options
            Of `wastelab.models.read_table`: mix, age, sd, n, units …

        Raises
        ------
        MissingDataError
            Fewer than five mixes.
        ModelError
            If the table cannot be read, or the public model is of another unit.
        """
        data = X if isinstance(X, TrainingData) else read_table(X, target, **options)
        known = getattr(self.public, "data_", None) or getattr(self.public, "columns_", None)
        if known is not None and data.unit and known.unit and data.unit != known.unit:
            raise ModelError(
                f"the own tests are in {data.unit}, the public model predicts {known.name} in {known.unit}."
            )
        self.data_ = data
        self.builder_ = MixFeatures().fit(data.features, age=data.age, units=data.units, property=data.name)
        design = self.builder_.design(data.features)
        effect = getattr(getattr(self.public, "local_", None), "model_", None)
        self.transfer_ = TransferModel(effect=effect, random_state=self.random_state)
        self.transfer_.fit(
            design, data.target, self._public(data.features), mix=data.mix, noise=_mean_variance(data),
            public_at=self._public_at(data.features),
        )  # fmt: skip
        unseen = {
            "mean": self.transfer_.oof_blend_, "spread": self.transfer_.oof_spread_,
            "disagreement": self.transfer_.oof_.std(axis=1),
        }  # fmt: skip
        self.intervals_ = ConformalIntervals(
            random_state=self.random_state, non_negative=bool(data.target.min() >= 0)
        ).fit(design, data, unseen)  # fmt: skip
        self.domain_ = Domain().fit(data, design, self.intervals_)
        return self

    def predict(
        self, X: Any, interval: float | None = None, *, on_outside: str = "widen"
    ) -> FloatArray | pd.DataFrame:  # fmt: skip
        """Expected value of each row; with `interval` a table.

        Parameters
        ----------
        X : pandas.DataFrame, mapping or path
        interval : float, optional
            Level, e.g. 0.9.
        on_outside : {"widen", "refuse", "ignore"}
            As in `PropertyModel.predict`: outside what the own tests cover the interval is widened, the row left
            empty, or only flagged.

        Returns
        -------
        ndarray, or pandas.DataFrame
            ``mean``, ``lower``, ``upper``, ``public`` (what the public model says alone), ``in_domain``, ``reasons``;
            ``attrs["warnings"]`` says where an interval rests on an assumption.

        Raises
        ------
        ModelError
            If an age is missing or below 0.

        Notes
        -----
        Where the property must not fall with age, no course of a mix does; it is 0 at age 0 if no own test is below 0.
        """
        import pandas as pd

        if on_outside not in ("widen", "refuse", "ignore"):
            raise ModelError(f"on_outside = {on_outside!r}: expected 'widen', 'refuse' or 'ignore'.")
        features = read_features(X, self.data_)
        zero = self._newborn(features)
        asked = features
        if zero.any():
            features = asked.copy()
            features.loc[zero, self.data_.age] = float(np.exp(self.transfer_.first_age_))
        design = self.builder_.design(features)
        public = self._public(features)
        at = self._public_at(features)
        mean = np.where(zero, 0.0, self.transfer_.predict(design, public, public_at=at))
        if interval is None:
            return mean
        apart = self.transfer_.predict_ways(design, public).iloc[:, :-1].to_numpy().std(axis=1)
        checked = self.domain_.check(asked, design)
        inside = checked["in_domain"].to_numpy()
        lower, upper = self.intervals_.interval(
            design, mean, self.transfer_.spread(design, public), apart, level=interval,
            stretch=checked["stretch"].to_numpy() if on_outside == "widen" else None,
        )  # fmt: skip
        if on_outside == "refuse":
            for values in (mean, lower, upper):
                values[~inside] = np.nan
        index = X.index if isinstance(X, pd.DataFrame) else features.index
        out = pd.DataFrame({"mean": mean, "lower": lower, "upper": upper, "public": public}, index=index)
        out["in_domain"], out["reasons"] = inside, checked["reasons"].to_numpy()
        out.attrs.update(unit=self.data_.unit, interval=interval, holds_for="new mix", target=self.data_.name)
        out.attrs["warnings"] = [str(notice) for notice in self.intervals_.notices(interval)]
        return out

    def _newborn(self, features: pd.DataFrame) -> Any:
        """Rows of age 0 of a property that is 0 then."""
        age = self.data_.age
        if not age:
            return np.zeros(len(features), dtype=bool)
        days = features[age].to_numpy(dtype=np.float64)
        zero = (days == 0.0) & self.transfer_.starts_at_zero_
        bad = np.flatnonzero(~((days > 0.0) | zero))
        if len(bad):
            raise ModelError(
                f"row {bad[0] + 1}: '{age}' is {days[bad[0]]:g}. Expected the age of the test in d, above 0."
            )
        return zero

    def report(self) -> str:
        """How much each way is trusted, and why."""
        return self.transfer_.report()

    def _public(self, features: pd.DataFrame) -> FloatArray:
        table = features if self.columns is None else public_columns(features, self.columns)
        return np.asarray(self.public.predict(table), dtype=np.float64)

    def _public_at(self, features: pd.DataFrame) -> PublicAt | None:
        """The public model at other ages of the same mixes."""
        age = self.data_.age
        return (lambda log_age: self._public(features.assign(**{age: np.exp(log_age)}))) if age else None


def _mean_variance(data: TrainingData) -> FloatArray | None:
    """Variance of each row's mean from its specimens, NaN where not stated; None if nowhere."""
    stated = np.isfinite(data.y_sd) & (data.y_sd > 0) & (data.y_n >= 2)
    return np.where(stated, data.y_sd**2 / np.maximum(data.y_n, 1.0), np.nan) if stated.any() else None
