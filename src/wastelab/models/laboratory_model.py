"""A laboratory's own model from a table of 10 to 50 tests and a public model, with intervals of its own.

Tables in, tables out: what `TransferModel` does on designs. Intervals are conformal on the laboratory's own mixes that
were left out; with few mixes high levels have none, and it says so by infinite ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError
from .builder import MixFeatures
from .design import FloatArray
from .intervals import ConformalIntervals
from .table import TrainingData, read_features, read_table
from .transfer import TransferModel, public_columns

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
        known = getattr(self.public, "data_", None)
        if known is not None and data.unit and known.unit and data.unit != known.unit:
            raise ModelError(
                f"the own tests are in {data.unit}, the public model predicts {known.name} in {known.unit}."
            )
        self.data_ = data
        self.builder_ = MixFeatures().fit(data.features, age=data.age, units=data.units, property=data.name)
        design = self.builder_.design(data.features)
        effect = getattr(getattr(self.public, "local_", None), "model_", None)
        self.transfer_ = TransferModel(effect=effect, random_state=self.random_state)
        self.transfer_.fit(design, data.target, self._public(data.features), mix=data.mix, noise=_mean_variance(data))
        weights = np.array(list(self.transfer_.weights_.values()))
        unseen = {
            "mean": self.transfer_.oof_ @ weights, "spread": self.transfer_.oof_spread_,
            "disagreement": self.transfer_.oof_.std(axis=1),
        }  # fmt: skip
        self.intervals_ = ConformalIntervals(random_state=self.random_state, non_negative=data.target.min() >= 0)
        self.intervals_.fit(design, data, unseen)
        return self

    def predict(self, X: Any, interval: float | None = None) -> FloatArray | pd.DataFrame:
        """Expected value of each row; with `interval` a table.

        Parameters
        ----------
        X : pandas.DataFrame, mapping or path
        interval : float, optional
            Level, e.g. 0.9.

        Returns
        -------
        ndarray, or pandas.DataFrame
            ``mean``, ``lower``, ``upper``, and ``public``: what the public model says alone.
        """
        import pandas as pd

        features = read_features(X, self.data_)
        design = self.builder_.design(features)
        public = self._public(features)
        mean = self.transfer_.predict(design, public)
        if interval is None:
            return mean
        apart = self.transfer_.predict_ways(design, public).iloc[:, :-1].to_numpy().std(axis=1)
        lower, upper = self.intervals_.interval(design, mean, self.transfer_.spread(design, public), apart, interval)
        index = X.index if isinstance(X, pd.DataFrame) else features.index
        return pd.DataFrame({"mean": mean, "lower": lower, "upper": upper, "public": public}, index=index)

    def report(self) -> str:
        """How much each way is trusted, and why."""
        return self.transfer_.report()

    def _public(self, features: pd.DataFrame) -> FloatArray:
        table = features if self.columns is None else public_columns(features, self.columns)
        return np.asarray(self.public.predict(table), dtype=np.float64)


def _mean_variance(data: TrainingData) -> FloatArray | None:
    """Variance of each row's mean from its specimens, NaN where not stated; None if nowhere."""
    stated = np.isfinite(data.y_sd) & (data.y_sd > 0) & (data.y_n >= 2)
    return np.where(stated, data.y_sd**2 / np.maximum(data.y_n, 1.0), np.nan) if stated.any() else None
