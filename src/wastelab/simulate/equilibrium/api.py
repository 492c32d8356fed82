"""Equilibrium of mixes in a furnace gas or in a closed vessel, as a person asks for it and reads it.

Gibbs energy minimum over pure phases, ideal solid solutions and gas. What is not modelled, alite and belite solid
solution and the melt, is named in the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import CompositionError, MissingDataError, UnitError, ValidityError
from ...reference.thermochemistry import GAS_CONSTANT, Thermochemistry, thermochemistry
from ...units import parse, parse_number
from ..atmosphere import Atmosphere, as_atmosphere
from ..charge import ELEMENTS, Charge, as_charge
from ..heating import kelvin
from .closed import Point, mixtures_of, require_split, solve_closed, solve_point
from .notices import MOST_ASIDE
from .result import assemble, from_points
from .system import PhaseTable, System, check_temperature

if TYPE_CHECKING:
    import xarray as xr

FloatArray = NDArray[np.float64]

#: Equilibria of one call up to which refine="auto" refines.
REFINE_MOST = 2000


def equilibrium(
    mix: Any,
    temperature: Any,
    atmosphere: Atmosphere | str | Mapping[str, str | float] | None = None,
    *,
    closed: bool = False,
    pressure: str = "1 bar",
    phases: Thermochemistry | str | Path | Sequence[str | Path] | None = None,
    suppress: Iterable[str] | str = (),
    allow: Iterable[str] | str = (),
    solutions: bool | Iterable[str] = True,
    sulfur: str = "leave",
    oxygen_potential: str | None = None,
    reactants: Mapping[str, float] | None = None,
    refine: bool | str = "auto",
    allow_set_aside: bool = False,
    derivatives: bool = False,
    uncertainty: int | None = None,
    seed: int | None = None,
) -> xr.Dataset:
    """Phases, gas and heat at equilibrium.

    Parameters
    ----------
    mix : Material, Composition, mapping, xarray.DataArray or pandas.DataFrame
        Oxides in wt% of the dry mass, one mix or many; see `wastelab.simulate.charge.as_charge`.
    temperature : str, sequence of str, quantity or xarray.DataArray
        With unit: ``"1250 degC"``, ``["1200 degC", "1250 degC"]``, an array with ``attrs["units"]``.
    atmosphere : Atmosphere, str or mapping, optional
        Furnace gas, for example ``"rotary_kiln"`` or ``{"O2": "3 %", "CO2": "25 %", "SO2": "0.1 %"}``; air by default.
        It fixes the potentials of O, C and H whatever the solid gives off.
    closed : bool
        No furnace gas: everything stays, and a gas forms where the solids' pressures reach `pressure`.
    pressure : str
        Total pressure, with unit. An atmosphere given for another total is scaled to it.
    phases : path, sequence of path, or Thermochemistry, optional
        Tables of your own beside the shipped set.
    suppress, allow, solutions, sulfur
        See `System.build`.
    oxygen_potential : str, optional
        RT ln(pO2 / 1 bar) with unit, ``"-300 kJ/mol"``, in place of the oxygen of the atmosphere.
    reactants : mapping of str to float, optional
        Minerals the mix is made of [wt%], by phase name, for the heat of reaction; a Material brings its own.
    refine : bool or "auto"
        Whether solid solutions are refined to continuous compositions (about a thousand mixes a second), or stand at
        65 fixed compositions each, at most 0.0003 RT per mixing site above their curve: 99 of 100 mixes are then
        within 1 wt% in every mineral, the worst found 4 wt%, where two assemblages differ by less than 0.1 kJ/mol
        (tens of thousands a second; `affinity` and phases that no mix holds are left out). "auto" refines up to
        `REFINE_MOST` equilibria.
        Without solid solutions both are exact.
    allow_set_aside : bool
        Calculate although more than 5 wt% of the mix are oxides without data, carried as inert mass.
    derivatives : bool
        Add `d_phase_d_oxide` and `d_phase_dT` (open system only).
    uncertainty : int, optional
        Number of draws over the uncertainty of the data and of the oxides.
    seed : int, optional
        Required with `uncertainty`.

    Returns
    -------
    xarray.Dataset
        Over mix and temperature where several were given, and phase, mineral, element, gas; see docs/equilibrium.md.

    Raises
    ------
    CompositionError, MissingDataError, UnitError, UnknownNameError, ValidityError

    Notes
    -----
    298.15 to 1800 K. No melt: where minerals are present above their melting points, eutectics or minima, which many
    ashes, clays and slags are from 950 degC and Portland mixes from 1300 degC, ``attrs["warnings"]`` say so.

    References
    ----------
    White, W. B., Johnson, S. M., Dantzig, G. B., J. Chem. Phys. 28 (1958) 751-755, doi:10.1063/1.1744264 (Gibbs energy
    minimum as a programme); Connolly, J. A. D., Earth Planet. Sci. Lett. 236 (2005) 524-541,
    doi:10.1016/j.epsl.2005.04.033 (solutions as pseudo-phases of a linear programme).
    """
    charge = as_charge(mix)
    t, single_t = temperatures(temperature)
    bar = pressure_bar(pressure)
    potential = None if oxygen_potential is None else _potential(oxygen_potential)
    thermo = thermo_of(phases)
    gas = None
    if closed:
        if atmosphere is not None or potential is not None:
            raise ValidityError(
                "closed=True has no furnace gas: leave out atmosphere and oxygen_potential, or choose closed=False."
            )
        if derivatives:
            raise ValidityError("derivatives=True is for open systems; leave closed=True out.")
        require_split(charge)
    else:
        gas = as_atmosphere(atmosphere)
        if abs(gas.total - bar) > 1e-9 * bar:
            factor = bar / gas.total
            gas = Atmosphere({k: v * factor for k, v in gas.pressures.items()}, gas.name, gas.source, bar)
    system = System.build(
        thermo, gas, suppress=suppress, allow=allow, solutions=solutions, sulfur=sulfur, oxygen_potential=potential,
        closed=closed,
    )  # fmt: skip
    if not charge.amount.any(axis=1).all():
        bad = int(np.argmin(charge.amount.any(axis=1)))
        raise CompositionError(
            f"mix {charge.labels[bad]!r} has none of the elements that phases are made of ({', '.join(ELEMENTS)})."
        )
    if not allow_set_aside:
        _refuse_aside(charge)
    if uncertainty is not None and (
        isinstance(uncertainty, bool) or not isinstance(uncertainty, int | np.integer) or uncertainty < 2
    ):
        raise ValidityError(f"uncertainty = {uncertainty!r} is no number of draws; give 2 or more, for example 200.")
    if uncertainty is not None and closed:
        raise ValidityError("uncertainty is for open systems; leave closed=True out.")
    if uncertainty is not None and seed is None:
        raise MissingDataError("uncertainty needs a seed, so that the result can be repeated: seed=1.")
    tables = [system.table(float(v)) for v in t]
    points: list[list[Point]] = []
    if _refined(refine, system, charge.n * len(t), derivatives, uncertainty):
        points = [_points(table, charge, bar) for table in tables]
        solved = from_points(charge, tables, points)
    else:
        from .many import solve_many

        solved = solve_many(charge, tables)
    data = assemble(charge, tables, solved, bar, single_t, reactants)
    if derivatives:
        from .derivatives import add_derivatives

        add_derivatives(data, charge, tables, points)
    if uncertainty is not None:
        from .uncertainty import add_uncertainty

        add_uncertainty(data, charge, tables, int(uncertainty), int(seed or 0))
    return data


def _potential(text: Any) -> float:
    """RT ln pO2 [J/mol]."""
    if isinstance(text, str):
        number = parse_number(text)
        if not number[1]:
            raise UnitError(f"oxygen_potential = {text!r} has no unit; expected kJ/mol, e.g. '{number[0]:g} kJ/mol'.")
    return 1e3 * parse(text, "kJ/mol", what="oxygen_potential")


def _refuse_aside(charge: Charge) -> None:
    """Refuse mixes of which too much has no data."""
    if not charge.set_aside:
        return
    total = np.sum(list(charge.set_aside.values()), axis=0)
    i = int(np.argmax(total))
    if total[i] > MOST_ASIDE:
        parts = sorted(charge.set_aside.items(), key=lambda kv: -kv[1][i])
        raise ValidityError(
            f"mix {charge.labels[i]!r}: no thermochemical data for "
            f"{', '.join(f'{o} ({v[i]:.3g} wt%)' for o, v in parts if v[i] > 0)}, together more than "
            f"{MOST_ASIDE:g} wt%; the phases of the rest would mislead. Add data (phases='my_phases.csv'), leave the "
            "oxides out of the mix, or accept them as inert mass with allow_set_aside=True."
        )


def _refined(refine: Any, system: System, n: int, derivatives: bool, uncertainty: int | None) -> bool:
    """Whether to solve one by one with continuous solutions."""
    if refine not in (True, False, "auto"):
        raise ValidityError(f"refine = {refine!r} is none of True, False, 'auto'.")
    asked = {"closed=True": system.closed, "derivatives=True": derivatives, "uncertainty": uncertainty is not None}
    always = [what for what, given in asked.items() if given]
    if refine is False and always:
        raise ValidityError(f"{always[0]} is always refined; leave refine=False out.")
    return bool(always) or refine is True or (refine == "auto" and n <= REFINE_MOST)


def temperatures(value: Any) -> tuple[FloatArray, bool]:
    """Temperatures [K] from what a person gave, and whether it was a single one.

    Raises
    ------
    UnitError
        For a bare number or an array without units.
    ValidityError
        Outside the range of the data, or none at all.
    """
    if isinstance(value, str):
        out, single = np.array([_kelvin(value)]), True
    elif hasattr(value, "dims") and hasattr(value, "attrs"):
        unit = value.attrs.get("units")
        if not unit:
            raise UnitError('the array of temperatures has no attrs["units"]; set it to "K" or "degC".')
        numbers = np.asarray(value.values, dtype=np.float64)
        out, single = _convert(numbers.ravel(), str(unit)), numbers.ndim == 0
    elif hasattr(value, "magnitude") and hasattr(value, "units"):
        numbers = np.asarray(value.magnitude, dtype=np.float64)
        out, single = _convert(numbers.ravel(), str(value.units)), numbers.ndim == 0
    elif isinstance(value, Sequence | np.ndarray) and not isinstance(value, bytes):
        out, single = np.array([_kelvin(v) for v in value]), False
    else:
        out, single = np.array([_kelvin(value)]), True
    if out.size == 0:
        raise ValidityError("no temperature was given; write '1250 degC' or a list of such.")
    for v in out:
        if not np.isfinite(v):
            raise ValidityError("a temperature is not a finite number.")
        check_temperature(float(v))
    return out, single


def _kelvin(value: Any) -> float:
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        raise UnitError(f"temperature = {float(value):g} has no unit; write '{float(value):g} degC'.")
    if isinstance(value, str) and not parse_number(value)[1]:
        raise UnitError(f"temperature = {value!r} has no unit; write '{value.strip()} degC'.")
    return kelvin(value)


def _convert(numbers: FloatArray, unit: str) -> FloatArray:
    unit = {"K": "kelvin", "kelvin": "kelvin", "C": "degC", "°C": "degC", "degree_Celsius": "degC"}.get(unit, unit)
    return np.array([parse(f"{float(v)!r} {unit}", "kelvin", what="temperature") for v in numbers])


def pressure_bar(pressure: str) -> float:
    """Total pressure [bar]."""
    bar = parse(pressure, "bar", what="pressure")
    if not 1e-3 <= bar <= 100:
        raise ValidityError(
            f"pressure = {pressure!r} is outside 0.001 to 100 bar: the gas is taken as ideal and the volumes of solids "
            "as nothing."
        )
    return bar


def thermo_of(phases: Thermochemistry | str | Path | Sequence[str | Path] | None) -> Thermochemistry:
    """The shipped set, with tables of the user's own, or the set given."""
    if isinstance(phases, Thermochemistry):
        return phases
    if phases is None:
        return thermochemistry()
    return thermochemistry(*((phases,) if isinstance(phases, str | Path) else phases))


