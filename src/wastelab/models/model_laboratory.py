"""What a property model knows of one laboratory: first tests to make, calibration to a few of them, a known source."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import MissingDataError, ModelError, UnknownNameError, suggest
from .design import FloatArray
from .local_effect import LocalEffect
from .replicates import mean_variance
from .table import SOURCE_COLUMNS, read_results, table_of

if TYPE_CHECKING:
    import pandas as pd

    from .property_model import PropertyModel


class Laboratory:
    """Methods of a `PropertyModel` that are about one source of tests."""

    def calibrate(  # type: ignore[misc]
        self: PropertyModel,
        X: Any,
        y: ArrayLike | str | None = None,
        *,
        sd: ArrayLike | None = None,
        n: ArrayLike | None = None,
    ) -> PropertyModel:
        """The same model for a laboratory that the training table does not have, given a few of its tests.

        Parameters
        ----------
        X : pandas.DataFrame, mapping or path
            Local tests: columns as in the training table.
        y : array_like, shape (n_tests,), or str, optional
            Results, or their column; by default the column of the target.
        sd, n : array_like, optional
            Standard deviation and number of specimens of each test.

        Returns
        -------
        PropertyModel
            A copy: predictions are corrected by what the laboratory's tests share, intervals are as narrow as they
            allow. ``effect_.report()`` says what the tests told. Calibrated again, it knows both sets of tests.

        Raises
        ------
        MissingDataError
            If the model knows nothing of how laboratories differ (a table of one source).
        ModelError
            If results are missing or not finite.
        """
        if self.local_ is None:
            raise MissingDataError(
                "This model was fitted to tests of one source (or none named): it does not know how laboratories "
                "differ. Fit it to a table with a source column, or transfer from it: wastelab.models.transfer."
            )
        frame, values = self._own_tests(X, y)
        features = self.read_mixes(frame)
        specimens = np.asarray(1.0 if n is None else n, dtype=np.float64)
        noise = np.full(len(values), np.nan)
        if sd is not None:
            noise = mean_variance(np.asarray(sd, dtype=np.float64), np.broadcast_to(specimens, values.shape))
        if self.own_tests_ is not None:  # tests of an earlier call count on
            import pandas as pd

            features = pd.concat([self.own_tests_["features"], features], ignore_index=True)
            values = np.concatenate([self.own_tests_["results"], values])
            noise = np.concatenate([self.own_tests_["noise"], noise])
        design = self._not_before(self.builder_.design(features))
        model = copy.copy(self)
        model.own_tests_ = {"features": features, "results": values, "noise": noise}
        model.effect_ = self.local_.condition(
            design, values, self._blended(design, "source"), noise=noise if np.isfinite(noise).any() else None
        )
        return model

    def _own_tests(self: PropertyModel, X: Any, y: Any) -> tuple[Any, FloatArray]:  # type: ignore[misc]
        """Table and results of a laboratory's own tests, in the unit of the model."""
        frame, place = table_of(X)
        places = next((c for c in frame.columns if str(c).lower() in SOURCE_COLUMNS), None)
        if places is not None and frame[places].nunique() > 1:
            named = ", ".join(map(str, frame[places].unique()[:5]))
            raise ModelError(
                f"{place}: column '{places}' names several sources ({named}). A model is calibrated to one laboratory: "
                f"give the tests of one."
            )
        if y is None or isinstance(y, str):
            return frame, read_results(frame, self._table(), y)
        values = np.asarray(y, dtype=np.float64)
        if values.shape != (len(frame),):
            raise ModelError(
                f"{place}: y has shape {values.shape}; expected one result for each of {len(frame)} tests."
            )
        empty = np.flatnonzero(~np.isfinite(values))
        if len(empty):
            raise ModelError(f"{place}, row {empty[0] + 1}: the result is {values[empty[0]]}. Leave the row out.")
        return frame, values

    def first_tests(self: PropertyModel, candidates: Any, n: int = 3) -> pd.DataFrame:  # type: ignore[misc]
        """Which mixes a new laboratory should test first, so that the model knows most about all candidates.

        Parameters
        ----------
        candidates : pandas.DataFrame or path
            Mixes that could be tested.
        n : int

        Returns
        -------
        pandas.DataFrame
            See `wastelab.models.local.SourceEffect.first_tests`.

        Raises
        ------
        MissingDataError
            If the model knows nothing of how laboratories differ: `suggest` with ``strategy="learn"`` then says what
            to test.
        """
        if self.local_ is None:
            raise MissingDataError(
                "This model was fitted to tests of one source: it does not know how laboratories differ. To learn "
                "most about a property use suggest(candidates, n, strategy='learn')."
            )
        design = self.builder_.design(self.read_mixes(candidates))
        predicted = self._spoken(design)
        if self.effect_ is not None:
            return self.effect_.first_tests(design, n, predicted=predicted)
        return self.local_.first_tests(design, n, predicted=predicted)

    def _effect_of(self: PropertyModel, source: str | None) -> tuple[LocalEffect | None, str]:  # type: ignore[misc]
        """What is known of the laboratory that is asked about, and what its mixes are to the members."""
        if source is None:
            return self.effect_, self._kind()
        if self.data_ is None or self.data_.source is None or self.known_ is None:
            raise ModelError("source: the table this model was fitted to names no sources (or was not kept with it).")
        if source not in self.data_.source_names:
            raise UnknownNameError(
                f"There is no source {source!r} in the training table.{suggest(source, self.data_.source_names)} For "
                f"a new laboratory use calibrate() with its first tests."
            )
        rows = np.flatnonzero(self.data_.source == self.data_.source_names.index(source))
        predicted = self.oof_["mean"].to_numpy()[rows]
        rows, predicted = rows[np.isfinite(predicted)], predicted[np.isfinite(predicted)]
        design = self._not_before(self.builder_.design(self.data_.features.iloc[rows]))
        return self.known_.condition(design, self.data_.target[rows], predicted), "mix"
