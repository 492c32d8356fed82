"""Property models compiled to plain arrays: fast, exact in their arithmetic, free of scikit-learn and pandas.

A compiled model is a weighted sum of tree ensembles, Gaussian processes and polynomials over the features of a design,
and knows how most features are computed from the columns of a table, so that screening and optimisation can call it on
bare numbers. One file (.npz, nothing pickled) holds it; what was tampered with is refused.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ModelError, UnknownNameError, suggest
from . import _compiled_kernels as kernels
from .compiled_course import CompiledCourse
from .compiled_gp import GaussianMean
from .compiled_polynomial import Polynomial
from .design import Feature, Ratio
from .tree_grid import check_axis, check_rows
from .trees import Trees

FloatArray = NDArray[np.float64]
Part = Trees | CompiledCourse | GaussianMean | Polynomial
_KINDS: dict[str, Any] = {
    "trees": Trees,
    "course": CompiledCourse,
    "gaussian_process": GaussianMean,
    "polynomial": Polynomial,
}
SCHEMA = 1


@dataclass(frozen=True)
class Member:
    """Part of a compiled model: its name, its weight in the sum, and what it is."""

    name: str
    weight: float
    model: Part

    @property
    def kind(self) -> str:
        """What it is: trees, course, gaussian_process or polynomial."""
        return next(kind for kind, cls in _KINDS.items() if isinstance(self.model, cls))


@dataclass(frozen=True, eq=False, repr=False)
class CompiledModel:
    """Weighted sum of members over the features of a design.

    Attributes
    ----------
    members : tuple of Member
    features : tuple of Feature
        Columns of the design: names, units, and programs.
    floor : float
        What a prediction cannot be below; -inf where there is no such limit.
    target, unit : str
        What is predicted.

    Notes
    -----
    Trees are kept with leaf values rounded to 2^-30 unless asked otherwise, so that their sums are exact and free of
    order: single rows, blocks, grids and threads give the same bits of them. The difference to the library is below
    1e-6 of the unit of the target. Gaussian processes agree with the library, and grids of them with single rows, to
    about 1e-12 of the spread of the target; any number of threads gives the same bits.
    """

    members: tuple[Member, ...]
    features: tuple[Feature, ...]
    floor: float = -np.inf
    target: str = ""
    unit: str = ""

    def __post_init__(self) -> None:
        for member in self.members:
            if member.model.n_features != len(self.features):
                raise ModelError(
                    f"member '{member.name}' takes {member.model.n_features} features, but the model has "
                    f"{len(self.features)}."
                )

    def __repr__(self) -> str:
        return f"CompiledModel of {self.target or 'a target'} [{self.unit}], {len(self.features)} features:" + "".join(
            f"\n  {m.weight:6.3f} x {m.name}: {m.model!r}" for m in self.members
        )

    # -- made from
    @classmethod
    def from_model(cls, model: Any, *, rounded: bool = True) -> CompiledModel:
        """Of a fitted `PropertyModel`.

        Parameters
        ----------
        model : PropertyModel
        rounded : bool, default True
            Whether leaf values of trees are put on a binary grid, see `Trees.rounded`.

        Raises
        ------
        ModelError
            If it is not fitted, or a member is of a kind that is not known here.
        """
        if getattr(model, "learner_", None) is None:
            raise ModelError("the property model is not fitted. Fit it first.")
        return cls.from_learner(
            model.learner_, model.builder_.features_, floor=0.0 if model.bounded else -np.inf,
            target=str(model.data_.name), unit=str(model.data_.unit), rounded=rounded,
        )  # fmt: skip

    @classmethod
    def from_learner(
        cls,
        learner: Any,
        features: Sequence[Feature],
        *,
        floor: float = -np.inf,
        target: str = "",
        unit: str = "",
        rounded: bool = True,
    ) -> CompiledModel:
        """Of a fitted learner (`Blend`, `Boosting`, `ExtraTrees`, `GaussianProcess`, `Ridge`, `Mean`).

        Parameters
        ----------
        learner : learner
        features : sequence of Feature
            Of the design it was fitted to.
        floor, target, unit
            As the attributes.
        rounded : bool, default True
            Whether leaf values of trees are put on a binary grid, see `Trees.rounded`.
        """
        named = getattr(learner, "members", None)
        parts = list(named) if named is not None else [(type(learner).__name__, learner)]
        shares = learner.shares if named is not None else np.ones(1)
        members = tuple(
            Member(str(name), float(share), _compile(part, features, rounded))
            for (name, part), share in zip(parts, shares, strict=True)
        )
        return cls(members, tuple(features), float(floor), target, unit)

    # -- used
    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return tuple(f.name for f in self.features)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Columns that `predict_inputs` expects: of the table, and features themselves that have no program."""
        return self._programs[0]

    def predict(self, X: ArrayLike, *, threads: int = 1) -> FloatArray:
        """Predictions.

        Parameters
        ----------
        X : array_like, shape (n_rows, n_features)
            Values of a design; NaN where something is missing.
        threads : int, default 1
            The result is the same for any number.

        Returns
        -------
        ndarray, shape (n_rows,)
        """
        x = check_rows(X, len(self.features))
        return self._sum([m.model.predict(x, threads=threads) for m in self.members])

    def predict_members(self, X: ArrayLike, *, threads: int = 1) -> dict[str, FloatArray]:
        """Prediction of each member by name, without the floor."""
        return {m.name: m.model.predict(X, threads=threads) for m in self.members}

    def predict_grid(self, X: ArrayLike, axes: Mapping[str, ArrayLike], *, threads: int = 1) -> FloatArray:
        """Predictions of mixes at all combinations of the values of some features.

        Parameters
        ----------
        X : array_like, shape (n_rows, n_features)
            One row for each mix; what stands in the columns of the axes is not looked at.
        axes : mapping of str to array_like
            Values of features, ascending, as in the design (of an age: its logarithm). No other feature may depend on
            them.
        threads : int, default 1

        Returns
        -------
        ndarray, shape (n_rows, *lengths of the axes)
        """
        x = check_rows(X, len(self.features))
        numbered = {self._feature(name): values for name, values in axes.items()}
        return self._sum([m.model.predict_grid(x, numbered, threads=threads) for m in self.members])

    def predict_inputs(
        self, raw: ArrayLike, axes: Mapping[str, ArrayLike] | None = None, *, threads: int = 1
    ) -> FloatArray:
        """Predictions from columns of the table the model was fitted to.

        Parameters
        ----------
        raw : array_like, shape (n_rows, n_inputs)
            Columns `inputs`, in this order and in the units of that table.
        axes : mapping of str to array_like, optional
            Values of some inputs, ascending (of an age: days), to combine every row with. Each must feed one feature
            only, and that feature nothing else.
        threads : int, default 1

        Returns
        -------
        ndarray, shape (n_rows,) or (n_rows, *lengths of the axes)

        Raises
        ------
        ModelError
            If the columns do not fit, or an axis feeds several features.
        """
        design = self.design_values(raw)
        if not axes:
            return self.predict(design, threads=threads)
        along: dict[str, FloatArray] = {}
        for name, values in axes.items():
            if name not in self.inputs:
                raise UnknownNameError(f"there is no input '{name}'.{suggest(name, self.inputs)}")
            column = self.inputs.index(name)
            fed = [f for f, own in enumerate(self._feeds) if column in own]
            if len(fed) != 1 or self._feeds[fed[0]] != {column}:
                told = ", ".join(f"'{self.features[f].name}'" for f in fed)
                raise ModelError(f"input '{name}' cannot be an axis: it feeds {told} together with other inputs.")
            points = np.zeros((len(np.atleast_1d(values)), len(self.inputs)))
            points[:, column] = check_axis(column, values, len(self.inputs))
            along[self.features[fed[0]].name] = self.design_values(points)[:, fed[0]]
        return self.predict_grid(design, along, threads=threads)

    def design_values(self, raw: ArrayLike) -> FloatArray:
        """Features from inputs: array (n_rows, n_inputs) to (n_rows, n_features), NaN where one cannot be computed."""
        x = check_rows(raw, len(self.inputs))
        out = np.empty((len(x), len(self.features)))
        kernel: Any = kernels.compute_features
        kernel(x, *self._programs[1], out)
        return out

    def _sum(self, parts: list[FloatArray]) -> FloatArray:
        total = np.zeros(parts[0].shape) if parts else np.zeros(0)
        for member, part in zip(self.members, parts, strict=True):
            total += member.weight * part
        return np.maximum(total, self.floor) if self.floor > -np.inf else total

    def _feature(self, name: str) -> int:
        if name not in self.names:
            raise UnknownNameError(f"there is no feature '{name}'.{suggest(name, self.names)}")
        return self.names.index(name)

    @cached_property
    def _programs(self) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        programs = [f.program or Ratio({f.name: 1.0}) for f in self.features]
        inputs = tuple(dict.fromkeys(name for p in programs for name in (*p.numerator, *p.denominator)))
        place = {name: i for i, name in enumerate(inputs)}
        forms: list[Any] = []
        for side in ([p.numerator for p in programs], [p.denominator for p in programs]):
            forms.append(np.cumsum([0, *map(len, side)]))
            forms.append(np.array([place[name] for form in side for name in form], dtype=np.int64))
            forms.append(np.array([weight for form in side for weight in form.values()], dtype=np.float64))
        scale = np.array([p.scale for p in programs], dtype=np.float64)
        offset = np.array([p.offset for p in programs], dtype=np.float64)
        log = np.array([f.log and f.program is not None for f in self.features], dtype=np.bool_)
        return inputs, (*forms, scale, offset, log)

    @cached_property
    def _feeds(self) -> list[set[int]]:
        """Inputs of each feature."""
        over_start, over, _, under_start, under, *_ = self._programs[1]
        return [
            {*over[over_start[f] : over_start[f + 1]].tolist(), *under[under_start[f] : under_start[f + 1]].tolist()}
            for f in range(len(self.features))
        ]

    # -- kept
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything as arrays, for a file: numbers, and a description as JSON in bytes; see `from_arrays`."""
        meta = {
            "schema": SCHEMA, "target": self.target, "unit": self.unit,
            "floor": None if self.floor == -np.inf else self.floor,
            "members": [{"name": m.name, "weight": m.weight, "kind": m.kind} for m in self.members],
            "features": [
                {
                    "name": f.name, "unit": f.unit, "kind": f.kind, "formula": f.formula, "depends": list(f.depends),
                    "monotone": f.monotone, "log": f.log,
                    "program": None if f.program is None else {
                        "numerator": {k: float(v) for k, v in f.program.numerator.items()},
                        "denominator": {k: float(v) for k, v in f.program.denominator.items()},
                        "scale": float(f.program.scale), "offset": float(f.program.offset),
                    },
                }
                for f in self.features
            ],
        }  # fmt: skip
        text = json.dumps(meta, ensure_ascii=False).encode()
        out: dict[str, NDArray[Any]] = {"description": np.frombuffer(text, dtype=np.uint8)}
        for i, member in enumerate(self.members):
            out.update({f"member{i}/{field}": array for field, array in member.model.arrays().items()})
        return out

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> CompiledModel:
        """From what `arrays` gave, checked through and through.

        Raises
        ------
        ModelError
            If anything is missing, of the wrong kind, out of range or not finite; names the member and the field.
        """
        try:
            meta = json.loads(np.asarray(arrays["description"], dtype=np.uint8).tobytes().decode())
            if meta["schema"] != SCHEMA:
                raise ModelError(f"compiled model: schema {meta['schema']!r} is not known; expected {SCHEMA}.")
            features = tuple(_feature(data) for data in meta["features"])
            plans = [(str(m["name"]), _number(m["weight"]), _KINDS[m["kind"]]) for m in meta["members"]]
            floor = -np.inf if meta["floor"] is None else _number(meta["floor"])
            target, unit = str(meta["target"]), str(meta["unit"])
        except (KeyError, TypeError, AttributeError, UnicodeDecodeError, ValueError, RecursionError) as exc:
            if isinstance(exc, ModelError):
                raise
            raise ModelError(
                f"compiled model: its description cannot be read ({type(exc).__name__}: {exc}). The file is damaged or "
                f"was changed by hand; export it again from the fitted model."
            ) from None
        members = []
        for i, (name, weight, kind) in enumerate(plans):
            start = f"member{i}/"
            own = {key.removeprefix(start): value for key, value in arrays.items() if key.startswith(start)}
            try:
                members.append(Member(name, weight, kind.from_arrays(own)))
            except ModelError as exc:
                raise ModelError(f"member '{name}': {exc}") from None
        return cls(tuple(members), features, floor, target, unit)

    def save(self, path: str | Path) -> Path:
        """Write to a file (.npz); the same model gives the same bytes.

        Parameters
        ----------
        path : str or Path
            Replaced if it exists.

        Returns
        -------
        Path
        """
        target = Path(path)
        partial = target.with_name(target.name + ".tmp")
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **self.arrays())
        partial.replace(target)
        return target

    @classmethod
    def load(cls, path: str | Path) -> CompiledModel:
        """Read from a file that `save` wrote.

        Raises
        ------
        ModelError
            If there is no such file, or it is damaged or was tampered with.
        """
        try:
            with Path(path).open("rb") as file:
                archive = np.load(file, allow_pickle=False)
                if not isinstance(archive, np.lib.npyio.NpzFile):
                    raise ValueError("one array, not an archive of arrays")
                arrays = {key: archive[key] for key in archive.files}
        except (OSError, ValueError, KeyError, EOFError, MemoryError, NotImplementedError, zipfile.BadZipFile) as exc:
            raise ModelError(
                f"{path}: cannot be read as a compiled model ({exc}). Export it again from the fitted model."
            ) from None
        try:
            return cls.from_arrays(arrays)
        except ModelError as exc:
            raise ModelError(f"{path}: {exc}") from None


def _compile(learner: Any, features: Sequence[Feature], rounded: bool) -> Part:
    n_features = len(features)
    trees = getattr(learner, "trees_", None)
    base: Trees | Polynomial
    if trees is not None:
        own: Trees = trees.filled(learner.median_, learner.gaps_) if hasattr(learner, "median_") else trees
        if hasattr(learner, "columns_"):
            own = own.over(learner.columns_, n_features)
        base = own.rounded() if rounded else own
    elif hasattr(learner, "alpha_"):
        return GaussianMean.from_process(learner, n_features)
    elif hasattr(learner, "coefficient_"):
        base = Polynomial.from_ridge(learner)
    elif isinstance(getattr(learner, "mean_", None), float):
        base = Polynomial.constant(learner.mean_, n_features)
    else:
        raise ModelError(
            f"a {type(learner).__name__} cannot be compiled; expected a fitted Boosting, ExtraTrees, GaussianProcess, "
            f"Ridge or Mean."
        )
    course = getattr(learner, "course_", None)
    age = next((j for j, f in enumerate(features) if f.kind == "age"), None)
    if course is None or age is None or not len(course.knots):
        return base
    limits = (base.low[age], base.high[age]) if isinstance(base, Polynomial) else (-np.inf, np.inf)
    return CompiledCourse(base, age, np.asarray(course.knots), np.asarray(course.weights), *map(float, limits))


def _number(value: Any) -> float:
    number = float(value)
    if isinstance(value, (str, bool)) or not np.isfinite(number):
        raise ValueError(f"{value!r} is no finite number")
    return number


def _feature(data: Mapping[str, Any]) -> Feature:
    program = None
    if data["program"] is not None:
        p = data["program"]
        program = Ratio(
            {str(k): _number(v) for k, v in p["numerator"].items()},
            {str(k): _number(v) for k, v in p["denominator"].items()},
            _number(p["scale"]),
            _number(p["offset"]),
        )
    return Feature(
        str(data["name"]), str(data["unit"]), str(data["kind"]), str(data["formula"]), None,
        tuple(map(str, data["depends"])), int(data["monotone"]), program, bool(data["log"]),
    )  # fmt: skip
