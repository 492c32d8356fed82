"""Audit of kinetic triplets: the DTG peak a triplet predicts at 10 K/min, and whether laboratories see it there.

Many published triplets fail: A printed per minute and read per second, kcal read as kJ, or an A that belongs to another
form of g(alpha). Only those that pass are defaults.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...reference.kinetics import Triplet, Window, triplets, windows
from ..heating import TemperatureProgram
from ._integral_kernels import GAS_CONSTANT
from .models import ReactionModel, reaction_model
from .separable import conversion_at
from .temperature_integral import EA_RANGE, T_RANGE

if TYPE_CHECKING:
    import pandas as pd

RATE_K_MIN = 10.0  #: heating rate of the audit
START_K, END_K = 273.15, T_RANGE[1]
#: Usual mistakes: what is said, factor on A, factor on Ea.
_MISTAKES = (
    ("A read as 1/min", 1 / 60.0, 1.0),
    ("A read as 1/h", 1 / 3600.0, 1.0),
    ("A multiplied by 60 (divided by 60 once too often)", 60.0, 1.0),
    ("Ea read as kcal/mol", 1.0, 4.184),
    ("Ea divided by 4.184 (converted from kcal once too often)", 1.0, 1 / 4.184),
    ("A read as 1/min and Ea as kcal/mol", 1 / 60.0, 4.184),
)


class TripletWarning(UserWarning):
    """A triplet that does not predict what laboratories see."""


@dataclass(frozen=True)
class TripletAudit:
    """What a triplet predicts.

    Attributes
    ----------
    peak_K : float or None
        Temperature of the highest rate at 10 K/min [K]; None where the reaction has no peak from 273 to 2273 K.
    T10_K, T50_K, T90_K : float or None
        Temperatures of conversion 0.1, 0.5, 0.9 [K]; None where not reached.
    window : Window or None
        Where laboratories see the peak.
    verdict : {"plausible", "implausible", "no window"}
    hint : str
        Which usual mistake would explain an implausible peak.
    """

    peak_K: float | None
    T10_K: float | None
    T50_K: float | None
    T90_K: float | None
    window: Window | None
    verdict: str
    hint: str

    def __str__(self) -> str:
        text = _peak_text(self.peak_K)
        if self.window is not None:
            text += (
                f"; laboratories see {self.window.T_low:g} to {self.window.T_high:g} K [{self.window.source.evidence}]"
            )
        text += f": {self.verdict}"
        return f"{text} ({self.hint})" if self.hint else text


def audit_triplet(A: float, Ea: float, model: str, process: str | Window | None = None) -> TripletAudit:
    """The DTG peak of a triplet at 10 K/min, and a verdict.

    Parameters
    ----------
    A : float
        [1/s]
    Ea : float
        [J/mol], 10 to 1000 kJ/mol
    model : str
        See `reaction_model`.
    process : str or Window, optional
        What it describes (a key of `windows`), or the window itself.

    Returns
    -------
    TripletAudit

    Notes
    -----
    Heat and mass transfer, and the gas, are not part of it: a window is that of fine powder in a gas that takes the
    products away.
    """
    window = windows().get(process) if isinstance(process, str) else process
    law = reaction_model(model)
    peak, t10, t50, t90 = _predict(float(A), float(Ea), law)
    if window is None:
        return TripletAudit(peak, t10, t50, t90, None, "no window", "")
    if _inside(peak, window):
        return TripletAudit(peak, t10, t50, t90, window, "plausible", "")
    return TripletAudit(peak, t10, t50, t90, window, "implausible", _hint(float(A), float(Ea), law, peak, window))


def audit(given: Iterable[Triplet] | None = None) -> pd.DataFrame:
    """Audit of many triplets.

    Parameters
    ----------
    given : iterable of Triplet, optional
        All known ones if not given.

    Returns
    -------
    pandas.DataFrame
        One row per triplet: predicted peak, T at conversion 0.1, 0.5, 0.9 [K], window, verdict, hint, whether it is a
        default, evidence of the triplet and of the window.
    """
    import pandas as pd

    rows = []
    for t in triplets().values() if given is None else given:
        a = audit_triplet(t.A, t.Ea, t.model, t.process)
        rows.append(
            {
                "id": t.id, "A [1/s]": t.A, "Ea [kJ/mol]": t.Ea / 1e3, "model": t.model, "peak [K]": a.peak_K,
                "T10 [K]": a.T10_K, "T50 [K]": a.T50_K, "T90 [K]": a.T90_K,
                "window low [K]": a.window.T_low if a.window else None,
                "window high [K]": a.window.T_high if a.window else None,
                "verdict": a.verdict, "hint": a.hint, "default": t.default, "evidence": str(t.source.evidence),
                "window evidence": str(a.window.source.evidence) if a.window else "",
            }
        )  # fmt: skip
    return pd.DataFrame(rows).set_index("id")


def load_triplets(*files: Path | str) -> dict[str, Triplet]:
    """Triplets of a user's own files, each audited; warns of those that are not plausible.

    Raises
    ------
    DatasetError
        For a bad row.

    Warns
    -----
    TripletWarning
        With the peak predicted, the window and a hint.
    """
    known = {t.id for t in triplets().values()}
    own = {k: t for k, t in triplets(*files).items() if k not in known or t != triplets()[k]}
    for t in own.values():
        warn_if_implausible(t)
    return own


def warn_if_implausible(t: Triplet) -> TripletAudit:
    """Audit of one triplet, with a `TripletWarning` unless it is plausible or nobody knows where its peak is seen."""
    result = audit_triplet(t.A, t.Ea, t.model, t.process)
    if result.verdict == "implausible":
        warnings.warn(f"triplet {t.id}: {result}.", TripletWarning, stacklevel=2)
    return result


@cache
def _predict(a: float, ea: float, law: ReactionModel) -> tuple[float | None, float | None, float | None, float | None]:
    beta = RATE_K_MIN / 60.0
    program = TemperatureProgram((0.0, (END_K - START_K) / beta), (START_K, END_K))
    grid = np.linspace(START_K, END_K, 2001)

    def alpha_at(temperature: np.ndarray) -> np.ndarray:
        return conversion_at(program, a, ea, law, np.clip((temperature - START_K) / beta, 0.0, program.duration_s))

    def rate_at(temperature: np.ndarray) -> np.ndarray:
        alpha = alpha_at(temperature)
        log_k = math.log(a) - ea / (GAS_CONSTANT * temperature)
        return np.where(alpha < 1.0, np.exp(log_k) * law.f(np.maximum(alpha, 1e-12)), 0.0)

    alpha = alpha_at(grid)
    marks = [float(_first(grid, alpha, level, alpha_at)) if alpha[-1] >= level else None for level in (0.1, 0.5, 0.9)]
    reacting = (alpha > 1e-6) & (alpha < 1.0)  # D-models are infinitely fast at the very start
    if alpha[1] > 0.5 or not reacting.any():
        return None, marks[0], marks[1], marks[2]
    rate = np.where(reacting, rate_at(grid), 0.0)
    top = int(np.argmax(rate))
    for step, reach in ((0.1, 15), (1e-3, 75)):
        fine = grid[top] + np.arange(-reach, reach + 1) * step
        grid = fine[(fine >= START_K) & (fine <= END_K)]
        top = int(np.argmax(rate_at(grid)))
    peak = float(grid[top])
    return (None if peak > END_K - 2.0 else peak), marks[0], marks[1], marks[2]


def _first(grid: np.ndarray, alpha: np.ndarray, level: float, alpha_at: object) -> float:
    """Temperature at which a conversion is reached."""
    i = int(np.argmax(alpha >= level))
    if i == 0:
        return float(grid[0])
    low, high = float(grid[i - 1]), float(grid[i])
    for _ in range(40):
        middle = 0.5 * (low + high)
        if alpha_at(np.array([middle]))[0] >= level:  # type: ignore[operator]
            high = middle
        else:
            low = middle
    return high


def _inside(peak: float | None, window: Window) -> bool:
    return peak is not None and window.T_low <= peak <= window.T_high


def _peak_text(peak: float | None) -> str:
    return "no peak from 273 to 2273 K at 10 K/min" if peak is None else f"predicts a peak at {peak:.0f} K at 10 K/min"


def _hint(a: float, ea: float, law: ReactionModel, peak: float | None, window: Window) -> str:
    found = []
    tried = [(text, a * on_a, ea * on_ea) for text, on_a, on_ea in _MISTAKES]
    for text, new_a, new_ea in tried:
        if EA_RANGE[0] <= new_ea <= EA_RANGE[1]:
            other = _predict(new_a, new_ea, law)[0]
            if _inside(other, window):
                found.append(f"{text} would give {other:.0f} K")
    if found:
        return "; ".join(found)
    middle = 0.5 * (window.T_low + window.T_high)
    if peak is None:
        return "no usual mistake explains it"
    # by the condition of Kissinger A moves with exp(Ea/RT)/T^2
    factor = ea / GAS_CONSTANT * (1.0 / middle - 1.0 / peak) + 2.0 * math.log(peak / middle)
    return f"no usual mistake explains it: A would have to be 10^{factor / math.log(10.0):+.1f} times as large"