def _points(table: PhaseTable, charge: Charge, bar: float) -> list[Point]:
    """Equilibrium of every mix at one temperature.

    Mixes whose assemblage has no solution, and where none would be stable at any composition, are those of the linear
    programme; the others are refined.
    """
    system = table.system
    amounts = system.b(charge)
    if system.closed:
        return [solve_closed(table, b, bar, label) for b, label in zip(amounts, charge.labels, strict=True)]
    result = table.solve(amounts, charge.labels)
    rt = GAS_CONSTANT * table.temperature_K
    solutions = mixtures_of(table, rt)[0]
    is_solution = np.array([c.kind == "solution" for c in system.columns])[table.usable]
    has_solution = np.any(is_solution[result.basis] & (result.amount > 0), axis=1)
    out = []
    for i, label in enumerate(charge.labels):
        pi = result.dual[i] / rt
        if has_solution[i] or any(m.excess(pi, amounts[i] > 0) > 1e-12 for m in solutions):
            out.append(solve_point(table, amounts[i], label))
        else:
            out.append(_pure(table, result.basis[i], result.amount[i], result.dual[i]))
    return out


def _pure(table: PhaseTable, basis: NDArray[np.int32], amount: FloatArray, dual: FloatArray) -> Point:
    system = table.system
    index = {p: i for i, p in enumerate(system.phases)}
    of, parts = np.zeros(len(system.phases)), np.zeros(len(system.thermo))
    active = []
    for j, n in zip(table.usable[basis], amount, strict=True):
        column = system.columns[j]
        if n > 0:
            active.append(int(j))
            if column.kind == "phase":
                of[index[column.name]] += n
                parts += n * system.combination[j]
    return Point(of, parts, {}, np.asarray(dual), np.zeros(0), tuple(active), None)
