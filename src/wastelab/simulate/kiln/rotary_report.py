"""What a solved rotary kiln means for a person: profiles, fuel, CO2, heat balance, warnings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ValidityError
from .. import water
from .chemistry import BedChemistry
from .combustion import ASH_CP
from .result import attributes, closed, element_error, mass_fractions, name_coordinates, notices, summed
from .rotary import CLINKERING, LIMY
from .rotary_model import Layout, State, inlet, temperature_of
from .tables import GAS_MASS, GASES, T0, WATER, at

if TYPE_CHECKING:
    import xarray as xr

FloatArray = NDArray[np.float64]
CO2, O2, H2O = GASES.index("CO2"), GASES.index("O2"), GASES.index("H2O")
#: What the heat-transfer correlation of gas in kilns was measured for.
REYNOLDS = (1600.0, 7800.0)


def report(chem: BedChemistry, w: Layout, s: State, inputs: Mapping[str, Any]) -> xr.Dataset:
    """Assemble the result and check its balances.

    Raises
    ------
    BalanceError, ValidityError
    """
    import xarray as xr

    k, a = w.k, w.stages
    if float(s.g[:, O2].min()) < 0:
        raise ValidityError(
            f"the fuel has too little air: oxygen is used up (excess_air = {k['excess_air']:g}, and the feed burns "
            "with it). Raise excess_air."
        )
    product = float(s.n[-1] @ chem.mass)
    names, weight = summed(chem)
    ash = s.m * w.fuel.parts.get("ash", 0.0)
    tonne = product + ash  # ash settles on the product
    exit_K, dust_heat = _with_dust(chem, w, s)
    sec_K, _, gain = inlet(chem, w, s)
    dew = _dew_point(float(s.g[0, H2O] / s.g[0].sum()))
    if exit_K < dew:
        raise ValidityError(
            f"the exit gas would leave at {exit_K - 273.15:.0f} degC, below its dew point of {dew - 273.15:.0f} degC: "
            "water would condense on the feed, which is not modelled. More fuel or less moisture, or a shorter kiln."
        )
    balance, reaction = heat_balance(chem, w, s, exit_K, dust_heat, gain)
    error = closed(balance, "rotary kiln")
    elements = element_error(chem, s.n[-1], s.rel.sum(axis=0))
    burnt = float(sum(x * step.gas.get("CO2", 0.0) for x, step in zip(s.xi[-1], chem.steps, strict=True)
                      if step.kind == "oxygen")) * GAS_MASS[CO2]  # fmt: skip
    process = float(s.rel[:, CO2].sum()) * GAS_MASS[CO2] - burnt
    from_fuel = s.m * w.fuel.co2
    gas = np.maximum(s.g, 0.0)
    share = gas / gas.sum(axis=1, keepdims=True)
    z = w.z
    face = slice(a, None)
    area = k["length"] / w.cells
    feed = k["feed"]
    ids = [r.id for r in chem.steps]
    total = np.array([r.total for r in chem.steps])

    def profile(values: FloatArray, units: str, text: str) -> tuple[str, FloatArray, dict[str, str]]:
        return "z", np.asarray(values), {"units": units, "long_name": text}

    middle = {n: np.interp(z, 0.5 * (z[1:] + z[:-1]), v[a:]) for n, v in (
        ("wall", s.flux[:, 4]), ("shell", s.shell), ("loss", s.flux[:, 3]), ("gas_bed", s.flux[:, 0]),
        ("gas_wall", s.flux[:, 1]), ("wall_bed", s.flux[:, 2]), ("fill", s.filling))}  # fmt: skip
    per_m = feed / area / 1e3
    ds = xr.Dataset(
        {
            "bed_temperature": profile(s.t[face] - 273.15, "degC", "bed"),
            "gas_temperature": profile(s.tg[face] - 273.15, "degC", "gas"),
            "wall_temperature": profile(middle["wall"] - 273.15, "degC", "inner wall"),
            "shell_temperature": profile(middle["shell"] - 273.15, "degC", "shell"),
            "filling": profile(middle["fill"], "1", "share of the cross-section filled"),
            "heat_gas_to_bed": profile(middle["gas_bed"] * per_m, "kW/m", "heat gas to bed"),
            "heat_gas_to_wall": profile(middle["gas_wall"] * per_m, "kW/m", "heat gas to wall"),
            "heat_wall_to_bed": profile(middle["wall_bed"] * per_m, "kW/m", "heat wall to bed"),
            "heat_loss": profile(middle["loss"] * per_m, "kW/m", "heat lost through the shell"),
            "phase_fraction": (("z", "phase"), np.pad(mass_fractions(chem, s.n[face]), ((0, 0), (0, 1))),
                               {"units": "kg/kg"}),
            "conversion": (("z", "reaction"), s.xi[face] / total, {"units": "1", "long_name": "conversion"}),
            "gas_fraction": (("z", "gas"), share[face], {"units": "mol/mol", "long_name": "gas by volume"}),
            "product_fraction": (
                "phase", np.append((s.n[-1] * chem.mass) @ weight, ash) / tonne,
                {"units": "kg/kg", "long_name": "of the product with the ash of the fuel"},
            ),
            "exit_gas_fraction": ("gas", share[0], {"units": "mol/mol", "long_name": "gas leaving the system"}),
            "heat_balance": (
                "item", np.array(list(balance.values())) / tonne / 1e3,
                {"units": "kJ/kg product", "long_name": "heat in (+) and out (-), 298 K"},
            ),
        },
        coords={
            "z": ("z", z, {"units": "m", "long_name": "from the feed end"}), "phase": [*names, "fuel_ash"],
            "reaction": ids,
            "gas": list(GASES), "item": list(balance),
        },
    )  # fmt: skip
    if a:
        ds["stage_solid_temperature"] = ("stage", s.t[1 : a + 1] - 273.15, {"units": "degC"})
        ds["stage_gas_temperature"] = ("stage", s.tg[:a] - 273.15, {"units": "degC"})
        ds["stage_conversion"] = (("stage", "reaction"), s.xi[1 : a + 1] / total, {"units": "1"})
        ds = ds.assign_coords(stage=("stage", np.arange(1, a + 1), {"long_name": "preheater stage from the top"}))
    scalars = {
        "fuel_per_product": (1e3 * s.m / tonne, "kg/t"), "fuel_per_feed": (s.m, "kg/kg dry feed"),
        "specific_heat": (s.m * w.fuel.lhv / tonne / 1e6, "GJ/t"), "product_per_feed": (tonne, "kg/kg dry feed"),
        "fuel_ash_in_product": (ash / tonne, "kg/kg"), "production": (tonne * feed * 3.6, "t/h"),
        "CO2_process": (1e3 * process / tonne, "kg/t"), "CO2_fuel": (1e3 * from_fuel / tonne, "kg/t"),
        "CO2_feed_carbon": (1e3 * burnt / tonne, "kg/t"),
        "CO2": (1e3 * (process + burnt + from_fuel) / tonne, "kg/t"),
        "heat_of_formation": (reaction / tonne / 1e6, "GJ/t"),
        "shell_loss": (float(s.flux[a:, 3].sum()) / tonne / 1e6, "GJ/t"),
        "exit_gas_temperature": (exit_K - 273.15, "degC"), "exit_gas_mass": (float(s.g[0] @ GAS_MASS) / tonne, "kg/kg"),
        "secondary_air_temperature": (sec_K - 273.15, "degC"), "dust": (1e3 * k["dust_loss"] / tonne, "kg/t"),
        "peak_bed_temperature": (float(s.t.max()) - 273.15, "degC"),
        "peak_gas_temperature": (float(s.tg.max()) - 273.15, "degC"),
        "discharge_temperature": (float(s.t[-1]) - 273.15, "degC"),
        "residence_time": (w.residence / 60.0, "min"), "heat_closure_error": (error, "1"),
        "element_closure_error": (elements, "1"), "iterations": (s.iterations, "1"),
    }  # fmt: skip
    ds = ds.assign({name: ((), value, {"units": units}) for name, (value, units) in scalars.items()})
    chem.assumptions.extend(
        [
            "bed and gas uniform over the cross-section; grey radiation; no coating, no melt; complete burn-out",
            "burn-out along the flame falls linearly from the burner to the flame's end",
            "fuel ash joins the product at the discharge and does not react",
            "dust leaves as dry unreacted feed at the exit gas temperature and comes on top of the feed: it cools the "
            "exit gas and costs no fuel",
            "CO2_process is that of the minerals; CO2 of carbon burnt in the feed is CO2_feed_carbon",
            "oxygen reaches what burns in the bed through the film of gas above it, in series with the reaction; what "
            "burns gets air with the same excess as the fuel",
        ]
    )
    name_coordinates(ds)
    ds.attrs = attributes(
        f"rotary kiln: {k.name}", chem, [*k.sources.values(), w.fuel.source], inputs, warnings_of(chem, w, s, ds, sec_K)
    )
    return ds


def _with_dust(chem: BedChemistry, w: Layout, s: State) -> tuple[float, float]:
    """Exit gas temperature after it has warmed the dust it carries [K], and the heat of the dust over 298 K."""
    dry = np.where([x == WATER for x in chem.species], 0.0, chem.initial) * w.k["dust_loss"]
    feed_K = w.k["feed_temperature"]
    values = chem.gas_enthalpy @ s.g[0] + chem.enthalpy @ dry
    heat = float(s.g[0] @ at(chem.gas_enthalpy, float(s.tg[0]))) + chem.heat(dry, feed_K)
    exit_K = temperature_of(values, heat)
    return exit_K, chem.heat(dry, exit_K) - chem.heat(dry, T0)


def _dew_point(share: float) -> float:
    """Temperature at which water vapour of this share by volume condenses at 1 bar [K]."""
    grid = np.linspace(230.0, 372.0, 143)
    return float(np.interp(share, water.saturation_pressure(grid), grid))


def heat_balance(
    chem: BedChemistry, w: Layout, s: State, exit_K: float, dust_heat: float, gain: float
) -> tuple[dict[str, float], float]:
    """Heat in (positive) and out (negative) over 298 K, per kg of dry feed [J/kg], and the heat of formation."""
    k, a = w.k, w.stages
    gas298, amb = at(chem.gas_enthalpy, T0), k["ambient"]
    moist = np.array([x == WATER for x in chem.species])
    released = s.rel.sum(axis=0)
    evaporation = float(chem.initial[moist].sum()) * (float(gas298[H2O]) - water.ENTHALPY_OF_FORMATION)
    change = chem.heat(s.n[-1], T0) - chem.heat(chem.initial, T0) + float(released @ gas298)
    reaction = change - evaporation
    first, second = w.air(s.m)
    air = first + second
    dry = np.where(moist, 0.0, chem.initial) * k["dust_loss"]
    product_heat = chem.heat(s.n[-1], float(s.t[-1])) - chem.heat(s.n[-1], T0)
    items = {
        "fuel": s.m * w.fuel.lhv,
        "fuel and air, sensible": s.m * (w.fuel.enthalpy(amb) - w.fuel.enthalpy(T0))
        + float(air @ (at(chem.gas_enthalpy, amb) - gas298)),
        "feed and dust, sensible": chem.heat(chem.initial, k["feed_temperature"])
        - chem.heat(chem.initial, T0)
        + chem.heat(dry, k["feed_temperature"])
        - chem.heat(dry, T0),
        "reactions": -reaction,
        "evaporation": -evaporation,
        "exit gas": -float(s.g[0] @ (at(chem.gas_enthalpy, exit_K) - gas298)),
        "dust": -dust_heat,
        "shell": -float(s.flux[a:, 3].sum()),
        "preheater loss": -float(s.flux[:a, 3].sum()),
        "product and cooler": gain - product_heat,
        "fuel ash": -s.m * w.fuel.parts.get("ash", 0.0) * ASH_CP * (float(s.t[-1]) - T0),
    }
    return items, reaction


def warnings_of(chem: BedChemistry, w: Layout, s: State, ds: xr.Dataset, sec_K: float) -> list[str]:
    """What leaves the range of the models, and what a person should look at."""
    out, a = [], w.stages
    re = s.reynolds[a:]
    if re.max() > REYNOLDS[1] or re.min() < REYNOLDS[0]:
        out.append(
            f"convection: Re = {re.min():.3g} to {re.max():.3g} is outside {REYNOLDS[0]:g} to {REYNOLDS[1]:g} that the "
            "correlation of Tscheng and Watkinson was measured for"
        )
    fill = s.filling[a:]
    if fill.max() > 0.20:
        out.append(f"the bed fills up to {100 * fill.max():.0f} % of the kiln; 5 to 17 % is usual")
    if fill.max() < 0.02:
        out.append(f"the bed fills at most {100 * fill.max():.1f} % of the kiln: heat transfer to it is uncertain")
    if w.secondary.any() and sec_K > float(s.t[-1]) - 1.0:
        out.append("secondary air as hot as the product: cooler_efficiency is more than so little air can bring back")
    if float(s.tg.max()) > 2400.0:
        out.append(f"gas reaches {s.tg.max() - 273.15:.0f} degC: dissociation, not modelled, would cool it")
    if chem.steps and float(s.t.max()) > 1600.0:
        out.append("above about 1330 degC part of the bed is molten; the melt is not modelled")
    peak = float(s.t.max())
    if s.autothermal:
        out.append(
            f"the feed needs no fuel: by its own burning the bed reaches {peak - 273.15:.0f} degC; more air "
            "(excess_air) or a leaner mix makes it colder"
        )
    if (
        peak > CLINKERING
        and not any(step.kind == "ramp" for step in chem.steps)
        and any(x in LIMY for x in chem.phases)
    ):
        out.append("clinker=False: lime that would combine above about 900 degC stays free, and its heat is missing")
    rise = np.diff(s.t[a:])
    if rise.max() > 150.0:
        out.append(
            f"the bed rises by {rise.max():.0f} K within one cell of {w.z[1]:.2g} m, {w.z[int(rise.argmax())]:.3g} m "
            "from the feed end: use more cells to see how"
        )
    out.extend(notices(chem, s.xi[-1], s.n[-1], peak))
    weak = sorted({str(v.evidence) for v in w.k.sources.values()})
    if "memory" in weak:
        out.append(f"numbers of the equipment {w.k.id} are partly from memory")
    if float(ds["exit_gas_temperature"]) < 100.0:
        out.append("exit gas below 100 degC: water may condense on cold walls and dust")
    return out
