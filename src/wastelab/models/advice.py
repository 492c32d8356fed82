"""What would raise (or lower) the property of one mix: single changes and exchanges that stay where there are tests.

Ranked by the predicted gain, with the interval of the difference and whether a test could see it. It is what mixes
in the tests have in common, not a cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError, UnknownNameError, suggest
from ..i18n import DEFAULT, Message
from .advice_changes import KEPT, Trial, changed, keeps_mass, trials_of
from .refits import Inside, Predictor, Refits, checked_columns, numeric, predicted, records, seen_region
from .replicates import pure_error
from .table import TrainingData, read_features

if TYPE_CHECKING:
    import pandas as pd

#: (1.645 + 0.842)^2: a difference of one-sided 5 % is seen with 80 % probability.
_SEEN = 6.18


@dataclass(frozen=True)
class Advice:
    """Changes of one mix and what they are predicted to bring.

    Attributes
    ----------
    table : pandas.DataFrame
        Of what helps, first changes that keep the mass of the mix, each part with the largest gain first: ``change``
        (text), ``kind`` ("single", "exchange", "pair": less water with more of an admixture, "category"),
        ``keeps_mass`` (the sum of amounts changes by 2 % at most), ``columns`` (tuple),
        ``values`` (tuple, after the change), ``prediction``, ``gain`` (in the direction asked for), ``lower`` and
        ``upper`` of the gain (NaN without refits) [unit of the target], ``sure`` (the interval is above 0),
        ``visible`` (two single tests would show it), ``tests`` (tests of either mix that show it, 80 % power),
        ``first_step`` (gain of the smallest step that way).
    mix : pandas.DataFrame
        The row asked about.
    prediction : float
    direction : {"raise", "lower"}
    noise : float
        Standard deviation of one test [unit of the target]; NaN where nothing was repeated.
    name, unit : str
        Of the target.
    n_tried, n_inside : int
        Changes looked at, and inside domain and bounds.
    notes : tuple of Message
    """

    table: pd.DataFrame
    mix: pd.DataFrame
    prediction: float
    direction: str
    noise: float
    name: str
    unit: str
    n_tried: int
    n_inside: int
    notes: tuple[Message, ...] = ()

    @property
    def helps(self) -> bool:
        """Whether any change is predicted to help."""
        return bool((self.table["gain"] > 0).any())

    def report(self, lang: str = DEFAULT, top: int = 8) -> str:
        """The best changes as text."""
        lines = [Message("understanding.advice_head", {
            "prediction": round(self.prediction, 2), "unit": self.unit, "tried": self.n_tried, "inside": self.n_inside,
        }).text(lang)]  # fmt: skip
        sign = "+" if self.direction == "raise" else "-"
        kept = True
        for row in records(self.table[self.table["gain"] > 0].head(top)):
            if kept and not row.keeps_mass:
                kept = False
                lines.append(Message("understanding.advice_alters", {"share": round(100 * KEPT)}).text(lang))
            text = f"  {sign}{row.gain:.2f} {self.unit}  {row.change}"
            if np.isfinite(row.lower):
                text += f"  ({row.lower:.2f} .. {row.upper:.2f})"
            key = "sure" if row.sure else "unsure" if np.isfinite(row.lower) else "unknown"
            text += "; " + Message(f"understanding.advice_{key}").text(lang)
            if row.tests > 0:
                key = "advice_one_test" if row.tests == 1 else "advice_tests"
                text += "; " + Message(f"understanding.{key}", {"n": int(row.tests)}).text(lang)
            lines.append(text)
        return "\n".join([*lines, *(n.text(lang) for n in self.notes)])

    def __str__(self) -> str:
        return self.report()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON (NaN as None)."""

        def plain(value: Any) -> Any:
            if isinstance(value, tuple):
                return [plain(v) for v in value]
            if isinstance(value, float | np.floating):
                return float(value) if np.isfinite(value) else None
            return value.item() if isinstance(value, np.generic) else value

        return {
            "target": self.name, "unit": self.unit, "direction": self.direction, "prediction": self.prediction,
            "noise": plain(self.noise), "n_tried": self.n_tried, "n_inside": self.n_inside,
            "mix": {k: plain(v) for k, v in self.mix.iloc[0].items()},
            "table": [{k: plain(v) for k, v in row.items()} for row in self.table.to_dict("records")],
            "notes": [str(n) for n in self.notes],
        }  # fmt: skip


