"""Changes of one mix that advice judges: steps of a column, exchanges, less water with more of an admixture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError
from .columns import split_unit
from .refits import checked_columns, numeric
from .table import TrainingData
from .words import meaning

if TYPE_CHECKING:
    import pandas as pd

#: Steps a column is moved by, and their size as a share of what 90 % of the mixes span.
STEPS, STEP_SHARE = 10, 0.05
#: Groups of the vocabulary of mixes whose members replace each other.
_EXCHANGED = {"binder": "binder", "aggregate": "aggregate", "coarse": "aggregate", "fine": "aggregate"}
#: Groups of which a mix consists, and the share of its mass up to which a change leaves it the same cubic metre.
_MASSES = ("binder", "water", "admixture", "activator", "coarse", "fine", "aggregate", "other")
KEPT = 0.02


@dataclass(frozen=True)
class Trial:
    """One changed mix: new values, what it is called, and which trials are steps of one change."""

    kind: str
    values: tuple[tuple[str, Any], ...]
    text: str
    action: str
    step: int


def _step(data: TrainingData, column: str) -> float:
    """A round number near a twentieth of what 90 % of the mixes span; 0 of a constant column."""
    x = data.features[column].to_numpy()
    x = x[np.isfinite(x)]
    if not len(x):
        return 0.0
    span = float(np.quantile(x, 0.95) - np.quantile(x, 0.05)) or float(np.ptp(x))
    if span <= 0:
        return 0.0
    raw = STEP_SHARE * span
    ten = 10.0 ** np.floor(np.log10(raw))
    return float(min((1.0, 2.0, 5.0, 10.0), key=lambda m: abs(np.log(m * ten / raw))) * ten)


def trials_of(
    data: TrainingData, row: pd.DataFrame, free: Sequence[str], kinds: Sequence[str], exchange: Any
) -> list[Trial]:
    """All changes of a mix in free columns, of some kinds ("single", "exchange", "pair", "category")."""
    numbers = [c for c in numeric(data) if c in free and np.isfinite(row[c].iloc[0])]
    at = {c: float(row[c].iloc[0]) for c in numbers}
    floor = {c: 0.0 if float(np.nanmin(data.features[c].to_numpy())) >= 0 else -np.inf for c in numbers}
    step = {c: _step(data, c) for c in numbers}
    out: list[Trial] = []
    if "single" in kinds:
        for c in numbers:
            for sign in (1, -1):
                for k in range(1, STEPS + 1):
                    value = at[c] + sign * k * step[c]
                    if step[c] > 0 and value >= floor[c]:
                        text = f"{_name(c)} {_signed(value - at[c])}{_unit(data, c)}"
                        out.append(Trial("single", ((c, value),), text, f"{c}{sign}", k))
    if "exchange" in kinds:
        for group in _groups(data, numbers, exchange):
            for take in group:
                for give in group:
                    size = min(step[take], step[give])
                    if take == give or size <= 0:
                        continue
                    for k in range(1, STEPS + 1):
                        less, more = at[take] - k * size, at[give] + k * size
                        if less < floor[take]:
                            break
                        text = (f"{_name(take)} {_signed(-k * size)}{_unit(data, take)} -> "
                                f"{_name(give)} {_signed(k * size)}{_unit(data, give)}")  # fmt: skip
                        out.append(Trial("exchange", ((take, less), (give, more)), text, f"{take}>{give}", k))
    if "pair" in kinds:
        of = {c: meaning(c, data.units.get(c)) for c in numbers}
        for water in (c for c, m in of.items() if m is not None and m.group == "water"):
            for admixture in (c for c, m in of.items() if m is not None and m.group == "admixture"):
                for k in range(1, STEPS + 1):
                    less, more = at[water] - k * step[water], at[admixture] + k * step[admixture]
                    if less < floor[water] or not step[water] * step[admixture] > 0:
                        break
                    text = (f"{_name(water)} {_signed(-k * step[water])}{_unit(data, water)}, "
                            f"{_name(admixture)} {_signed(k * step[admixture])}{_unit(data, admixture)}")  # fmt: skip
                    out.append(Trial("pair", ((water, less), (admixture, more)), text, f"{water},{admixture}", k))
    if "category" in kinds:
        for c in free:
            if c in numeric(data):
                continue
            now = str(row[c].iloc[0])
            out += [Trial("category", ((c, v),), f"{_name(c)}: {now} -> {v}", f"{c}={v}", 1)
                    for v in sorted(set(data.features[c].astype("str"))) if v not in (now, "")]  # fmt: skip
    return out


def _groups(data: TrainingData, numbers: Sequence[str], exchange: Any) -> list[list[str]]:
    if exchange is None:
        known = {c: meaning(c, data.units.get(c)) for c in numbers if data.units.get(c)}
        some = any(m is not None for m in known.values())
        found: dict[tuple[str, str], list[str]] = {}
        for c, m in known.items():
            kind = _EXCHANGED.get(m.group, "") if m is not None else ""
            if kind or not some:
                found.setdefault((kind, data.units[c]), []).append(c)
        return [g for g in found.values() if len(g) > 1]
    groups = []
    for group in exchange:
        members = checked_columns(data, list(group), "exchange")
        units = {data.units.get(c, "") for c in members}
        if len(units) > 1:
            raise ModelError(f"exchange {members} has different units ({', '.join(sorted(units))}); expected one unit.")
        groups.append([c for c in members if c in numbers])
    return groups


def _name(column: str) -> str:
    return split_unit(column)[0]


def _unit(data: TrainingData, column: str) -> str:
    return f" {data.units[column]}" if data.units.get(column) else ""


def _signed(value: float) -> str:
    return f"{value:+.4g}"


def changed(row: pd.DataFrame, trials: Sequence[Trial]) -> pd.DataFrame:
    """A table with the mix changed in each way."""
    import pandas as pd

    table = row.loc[np.zeros(len(trials), dtype=int)].reset_index(drop=True)
    columns: dict[str, list[Any]] = {}
    for i, trial in enumerate(trials):
        for c, v in trial.values:
            columns.setdefault(c, [row[c].iloc[0]] * len(trials))[i] = v
    for c, values in columns.items():
        table[c] = np.asarray(values, float) if table[c].dtype == np.float64 else pd.array(values, dtype="str")
    return table


def keeps_mass(data: TrainingData, row: pd.DataFrame, trials: Sequence[Trial]) -> list[bool]:
    """Whether each change leaves the sum of amounts, by unit, within `KEPT` of what it is."""
    unit: dict[str, str] = {}
    for c in numeric(data):
        found, said = meaning(c, data.units.get(c)), data.units.get(c, "")
        if (found.group in _MASSES and found.unit is not None) if found is not None else said == "kg/m3":
            unit[c] = said
    total = {u: sum(float(np.nan_to_num(row[c].iloc[0])) for c in unit if unit[c] == u) for u in set(unit.values())}
    out = []
    for trial in trials:
        more = dict.fromkeys(total, 0.0)
        for c, value in trial.values:
            if c in unit:
                more[unit[c]] += float(value) - float(row[c].iloc[0])
        out.append(all(abs(change) <= KEPT * total[u] + 1e-9 for u, change in more.items()))
    return out
