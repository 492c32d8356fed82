"""Several properties of the same mixes: one model each, what one learns from another, and from results already there.

Every property has its own `PropertyModel`, fitted to the rows that have it. A property with few tests may look at what
the models of better-tested ones expect of a mix, if that makes its error on unseen mixes smaller. When some properties
of a new mix have been measured, their errors tell of those of the others: predictions move, intervals shrink.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from ..errors import ModelError, UnknownNameError, suggest
from .cells import numbers
from .design import FloatArray, IntArray
from .known_results import read_known
from .multi_report import notices, report
from .property_model import Progress, PropertyModel
from .residual_bond import ResidualBond
from .scores import Scores
from .sharing import Sharing, predicted_name, share
from .table import TrainingData, read_table, table_of
from .targets import by_target, check_tested, target_columns
from .unseen import Unseen, halves, of_new, predict_unseen, unseen_tests

if TYPE_CHECKING:
    import pandas as pd

    from .card import ModelCard


class PropertyModels(BaseEstimator):  # type: ignore[misc]
    """Models of several properties of the same mixes.

    Parameters
    ----------
    targets : sequence of str
        Columns of the properties; names without a unit will do.
    unit : mapping of str to str, optional
        Units of targets whose column does not say it.
    share : {"auto", "never"}
        Whether a property may look at what the models of better-tested ones expect of a mix. "auto" keeps that only
        where unseen mixes say so.
    learner, monotone, n_folds, protocols, non_negative, random_state
        Of each `PropertyModel`.

    Attributes
    ----------
    models_ : dict of str to PropertyModel
        By name of the target without unit, in the order of `targets`.
    scores_ : dict of str to Scores
    sharing_ : dict of str to Sharing
        What looking at other properties changed, where it was tried.
    bond_ : ResidualBond
        How errors of different properties of one mix go together.
    gain_ : pandas.DataFrame
        By how much results of others sharpen a prediction (`ResidualBond.gain`).
    notices_ : tuple of Notice
    """

    def __init__(
        self,
        targets: Sequence[str] = (),
        *,
        unit: Mapping[str, str] | None = None,
        share: str = "auto",
        learner: str | Sequence[str] = "auto",
        monotone: str = "auto",
        n_folds: int = 5,
        protocols: Sequence[str] = ("source", "time", "mix", "row"),
        non_negative: str | bool = "auto",
        random_state: int = 0,
    ) -> None:
        self.targets = targets
        self.unit = unit
        self.share = share
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
        *,
        groups: Any = None,
        mix: Any = None,
        source: Any = None,
        time: Any = None,
        drop: Sequence[str] = (),
        sd: Mapping[str, str] | None = None,
        n: Mapping[str, str] | None = None,
        progress: Progress | None = None,
        **options: Any,
    ) -> PropertyModels:
        """Fit a model of each property, choose what is shared, and learn how their errors go together.

        Parameters
        ----------
        X : pandas.DataFrame, xarray.Dataset or path
            One row a mix (and age); an empty cell where a property was not tested.
        groups, mix, source, time, drop, progress
            As in `PropertyModel.fit`; the same for all properties. No target is a feature of another. Other results
            in the table must be named in `drop` (or `features` given): `read_table` refuses those it recognises.
        sd, n : mapping of str to str, optional
            Columns of standard deviation and number of specimens, by target.
        **options
            `features`, `age`, `units`, `licence`, `origin` of `read_table`.

        Returns
        -------
        PropertyModels
            itself

        Raises
        ------
        ModelError
            If a target has no value, or fewer than 5 mixes; or there are fewer than two targets.
        UnknownNameError
            If a target is not in the table.
        """
        import pandas as pd

        if self.share not in ("auto", "never"):
            raise ModelError(f"share = {self.share!r}: expected 'auto' or 'never'.")
        frame, place = table_of(X)
        frame.attrs.clear()
        columns = target_columns(self.targets, frame, place)
        units = by_target("unit", self.unit, columns)
        tested = pd.DataFrame({name: numbers(frame, c, place) for name, c in columns.items()})
        some = np.flatnonzero(tested.notna().any(axis=1).to_numpy())
        check_tested(tested, place)
        frame = frame.iloc[some].reset_index(drop=True)
        given = {"mix": groups if mix is None else mix, "source": source, "time": time}
        given = {k: v if v is None or isinstance(v, str) else np.asarray(v)[some] for k, v in given.items()}
        tested = tested.iloc[some].reset_index(drop=True)
        specimens = {k: by_target(k, v, columns) for k, v in (("sd", sd), ("n", n))}
        drop = list(dict.fromkeys([*drop, *columns.values(), *(c for of in specimens.values() for c in of.values())]))
        every = read_table(frame.assign(__any__=1.0), "__any__", drop=drop, **given, **options)
        names = np.asarray(every.mix_names)[every.mix]
        tables: dict[str, TrainingData] = {}
        for name, column in columns.items():
            others = [c for c in drop if c != column]
            others += [given["mix"]] if isinstance(given["mix"], str) and given["mix"] else []
            own: dict[str, Any] = {k: of[name] for k, of in specimens.items() if name in of}
            data = read_table(
                frame, column, drop=others, **(given | {"mix": names}), unit=units.get(name), **own, **options
            )
            tables[name] = replace(data, mix_from=every.mix_from, origin=data.origin or place)
        rows = {name: np.flatnonzero(tested[name].notna().to_numpy()) for name in columns}
        self._fit_all(tables, frame, rows, progress)
        self.bond_ = self._bond(tables, rows, every)
        self.gain_ = self.bond_.gain()
        measured = {name: data.unit for name, data in tables.items()}
        self.notices_ = notices(self.sharing_, self.bond_, measured, bool(every.age) and self.share == "auto")
        return self

    def _fit_all(
        self, tables: Mapping[str, TrainingData], frame: pd.DataFrame, rows: Mapping[str, IntArray],
        progress: Progress | None,
    ) -> None:  # fmt: skip
        """Models in the order of the number of tests, each alone and with what is expected of those before it."""
        self.order_ = tuple(sorted(tables, key=lambda name: -len(tables[name])))
        self.sharing_: dict[str, Sharing] = {}
        models: dict[str, PropertyModel] = {}
        expected: dict[str, FloatArray] = {}
        options = {k: v for k, v in self.get_params().items() if k not in ("targets", "unit", "share")}
        for name in self.order_:
            data = tables[name]
            model = PropertyModel(name, **options).fit(data, progress=progress)
            if expected and self.share == "auto" and not data.age:
                of_rows = {other: values[rows[name]] for other, values in expected.items()}
                model, self.sharing_[name] = share(model, data, of_rows, progress)
            models[name] = model
            if self.share == "auto" and not data.age and name != self.order_[-1]:
                expected[name] = self._expect(model, frame.assign(**_as_columns(expected))).mean
        self.models_ = {name: models[name] for name in tables}

    def _expect(self, model: PropertyModel, frame: pd.DataFrame) -> Unseen:
        return predict_unseen(model, model.read_mixes(frame), [predicted_name(n) for n in self.order_])

    def _bond(self, tables: Mapping[str, TrainingData], rows: Mapping[str, IntArray], every: TrainingData) -> Any:
        """Standardised errors by mix and age; repeats are their mean."""
        age = every.features[every.age].to_numpy() if every.age else np.zeros(len(every))
        keys, unit = np.unique(np.column_stack([every.mix, age]), axis=0, return_inverse=True)
        unit = unit.ravel()
        z, scale = np.full((2, len(keys), len(tables)), np.nan)
        for j, name in enumerate(tables):
            own = unseen_tests(self.models_[name])
            there = np.flatnonzero(np.isfinite(own.mean))
            at = unit[rows[name][there]]
            count = np.bincount(at, minlength=len(keys)).astype(np.float64)
            count[count == 0] = np.nan
            error = (tables[name].target[there] - own.mean[there]) / own.scale[there]
            z[:, j] = np.bincount(at, error, len(keys)) / count
            scale[:, j] = np.bincount(at, own.scale[there], len(keys)) / count
        mix = keys[:, 0].astype(np.int64)
        group = mix
        if every.source is not None and any(m._kind() == "source" for m in self.models_.values()):
            group = every.source[np.unique(unit, return_index=True)[1]]
        return ResidualBond(tuple(tables), z, scale, mix, group, self.random_state)

    # -- predicting
    def predict(
        self,
        X: Any,
        interval: float | None = None,
        *,
        known: Mapping[str, Any] | pd.DataFrame | bool | None = None,
        on_outside: str = "widen",
    ) -> pd.DataFrame:
        """Predict all properties of mixes, given what has been measured of them.

        Parameters
        ----------
        X : pandas.DataFrame, mapping, xarray.Dataset or path
            As in `PropertyModel.predict`.
        interval : float, optional
            Probability that the result of a new test lies within, e.g. 0.9.
        known : mapping of str to array_like, or DataFrame, or True, optional
            Results that are there already, by property: one number for all rows or one for each, NaN where a mix was
            not tested. A unit at the end of a name is converted. ``True`` takes the columns of `X` that are named as
            targets.
        on_outside : {"widen", "refuse", "ignore"}
            As in `PropertyModel.predict`.

        Returns
        -------
        pandas.DataFrame
            Without an interval one column of means for each property. With one, two levels of columns: the property,
            then ``mean``, ``lower``, ``upper``, ``in_domain``, ``reasons``; ``predict(...)["strength_28d"]`` is what
            that property's model alone would give. ``attrs``: ``units``, ``interval``, ``known``, ``warnings``.

        Raises
        ------
        UnknownNameError
            If a known property is none of the targets.
        UnitError
            If the unit of a known result is not convertible.
        ModelError
            If known results are not finite, or not one for each row.

        Notes
        -----
        A result moves the prediction of the *other* properties, never its own. It never makes an interval wider. A
        result further from its prediction than three standard deviations counts as three, and is named in
        ``attrs["warnings"]``: it may be a wrong test.
        """
        import pandas as pd

        frame, place = table_of(X)
        frame = self._with_expected(frame)
        measured = read_known(known, frame, {n: (m._table().unit, m.bounded) for n, m in self.models_.items()}, place)
        z, warnings = self._errors_of(measured, frame)
        parts: dict[str, Any] = {}
        for name, model in self.models_.items():
            found = model.predict(frame, interval, on_outside=on_outside)
            out = pd.DataFrame({"mean": found}) if interval is None else found
            parts[name] = self._sharpened(name, out, z, frame, interval, on_outside) if measured else out
        if interval is None:
            table = pd.DataFrame({name: part["mean"] for name, part in parts.items()})
        else:
            for part in parts.values():
                part.attrs.clear()
            table = pd.concat(parts, axis=1, names=["property", ""])
        table.attrs.update(
            units={name: m._table().unit for name, m in self._fitted().items()}, interval=interval,
            known=sorted(measured), warnings=warnings,
        )  # fmt: skip
        return table

    def _with_expected(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The table with a column for each property that another model looks at."""
        self._fitted()
        wanted = {other for s in self.sharing_.values() if s.used for other in s.others}
        for name in self.order_:
            if name in wanted:
                frame = frame.assign(**_as_columns({name: self._expect(self.models_[name], frame).mean}))
        return frame

    def _errors_of(self, measured: Mapping[str, FloatArray], frame: pd.DataFrame) -> tuple[FloatArray, list[str]]:
        """Standardised errors of the known results, shape (n_rows, n_targets), and what looks wrong among them."""
        names = self.bond_.targets
        z = np.full((len(frame), len(names)), np.nan)
        for name, values in measured.items():
            before = self._expect(self.models_[name], frame)
            z[:, names.index(name)] = (values - before.mean) / (before.scale * before.stretch)
        rows, columns = np.nonzero(self.bond_.beyond(z))
        return z, [
            f"row {i + 1}: {names[j]} = {measured[names[j]][i]:g} is further from its prediction than nearly all tests "
            f"the model was fitted to; it counts as three standard deviations. Check the test."
            for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
        ]

    def _sharpened(
        self, name: str, out: pd.DataFrame, z: FloatArray, frame: pd.DataFrame, interval: float | None, on_outside: str
    ) -> pd.DataFrame:
        """A prediction given the errors of other properties of the same mix."""
        model = self.models_[name]
        shift, left = self.bond_.condition(name, z)
        at = np.flatnonzero(left < 1.0)
        if not len(at):
            return out
        new = of_new(model, model.read_mixes(frame.iloc[at].reset_index(drop=True)))
        size = new.scale * (new.stretch if on_outside == "widen" else 1.0)
        centre = out["mean"].to_numpy().copy()
        centre[at] = model._bounded(centre[at] + shift[at] * size)
        if interval is not None:
            _, below, above = halves(out, model.bounded)
            held = self.bond_.half_width(name, z[at], interval) * size
            for column, sign, half in (("lower", -1.0, below), ("upper", 1.0, above)):
                ends = out[column].to_numpy().copy()
                ends[at] = model._bounded(centre[at] + sign * np.minimum(half[at], held))
                out[column] = ends
        out["mean"] = centre
        return out

    # -- looking at it
    @property
    def scores_(self) -> dict[str, Scores]:
        """Scores of each property's model."""
        return {name: model.scores_ for name, model in self._fitted().items()}

    def __getitem__(self, name: str) -> PropertyModel:
        """The model of one property."""
        models = self._fitted()
        if name not in models:
            raise UnknownNameError(f"There is no model of '{name}'.{suggest(name, models)}")
        return models[name]

    def card(self, lang: str = "en") -> dict[str, ModelCard]:
        """The card of each property's model; see `PropertyModel.card`."""
        return {name: model.card(lang) for name, model in self._fitted().items()}

    def report(self) -> str:
        """What a person reads: scores of each property, what is shared, what results of one tell of another."""
        return report(self)

    def __str__(self) -> str:
        return self.report() if hasattr(self, "models_") else repr(self)

    def __repr__(self) -> str:
        models: Mapping[str, PropertyModel] = getattr(self, "models_", {})
        if not models:
            return f"PropertyModels({list(self.targets)}, not fitted)"
        said = "; ".join(
            f"{n} {m.scores_.headline.label} RMSE {m.scores_.headline.rmse:.3g} {m._table().unit}".rstrip()
            for n, m in models.items()
        )
        return f"<PropertyModels: {said}>"

    def _fitted(self) -> dict[str, PropertyModel]:
        models: dict[str, PropertyModel] | None = getattr(self, "models_", None)
        if models is None:
            raise ModelError("These models are not fitted. Call fit(table) first, or PropertyModels.load(path).")
        return models

    # -- keeping
    def save(self, path: str | Path, **options: Any) -> Path:
        """Save as a folder of model folders; see `wastelab.models.multi_folder.save_models`."""
        from .multi_folder import save_models

        save_models(self, path, **options)
        return Path(path)

    @classmethod
    def load(cls, path: str | Path, *, fingerprint: str = "") -> PropertyModels:
        """Load what `save` saved; see `wastelab.models.multi_folder.load_models`."""
        from .multi_folder import load_models

        return load_models(path, fingerprint=fingerprint)


def _as_columns(expected: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    return {predicted_name(name): values for name, values in expected.items()}