def advise(
    model: Predictor,
    mix: pd.DataFrame | Mapping[str, Any],
    data: TrainingData,
    *,
    direction: str = "raise",
    changes: str = "all",
    fixed: Sequence[str] = (),
    bounds: Mapping[str, tuple[float, float]] | None = None,
    exchange: Sequence[Sequence[str]] | None = None,
    refits: Refits | None = None,
    noise: float | None = None,
    inside: Inside | None = None,
    level: float = 0.9,
    every: bool = False,
) -> Advice:
    """Changes of one mix inside the domain, ranked by the predicted gain; first those that keep its mass.

    Parameters
    ----------
    model : Predictor
    mix : mapping, or pandas.DataFrame of one row
        Raw features, in the columns of the tests; other units at the end of a name are converted.
    data : TrainingData
    direction : {"raise", "lower"}
    changes : {"all", "single", "exchange"}
        One column alone; or one column at the cost of another in equal amount (also "replace"); or both, and less
        water with more of an admixture.
    fixed : sequence of str
        Columns that may not change. Age never does: it belongs to the test, not to the mix.
    bounds : mapping of str to (float, float), optional
        Closed limits of columns, beside the domain.
    exchange : sequence of sequences of str, optional
        Columns that replace each other; by default binders among each other and aggregates among each other as their
        names say, each in one unit, or all numbers of one unit where no name says anything.
    refits : Refits, optional
        For the interval of the difference.
    noise : float, optional
        Standard deviation of one test [unit of the target]; by default from repeated tests.
    inside : callable, optional
        Domain; by default `wastelab.models.refits.seen_region` of the tests.
    level : float
    every : bool
        All steps, not only the best of each change.

    Returns
    -------
    Advice

    Raises
    ------
    ModelError
        If the mix is not one row, or a bound is empty.
    UnknownNameError
        If a column, direction or kind of change does not exist.

    Notes
    -----
    Errors that a model makes on both mixes alike cancel in a difference: the interval is the jackknife of the
    difference itself. It holds the uncertainty from the choice of tests, not what no test could show. The best of
    many changes is flattered by the choice (not corrected for); confirm it by tests of both mixes side by side.
    """
    from scipy.stats import norm

    if direction not in ("raise", "lower"):
        raise UnknownNameError(f"There is no direction {direction!r}; expected 'raise' or 'lower'.")
    kinds: dict[str, tuple[str, ...]] = {
        "all": ("single", "exchange", "pair", "category"), "single": ("single", "category"),
        "exchange": ("exchange",), "replace": ("exchange",),
    }  # fmt: skip
    if changes not in kinds:
        raise UnknownNameError(
            f"There are no changes {changes!r}.{suggest(changes, kinds)} Expected {', '.join(kinds)}."
        )
    row = read_features(mix, data)
    if len(row) != 1:
        raise ModelError(f"The mix has {len(row)} rows; expected one. Ask about one mix after the other.")
    checked_columns(data, fixed, "fixed")
    limits = _bounds(data, bounds or {})
    free = [c for c in data.features.columns if c not in fixed and c != data.age]
    trials = trials_of(data, row, free, kinds[changes], exchange)
    region = seen_region(data) if inside is None else inside
    here = float(predicted(model, row)[0])
    sd = pure_error(data).noise if noise is None else float(noise)
    notes = [] if bool(np.asarray(region(row), dtype=bool)[0]) else [Message("understanding.advice_outside")]
    table = changed(row, trials)
    ok = np.zeros(len(trials), dtype=bool)
    if len(trials):
        ok = np.asarray(region(table), dtype=bool)
        for column, (low, high) in limits.items():
            ok &= (table[column].to_numpy() >= low) & (table[column].to_numpy() <= high)
    kept = [t for t, inside_it in zip(trials, ok, strict=True) if inside_it]
    table = table[ok].reset_index(drop=True)
    result = _judged(model, row, table, kept, here, 1.0 if direction == "raise" else -1.0, refits, level)
    result.insert(2, "keeps_mass", keeps_mass(data, row, kept))
    if len(result):
        seen = float(norm.ppf(0.5 + 0.5 * level)) * np.sqrt(2.0) * sd
        gain = result["gain"].to_numpy()
        result["visible"] = gain > seen
        counts = [ceil(2.0 * _SEEN * (sd / g) ** 2 - 1e-9) if g > 0 and sd > 0 else 0 for g in gain]
        result["tests"] = [max(c, 1) if c else 0 for c in counts]
        result = _best(result, trials=kept, every=every)
    notes += _said(result, sd, refits, level, len(kept), direction)
    units = dict.fromkeys(("prediction", "gain", "lower", "upper", "first_step"), data.unit)
    result.attrs["units"] = units
    return Advice(result, row, here, direction, sd, data.name, data.unit, len(trials), len(kept), tuple(notes))


