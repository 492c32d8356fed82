"""How the prediction changes with one or two columns, averaged over mixes, where there are tests and nowhere else.

Partial dependence and the curves of single mixes (ICE); a binder can be raised at the cost of another at a constant
sum. Points outside the domain are left out, not extrapolated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import MissingDataError, ModelError, UnitError
from ..i18n import DEFAULT, Message
from .design import FloatArray, IntArray
from .refits import Inside, Predictor, Refits, checked_columns, numeric, predicted, seen_region
from .table import TrainingData

if TYPE_CHECKING:
    import pandas as pd

#: Lower and upper bound of an interval for each row of features, shape (n_rows, 2).
Band = Callable[["pd.DataFrame"], Any]


@dataclass(frozen=True)
class Dependence:
    """Average effect of one or two columns on the prediction.

    Attributes
    ----------
    columns : tuple of str
        One or two.
    replaced : str
        Column that gives what the first one takes, or empty.
    table : pandas.DataFrame
        One row a grid point: the columns, ``mean`` [unit of the target], ``lower`` and ``upper`` (of the mean effect;
        NaN without refits), ``band_lower`` and ``band_upper`` (mean prediction interval of one test; NaN without a
        band), ``n_mixes`` inside. NaN where no more than a few mixes can be.
    curves : ndarray, shape (n_rows, n_points)
        Of the single rows; NaN outside the domain.
    rows : ndarray of int
        Rows of the tests the curves start from.
    fixed : mapping
        Columns held at one value.
    level : float
    unit : str
    units : mapping of str to str
    notes : tuple of Message
    """

    columns: tuple[str, ...]
    replaced: str
    table: pd.DataFrame
    curves: FloatArray
    rows: IntArray
    fixed: Mapping[str, Any]
    level: float
    unit: str
    units: Mapping[str, str]
    notes: tuple[Message, ...] = ()

    def report(self, lang: str = DEFAULT) -> str:
        """What the curve says, in a few lines."""
        known = self.table.dropna(subset=["mean"])
        lines = []
        if len(known):
            low, high = known.iloc[int(known["mean"].argmin())], known.iloc[int(known["mean"].argmax())]
            lines.append(Message("understanding.dependence_head", {
                "columns": self._said(), "low": round(float(low["mean"]), 3), "high": round(float(high["mean"]), 3),
                "unit": self.unit, "at_low": self._at(low), "at_high": self._at(high),
                "share": round(100 * float(np.isfinite(self.curves).mean())),
            }).text(lang))  # fmt: skip
        return "\n".join([*lines, *(n.text(lang) for n in self.notes)])

    def _said(self) -> str:
        said = " x ".join(self.columns)
        return f"{said} (- {self.replaced})" if self.replaced else said

    def _at(self, row: Any) -> str:
        return ", ".join(
            f"{c} = {row[c]:.4g}" if isinstance(row[c], float) else f"{c} = {row[c]}" for c in self.columns
        )

    def __str__(self) -> str:
        return self.report()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON (NaN as None)."""
        table = self.table.astype(object).where(self.table.notna(), None)
        return {
            "columns": list(self.columns), "replaced": self.replaced, "fixed": dict(self.fixed), "level": self.level,
            "unit": self.unit, "table": table.to_dict("records"), "notes": [str(n) for n in self.notes],
        }  # fmt: skip


