"""Flash or suspension calciner: particles of several sizes carried by hot gas, plug flow, fuel and heat balance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MissingDataError, ValidityError
from ...reference.thermochemistry import Thermochemistry
from ...units import parse
from ..heating import kelvin
from ..water import parse_moisture
from . import _kernels as kernels
from .chemistry import BedChemistry, build
from .combustion import ASH_CP, Fuel, adiabatic_flame_temperature, air
from .combustion import fuel as read_fuel
from .equipment import Preset, preset
from .heat_transfer import PRANDTL, STEFAN_BOLTZMANN, ranz_marshall, smith_emissivity, sutherland_viscosity
from .result import (
    ConvergenceError,
    attributes,
    closed,
    element_error,
    mass_fractions,
    minerals,
    name_coordinates,
    notices,
    summed,
    wanted,
)
from .tables import GAS_MASS, GASES, T0, at

if TYPE_CHECKING:
    import xarray as xr

FloatArray = NDArray[np.float64]
CO2, H2O, O2 = GASES.index("CO2"), GASES.index("H2O"), GASES.index("O2")
PARTICLE_CONDUCTIVITY = 1.0  #: of a grain, for the Biot number [W/(m K)], from memory
STEPS = 240


def size_classes(
    sizes: Mapping[str, float] | None = None,
    d50: str | None = None,
    spread: float = 1.0,
    blaine: str | None = None,
    density: float = 2600.0,
    classes: int = 6,
) -> tuple[FloatArray, FloatArray]:
    """Diameters [m] and mass fractions of the feed.

    Parameters
    ----------
    sizes : mapping of str to float, optional
        Diameter with unit to mass fraction: ``{"5 um": 0.3, "40 um": 0.7}``.
    d50, spread : str, float
        Median and slope of a Rosin-Rammler distribution, cut into `classes` of equal mass.
    blaine : str, optional
        Specific surface, ``"350 m2/kg"``: one class of the same surface, 6/(density S).
    density : float
        [kg/m3]

    Raises
    ------
    MissingDataError, ValidityError, UnitError
    """
    if sum(x is not None for x in (sizes, d50, blaine)) != 1:
        raise MissingDataError("Give the grain size once: sizes={'5 um': 0.3, ...}, d50='20 um' or blaine='350 m2/kg'.")
    if blaine is not None:
        surface = parse(blaine, "m**2/kg", what="blaine")
        if not 1.0 <= surface <= 1e5:
            raise ValidityError(f"blaine = {blaine!r} is outside 1 to 100000 m2/kg.")
        return np.array([6.0 / (density * surface)]), np.ones(1)
    if d50 is not None:
        median = parse(d50, "m", what="d50")
        if not 1e-7 <= median <= 0.01:
            raise ValidityError(f"d50 = {d50!r} is outside 0.1 um to 10 mm.")
        if not 0.3 <= spread <= 10:
            raise ValidityError(f"spread = {spread:g} is outside 0.3 to 10.")
        middle = (np.arange(classes) + 0.5) / classes
        return median * (np.log(1.0 / (1.0 - middle)) / np.log(2.0)) ** (1.0 / spread), np.full(classes, 1.0 / classes)
    if not isinstance(sizes, Mapping) or not sizes:
        raise ValidityError(f"sizes = {sizes!r}; expected diameters and mass fractions, {{'5 um': 0.3, '40 um': 0.7}}.")
    d = np.array([parse(k, "m", what="sizes") for k in sizes])
    w = np.array([float(v) for v in sizes.values()])
    if (d <= 0).any() or (d > 0.01).any() or not np.isfinite(w).all() or (w < 0).any():
        raise ValidityError(f"sizes = {dict(sizes)!r}: diameters lie between 0 and 10 mm, fractions are >= 0.")
    if abs(w.sum() - 1.0) > 1e-6:
        raise ValidityError(f"sizes: the mass fractions sum to {w.sum():.6g}; expected 1.")
    return d, w


def flash(
    mix: Any = None,
    equipment: str = "flash_calciner",
    *,
    phases: Mapping[str, float] | None = None,
    sizes: Mapping[str, float] | None = None,
    d50: str | None = None,
    spread: float = 1.0,
    blaine: str | None = None,
    fuel: Fuel | str | Mapping[str, Any] = "natural gas",
    conversion: tuple[str, float] | None = None,
    moisture: str | None = None,
    reactions: Iterable[Any] | None = None,
    thermo: Thermochemistry | None = None,
    **changes: Any,
) -> xr.Dataset:
    """Particles calcined while hot gas carries them.

    Parameters
    ----------
    mix, phases
        The feed and its minerals [wt% dry].
    sizes, d50, spread, blaine
        Grain size; see `size_classes`.
    fuel : str, mapping or Fuel
        Burnt with as much air as gives `gas_temperature` adiabatically.
    conversion : tuple of str and float, optional
        Find the gas temperature for this mean conversion at the outlet: ``("kaolinite", 0.95)``.
    moisture : str, optional
        Free water of the moist feed, ``"8 %"``.
    **changes : str or number
        Values of the preset: ``gas_temperature="950 degC"``, ``residence_time="2 s"``, ``load=0.5`` (kg feed per kg
        gas).

    Returns
    -------
    xarray.Dataset
        Over time of flight and size class.

    Raises
    ------
    MissingDataError, UnknownNameError, ValidityError, UnitError, ConvergenceError, BalanceError

    Notes
    -----
    Spheres of one temperature (Biot number below 0.1, else a warning); all sizes travel with the gas. Nu and Sh by Ranz
    and Marshall at the terminal velocity; gas given off meets the resistance of the film.
    """
    k = preset(equipment, "flash", **changes)
    burnt = read_fuel(fuel)
    d, share = size_classes(sizes, d50, spread, blaine, k["particle_density"])
    found = minerals(mix, phases)
    chem = build(
        found, reactions=reactions, moisture=parse_moisture(moisture), thermo=thermo,
        pressures={"O2": 0.06, "CO2": 0.12, "H2O": 0.12},
    )  # fmt: skip
    inputs = {
        "equipment": k.id, "phases": dict(found.phases), "diameters_m": d.tolist(), "shares": share.tolist(),
        "fuel": dict(burnt.parts), "lhv": burnt.lhv, "conversion": conversion, "moisture": moisture,
        "values": dict(k.values),
    }  # fmt: skip
    if conversion is None:
        return _fly(chem, k, burnt, d, share, k["gas_temperature"], inputs)
    goal, share_wanted = wanted(conversion, [s.id for s in chem.steps])
    name = chem.steps[goal].id
    low, high = kelvin("300 degC"), min(adiabatic_flame_temperature(burnt, air_K=k["ambient"]) - 1.0, 2273.0)
    for _ in range(40):
        mid = 0.5 * (low + high)
        ds = _fly(chem, k, burnt, d, share, mid, inputs)
        reached = float(ds["outlet_conversion"].sel(reaction=name))
        if abs(reached - share_wanted) < 1e-6 or high - low < 1e-4:
            break
        low, high = (mid, high) if reached < share_wanted else (low, mid)
    if abs(reached - share_wanted) > 1e-3:
        raise ConvergenceError(
            f"{name} reaches at most {100 * reached:.1f} % with gas at {mid - 273.15:.0f} degC, not "
            f"{100 * share_wanted:g} %. Give it a longer residence_time, a lower load or finer grains."
        )
    return ds


def _excess(burnt: Fuel, gas_K: float, air_K: float) -> float:
    """Excess air with which the fuel gives a gas of this temperature [-]."""
    top = adiabatic_flame_temperature(burnt, air_K=air_K)
    if gas_K > top:
        raise ValidityError(
            f"gas_temperature = {gas_K - 273.15:.0f} degC is above the {top - 273.15:.0f} degC that {burnt.name} gives "
            "without excess air."
        )
    low, high = 0.0, 60.0
    for _ in range(80):
        mid = 0.5 * (low + high)
        if adiabatic_flame_temperature(burnt, excess_air=mid, air_K=air_K) > gas_K:
            low = mid
        else:
            high = mid
    return 0.5 * (low + high)


def _slip(d: FloatArray, density: float, mu: float, gas_density: float) -> FloatArray:
    """Reynolds number of spheres at their terminal velocity (Schiller and Naumann)."""
    v = density * d**2 * 9.81 / (18.0 * mu)
    for _ in range(60):
        re = gas_density * v * d / mu
        v = 0.5 * (v + density * d**2 * 9.81 / (18.0 * mu * (1.0 + 0.15 * re**0.687)))
    return np.asarray(gas_density * v * d / mu)


def _fly(
    chem: BedChemistry, k: Preset, burnt: Fuel, d: FloatArray, share: FloatArray, gas_K: float, inputs: dict[str, Any]
) -> xr.Dataset:
    import xarray as xr

    excess = _excess(burnt, gas_K, k["ambient"])
    blown = air(burnt.oxygen * (1.0 + excess))
    per_fuel = blown + burnt.change
    m = 1.0 / float(per_fuel @ GAS_MASS)  # kg fuel per kg gas
    gas0 = m * per_fuel
    load = k["load"]
    mole_mass = 1.0 / gas0.sum()
    mu = float(sutherland_viscosity(gas_K))
    density = 1e5 * mole_mass / (8.314 * gas_K)
    i = int((gas_K - 200.0) / 5.0)
    table = chem.gas_enthalpy
    conductivity = mu * float(gas0 @ (table[i + 1] - table[i])) / 5.0 / PRANDTL
    re = _slip(d, k["particle_density"], mu, density)
    nu = ranz_marshall(re)
    surface = 6.0 / (k["particle_density"] * d)
    h = nu * conductivity / d
    pressures = gas0 / gas0.sum()
    eps = float(smith_emissivity(gas_K, pressures[CO2], pressures[H2O], 1.0))
    rad = STEFAN_BOLTZMANN * k["emissivity"] * eps * surface
    diffusivity = 1.6e-5 * (gas_K / 298.15) ** 1.75
    film = 8.314e-5 * gas_K / (surface * nu * diffusivity / d)
    times = np.concatenate([[0.0], np.geomspace(1e-4 * k["residence_time"], k["residence_time"], STEPS)])
    n_t, nc, n_r = len(times), len(d), len(chem.steps)
    t, xi = np.zeros((n_t, nc)), np.zeros((n_t, nc, n_r))
    tg, g, lost = np.zeros(n_t), np.zeros((n_t, len(GASES))), np.zeros(n_t)
    failed = kernels.entrain(
        times, h * surface, rad, film, share, load, gas0, gas_K, k["wall_loss"], k["ambient"], k["feed_temperature"],
        1.0, chem.kernel(), t, xi, tg, g, lost,
    )  # fmt: skip
    if failed:
        raise ConvergenceError(
            f"no temperatures fit the heat balance at {times[failed]:.4g} s of flight; lower the load, refine classes."
        )
    if float(g[:, O2].min()) < 0:
        raise ValidityError("the feed burns more oxygen than the gas holds; lower the load or the carbon of the feed.")
    mean_xi = np.einsum("q,tqr->tr", share, xi)
    n_mean = chem.initial + mean_xi[-1] @ chem.nu
    product = float(n_mean @ chem.mass)
    total = np.array([s.total for s in chem.steps])
    released = (g[-1] - gas0) / load
    elements = element_error(chem, n_mean, released)
    hot = sum(
        w * (chem.heat(chem.initial + x @ chem.nu, float(v)) - chem.heat(chem.initial + x @ chem.nu, T0))
        for w, x, v in zip(share, xi[-1], t[-1], strict=True)
    )
    gas298 = at(chem.gas_enthalpy, T0)
    change = chem.heat(n_mean, T0) - chem.heat(chem.initial, T0) + float(released @ gas298)
    fuel_per_feed = m / load
    ash = fuel_per_feed * burnt.parts.get("ash", 0.0)
    balance = {
        "fuel": fuel_per_feed * burnt.lhv,
        "fuel and air, sensible": fuel_per_feed * (float(blown @ (at(table, k["ambient"]) - gas298))),
        "feed, sensible": chem.heat(chem.initial, k["feed_temperature"]) - chem.heat(chem.initial, T0),
        "reactions and drying": -change,
        "exit gas": -float(g[-1] @ (at(table, float(tg[-1])) - gas298)) / load,
        "product": -float(hot),
        "wall": -float(lost[-1]) / load,
        "fuel ash": -ash * ASH_CP * (gas_K - T0),
    }
    error = closed(balance, k.name)
    biot = h * d / 6.0 / PARTICLE_CONDUCTIVITY
    warnings = []
    if biot.max() > 0.1:
        warnings.append(f"Biot number of the coarsest class {biot.max():.2g} is above 0.1: its core lags behind")
    if re.max() > 200.0:
        warnings.append(f"Re = {re.max():.3g} of the coarsest class is above the 200 of Ranz and Marshall")
    if k["velocity"] < 1.5 * float((re * mu / (density * d)).max()):
        warnings.append("the coarsest class falls nearly as fast as the gas rises: it stays longer than computed")
    warnings.extend(notices(chem, mean_xi[-1], n_mean, float(t.max())))
    if "memory" in {str(v.evidence) for v in k.sources.values()}:
        warnings.append(f"numbers of the equipment {k.id} are partly from memory")
    assumptions = [
        "gas and particles in plug flow; every size travels with the gas",
        f"gas of {burnt.name} with {100 * excess:.0f} % excess air, adiabatic; ash leaves at its first temperature",
    ]
    process = float(released[CO2]) * GAS_MASS[CO2]
    ds = xr.Dataset(
        {
            "particle_temperature": (("time", "size"), t - 273.15, {"units": "degC"}),
            "gas_temperature": ("time", tg - 273.15, {"units": "degC"}),
            "conversion": (("time", "size", "reaction"), xi / total, {"units": "1"}),
            "mean_conversion": (("time", "reaction"), mean_xi / total, {"units": "1"}),
            "outlet_conversion": ("reaction", mean_xi[-1] / total, {"units": "1"}),
            "gas_fraction": (("time", "gas"), g / g.sum(axis=1, keepdims=True), {"units": "mol/mol"}),
            "product_fraction": ("phase", mass_fractions(chem, n_mean), {"units": "kg/kg"}),
            "mass_fraction": ("size", share, {"units": "kg/kg"}),
            "biot": ("size", biot, {"units": "1"}),
            "heat_balance": ("item", np.array(list(balance.values())) / product / 1e3, {"units": "kJ/kg product"}),
        },
        coords={
            "time": ("time", times, {"units": "s"}), "size": ("size", d * 1e6, {"units": "um"}),
            "reaction": [s.id for s in chem.steps], "phase": summed(chem)[0], "gas": list(GASES), "item": list(balance),
        },
    )  # fmt: skip
    scalars = {
        "gas_inlet_temperature": (gas_K - 273.15, "degC"), "exit_temperature": (float(tg[-1]) - 273.15, "degC"),
        "fuel_per_product": (1e3 * fuel_per_feed / product, "kg/t"),
        "specific_heat": (fuel_per_feed * burnt.lhv / product / 1e6, "GJ/t"),
        "heat_of_reaction": (change / product / 1e6, "GJ/t"), "product_per_feed": (product, "kg/kg dry feed"),
        "CO2_process": (1e3 * process / product, "kg/t"),
        "CO2_fuel": (1e3 * fuel_per_feed * burnt.co2 / product, "kg/t"),
        "excess_air": (excess, "1"), "heat_closure_error": (error, "1"), "element_closure_error": (elements, "1"),
    }  # fmt: skip
    for name, (value, units) in scalars.items():
        ds[name] = ((), value, {"units": units})
    ds.attrs = attributes(f"flash calciner: {k.name}", chem, [*k.sources.values(), burnt.source], inputs, warnings)
    ds.attrs["assumptions"] = "\n".join([ds.attrs["assumptions"], *assumptions])
    name_coordinates(ds)
    return ds
