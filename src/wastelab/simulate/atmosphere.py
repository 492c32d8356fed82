"""The gas around the solid: partial pressures that equilibrium and kinetics take as given.

They are inputs, because pSO2 and pO2 decide whether ye'elimite and anhydrite survive and pCO2 when calcite goes.
Presets are defaults per equipment: round numbers of usual practice from memory, to be replaced by measured gas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import UnitError, UnknownNameError, ValidityError, suggest
from ..provenance import Evidence, Source
from ..units import parse

#: Gases that an atmosphere may name.
GASES = ("O2", "N2", "CO2", "CO", "H2O", "SO2", "H2")
#: SO2 assumed in gases that are clean of it [bar]: 1 ppm, far above clean air.
ASSUMED_SO2 = 1e-6
_MEMORY = Source("usual gas of such equipment, round number from memory", Evidence.MEMORY)
_AIR = Source(
    "dry air 20.95 % O2, 0.04 % CO2, with about 1 % water vapour; SO2 of 1 ppm assumed: far above "
    "clean air, but a furnace is never free of it",
    Evidence.MEMORY,
)
_NITROGEN = Source("inert gas; residual O2 of 1e-5 bar and SO2 of 1e-6 bar assumed", Evidence.MEMORY)


@dataclass(frozen=True)
class Atmosphere:
    """Partial pressures of a furnace gas.

    Attributes
    ----------
    pressures : mapping of str to float
        Partial pressure of each gas [bar]; a gas not named is absent (0).
    name : str
    source : Source
        Where the pressures come from.
    total : float
        Total pressure [bar].
    """

    pressures: Mapping[str, float]
    name: str = "own"
    source: Source = field(default=Source("typed by the user", Evidence.RECIPE))
    total: float = 1.0

    def __post_init__(self) -> None:
        if not self.total > 0 or self.total > 100:
            raise ValidityError(f"total pressure {self.total:g} bar is outside 0 to 100 bar.")
        for gas, p in self.pressures.items():
            if gas not in GASES:
                raise UnknownNameError(f"There is no gas {gas!r}.{suggest(gas, GASES)} Gases: {', '.join(GASES)}.")
            if not 0 <= p <= self.total * (1 + 1e-9):
                raise ValidityError(f"p({gas}) = {p:g} bar is not between 0 and the total of {self.total:g} bar.")
        if sum(self.pressures.values()) > self.total * (1 + 1e-6):
            raise ValidityError(
                f"the partial pressures sum to {sum(self.pressures.values()):g} bar, more than the total of "
                f"{self.total:g} bar."
            )

    def p(self, gas: str) -> float:
        """Partial pressure [bar], 0 where absent."""
        return float(self.pressures.get(gas, 0.0))

    @property
    def names_so2(self) -> bool:
        """Whether p(SO2) is stated, and not the trace that the presets of clean gases assume."""
        return self.p("SO2") > (0.0 if self.source.evidence == Evidence.RECIPE else ASSUMED_SO2)

    def having(self, **pressures: float) -> Atmosphere:
        """The same with some partial pressures [bar] changed: ``air.having(SO2=1e-3)``; N2 gives way."""
        new = {**self.pressures, **pressures}
        rest = self.total - sum(v for k, v in new.items() if k != "N2")
        if "N2" in new and "N2" not in pressures:
            new["N2"] = max(rest, 0.0)
        changed = ", ".join(f"p({k}) = {v:g} bar" for k, v in pressures.items())
        source = Source(f"{self.source.text}; {changed} typed by the user", Evidence.RECIPE)
        return replace(self, pressures=new, name=f"{self.name} with {changed}", source=source)


def _make(name: str, source: Source = _MEMORY, **p: float) -> Atmosphere:
    return Atmosphere({**p, "N2": 1.0 - sum(p.values())}, name, source)


#: Defaults per equipment [bar].
ATMOSPHERES: dict[str, Atmosphere] = {
    "air": _make("air", _AIR, O2=0.2075, CO2=0.0004, H2O=0.01, SO2=ASSUMED_SO2),
    "nitrogen": _make("nitrogen", _NITROGEN, O2=1e-5, SO2=ASSUMED_SO2),
    "co2": Atmosphere({"CO2": 1.0}, "co2", Source("pure CO2 at 1 bar", Evidence.COMPUTED)),
    "steam": Atmosphere({"H2O": 1.0}, "steam", Source("pure water vapour at 1 bar", Evidence.COMPUTED)),
    "muffle": _make("muffle", O2=0.20, CO2=0.005, H2O=0.02, SO2=1e-4),
    "rotary_kiln": _make("rotary_kiln", O2=0.03, CO2=0.25, H2O=0.06, SO2=1e-3),
    "calciner": _make("calciner", O2=0.03, CO2=0.30, H2O=0.06, SO2=1e-4),
    "flash_calciner": _make("flash_calciner", O2=0.06, CO2=0.12, H2O=0.12, SO2=1e-4),
    "tunnel_kiln": _make("tunnel_kiln", O2=0.10, CO2=0.06, H2O=0.08, SO2=1e-4),
    "gypsum_kettle": _make("gypsum_kettle", O2=0.05, CO2=0.001, H2O=0.75),
    "gypsum_open": _make("gypsum_open", O2=0.20, CO2=0.0004, H2O=0.03),
}


def as_atmosphere(value: Atmosphere | str | Mapping[str, str | float] | None, default: str = "air") -> Atmosphere:
    """An atmosphere from what a person gave.

    Parameters
    ----------
    value : Atmosphere, str, mapping or None
        A preset (`ATMOSPHERES`), partial pressures as numbers in bar or as text (``{"CO2": "25 %", "O2": "3 %"}``;
        percent is of 1 bar; N2 fills up), or None for the default.

    Raises
    ------
    UnknownNameError, UnitError, ValidityError
    """
    if value is None:
        return ATMOSPHERES[default]
    if isinstance(value, Atmosphere):
        return value
    if isinstance(value, str):
        if value not in ATMOSPHERES:
            raise UnknownNameError(
                f"There is no atmosphere {value!r}.{suggest(value, ATMOSPHERES)} Presets: {', '.join(ATMOSPHERES)}; "
                "or give partial pressures, {'CO2': '25 %', 'O2': '3 %'}."
            )
        return ATMOSPHERES[value]
    if not isinstance(value, Mapping):
        raise ValidityError(
            f"atmosphere = {value!r}: expected a preset ({', '.join(ATMOSPHERES)}) or partial pressures, "
            "{'CO2': '25 %', 'O2': '3 %'}."
        )
    pressures: dict[str, float] = {}
    for gas, p in value.items():
        if isinstance(p, bool) or not isinstance(p, str | int | float | np.number):
            raise UnitError(
                f"atmosphere: {gas} = {p!r} is no pressure. Write a share ('3 %') or a pressure ('0.03 bar')."
            )
        if isinstance(p, str):
            try:
                pressures[gas] = parse(p, "", what=gas) if p.strip().endswith("%") else parse(p, "bar", what=gas)
            except UnitError as exc:
                raise UnitError(f"atmosphere: {exc} Write a share ('3 %') or a pressure ('0.03 bar').") from None
        else:
            pressures[gas] = float(p)
    total = max(1.0, sum(pressures.values())) if "N2" in pressures else 1.0
    if "N2" not in pressures:
        rest = 1.0 - sum(pressures.values())
        if rest > 0:
            pressures["N2"] = rest
    return Atmosphere(pressures, total=total)
