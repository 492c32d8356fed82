"""Muffle furnace and other batch equipment: one lumped sample, with its crucible, behind the furnace program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ValidityError
from ...reference.thermochemistry import Thermochemistry
from ..atmosphere import Atmosphere, as_atmosphere
from ..heating import TemperatureProgram, as_program
from . import _kernels as kernels
from .chemistry import GASES, INERT, T0, at, build
from .equipment import preset
from .heat_transfer import STEFAN_BOLTZMANN
from .result import ConvergenceError, attributes, closed, element_error, minerals, visible

if TYPE_CHECKING:
    import xarray as xr

GAS_STEPS = 600


def muffle(
    mix: Any = None,
    program: TemperatureProgram | str | None = None,
    atmosphere: Atmosphere | str | Mapping[str, str | float] | None = None,
    *,
    equipment: str = "muffle_lab",
    phases: Mapping[str, float] | None = None,
    moisture: float = 0.0,
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
        Gas at the sample, which it does not change; that of the preset by default.
    equipment : str
        ``"muffle_lab"``, ``"gypsum_kettle"`` or one of your own.
    moisture : float
        Free water [kg/kg dry sample].
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
    temperature that one number cannot show: the result warns where the Biot number is above 0.5.
    """
    import xarray as xr

    k = preset(equipment, "muffle", **changes)
    if program is None:
        raise ValidityError("Give the program of the furnace, for example '10 K/min to 800 degC, hold 2 h'.")
    if steps < 20:
        raise ValidityError(f"steps = {steps} is too coarse; use at least 20.")
    plan = as_program(program)
    gas = as_atmosphere(atmosphere, k.atmosphere)
    found = minerals(mix, phases)
    chem = build(
        found, reactions=reactions, moisture=moisture, thermo=thermo, extra_inert=k["crucible"],
        pressures=gas.pressures,
    )  # fmt: skip
    corners = np.array(plan.time_s)
    times = np.unique(np.concatenate([np.linspace(0.0, plan.duration_s, steps + 1), corners]))
    furnace = plan.at(times)
    d = k["bed_depth"]
    surface = k["coefficient"] + 4.0 * k["emissivity"] * STEFAN_BOLTZMANN * furnace**3
    area = 2.0 / (k["bed_density"] * d)
    coef = np.zeros((len(times), 8))
    coef[:, 0] = area / (1.0 / surface + d / (3.0 * k["bed_conductivity"]))
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
    biot = float((surface * d / 2 / k["bed_conductivity"]).max())
    warnings = []
    if biot > 0.5:
        warnings.append(
            f"Biot number up to {biot:.2g}: the sample is not of one temperature; make the layer thinner to compare"
        )
    if "memory" in {str(s.evidence) for s in k.sources.values()}:
        warnings.append(f"numbers of the equipment {k.id} are partly from memory")
    fractions = np.concatenate(
        [(n * chem.mass)[:, :-1], (chem.initial[-1] - k["crucible"]) * np.ones((n_t, 1))], axis=1
    )
    total = np.array([s.total for s in chem.steps])
    chem.assumptions.append("gas around the sample as given, whatever it releases")
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
            "phase": visible(chem), "gas": list(GASES), "item": list(balance),
        },
    )  # fmt: skip
    inputs = {
        "equipment": k.id, "phases": dict(found.phases), "program": str(plan), "atmosphere": dict(gas.pressures),
        "moisture": moisture, "steps": steps, "values": dict(k.values),
    }  # fmt: skip
    ds.attrs = attributes(f"batch furnace: {k.name}", chem, [*k.sources.values(), gas.source], inputs, warnings)
    return ds
