"""Fuels, the air they need and the gas they give; adiabatic flame temperature from the thermochemistry.

Carbon and heating value come from the factor table where it has the fuel, the rest of the composition from
``datasets/equipment/fuels.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...chemistry.formulas import molar_mass
from ...errors import DatasetError, MissingDataError, UnknownNameError, ValidityError, suggest
from ...provenance import Evidence, Source, weakest
from ...reference.files import find_files, read_toml
from ...reference.lookup import find_factor
from ...reference.thermochemistry import thermochemistry
from .tables import GASES, T0, at, gas_table

FloatArray = NDArray[np.float64]
PARTS = ("C", "H", "O", "N", "S", "moisture", "ash")
#: Air by volume; dry.
AIR = {"O2": 0.2095, "N2": 0.7905}
FUEL_CP = 1300.0  #: heat capacity of fuels between feeding and 298 K [J/(kg K)], from memory
ASH_CP = 1000.0
#: Difference of a heating value to Boie's formula that is refused.
OFF_BOIE = 0.25


@dataclass(frozen=True)
class Fuel:
    """A fuel as fired.

    Attributes
    ----------
    name : str
    parts : mapping of str to float
        Mass fractions of C, H, O, N, S, moisture and ash [kg/kg]; they sum to 1.
    lhv : float
        Lower heating value at 298 K [J/kg].
    source : Source
    """

    name: str
    parts: Mapping[str, float]
    lhv: float
    source: Source

    def __post_init__(self) -> None:
        for key, value in self.parts.items():
            if key not in PARTS:
                raise UnknownNameError(f"fuel {self.name!r}: {key!r} is not one of {', '.join(PARTS)}.")
            if not np.isfinite(value) or value < 0:
                raise ValidityError(f"fuel {self.name!r}: {key} = {value:g} kg/kg is not a mass fraction.")
        total = sum(self.parts.values())
        if abs(total - 1.0) > 1e-6:
            raise ValidityError(f"fuel {self.name!r}: the parts sum to {total:.6g} kg/kg; expected 1.")
        if not 2e6 < self.lhv < 1.3e8:
            raise ValidityError(f"fuel {self.name!r}: LHV {self.lhv / 1e6:g} MJ/kg is outside 2 to 130 MJ/kg.")
        guess = boie(self.parts)
        if not 1.0 - OFF_BOIE < self.lhv / guess < 1.0 + OFF_BOIE:
            raise ValidityError(
                f"fuel {self.name!r}: LHV {self.lhv / 1e6:g} MJ/kg does not fit its composition, for which Boie's "
                f"formula gives {guess / 1e6:.1f} MJ/kg (within {100 * OFF_BOIE:.0f} % is accepted). Check units, "
                "basis (as fired) and whether ash and moisture are in the parts."
            )

    def mol(self, part: str) -> float:
        """Atoms (or molecules of moisture) [mol/kg]."""
        return self.parts.get(part, 0.0) * 1000.0 / molar_mass("H2O" if part == "moisture" else part)

    @property
    def oxygen(self) -> float:
        """O2 for complete combustion [mol/kg]."""
        return self.mol("C") + self.mol("H") / 4 + self.mol("S") - self.mol("O") / 2

    @property
    def change(self) -> FloatArray:
        """Gas formed less oxygen used, by gas of `chemistry.GASES` [mol/kg fuel]."""
        made = {
            "CO2": self.mol("C"), "H2O": self.mol("H") / 2 + self.mol("moisture"), "N2": self.mol("N") / 2,
            "SO2": self.mol("S"), "O2": -self.oxygen,
        }  # fmt: skip
        return np.array([made.get(g, 0.0) for g in GASES])

    @property
    def co2(self) -> float:
        """[kg/kg fuel]"""
        return self.mol("C") * molar_mass("CO2") / 1000.0

    def enthalpy(self, temperature_K: float = T0) -> float:
        """Of the gas-forming part, such that burning at 298 K to CO2, H2O(g), SO2 gives the LHV [J/kg fuel]."""
        gases = at(gas_table(thermochemistry()), T0)
        return float(self.lhv + self.change @ gases + FUEL_CP * (temperature_K - T0))


def boie(parts: Mapping[str, float]) -> float:
    """Lower heating value from the composition [J/kg], never below 1 MJ/kg.

    Notes
    -----
    34.8 C + 93.9 H + 10.5 S + 6.3 N - 10.8 O - 2.45 moisture, MJ/kg for mass fractions; for solid and liquid fuels,
    within some per cent. Constants from memory.

    References
    ----------
    Boie, W., Energietechnik 3 (1953) 309-316 [from memory].
    """
    weight = {"C": 34.8, "H": 93.9, "S": 10.5, "N": 6.3, "O": -10.8, "moisture": -2.45}
    return max(1e6 * sum(w * parts.get(k, 0.0) for k, w in weight.items()), 1e6)


def fuel(value: Fuel | str | Mapping[str, Any]) -> Fuel:
    """A fuel by name, or from its composition.

    Parameters
    ----------
    value : Fuel, str or mapping
        A name of ``datasets/equipment/fuels.toml``, or ``{"C": 0.7, "H": 0.04, ..., "lhv_MJ_kg": 27}`` in kg/kg as
        fired; what is missing to 1 is ash.

    Raises
    ------
    UnknownNameError, ValidityError, MissingDataError
    """
    if isinstance(value, Fuel):
        return value
    if isinstance(value, Mapping):
        given = {}
        for key, v in value.items():
            if key == "name":
                continue
            if isinstance(v, bool) or not isinstance(v, (int, float, np.floating)):
                raise ValidityError(f"fuel: {key} = {v!r}; expected a number, kg/kg as fired (lhv_MJ_kg in MJ/kg).")
            given[str(key)] = float(v)
        if "lhv_MJ_kg" not in given:
            raise MissingDataError("fuel: give the lower heating value as fired, 'lhv_MJ_kg'.")
        lhv = given.pop("lhv_MJ_kg") * 1e6
        if "ash" not in given:
            given["ash"] = max(1.0 - sum(given.values()), 0.0)
        return Fuel(str(value.get("name", "own fuel")), given, lhv, Source("typed by the user", Evidence.RECIPE))
    known = _fuels()
    if not isinstance(value, str):
        raise ValidityError(f"fuel = {value!r}; expected a name ({', '.join(known)}) or a composition.")
    if value not in known:
        raise UnknownNameError(
            f"There is no fuel {value!r}.{suggest(value, known)} Fuels: {', '.join(known)}; or give its composition."
        )
    return known[value]


@cache
def _fuels() -> dict[str, Fuel]:
    out: dict[str, Fuel] = {}
    for file in find_files("datasets", "equipment/fuels.toml"):
        for name, entry in read_toml(file).get("fuel", {}).items():
            where = f"{file}, fuel.{name}"
            parts = {k: float(entry[k]) for k in PARTS if k in entry}
            sources = [Source(str(entry.get("source", "")), Evidence(entry.get("evidence", "memory")))]
            if not sources[0].text:
                raise DatasetError(f"{where}, source: is missing.")
            if "factor" in entry:
                ncv = find_factor("fuel", entry["factor"], "net calorific value")
                carbon = find_factor("fuel", entry["factor"], "carbon content")
                parts["C"] = carbon.value * ncv.value / 1000.0
                lhv = ncv.value * 1e6
                sources += [ncv.source, carbon.source]
            elif "lhv_MJ_kg" in entry:
                lhv = float(entry["lhv_MJ_kg"]) * 1e6
            else:
                raise DatasetError(f"{where}: needs 'factor' or 'lhv_MJ_kg'.")
            parts["ash"] = 1.0 - sum(parts.values())
            if parts["ash"] < -1e-9:
                raise DatasetError(f"{where}: the parts sum to more than 1.")
            parts["ash"] = max(parts["ash"], 0.0)
            text = "; ".join(dict.fromkeys(s.text for s in sources))
            out.setdefault(name, Fuel(name, parts, lhv, Source(text, weakest(s.evidence for s in sources))))
    return out


def air(oxygen_mol: float) -> FloatArray:
    """Dry air with this much O2, by gas of `chemistry.GASES` [mol]."""
    return np.array([AIR.get(g, 0.0) for g in GASES]) * oxygen_mol / AIR["O2"]


def adiabatic_flame_temperature(
    burnt: Fuel | str | Mapping[str, Any], *, excess_air: float = 0.0, air_K: float = T0, fuel_K: float = T0
) -> float:
    """Temperature of the gas of complete adiabatic combustion without dissociation [K].

    Parameters
    ----------
    burnt : Fuel, str or mapping
    excess_air : float
        Air beyond the need [-].
    air_K, fuel_K : float
        [K]

    Notes
    -----
    Above about 2000 K dissociation makes real flames colder.
    """
    f = fuel(burnt)
    if excess_air < 0:
        raise ValidityError(f"excess_air = {excess_air:g} is negative: the fuel would not burn out.")
    table = gas_table(thermochemistry())
    blown = air(f.oxygen * (1.0 + excess_air))
    gas = blown + f.change
    heat = float(blown @ at(table, air_K)) + f.enthalpy(fuel_K)
    low, high = 250.0, 3290.0
    for _ in range(80):
        mid = 0.5 * (low + high)
        if float(gas @ at(table, mid)) + f.parts.get("ash", 0.0) * ASH_CP * (mid - T0) > heat:
            high = mid
        else:
            low = mid
    return 0.5 * (low + high)
