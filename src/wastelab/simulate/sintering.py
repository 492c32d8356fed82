"""Sintering indicators from composition: melt of Portland clinker, free-lime potential, bloating, refractoriness.

Lea & Parker's formulas, Riley's region and similar windows, stoichiometric gas potential, ash indices. No formula
here gives a sintering temperature of brick or ceramsite: none was found that holds for wastes without fired trials.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..chemistry.formulas import molar_mass
from ..errors import DatasetError, UnknownNameError, ValidityError, suggest
from ..provenance import Evidence, Source
from ..reference.files import find_files, read_toml
from ._indicator import FloatArray, array_within, dataset, ignited_oxides, oxide
from .charge import as_charge

if TYPE_CHECKING:
    import xarray as xr

LEA_PARKER = Source(
    "F. M. Lea & T. W. Parker, Building Research Technical Paper 16 (1935), as in F. M. Lea, The Chemistry of Cement "
    "and Concrete; 1450 degC also read as quoted by practitioners",
    Evidence.MEMORY, note="coefficients from memory; the one at 1450 degC (3.00 A + 2.25 F + M + R) seen quoted",
)  # fmt: skip
#: Temperatures of the formulas [degC].
LIQUID_TEMPERATURES = (1338.0, 1400.0, 1450.0)
#: At most this much MgO enters the liquid [wt%].
MGO_CAP = 2.0
FLUXES = ("Fe2O3", "CaO", "MgO", "Na2O", "K2O")
_STOICHIOMETRY = Source("stoichiometry from standard atomic weights", Evidence.COMPUTED)
_DONDI = Source(
    "M. Dondi et al., Constr. Build. Mater. 127 (2016) 394-409 (abstract): bulk composition does not predict "
    "expansion reliably", Evidence.SECONDARY,
)  # fmt: skip
_REFRACTORY = Source("Schuen's formula as in Chinese refractories text-books", Evidence.MEMORY)
_ASH = Source("base/acid and silica ratios of coal-ash practice", Evidence.MEMORY)


def lea_parker_liquid(mix: Any) -> xr.Dataset:
    """Liquid phase of Portland clinker at 1338, 1400 and 1450 degC.

    Parameters
    ----------
    mix : Material, Composition, mapping, xarray.DataArray or pandas.DataFrame
        Oxides [wt%]; taken per ignited mass. Needs CaO, SiO2, Al2O3, Fe2O3, MgO, Na2O and K2O.

    Returns
    -------
    xarray.Dataset, dims ("mix", "temperature")
        ``liquid`` [wt%]; ``alumina_ratio`` (mix).

    Raises
    ------
    MissingDataError
        If an oxide was not given.
    ValidityError
        If the mix is no Portland clinker: SiO2 17-27, CaO 58-72, Al2O3 2-9, Fe2O3 0.5-8 wt%, or AM below 0.64.

    Notes
    -----
    With A, F, M, R = Al2O3, Fe2O3, MgO (at most 2 wt%), Na2O + K2O in wt% of clinker: at 1450 degC
    3.00 A + 2.25 F + M + R; at 1400 degC 2.95 A + 2.2 F + M + R; at 1338 degC 6.1 F + M + R where A/F >= 1.38, else
    8.2 A - 5.22 F + M + R. Sulfate is not counted. White cement (Fe2O3 < 0.5) and ye'elimite clinkers are outside;
    the limits of composition are those of ordinary Portland clinker, set here.

    References
    ----------
    F. M. Lea, T. W. Parker: Building Research Technical Paper 16, HMSO 1935.
    """
    ox, labels = ignited_oxides(
        mix, ("CaO", "SiO2", "Al2O3", "Fe2O3", "MgO", "Na2O", "K2O"), "the liquid phase of clinker"
    )
    for name, low, high in (("CaO", 58, 72), ("SiO2", 17, 27), ("Al2O3", 2, 9), ("Fe2O3", 0.5, 8), ("MgO", 0, 8)):
        _clinker(ox[name], low, high, name, labels)
    a, f = ox["Al2O3"], ox["Fe2O3"]
    ratio = a / f
    _clinker(ratio, 0.64, np.inf, "alumina ratio Al2O3/Fe2O3", labels)
    rest = np.minimum(ox["MgO"], MGO_CAP) + ox["Na2O"] + ox["K2O"]
    low_liquid = np.where(ratio >= 1.38, 6.1 * f, 8.2 * a - 5.22 * f)
    liquid = np.stack([low_liquid + rest, 2.95 * a + 2.2 * f + rest, 3.00 * a + 2.25 * f + rest], axis=1)
    warnings = []
    if (ox["MgO"] > MGO_CAP).any():
        warnings.append(f"MgO above {MGO_CAP:g} wt% does not enter the liquid (periclase); counted as {MGO_CAP:g}.")
    sulfate = oxide(mix, "SO3")
    if sulfate is not None and (sulfate > 2.0).any():
        warnings.append("SO3 above 2 wt%: a separate sulfate melt is likely and is not counted.")
    return dataset(
        "Liquid phase of Portland clinker after Lea and Parker",
        {
            "liquid": (("mix", "temperature"), liquid, "wt%", "liquid per clinker"),
            "alumina_ratio": (("mix",), ratio, "1", "Al2O3/Fe2O3"),
        },
        [LEA_PARKER],
        coords={
            "mix": list(labels),
            "temperature": ("temperature", np.array(LIQUID_TEMPERATURES), {"units": "degC"}),
        },
        assumptions=("equilibrium, no SO3, P2O5, TiO2 or fluorine effect", "MgO in the liquid at most 2 wt%"),
        warnings=warnings,
        inputs=[ox],
    )


def _clinker(values: FloatArray, low: float, high: float, name: str, labels: tuple[Any, ...]) -> None:
    bad = np.flatnonzero(~((values >= low) & (values <= high)))
    if len(bad):
        raise ValidityError(
            f"mix {labels[bad[0]]!r}: {name} = {values[bad[0]]:.4g} is outside {low:g} to {high:g} wt% of ordinary "
            "Portland clinker, for which Lea and Parker's formulas hold; use the equilibrium model instead."
        )


def free_lime_potential(mix: Any, *, free_lime: ArrayLike | None = None) -> xr.Dataset:
    """Lime that cannot be combined even at full equilibrium, and how far a clinker has come.

    Parameters
    ----------
    mix : Material, Composition, mapping, xarray.DataArray or pandas.DataFrame
        Oxides [wt%]; needs CaO, SiO2, Al2O3, Fe2O3. SO3, where given, binds its lime as CaSO4.
    free_lime : float or array_like, optional
        Measured free CaO [wt% of the clinker].

    Returns
    -------
    xarray.Dataset, dim "mix"
        ``free_lime_minimum``, ``combinable_lime`` [wt%], ``LSF_stoichiometric`` [%]; with a measured free lime
        also ``degree_of_combination`` [1] and ``excess_free_lime`` [wt%].

    Notes
    -----
    Stoichiometric ceiling: C3S, C3A and C4AF (C4AF and C2F where Al2O3/Fe2O3 < 0.64). It is a lower bound of free
    lime for complete burning. How much more is left depends on fineness, quartz and calcite grain sizes, temperature
    and time (burnability): no formula is given for it, because none was verified here; measure it (burnability test
    at 1400 and 1450 degC, free lime by glycol or XRD).
    """
    ox, labels = ignited_oxides(mix, ("CaO", "SiO2", "Al2O3", "Fe2O3"), "free lime")
    m = {k: molar_mass(k) for k in ("CaO", "SiO2", "Al2O3", "Fe2O3", "SO3")}
    s, a, f = (ox[k] / m[k] for k in ("SiO2", "Al2O3", "Fe2O3"))
    ferrite_rich = f > a
    lime = 3.0 * s + np.where(ferrite_rich, 2.0 * (a + f), 3.0 * a + f)
    sulfate = oxide(mix, "SO3")
    total = ox["CaO"] / m["CaO"]
    if sulfate is not None:
        total = total - sulfate / m["SO3"]
    least = np.maximum(total - lime, 0.0) * m["CaO"]
    variables: dict[str, Any] = {
        "free_lime_minimum": (("mix",), least, "wt%", "free CaO left at full combination"),
        "combinable_lime": (("mix",), lime * m["CaO"], "wt%", "CaO that SiO2, Al2O3 and Fe2O3 can bind"),
        "LSF_stoichiometric": (("mix",), 100.0 * total / lime, "%", "lime over combinable lime"),
    }
    warnings = [] if sulfate is not None else ["SO3 was not given: its lime is counted as available."]
    inputs: list[Any] = [ox]
    if free_lime is not None:
        free = np.broadcast_to(array_within(free_lime, 0, 100, "free_lime", "wt%"), least.shape)
        inputs.append(free)
        if (free > ox["CaO"]).any():
            bad = int(np.argmax(free > ox["CaO"]))
            raise ValidityError(
                f"mix {labels[bad]!r}: free lime {free[bad]:g} wt% is more than its CaO of {ox['CaO'][bad]:.4g} wt%."
            )
        if (free < least - 0.2).any():
            warnings.append("measured free lime is below the stoichiometric minimum: analysis or free lime is off.")
        capable = np.minimum(total, lime) * m["CaO"]
        if (capable <= 0).any():
            bad = int(np.argmax(capable <= 0))
            raise ValidityError(f"mix {labels[bad]!r}: there is no lime to combine, or nothing to combine it with.")
        bound = np.maximum(total * m["CaO"] - free, 0.0)
        variables["degree_of_combination"] = (("mix",), np.minimum(bound / capable, 1.0), "1", "bound over bindable")
        variables["excess_free_lime"] = (("mix",), free - least, "wt%", "free CaO above the minimum")
    return dataset(
        "Free-lime potential", variables, [_STOICHIOMETRY], coords={"mix": list(labels)},
        assumptions=(
            "all SiO2 to C3S, Al2O3 and Fe2O3 to C4AF with C3A (or C2F where Fe2O3 is in excess)",
            "MgO, alkalis, TiO2, P2O5 bind no lime; sulfate as CaSO4",
            "burnability is unknown: measure it",
        ),
        warnings=warnings, inputs=inputs,
    )  # fmt: skip


@dataclass(frozen=True)
class Window:
    """A range of composition within which something was seen."""

    id: str
    name: str
    name_zh: str
    basis: str
    limits: dict[str, tuple[float, float]]
    source: Source


_COMPONENTS = ("SiO2", "Al2O3", "flux", "Fe2O3", "CaO_MgO", "alkalis")


@cache
def bloating_windows() -> dict[str, Window]:
    """Composition windows of ``datasets/indicators/bloating.toml``, the user's own files first.

    Raises
    ------
    DatasetError
        For an entry that is not complete; names file, window and field.
    """
    out: dict[str, Window] = {}
    for file in find_files("datasets", "indicators/bloating*.toml"):
        for number, entry in enumerate(read_toml(file).get("window", []), 1):
            where = f"{file}, window {number}"
            for key in ("id", "name", "basis", "source", "evidence", "licence"):
                if not isinstance(entry.get(key), str) or not entry[key].strip():
                    raise DatasetError(f"{where}, {key}: found {entry.get(key)!r}, expected text.")
            if entry["basis"] not in ("ternary", "ignited"):
                raise DatasetError(f"{where}, basis: {entry['basis']!r} is not 'ternary' or 'ignited'.")
            if entry["evidence"] not in list(Evidence):
                raise DatasetError(f"{where}, evidence: {entry['evidence']!r} is not one of {', '.join(Evidence)}.")
            limits = {}
            for key in _COMPONENTS:
                if key not in entry:
                    continue
                pair = entry[key]
                if not (isinstance(pair, list) and len(pair) == 2 and 0 <= pair[0] < pair[1] <= 100):
                    raise DatasetError(f"{where}, {key}: found {pair!r}, expected [low, high] in wt%.")
                limits[key] = (float(pair[0]), float(pair[1]))
            if not limits:
                raise DatasetError(f"{where}: no limits; expected one of {', '.join(_COMPONENTS)}.")
            source = Source(entry["source"], Evidence(entry["evidence"]), doi=entry.get("doi", ""))
            window = Window(entry["id"], entry["name"], entry.get("name_zh", ""), entry["basis"], limits, source)
            out.setdefault(window.id, window)
    return out


def riley(mix: Any, *, windows: tuple[str, ...] | None = None) -> xr.Dataset:
    """Place of a body in Riley's diagram, and whether it lies in the known bloating windows.

    Parameters
    ----------
    mix : Material, Composition, mapping, xarray.DataArray or pandas.DataFrame
        Oxides [wt%]; needs SiO2, Al2O3, Fe2O3, CaO, MgO, Na2O, K2O.
    windows : tuple of str, optional
        Ids from `bloating_windows`; all by default.

    Returns
    -------
    xarray.Dataset, dims ("mix", "window")
        ``SiO2``, ``Al2O3``, ``flux`` [wt% of their sum], ``flux_ratio`` = (SiO2 + Al2O3)/flux, ``inside``
        (mix, window), ``margin`` (mix, window): wt% to the nearest limit, negative outside.

    Notes
    -----
    Fluxes are Fe2O3, CaO, MgO, Na2O, K2O. Composition alone does not decide: gas must form while the melt is viscous
    enough to hold it (`gas_potential` gives the gas, fire trials the rest).

    References
    ----------
    C. M. Riley, J. Am. Ceram. Soc. 34 (1951) 121-128, doi:10.1111/j.1151-2916.1951.tb11619.x.
    M. Dondi et al., Constr. Build. Mater. 127 (2016) 394-409.
    """
    ox, labels = ignited_oxides(mix, ("SiO2", "Al2O3", *FLUXES), "Riley's diagram")
    known = bloating_windows()
    names = tuple(known) if windows is None else windows
    for name in names:
        if name not in known:
            raise UnknownNameError(f"There is no bloating window {name!r}.{suggest(name, known)}")
    flux = np.sum([ox[k] for k in FLUXES], axis=0)
    total = ox["SiO2"] + ox["Al2O3"] + flux
    if (total <= 0).any() or (flux <= 0).any():
        raise ValidityError("Riley's diagram: SiO2 + Al2O3 + fluxes and the fluxes themselves must be above zero.")
    ternary = {"SiO2": 100 * ox["SiO2"] / total, "Al2O3": 100 * ox["Al2O3"] / total, "flux": 100 * flux / total}
    whole = {
        **ox, "flux": flux, "CaO_MgO": ox["CaO"] + ox["MgO"], "alkalis": ox["Na2O"] + ox["K2O"],
    }  # fmt: skip
    margin = np.empty((len(labels), len(names)))
    for j, name in enumerate(names):
        w = known[name]
        values = ternary if w.basis == "ternary" else whole
        lacking = [k for k in w.limits if k not in values]
        if lacking:
            raise DatasetError(f"bloating window {name!r}: {', '.join(lacking)} is no corner of the ternary basis.")
        gaps = [np.minimum(values[k] - low, high - values[k]) for k, (low, high) in w.limits.items()]
        margin[:, j] = np.min(gaps, axis=0)
    warnings = ["bulk composition does not predict bloating reliably: confirm by fire trials."]
    if (total < 90).any():
        warnings.append("SiO2, Al2O3 and fluxes are less than 90 wt% of a mix: the ternary leaves the rest out.")
    return dataset(
        "Riley's diagram and bloating windows",
        {
            "SiO2": (("mix",), ternary["SiO2"], "wt%", "SiO2 of SiO2 + Al2O3 + fluxes"),
            "Al2O3": (("mix",), ternary["Al2O3"], "wt%", "Al2O3 of SiO2 + Al2O3 + fluxes"),
            "flux": (("mix",), ternary["flux"], "wt%", "fluxes of SiO2 + Al2O3 + fluxes"),
            "flux_ratio": (("mix",), (ox["SiO2"] + ox["Al2O3"]) / flux, "1", "(SiO2 + Al2O3)/fluxes"),
            "inside": (("mix", "window"), margin >= 0, "1", "whether all limits of the window hold"),
            "margin": (("mix", "window"), margin, "wt%", "distance to the nearest limit, negative outside"),
        },
        [known[n].source for n in names] + [_DONDI],
        coords={"mix": list(labels), "window": list(names)},
        warnings=warnings, inputs=[ox],
    )  # fmt: skip


def gas_potential(mix: Any, temperature: float = 1150.0, *, pressure: float = 1.0) -> xr.Dataset:
    """Most gas that the components of a body can release at firing, by stoichiometry.

    Parameters
    ----------
    mix : Material, Composition, mapping, xarray.DataArray or pandas.DataFrame
        Oxides [wt% dry]; ``carbonate_CO2``, ``organic_C``, ``bound_water``, SO3, Fe2O3 where known.
    temperature : float
        [degC], at which the volume is expressed (ideal gas).
    pressure : float
        [bar]

    Returns
    -------
    xarray.Dataset, dims ("mix", "origin")
        ``gas`` [mol/kg dry mix] and ``volume`` [m3/kg]; NaN where the component was not measured.

    Notes
    -----
    Upper bounds: carbonate CO2; carbon as CO2; bound water; SO3 as SO2 + 1/2 O2; Fe2O3 to Fe3O4 (6 Fe2O3 -> 4 Fe3O4
    + O2). Most of it leaves before the melt seals the surface; the share that is left for bloating is unknown and is
    measured (hot-stage microscope, gas analysis on firing). Sum only what fires together: carbon that reduces iron
    is counted once as CO2 here.
    """
    t = float(array_within(temperature, 20.0, 1600.0, "temperature", "degC"))
    p = float(array_within(pressure, 1e-3, 100.0, "pressure", "bar"))
    charge = as_charge(mix)
    n = charge.n

    def per_kg(name: str, formula: str, gas: float) -> FloatArray:
        if name not in charge.oxides:
            return np.full(n, np.nan)
        return np.asarray(charge.oxides[name], dtype=np.float64) * 10.0 / molar_mass(formula) * gas

    parts = {
        "carbonate": per_kg("carbonate_CO2", "CO2", 1.0),
        "carbon": per_kg("organic_C", "C", 1.0),
        "bound_water": per_kg("bound_water", "H2O", 1.0),
        "sulfate": per_kg("SO3", "SO3", 1.5),
        "iron_reduction": per_kg("Fe2O3", "Fe2O3", 1.0 / 6.0),
    }
    moles = np.stack(list(parts.values()), axis=1)
    unknown = [k for k, v in parts.items() if np.isnan(v).any()]
    volume = moles * 8.31446261815324 * (t + 273.15) / (p * 1e5)
    names = {"carbonate": "carbonate_CO2", "carbon": "organic_C", "bound_water": "bound_water", "sulfate": "SO3",
             "iron_reduction": "Fe2O3"}  # fmt: skip
    return dataset(
        "Gas potential on firing",
        {
            "gas": (("mix", "origin"), moles, "mol/kg", "gas per dry mix, upper bound"),
            "volume": (("mix", "origin"), volume, "m3/kg", f"at {t:g} degC and {p:g} bar, ideal gas"),
        },
        [_STOICHIOMETRY],
        coords={"mix": list(charge.labels), "origin": list(parts)},
        assumptions=("complete release, ideal gas",),
        warnings=[f"{k} is unknown: give {names[k]}." for k in unknown],
        inputs=[{k: charge.oxides[k] for k in sorted(charge.oxides)}, t, p],
    )


def refractoriness(mix: Any) -> xr.Dataset:
    """Refractoriness of a fireclay-like body from its composition (Schuen).

    Parameters
    ----------
    mix : Material, Composition, mapping, xarray.DataArray or pandas.DataFrame
        Oxides [wt%]; needs SiO2, Al2O3, Fe2O3, CaO, MgO, Na2O, K2O; TiO2 counted where given.

    Returns
    -------
    xarray.Dataset, dim "mix"
        ``refractoriness`` [degC].

    Raises
    ------
    ValidityError
        If Al2O3 is outside 20-50 % of SiO2 + Al2O3, or the other oxides exceed 15 % of that sum.

    Notes
    -----
    t = (360 + A - R)/0.228, A = Al2O3 and R = all other oxides but SiO2, both in per cent with SiO2 + Al2O3 = 100.
    From memory. It is the cone temperature, not a firing temperature. The limit on R is set here.
    """
    ox, labels = ignited_oxides(mix, ("SiO2", "Al2O3", *FLUXES), "refractoriness")
    base = ox["SiO2"] + ox["Al2O3"]
    titania = oxide(mix, "TiO2")
    rest = np.sum([ox[k] for k in FLUXES], axis=0) + (0.0 if titania is None else titania)
    if (base <= 0).any():
        raise ValidityError("refractoriness: SiO2 + Al2O3 is zero.")
    a = array_within(100 * ox["Al2O3"] / base, 20, 50, "refractoriness, Al2O3 of SiO2 + Al2O3", "%")
    r = array_within(100 * rest / base, 0, 15, "refractoriness, other oxides per 100 SiO2 + Al2O3", "%")
    return dataset(
        "Refractoriness after Schuen",
        {"refractoriness": (("mix",), (360.0 + a - r) / 0.228, "degC", "refractoriness (cone)")},
        [_REFRACTORY], coords={"mix": list(labels)},
        warnings=["formula from memory; measure the pyrometric cone equivalent or use a heating microscope."],
        inputs=[ox],
    )  # fmt: skip


def ash_indices(mix: Any) -> xr.Dataset:
    """Base/acid ratio, silica ratio and iron/calcium ratio of an ash or slag.

    Returns
    -------
    xarray.Dataset, dim "mix"
        ``base_acid`` = (Fe2O3 + CaO + MgO + Na2O + K2O)/(SiO2 + Al2O3 + TiO2), ``silica_ratio`` =
        100 SiO2/(SiO2 + Fe2O3 + CaO + MgO) [%], ``iron_calcium`` = Fe2O3/CaO.

    Notes
    -----
    Ratios rank ashes of one kind by melting behaviour; class limits differ between sources and are not given. Measure
    ash fusion temperatures (GB/T 219, ISO 540) where they matter. Slag basicities stand in `wastelab.chemistry.moduli`.
    """
    ox, labels = ignited_oxides(mix, ("SiO2", "Al2O3", "TiO2", *FLUXES), "ash indices")
    base = np.sum([ox[k] for k in FLUXES], axis=0)
    acid = ox["SiO2"] + ox["Al2O3"] + ox["TiO2"]
    if (acid <= 0).any():
        raise ValidityError("ash indices: SiO2 + Al2O3 + TiO2 is zero.")
    denominator = ox["SiO2"] + ox["Fe2O3"] + ox["CaO"] + ox["MgO"]
    with np.errstate(divide="ignore", invalid="ignore"):
        silica = np.where(denominator > 0, 100.0 * ox["SiO2"] / denominator, np.nan)
        iron = np.where(ox["CaO"] > 0, ox["Fe2O3"] / ox["CaO"], np.nan)
    return dataset(
        "Ash indices",
        {
            "base_acid": (("mix",), base / acid, "1", "base/acid ratio"),
            "silica_ratio": (("mix",), silica, "%", "silica ratio"),
            "iron_calcium": (("mix",), iron, "1", "Fe2O3/CaO, NaN without CaO"),
        },
        [_ASH], coords={"mix": list(labels)}, inputs=[ox],
    )  # fmt: skip


__all__ = [
    "FLUXES",
    "LIQUID_TEMPERATURES",
    "Window",
    "ash_indices",
    "bloating_windows",
    "free_lime_potential",
    "gas_potential",
    "lea_parker_liquid",
    "refractoriness",
    "riley",
]
