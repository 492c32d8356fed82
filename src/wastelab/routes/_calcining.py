"""What calcination makes of a mineral at a process point: kinetics once per point, not once per candidate.

Holds because the reactions of the minerals are independent of one another in a gas of given pressures; a route whose
reactions feed on each other must not use this.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from ..provenance import Evidence, Source
from .base import ProcessVariable

KINETICS = Source(
    "kinetics of the pure mineral over the program of the process point (rate laws with their sources in the kinetic "
    "data), times its content",
    Evidence.SECONDARY,
)
#: What every result of this kind takes for granted.
ASSUMPTIONS = (
    "the bed has the temperature of the program throughout: powder, thin layer or well stirred",
    "rate laws of powders of the literature; coarse pieces take longer",
    "minerals react independently of one another",
)


@cache
def fate(
    mineral: str,
    temperature_degC: float,
    hold_min: float,
    rate_K_min: float,
    atmosphere: str,
    pH2O: float | None = None,
) -> Mapping[str, float]:
    """What one kg of a pure mineral has become after heating at a rate and holding [kg/kg], by phase.

    Parameters
    ----------
    mineral : str
    temperature_degC, hold_min, rate_K_min : float
    atmosphere : str
        Preset of `wastelab.simulate.atmosphere`.
    pH2O : float, optional
        Partial pressure of water in place of the preset's [bar].
    """
    from ..simulate.atmosphere import ATMOSPHERES
    from ..simulate.kinetics.calcine import calcine

    hold = f", hold {hold_min!r} min" if hold_min > 0 else ""
    program = f"{rate_K_min!r} K/min to {temperature_degC!r} degC{hold}"
    gas = ATMOSPHERES[atmosphere]
    if pH2O is not None:
        gas = gas.having(H2O=pH2O)
    result = calcine(None, program, gas, phases={mineral: 100.0}, times=2)
    last = result["phase_fraction"].isel(time=-1)
    return {str(p): float(v) for p, v in zip(last["phase"].values, last.values, strict=True)}


def variables(low: float, high: float, hold: float, rate: float, *, optional: bool) -> tuple[ProcessVariable, ...]:
    """Temperature, hold and heating rate of a calcination."""
    memory = Source("usual practice, round number from memory", Evidence.MEMORY)
    return (
        ProcessVariable(
            "temperature", "degC", "calcination temperature", "煅烧温度", low, high, optional=optional,
        ),
        ProcessVariable(
            "hold", "min", "time at temperature", "保温时间", 0.0, 1440.0, hold, memory, needs="temperature",
        ),
        ProcessVariable(
            "heating_rate", "K/min", "heating rate", "升温速率", 0.1, 100_000.0, rate, memory, needs="temperature",
        ),
    )  # fmt: skip