def partial_dependence(
    model: Predictor,
    data: TrainingData,
    columns: str | Sequence[str],
    *,
    replaces: str = "",
    fixed: Mapping[str, Any] | None = None,
    grid: ArrayLike | Sequence[ArrayLike] | None = None,
    n_points: int | None = None,
    max_mixes: int = 200,
    min_mixes: int | None = None,
    refits: Refits | None = None,
    band: Band | None = None,
    inside: Inside | None = None,
    level: float = 0.9,
    seed: int = 0,
) -> Dependence:
    """Partial dependence and single curves (ICE) of one or two columns within the domain.

    Parameters
    ----------
    model : Predictor
    data : TrainingData
        Tests it was fitted to; one row of each mix is moved.
    columns : str or two of them
        Raw features; the first has to be a number where `replaces` is given.
    replaces : str
        Column of the same unit that falls by what the first column rises, so that their sum stays what it is in each
        mix ("replace cement by fly ash"). What would fall below zero is left out.
    fixed : mapping, optional
        Columns held at one value for all rows, e.g. ``{"age_d": 28}``.
    grid : array_like, or two of them, optional
        Values; by default even steps (of the logarithm for age) over what 1 to 99 % of the mixes have.
    n_points : int, optional
        Grid points a number column: 25 of one column, 12 of each of two.
    max_mixes : int
        Random choice of that many mixes where there are more.
    min_mixes : int, optional
        A grid point that fewer mixes can reach is left out; 5 and 5 % of the mixes moved by default.
    refits : Refits, optional
        For the interval of the mean effect (grouped jackknife).
    band : callable, optional
        Prediction interval of single tests, averaged into a band.
    inside : callable, optional
        Domain; by default `wastelab.models.refits.seen_region` of the tests.
    level : float
    seed : int
        Of the choice of mixes.

    Returns
    -------
    Dependence

    Raises
    ------
    UnknownNameError
        If a column does not exist.
    UnitError
        If a column replaces one of another unit.
    ModelError
        If a grid is empty, or hardly any mix can be moved inside the domain.

    Notes
    -----
    Rows leave the domain at different points of the grid; a plain average would then change because the rows do.
    The curve is the least-squares fit of one effect a grid point and one level a row, the level averaged over all
    rows: the plain average where nothing is left out. The effect is of the model; it is an association in the tests.

    References
    ----------
    J. H. Friedman, "Greedy function approximation: a gradient boosting machine", The Annals of Statistics 29 (2001)
    1189-1232, doi:10.1214/aos/1013203451. A. Goldstein, A. Kapelner, J. Bleich, E. Pitkin, "Peeking inside the black
    box", Journal of Computational and Graphical Statistics 24 (2015) 44-65, doi:10.1080/10618600.2014.907095.
    """
    import pandas as pd

    names = checked_columns(data, [columns] if isinstance(columns, str) else list(columns))
    if len(names) not in (1, 2) or len(set(names)) != len(names):
        raise ModelError(f"columns = {names}: expected one column or two different ones.")
    held = dict(fixed or {})
    checked_columns(data, [*held, *([replaces] if replaces else [])])
    _check_roles(data, names, replaces, held)
    axes = _axes(data, names, grid, n_points)
    rows = _chosen(data, max_mixes, seed)
    start = data.features.iloc[rows].reset_index(drop=True)
    for column, value in held.items():
        start[column] = _constant(data, column, value, len(start))
    points = _product(axes)
    n_points_all = len(points[0])
    region = seen_region(data) if inside is None else inside
    big = start.loc[np.repeat(np.arange(len(start)), n_points_all)].reset_index(drop=True)
    for name, values in zip(names, points, strict=True):
        moved = np.tile(values, len(start))
        if name == names[0] and replaces:
            big[replaces] = big[replaces].to_numpy() - (moved - big[name].to_numpy())
        big[name] = moved if big[name].dtype == np.float64 else pd.array(moved, dtype="str")
    ok = np.asarray(region(big), dtype=bool)
    if replaces:
        ok &= ~(big[replaces].to_numpy() < -1e-9)
    mask = ok.reshape(len(start), n_points_all)
    if not mask.any():
        raise ModelError(
            f"No mix can be moved along {' and '.join(names)} inside the domain. Give a grid between values that were "
            f"tested, or another domain."
        )
    asked = big[ok].reset_index(drop=True)
    curves = np.full(mask.shape, np.nan)
    curves[mask] = predicted(model, asked)
    solve = _effects(mask, max(5, len(start) // 20) if min_mixes is None else min_mixes)
    mean = solve(curves)
    table = pd.DataFrame(dict(zip(names, points, strict=True)))
    table["mean"] = mean
    table["lower"] = table["upper"] = table["band_lower"] = table["band_upper"] = np.nan
    notes = []
    if refits is not None:
        each = np.empty((n_points_all, len(refits.models)))
        for k, other in enumerate(refits.models):
            cells = np.full(mask.shape, np.nan)
            cells[mask] = predicted(other, asked)
            each[:, k] = solve(cells)
        half = refits.t(level) * refits.sd(each)
        table["lower"], table["upper"] = mean - half, mean + half
        notes.append(
            Message(
                f"understanding.dependence_interval_{refits.by}", {"level": round(100 * level), "n": len(refits.models)}
            )
        )
    else:
        notes.append(Message("understanding.dependence_no_interval"))
    if band is not None:
        edges = np.asarray(band(asked), dtype=np.float64)
        if edges.shape != (len(asked), 2):
            raise ModelError(
                f"band gave shape {edges.shape} for {len(asked)} rows; expected a lower and an upper value a row."
            )
        for k, name in enumerate(("band_lower", "band_upper")):
            gap = np.full(mask.shape, np.nan)
            gap[mask] = edges[:, k] - curves[mask]
            count = mask.sum(axis=0)
            table[name] = mean + np.where(count > 0, np.nansum(gap, axis=0) / np.maximum(count, 1), np.nan)
    table["n_mixes"] = mask.sum(axis=0)
    units = dict.fromkeys(("mean", "lower", "upper", "band_lower", "band_upper"), data.unit)
    table.attrs["units"] = {n: data.units.get(n, "") for n in names} | units
    if not mask.all():
        notes.append(Message("understanding.dependence_masked", {"share": round(100 * float(1 - mask.mean()))}))
    notes.append(Message("understanding.association"))
    return Dependence(
        tuple(names), replaces, table, curves, rows, held, level, data.unit, dict(data.units), tuple(notes)
    )


def age_curves(
    model: Predictor,
    data: TrainingData,
    mixes: pd.DataFrame,
    *,
    ages: ArrayLike | None = None,
    band: Band | None = None,
    inside: Inside | None = None,
    names: Sequence[str] | None = None,
) -> pd.DataFrame:
    """The course of the prediction with age of some mixes.

    Parameters
    ----------
    model : Predictor
    data : TrainingData
    mixes : pandas.DataFrame
        Raw features, one row a mix; the age in it is not looked at.
    ages : array_like, optional
        [d]; 60 even steps of the logarithm over the ages tested by default.
    band : callable, optional
        Prediction interval.
    inside : callable, optional
        Domain; as `partial_dependence`.
    names : sequence of str, optional
        Of the mixes.

    Returns
    -------
    pandas.DataFrame
        Columns ``mix``, ``age`` [d], ``mean``, ``lower``, ``upper`` [unit of the target] and ``in_domain``.

    Raises
    ------
    MissingDataError
        If the tests have no age.
    """
    import pandas as pd

    if not data.age:
        raise MissingDataError("The tests have no age column: there is no course with age. Test at several ages.")
    if not len(mixes):
        raise ModelError("mixes is empty: give at least one row of features.")
    tested = data.features[data.age].to_numpy()
    grid = np.geomspace(tested.min(), tested.max(), 60) if ages is None else np.asarray(ages, dtype=np.float64).ravel()
    if not len(grid) or not (np.isfinite(grid).all() and (grid > 0).all()):
        raise ModelError("ages has to hold finite ages above 0 d.")
    called = list(names) if names is not None else [f"mix {i + 1}" for i in range(len(mixes))]
    if len(called) != len(mixes):
        raise ModelError(f"{len(called)} names for {len(mixes)} mixes.")
    big = mixes[list(data.features.columns)].iloc[np.repeat(np.arange(len(mixes)), len(grid))].reset_index(drop=True)
    big[data.age] = np.tile(grid, len(mixes))
    out = pd.DataFrame({"mix": np.repeat(called, len(grid)), "age": big[data.age], "mean": predicted(model, big)})
    out[["lower", "upper"]] = np.nan if band is None else np.asarray(band(big), dtype=np.float64)
    out["in_domain"] = np.asarray((seen_region(data) if inside is None else inside)(big), dtype=bool)
    out.attrs["units"] = {"age": "d", "mean": data.unit, "lower": data.unit, "upper": data.unit}
    out.attrs["target"] = data.name
    return out


def _check_roles(data: TrainingData, names: Sequence[str], replaces: str, held: Mapping[str, Any]) -> None:
    for column in [*names, *([replaces] if replaces else [])]:
        if column in held:
            raise ModelError(f"'{column}' is to move and to be fixed. Take it out of fixed.")
    if not replaces:
        return
    if replaces in names:
        raise ModelError(f"'{replaces}' cannot replace itself.")
    for column in (names[0], replaces):
        if column not in numeric(data):
            raise ModelError(f"'{column}' is not a number and cannot be exchanged.")
    one, other = data.units.get(names[0], ""), data.units.get(replaces, "")
    if one != other or not one:
        raise UnitError(
            f"'{names[0]}' [{one or 'unit unknown'}] cannot replace '{replaces}' [{other or 'unit unknown'}] at a "
            f"constant sum: both have to be in one known unit."
        )


def _axes(data: TrainingData, names: Sequence[str], grid: Any, n_points: int | None) -> list[Any]:
    import pandas as pd

    given = [None] * len(names) if grid is None else [grid] if len(names) == 1 else list(grid)
    if len(given) != len(names):
        raise ModelError(f"{len(given)} grids for {len(names)} columns.")
    n = n_points or (25 if len(names) == 1 else 12)
    axes: list[Any] = []
    for name, values in zip(names, given, strict=True):
        x = data.features[name]
        if not pd.api.types.is_float_dtype(x.dtype):
            axes.append(np.array(sorted(set(x.astype("str"))) if values is None else list(values), dtype=object))
        elif values is not None:
            axis = np.unique(np.asarray(values, dtype=np.float64))
            if not np.isfinite(axis).all():
                raise ModelError(f"The grid of '{name}' has to hold finite numbers.")
            axes.append(axis)
        else:
            known = x.to_numpy()[np.isfinite(x.to_numpy())]
            if not len(known):
                raise ModelError(f"'{name}' is missing in every test: there is nothing to vary.")
            low, high = (known.min(), known.max()) if name == data.age else np.quantile(known, [0.01, 0.99])
            axes.append(np.unique(np.geomspace(low, high, n) if name == data.age else np.linspace(low, high, n)))
        if not len(axes[-1]):
            raise ModelError(f"The grid of '{name}' is empty.")
    return axes


def _chosen(data: TrainingData, max_mixes: int, seed: int) -> IntArray:
    """One random row of each of at most `max_mixes` mixes."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(data))
    _, first = np.unique(data.mix[order], return_index=True)
    rows = order[first]
    return np.sort(rng.permutation(rows)[:max_mixes]).astype(np.int64)


def _constant(data: TrainingData, column: str, value: Any, n: int) -> Any:
    import pandas as pd

    if column not in numeric(data):
        return pd.array([str(value)] * n, dtype="str")
    number = float(value)
    if not np.isfinite(number):
        raise ModelError(f"fixed['{column}'] = {value!r}: expected a finite number.")
    return np.full(n, number)


def _product(axes: Sequence[Any]) -> list[Any]:
    """Grid points column by column, the last axis fastest."""
    if len(axes) == 1:
        return [axes[0]]
    return [np.repeat(axes[0], len(axes[1])), np.tile(axes[1], len(axes[0]))]


def _effects(mask: np.ndarray[Any, np.dtype[np.bool_]], min_rows: int) -> Callable[[FloatArray], FloatArray]:
    """Least squares of row level + point effect over the cells of a mask, as a function of the cell values."""
    from scipy.sparse import bmat, csr_matrix
    from scipy.sparse.csgraph import connected_components

    enough = mask.sum(axis=0) >= min(min_rows, max(1, len(mask)))
    inside = mask & enough
    n, g = inside.shape
    if not inside.any():
        raise ModelError(
            f"No grid point is inside the domain for {min_rows} mixes. Give a narrower grid, or a smaller min_mixes."
        )
    links = csr_matrix(inside)
    _, part = connected_components(bmat([[None, links], [links.T, None]]), directed=False)
    count = np.bincount(part[:n], minlength=part.max() + 1)
    main = int(np.argmax(count))
    rows, points = np.flatnonzero(part[:n] == main), np.flatnonzero((part[n:] == main) & enough)
    w = inside[np.ix_(rows, points)].astype(np.float64)
    per_row = w.sum(axis=1)
    normal = np.diag(w.sum(axis=0)) - w.T @ (w / per_row[:, None])
    # a constant over all points is free: fixed at zero, which leaves everything else as it is
    solver = np.linalg.inv(normal + np.trace(normal) / len(points) ** 2)

    def solve(cells: FloatArray) -> FloatArray:
        z = np.where(w > 0, cells[np.ix_(rows, points)], 0.0)
        effect = solver @ (z.sum(axis=0) - w.T @ (z.sum(axis=1) / per_row))
        level = float(np.mean((z.sum(axis=1) - w @ effect) / per_row))
        out = np.full(g, np.nan)
        out[points] = effect + level
        return out

    return solve
