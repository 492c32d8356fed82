"""From a table of mixes to a design: its columns, what is derived from them with source, the age, categories.

Words and units of columns are those of ``datasets/vocabulary/mix_columns.toml``, formulas those of
`wastelab.models.features`. What a table lacks is not made; what a row lacks is missing in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..errors import ModelError, UnknownNameError, suggest
from .design import Design, Feature, FloatArray, Ratio
from .features import CATALOGUE, Offer
from .features.age import DATUM, FREIESLEBEN_HANSEN_PEDERSEN, MATURITY, SAUL, VALID, holds, log_age
from .features.cells import codes_of, is_text, levels_of, twin
from .features.entries import (
    derived_feature,
    feature_from_dict,
    feature_to_dict,
    input_feature,
    level_feature,
    property_unit,
)
from .features.plan import Env, Step, needed, ordered, run
from .words import Meaning, grows_with_age, heading, is_stress, meaning

if TYPE_CHECKING:
    import pandas as pd

_MATURITY_SOURCES = {"freiesleben_hansen_pedersen": FREIESLEBEN_HANSEN_PEDERSEN, "nurse_saul": SAUL}
#: Name of the column that holds the logarithm of the age, and of the equivalent age.
AGE, EQUIVALENT_AGE = "ln age", "ln equivalent age"


@dataclass(frozen=True)
class _Made:
    """A column of the design: from which column or step its numbers are, and of which level it is the indicator."""

    feature: Feature
    origin: str
    level: str | None = None


class MixFeatures:
    """Builds the design of a table of mixes.

    Parameters
    ----------
    maturity : {"auto", "freiesleben_hansen_pedersen", "nurse_saul", "none"}
        Equivalent age at 20 degC where the table has a curing temperature; by default the first where there is a column
        of cement and temperatures differ.
    derived : bool
        Whether features are derived, or the table's own columns taken as they are.

    Attributes
    ----------
    features_ : tuple of Feature
        Columns of the design: inputs, derived, the age, categories.
    meanings_ : dict of str to str
        Role of each column whose name says one: ``{"cement_kg_m3": "cement"}``.
    constants_ : dict
        Columns that were constant (their value), or empty in all rows (None): nothing can be learned of them.
    levels_ : dict of str to list of str
        Levels of each text column.
    notices_ : tuple of str
        What was left out and why, what was not understood.

    Notes
    -----
    The estimator follows scikit-learn's conventions of parameters without importing it: predictions of a loaded model
    do not need it.
    """

    def __init__(self, maturity: str = "auto", derived: bool = True) -> None:
        self.maturity = maturity
        self.derived = derived

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name."""
        return {"maturity": self.maturity, "derived": self.derived}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name."""
        for name, value in params.items():
            if name not in self.get_params():
                raise UnknownNameError(f"MixFeatures has no parameter '{name}'.{suggest(name, self.get_params())}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        return f"MixFeatures(maturity={self.maturity!r}, derived={self.derived!r})"

    # -- learning what there is
    def fit(
        self,
        features: pd.DataFrame,
        *,
        age: str = "",
        units: Mapping[str, str] | None = None,
        property: str = "",
        property_unit: str = "",
    ) -> Self:
        """Learn the columns of a table, and which derived features say something new in it.

        Parameters
        ----------
        features : pandas.DataFrame
            float64 columns, and text columns that are categories.
        age : str
            Column of the age [d], or empty.
        units : mapping of str to str, optional
            Of columns whose names do not end in one.
        property : str
            What is to be predicted: strengths do not fall with age.
        property_unit : str
            Its unit, where its name does not end in it.

        Returns
        -------
        MixFeatures
            Itself.

        Raises
        ------
        UnitError
            If a column cannot be what its name says in its unit, or amounts are in grams and tonnes.
        ModelError
            If nothing can be learned from the table, or a test has an age of 0 or below.
        """
        if self.maturity not in ("auto", "none", *MATURITY):
            raise UnknownNameError(
                f"maturity = {self.maturity!r} is none of auto, none, {', '.join(MATURITY)}."
                f"{suggest(self.maturity, ['auto', 'none', *MATURITY])}"
            )
        if age and age not in features.columns:
            raise UnknownNameError(f"There is no column '{age}' for the age.{suggest(age, features.columns)}")
        said = dict(units or {})
        self.age_, self.property_ = age, property
        self.columns_ = {str(c): bool(is_text(features, c)) for c in features.columns}
        self.levels_ = {c: levels_of(features[c]) for c, text in self.columns_.items() if text}
        env = self._env(features)
        if age:
            log_age(env[age], column=age, tested=True)  # raises where one cannot be
        known = [m for c, text in self.columns_.items() if not text and c != age and (m := meaning(c, said.get(c)))]
        self.units_ = {c: said.get(c) or heading(c)[1] for c in self.columns_} | {
            m.column: m.unit for m in known if m.unit is not None
        }
        self.meanings_ = {m.column: m.role for m in known}
        self.constants_: dict[str, float | str | None] = {}
        notices: list[str] = []
        made = [_Made(input_feature(c, self.units_[c]), c) for c in self._varying(env) if c != age]
        kept: FloatArray = np.column_stack([env[m.origin] for m in made]) if made else np.empty((len(features), 0))
        self.steps_: list[Step] = []
        if self.derived:
            made += self._derive(known, env, kept, made, notices)
        if age:
            made.append(self._age(known, env, notices))
            notices += _may_fall(property, property_unit)
        for column, levels in self.levels_.items():
            if column not in self.constants_:
                made += [_Made(level_feature(column, level), column, level) for level in levels]
        if not made:
            raise ModelError("every column of the table is constant or empty: nothing can be learned from it.")
        if self.constants_:
            told = ", ".join(f"{c} ({'empty' if v is None else v})" for c, v in self.constants_.items())
            notices.append(f"the same in all rows, so nothing is learned of: {told}")
        self._made = made
        self.features_ = tuple(m.feature for m in made)
        self.notices_ = tuple(notices)
        return self

    def _varying(self, env: Env) -> list[str]:
        """Numeric columns that are not constant; of the others, and of texts of one level, the value is remembered."""
        out = []
        for column, text in self.columns_.items():
            values = env[column]
            if text:
                if len(self.levels_[column]) < 2:
                    self.constants_[column] = self.levels_[column][0] if self.levels_[column] else None
                continue
            there = values[~np.isnan(values)]
            if not there.size:
                self.constants_[column] = None
            elif column != self.age_ and np.all(there == there[0]):
                self.constants_[column] = float(there[0])
            else:
                out.append(column)
        return out

    def _derive(
        self, known: list[Meaning], env: Env, kept: FloatArray, inputs: list[_Made], notices: list[str]
    ) -> list[_Made]:
        """Features whose inputs are columns, less what is constant or repeats a column."""
        offer = Offer(known, self.levels_, tuple(self.columns_))
        wanted = [(entry, step) for entry in CATALOGUE for step in entry.make(offer)]
        wanted = [(e, replace(s, name=offer.key(s.name)) if s.name not in offer.helpers else s) for e, s in wanted]
        notices += offer.notices
        steps = list({s.name: s for s in [*offer.helpers.values(), *(s for _, s in wanted)]}.values())
        values = run(ordered(steps), env)
        out: list[_Made] = []
        names, same, constant = [m.feature.name for m in inputs], [], []
        for entry, step in wanted:
            column = values[step.name]
            there = column[~np.isnan(column)]
            if not there.size or np.ptp(there) <= max(1e-12 * np.abs(there).max(), entry.least):
                constant.append(step.name)
                continue
            repeated = twin(column, kept)
            if repeated is not None:
                same.append(f"{step.name} (says what {names[repeated]} says)")
                continue
            unit = entry.unit or (offer.basis if entry.name == "binder" else "")
            unit = unit or (property_unit(step) if step.how == "blend" else "")
            out.append(_Made(derived_feature(step, entry.formula, entry.source, unit, self.columns_, offer), step.name))
            kept, names = np.column_stack([kept, column]), [*names, step.name]
        if constant:
            notices.append(f"derived features without information in these rows: {', '.join(constant)}")
        if same:
            notices.append(f"derived features that repeat a column: {', '.join(same)}")
        self.steps_ = needed(ordered(steps), {m.origin for m in out})
        return out

    def _age(self, known: list[Meaning], env: Env, notices: list[str]) -> _Made:
        """The column of the age: of the equivalent age where temperatures of curing differ."""
        by_role = {m.role: m for m in reversed(known) if m.unit is not None}
        heat, time = by_role.get("curing_temperature"), by_role.get("curing_time")
        name = self.maturity
        if name == "auto":
            cement = any(m.role in ("cement", "clinker") for m in known)
            name = "freiesleben_hansen_pedersen" if cement and heat and heat.column not in self.constants_ else "none"
        monotone = int(grows_with_age(self.property_))
        if name == "none" or heat is None:
            if heat is None and self.maturity in MATURITY:
                notices.append("no equivalent age: the table has no column of the curing temperature with a unit")
            feature = Feature(
                AGE, "ln d", "age", f"ln({self.age_})", None, (self.age_,), monotone, Ratio({self.age_: 1.0}), True
            )
            return _Made(feature, self.age_)
        inputs: dict[str, list[Any]] = {
            "age": [self.age_, 1.0, 0.0],
            "temperature": [heat.column, heat.slope, heat.offset],
        }
        if time is not None and time.column not in self.constants_:
            inputs["duration"] = [time.column, time.slope, time.offset]
        step = Step("equivalent age", "equivalent_age", {"inputs": inputs, "constants": {"maturity": name}})
        self.steps_ = [*self.steps_, step]
        degrees = heat.slope * env[heat.column] + heat.offset
        outside = int((~np.isnan(degrees) & ~holds(degrees, name)).sum())
        unknown = int(np.isnan(degrees).sum())
        span = f"{VALID[0]:g} to {VALID[1]:g} degC"
        span += f" (and at {DATUM:g} degC)" if name == "nurse_saul" else ""
        if outside:
            notices.append(
                f"{outside} rows were cured outside {span}, where no equivalent age holds: theirs is the age"
            )
        if unknown:
            notices.append(f"{unknown} rows tell no curing temperature: their equivalent age is the age, as at 20 degC")
        text = f"ln(equivalent age of {', '.join(entry[0] for entry in inputs.values())} at 20 degC; the age itself "
        text += f"where the temperature is not known or outside {span})"
        feature = Feature(
            EQUIVALENT_AGE, "ln d", "age", text, _MATURITY_SOURCES[name], tuple(e[0] for e in inputs.values()), monotone
        )
        return _Made(feature, step.name)

    # -- using it
    def design(self, features: pd.DataFrame) -> Design:
        """The design of mixes.

        Parameters
        ----------
        features : pandas.DataFrame
            With the columns of the table that was fitted to, in its units; see `read_features`. Others are not looked
            at.

        Returns
        -------
        Design
            NaN where an input is missing, and in all columns of a category whose level was not seen. A missing age
            stays missing; age 0 is `features.age.LEAST_AGE`.

        Raises
        ------
        UnknownNameError
            If a column is missing.
        ModelError
            If an age is below 0.
        """
        lacking = [c for c in self.columns_ if c not in features.columns]
        if lacking:
            raise UnknownNameError(
                f"There is no column '{lacking[0]}', which the features need.{suggest(lacking[0], features.columns)}"
            )
        env = self._env(features)
        values = run(self.steps_, env)
        out = np.empty((len(features), len(self._made)))
        for j, made in enumerate(self._made):
            if made.level is not None:
                code = env[made.origin]
                out[:, j] = np.where(code < 0, np.nan, code == self.levels_[made.origin].index(made.level))
            elif made.feature.kind == "age":
                log_age(env[self.age_], column=self.age_)  # raises where one cannot be
                out[:, j] = log_age(values[made.origin], column=made.origin)
            else:
                out[:, j] = values[made.origin]
        return Design(out, self.features_)

    def transform(self, features: pd.DataFrame) -> pd.DataFrame:
        """The design as a DataFrame; units of the columns are in ``attrs["units"]``."""
        import pandas as pd

        frame = pd.DataFrame(self.design(features).values, columns=self.get_feature_names_out(), index=features.index)
        frame.attrs["units"] = {f.name: f.unit for f in self.features_}
        return frame

    def get_feature_names_out(self) -> list[str]:
        """Names of the columns of the design."""
        return [f.name for f in self.features_]

    def _env(self, features: pd.DataFrame) -> Env:
        env: Env = {}
        for column, text in self.columns_.items():
            if text:
                env[column] = codes_of(features[column], self.levels_[column])
            else:
                env[column] = features[column].to_numpy(dtype=np.float64, na_value=np.nan)
        return env

    # -- as JSON
    def to_dict(self) -> dict[str, Any]:
        """All that rebuilds it, of JSON kind; see `from_dict`."""
        return {
            "schema": 1,
            "maturity": self.maturity,
            "derived": self.derived,
            "age": self.age_,
            "property": self.property_,
            "columns": self.columns_,
            "units": self.units_,
            "meanings": self.meanings_,
            "constants": self.constants_,
            "levels": self.levels_,
            "notices": list(self.notices_),
            "steps": [step.to_dict() for step in self.steps_],
            "features": [
                {"origin": m.origin, "level": m.level, **feature_to_dict(m.feature)} for m in self._made
            ],
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MixFeatures:
        """Rebuild what `to_dict` gave.

        Raises
        ------
        ModelError
            If something is missing or of a version that is not known.
        """
        if data.get("schema") != 1:
            raise ModelError(f"features of a model: schema {data.get('schema')!r} is not known; expected 1.")
        try:
            self = cls(data["maturity"], data["derived"])
            self.age_, self.property_ = str(data["age"]), str(data["property"])
            self.columns_, self.units_ = dict(data["columns"]), dict(data["units"])
            self.meanings_, self.constants_ = dict(data["meanings"]), dict(data["constants"])
            self.levels_ = {c: list(v) for c, v in data["levels"].items()}
            self.notices_ = tuple(data["notices"])
            self.steps_ = [Step.from_dict(step) for step in data["steps"]]
            self._made = [_Made(feature_from_dict(f), f["origin"], f["level"]) for f in data["features"]]
        except (KeyError, TypeError, AttributeError) as exc:
            raise ModelError(f"features of a model: {exc} is missing or wrong; save the model again.") from None
        self.features_ = tuple(m.feature for m in self._made)
        return self


# -- helpers of the table
def _may_fall(name: str, unit: str) -> list[str]:
    """A notice where a property in a unit of stress is not known to be a strength."""
    unit = unit or heading(name)[1]
    if not name or not is_stress(unit) or grows_with_age(name):
        return []
    return [
        f"'{name}' is in {unit} but is not known as a strength: predictions may fall with age. If it is one, name it "
        f"so (compressive_strength, 抗压强度)"
    ]
