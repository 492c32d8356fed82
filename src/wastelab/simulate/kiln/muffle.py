"""Muffle furnace and other batch equipment: one lumped sample, with its crucible, behind the furnace program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ValidityError
from ...reference.thermochemistry import Thermochemistry
from ..atmosphere import Atmosphere, as_atmosphere
from ..heating import TemperatureProgram, as_program
from ..water import parse_moisture
from . import _kernels as kernels
from .chemistry import build
from .equipment import Preset, preset
from .heat_transfer import STEFAN_BOLTZMANN, oxygen_diffusivity
from .result import (
    ConvergenceError,
    attributes,
    closed,
    element_error,
    minerals,
    name_coordinates,
    notices,
    summed,
    whole,
)
from .tables import GASES, INERT, T0, at

if TYPE_CHECKING:
    import xarray as xr

FloatArray = NDArray[np.float64]
GAS_STEPS = 600
#: Density of the grains, for the pores of a layer [kg/m3], from memory.
GRAIN_DENSITY = 2600.0
#: Heat of burning above the furnace that is warned of [K], and sample temperature that is refused [K].
HOTTER_WARNED, HOTTEST = 30.0, 2000.0


def muffle(
    mix: Any = None,
    program: TemperatureProgram | str | None = None,
    atmosphere: Atmosphere | str | Mapping[str, str | float] | None = None,
    *,
    equipment: str = "muffle_lab",
    phases: Mapping[str, float] | None = None,
    moisture: str | None = None,
    reactions: Iterable[Any] | None = None,
    thermo: Thermochemistry | None = None,
    steps: int = GAS_STEPS,
    **changes: Any,
) -> xr.Dataset:
    """A sample heated by a furnace that follows a temperature program.

    Parameters
    ----------
    mix, phases
        The sample and its minerals [wt% dry]; it is put in at the ambient temperature.
    program : str or TemperatureProgram
        Of the furnace: ``"10 K/min to 800 degC, hold 2 h"``.
    atmosphere : Atmosphere, str or mapping, optional
        Gas of the furnace; that of the preset by default.
    equipment : str
        ``"muffle_lab"``, ``"gypsum_kettle"`` or one of your own.
    moisture : str, optional
        Free water of the moist sample, ``"8 %"``.
    steps : int
        Of time.
    **changes : str or number
        Values of the preset changed: ``bed_depth="5 mm"``, ``crucible=0.5``.

    Returns
    -------
    xarray.Dataset
        Over time: furnace and sample temperature, mass, conversions, phases, heat taken up.

    Raises
    ------
    MissingDataError, UnknownNameError, ValidityError, UnitError, ConvergenceError, BalanceError

    Notes
    -----
    The sample is a layer heated on both faces through a coefficient U = 1/(1/(h + 4 e sigma T^3) + d/(3 k)): convection
    and radiation at the furnace temperature, and the mean resistance of a layer of half depth d/2 heated from its faces
    is taken as d/(3 k) of the whole. Gas leaves at the sample temperature. A deep or large sample has a spread of
    temperature that one number cannot show: the result warns where the Biot number is above 0.5, and where burning
    makes the sample hotter than the furnace.

    Oxygen for what burns comes through the open face of the layer only: a film of coefficient h/(rho cp) (Lewis number
    one), and diffusion in the pores with the mean resistance d/(3 D_eff), D_eff = D e^1.5 for a layer of porosity e
    (Bruggeman); where the equipment has an ``air_flow``, fresh air mixed into the furnace stands in series. Reaction
    and supply are in series, so a deep layer burns slowly. Water vapour and CO2 leave without resistance.

    References
    ----------
    Bruggeman, D. A. G., Ann. Phys. 416 (1935) 636-664, doi:10.1002/andp.19354160705 [from memory].
    """
    import xarray as xr

    k = preset(equipment, "muffle", **changes)
    if not isinstance(program, (str, TemperatureProgram)):
        raise ValidityError(
            f"program = {program!r}; give that of the furnace as text, '10 K/min to 800 degC, hold 2 h', or as a "
            "TemperatureProgram."
        )
    steps = whole(steps, "steps", 20, 100_000)
    plan = as_program(program)
    gas = as_atmosphere(atmosphere, k.atmosphere)
    found = minerals(mix, phases)
    chem = build(
        found, reactions=reactions, moisture=parse_moisture(moisture), thermo=thermo, extra_inert=k["crucible"],
        pressures=gas.pressures,
    )  # fmt: skip
    corners = np.array(plan.time_s)
    times = np.unique(np.concatenate([np.linspace(0.0, plan.duration_s, steps + 1), corners]))
    furnace = plan.at(times)
    d = k["bed_depth"]
    surface = k["coefficient"] + 4.0 * k["emissivity"] * STEFAN_BOLTZMANN * furnace**3
    area = 2.0 / (k["bed_density"] * d)
    coef = np.zeros((len(times), 10))
    coef[:, 0] = area / (1.0 / surface + d / (3.0 * k["bed_conductivity"]))
    coef[:, 8] = _oxygen_resistance(k, furnace)
    n_t, n_r, n_s = len(times), len(chem.steps), len(chem.species)
    t, xi, n = np.zeros(n_t), np.zeros((n_t, n_r)), np.zeros((n_t, n_s))
    out_gas, heat = np.zeros((n_t, len(GASES))), np.zeros(n_t)
    p = np.array([gas.p(g) for g in GASES])
    failed = kernels.heat_program(
        times, furnace, coef, p, k["ambient"], k["ambient"], chem.kernel(), t, xi, n, out_gas, heat
    )
    if failed:
        raise ConvergenceError(
            f"no sample temperature between 200 and 3200 K fits at {times[failed] / 60:.1f} min. Use more steps, or "
            "check the heat of the reactions."
        )
    if float(t.max()) > max(HOTTEST, float(furnace.max()) + HOTTER_WARNED):
        raise ValidityError(
            f"burning would heat the sample to {t.max() - 273.15:.0f} degC in a furnace of at most "
            f"{furnace.max() - 273.15:.0f} degC: beyond what the model is for. Use a thinner layer (bed_depth), less "
            "carbon or less oxygen."
        )
    released = np.diff(out_gas, axis=0)
    carried = sum(float(r @ at(chem.gas_enthalpy, float(v))) for r, v in zip(released, t[1:], strict=True))
    gas298 = at(chem.gas_enthalpy, T0)
    total_gas = out_gas[-1]
    change = chem.heat(n[-1], T0) - chem.heat(chem.initial, T0) + float(total_gas @ gas298)
    balance = {
        "from the furnace": float(heat[-1]),
        "reactions and drying": -change,
        "sample and crucible": -(chem.heat(n[-1], float(t[-1])) - chem.heat(n[-1], T0))
        + chem.heat(chem.initial, float(t[0])) - chem.heat(chem.initial, T0),
        "gas": -(carried - float(total_gas @ gas298)),
    }  # fmt: skip
    error = closed(balance, k.name)
    elements = element_error(chem, n[-1], total_gas)
    held = np.array([x != INERT for x in chem.species]) * 1.0
    sample = n @ (chem.mass * held) + (chem.initial[-1] - k["crucible"])
    names, weight = summed(chem)
    biot = float((surface * d / 2 / k["bed_conductivity"]).max())
    warnings = []
    if biot > 0.5:
        warnings.append(
            f"Biot number up to {biot:.2g}: the sample is not of one temperature; make the layer thinner to compare"
        )
    peak, behind = float(t.max()), float(furnace[-1] - t[-1])
    hotter = t - np.maximum.accumulate(furnace)
    if hotter.max() > HOTTER_WARNED:
        warnings.append(
            f"burning heats the sample up to {hotter.max():.0f} K above the furnace, to {peak - 273.15:.0f} degC: "
            "spread it thinner, heat more slowly, or burn the carbon off first"
        )
    if behind > 10.0:
        warnings.append(
            f"the program is the temperature of the {'pan' if k['emissivity'] == 0 else 'furnace'}: at its end the "
            f"sample is {behind:.0f} K behind, at {t[-1] - 273.15:.0f} degC; hold longer or spread it thinner"
        )
    idle = [s.id for j, s in enumerate(chem.steps) if xi[-1, j] < 1e-3 * s.total and s.id != "metakaolinite"]
    if idle:
        warnings.append(f"not begun: {', '.join(idle)} (sample at most {peak - 273.15:.0f} degC)")
    warnings.extend(notices(chem, xi[-1], n[-1], peak))
    if "memory" in {str(s.evidence) for s in k.sources.values()}:
        warnings.append(f"numbers of the equipment {k.id} are partly from memory")
    masses = n * chem.mass
    masses[:, -1] = chem.initial[-1] - k["crucible"]
    fractions = masses @ weight
    total = np.array([s.total for s in chem.steps])
    chem.assumptions.append("gas of the furnace as given, whatever the sample releases")
    if chem.oxygen_need > 0:
        chem.assumptions.append(
            "oxygen reaches what burns through the open face of the layer: film and pores in series"
        )
    ds = xr.Dataset(
        {
            "furnace_temperature": ("time", furnace - 273.15, {"units": "degC"}),
            "sample_temperature": ("time", t - 273.15, {"units": "degC"}),
            "mass": ("time", sample / sample[0], {"units": "kg/kg", "long_name": "of the sample as put in"}),
            "conversion": (("time", "reaction"), xi / total, {"units": "1"}),
            "phase_fraction": (
                ("time", "phase"), fractions / sample[:, None], {"units": "kg/kg", "long_name": "of the sample left"},
            ),
            "gas_released": (("time", "gas"), out_gas, {"units": "mol/kg dry sample"}),
            "heat_taken_up": ("time", heat / 1e3, {"units": "kJ/kg dry sample"}),
            "heat_balance": ("item", np.array(list(balance.values())) / 1e3, {"units": "kJ/kg dry sample"}),
            "heat_closure_error": ((), error, {"units": "1"}),
            "element_closure_error": ((), elements, {"units": "1"}),
            "lag": ((), float((furnace - t).max()), {"units": "K", "long_name": "largest lag behind the furnace"}),
        },
        coords={
            "time": ("time", times / 60.0, {"units": "min"}), "reaction": [s.id for s in chem.steps],
            "phase": names, "gas": list(GASES), "item": list(balance),
        },
    )  # fmt: skip
    inputs = {
        "equipment": k.id, "phases": dict(found.phases), "program": str(plan), "atmosphere": dict(gas.pressures),
        "moisture": moisture, "steps": steps, "values": dict(k.values),
    }  # fmt: skip
    ds.attrs = attributes(f"batch furnace: {k.name}", chem, [*k.sources.values(), gas.source], inputs, warnings)
    name_coordinates(ds)
    return ds


def _oxygen_resistance(k: Preset, furnace: FloatArray) -> FloatArray:
    """Of the way of oxygen from the air that enters to the middle of the layer [bar s kg/mol]."""
    d = k["bed_depth"]
    diffusivity = oxygen_diffusivity(furnace)
    pores = max(1.0 - k["bed_density"] / GRAIN_DENSITY, 0.05)
    rho_cp = 353.0 / furnace * 1100.0  # of air [J/(m3 K)]
    path = rho_cp / max(k["coefficient"], 1.0) + d / (3.0 * diffusivity * pores**1.5)  # [s/m]
    resistance = 8.314e-5 * furnace * path * k["bed_density"] * d
    if "air_flow" in k.values:
        resistance = resistance + k["sample_mass"] / (k["air_flow"] / (8.314e-5 * 298.15))
    return np.asarray(resistance)