def _bounds(data: TrainingData, bounds: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    checked_columns(data, list(bounds), "bounds")
    out = {}
    for column, pair in bounds.items():
        if column not in numeric(data) or len(pair) != 2 or not float(pair[0]) <= float(pair[1]):
            raise ModelError(f"bounds['{column}'] = {pair!r}: expected (low, high) of a number column, low <= high.")
        out[column] = (float(pair[0]), float(pair[1]))
    return out


def _judged(
    model: Predictor, row: pd.DataFrame, table: pd.DataFrame, trials: Sequence[Trial], here: float, sign: float,
    refits: Refits | None, level: float,
) -> pd.DataFrame:  # fmt: skip
    import pandas as pd

    columns = ["change", "kind", "columns", "values", "prediction", "gain", "lower", "upper", "sure", "visible",
               "tests", "first_step", "action", "step"]  # fmt: skip
    if not trials:
        return pd.DataFrame({c: [] for c in columns}).drop(columns=["action", "step"])
    mean = predicted(model, table)
    gain = sign * (mean - here)
    half = np.full(len(trials), np.nan)
    if refits is not None:
        difference = sign * (refits.predict_all(table) - refits.predict_all(row))
        half = refits.t(level) * refits.sd(difference)
    out = pd.DataFrame({
        "change": [t.text for t in trials], "kind": [t.kind for t in trials],
        "columns": [tuple(c for c, _ in t.values) for t in trials],
        "values": [tuple(v for _, v in t.values) for t in trials],
        "prediction": mean, "gain": gain, "lower": gain - half, "upper": gain + half, "sure": gain - half > 0,
        "visible": False, "tests": 0, "first_step": np.nan, "action": [t.action for t in trials],
        "step": [t.step for t in trials],
    })  # fmt: skip
    return out[columns]


def _best(table: pd.DataFrame, *, trials: Sequence[Trial], every: bool) -> pd.DataFrame:
    first = table.sort_values(["action", "step"], kind="stable").groupby("action")["gain"].first()
    table["first_step"] = table["action"].map(first)
    # equal gains (a flat model): the smaller step is the better advice
    table["helps"] = table["gain"] > 0
    table = table.sort_values(
        ["helps", "keeps_mass", "gain", "step"], ascending=[False, False, False, True], kind="stable"
    )
    if not every:
        table = table.drop_duplicates("action")
    return table.drop(columns=["action", "step", "helps"]).reset_index(drop=True)


def _said(
    table: pd.DataFrame, noise: float, refits: Refits | None, level: float, n: int, direction: str
) -> list[Message]:
    helps = table[table["gain"] > 0] if len(table) else table
    notes = []
    if not n:
        notes.append(Message("understanding.advice_none_feasible"))
    elif not len(helps):
        notes.append(Message(f"understanding.advice_nothing_{direction}s"))
    elif refits is None:
        notes.append(Message("understanding.advice_no_refits"))
    elif not helps["sure"].any():
        notes.append(Message("understanding.advice_none_sure", {"level": round(100 * level)}))
    else:
        notes.append(Message("understanding.advice_interval", {"level": round(100 * level), "n": len(refits.models)}))
    if len(helps) and not np.isfinite(noise):
        notes.append(Message("understanding.advice_noise_unknown"))
    elif len(helps) and not helps["visible"].any():
        notes.append(Message("understanding.advice_none_visible", {"noise": round(noise, 2)}))
    return [*notes, Message("understanding.association")]
