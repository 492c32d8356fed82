"""What a solved rotary kiln means for a person: profiles, fuel, CO2, heat balance, warnings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ValidityError
from .chemistry import GASES, T0, WATER, WATER_H, BedChemistry, at
from .combustion import ASH_CP
from .result import attributes, closed, element_error, mass_fractions, visible
from .rotary import GAS_MASS, Layout, State, inlet, temperature_of

if TYPE_CHECKING:
    import xarray as xr

FloatArray = NDArray[np.float64]
CO2, O2 = GASES.index("CO2"), GASES.index("O2")
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
    ash = s.m * w.fuel.parts.get("ash", 0.0)
    tonne = product + ash  # ash settles on the product
    exit_K, dust_heat = _with_dust(chem, w, s)
    balance, reaction = heat_balance(chem, w, s, exit_K, dust_heat)
    error = closed(balance, "rotary kiln")
    elements = element_error(chem, s.n[-1], s.rel.sum(axis=0))
    process = float(s.rel[:, CO2].sum()) * GAS_MASS[CO2]
    from_fuel = s.m * w.fuel.co2
    sec_K = inlet(chem, w, s)[0]
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
            "phase_fraction": (("z", "phase"), mass_fractions(chem, s.n[face]), {"units": "kg/kg"}),
            "conversion": (("z", "reaction"), s.xi[face] / total, {"units": "1", "long_name": "conversion"}),
            "gas_fraction": (("z", "gas"), share[face], {"units": "mol/mol", "long_name": "gas by volume"}),
            "product_fraction": ("phase", mass_fractions(chem, s.n[-1]), {"units": "kg/kg"}),
            "exit_gas_fraction": ("gas", share[0], {"units": "mol/mol", "long_name": "gas leaving the system"}),
            "heat_balance": (
                "item", np.array(list(balance.values())) / tonne / 1e3,
                {"units": "kJ/kg product", "long_name": "heat in (+) and out (-), 298 K"},
            ),
        },
        coords={
            "z": ("z", z, {"units": "m", "long_name": "from the feed end"}), "phase": visible(chem), "reaction": ids,
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
        "CO2": (1e3 * (process + from_fuel) / tonne, "kg/t"),
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
            "dust leaves as dry unreacted feed at the exit gas temperature and comes on top of the feed",
        ]
    )
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


def heat_balance(
    chem: BedChemistry, w: Layout, s: State, exit_K: float, dust_heat: float
) -> tuple[dict[str, float], float]:
    """Heat in (positive) and out (negative) over 298 K, per kg of dry feed [J/kg], and the heat of formation."""
    k, a = w.k, w.stages
    gas298, amb = at(chem.gas_enthalpy, T0), k["ambient"]
    water = np.array([x == WATER for x in chem.species])
    released = s.rel.sum(axis=0)
    evaporation = float(chem.initial[water].sum()) * (float(gas298[GASES.index("H2O")]) - WATER_H)
    change = chem.heat(s.n[-1], T0) - chem.heat(chem.initial, T0) + float(released @ gas298)
    reaction = change - evaporation
    air = s.m * (w.primary + w.secondary)
    dry = np.where(water, 0.0, chem.initial) * k["dust_loss"]
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
        "product and cooler": -(1.0 - k["cooler_efficiency"]) * product_heat,
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
    if sec_K > float(s.t[-1]):
        out.append("secondary air would be hotter than the product: cooler_efficiency is too high for so little air")
    if float(s.tg.max()) > 2400.0:
        out.append(f"gas reaches {s.tg.max() - 273.15:.0f} degC: dissociation, not modelled, would cool it")
    if chem.steps and float(s.t.max()) > 1600.0:
        out.append("above about 1330 degC part of the bed is molten; the melt is not modelled")
    for r, step in enumerate(chem.steps):
        x = float(s.xi[-1, r]) / step.total
        if x < 0.98 and s.xi[-1, r] > 0:
            out.append(f"{step.id} is incomplete at the discharge ({100 * x:.0f} %)")
        tags = step.source
        if str(tags.evidence) == "memory":
            out.append(f"the rate of {step.id} is from memory")
    weak = sorted({str(v.evidence) for v in w.k.sources.values()})
    if "memory" in weak:
        out.append(f"numbers of the equipment {w.k.id} are partly from memory")
    if float(ds["exit_gas_temperature"]) < 90.0:
        out.append("exit gas below 90 degC: water would condense")
    return out
