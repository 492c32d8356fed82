"""Gypsum and plaster: stability with temperature and water vapour, phase analysis from weighings, purity.

Stability from the thermochemical set (gypsum, hemihydrate, anhydrite II); soluble anhydrite (AIII) is metastable to all
and not considered. Phase analysis and purity are stoichiometry: mass balances of water taken up and given off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..chemistry.formulas import molar_mass
from ..errors import MissingDataError, ValidityError
from ..provenance import Evidence, Source
from ..reference.thermochemistry import GAS_CONSTANT, T0, Thermochemistry, thermochemistry
from ._indicator import FloatArray, array_within, dataset

if TYPE_CHECKING:
    import xarray as xr

WATER = molar_mass("H2O")
DIHYDRATE = molar_mass("gypsum")
HEMIHYDRATE = molar_mass("bassanite")
ANHYDRITE = molar_mass("anhydrite")
SULFATE = molar_mass("SO3")
#: Water taken up per mass: AIII to hemihydrate, AIII to dihydrate, hemihydrate to dihydrate; given off on ignition.
AIII_TO_HH = 0.5 * WATER / ANHYDRITE
AIII_TO_DH = 2.0 * WATER / ANHYDRITE
HH_TO_DH = 1.5 * WATER / HEMIHYDRATE
WATER_OF_HH = 0.5 * WATER / HEMIHYDRATE
WATER_OF_DH = 2.0 * WATER / DIHYDRATE
_STOICHIOMETRY = Source("stoichiometry from standard atomic weights", Evidence.COMPUTED)
_PHASES = Source(
    "phase analysis of plaster by hydration weighings, as in GB/T 36141-2018 (procedure from memory; the mass balance "
    "is derived here)", Evidence.MEMORY, edition="2018",
)  # fmt: skip
_STEAM = Source(
    "W. Wagner & A. Pruss, J. Phys. Chem. Ref. Data 22 (1993) 783-787: saturation pressure of water",
    Evidence.MEMORY, doi="10.1063/1.555926", note="coefficients from memory; give 1.01418 bar at 100 degC",
)  # fmt: skip
_CRITICAL_T, _CRITICAL_P = 647.096, 220.64
_SATURATION = (
    (-7.85951783, 1.0), (1.84408259, 1.5), (-11.7866497, 3.0),
    (22.6807411, 3.5), (-15.9618719, 4.0), (1.80122502, 7.5),
)  # fmt: skip
#: Forms of hemihydrate and the names they may have in the thermochemical set.
_FORMS = {"alpha": ("bassanite_alpha", "bassanite"), "beta": ("bassanite_beta",)}


def wagner_pruss(temperature: ArrayLike) -> FloatArray:
    """Saturation pressure of water.

    Parameters
    ----------
    temperature : array_like
        [degC], 0.01 to 370.

    Returns
    -------
    ndarray
        [bar]

    References
    ----------
    W. Wagner, A. Pruss, J. Phys. Chem. Ref. Data 22 (1993) 783-787, doi:10.1063/1.555926.
    """
    t = array_within(temperature, 0.01, 370.0, "temperature", "degC") + 273.15
    x = 1.0 - t / _CRITICAL_T
    return np.asarray(_CRITICAL_P * np.exp(_CRITICAL_T / t * sum(a * x**n for a, n in _SATURATION)))


def hemihydrate_window(
    water_pressure: ArrayLike, *, form: str = "beta", thermo: Thermochemistry | None = None
) -> xr.Dataset:
    """Temperatures above which gypsum gives hemihydrate and anhydrite at a pressure of water vapour.

    Parameters
    ----------
    water_pressure : array_like
        Partial pressure of water at the solid [bar]; near 1 in a boiling kettle, 0.01 to 0.02 in ambient air.
    form : {"beta", "alpha"}
        Form of the hemihydrate: beta from dry calcination, alpha from steam or solution.
    thermo : Thermochemistry, optional

    Returns
    -------
    xarray.Dataset, dim "case"
        ``dehydration`` [degC] gypsum = hemihydrate + 1.5 H2O; ``to_anhydrite`` [degC] gypsum = anhydrite II + 2 H2O;
        ``drying_limit`` [degC], the lower of both: dry gypsum below it at this pressure. NaN where a reaction lies
        below 25 degC, named in the warnings.

    Raises
    ------
    ValidityError
        If a reaction lies above the range of the data.

    Notes
    -----
    Hemihydrate is metastable to anhydrite II at all these temperatures; plaster exists because anhydrite II forms
    slowly. Where it over-burns is a matter of rate (see the kinetics of calcination). Beta hemihydrate gives soluble
    anhydrite above 125 degC at 0.03 bar and 160 degC at 0.14 bar of water (data from memory). Measure the phases of the
    product (`phase_analysis`).
    """
    p = np.atleast_1d(array_within(water_pressure, 1e-6, 20.0, "water_pressure", "bar"))
    set_ = thermo or thermochemistry()
    hemi = _hemihydrate(set_, form)
    first = np.array([_equilibrium(set_, {"gypsum": -1, hemi: 1, "H2O(g)": 1.5}, x) for x in p])
    full = np.array([_equilibrium(set_, {"gypsum": -1, "anhydrite": 1, "H2O(g)": 2}, x) for x in p])
    warnings = _weakness(set_, ("gypsum", hemi, "anhydrite"))
    for name, values in (("dehydration", first), ("to_anhydrite", full)):
        if np.isnan(values).any():
            warnings.append(f"{name} lies below 25 degC at {p[np.isnan(values)][0]:g} bar: no data.")
    return dataset(
        "Hemihydrate window",
        {
            "dehydration": (("case",), first, "degC", f"gypsum = {form} hemihydrate + 1.5 H2O(g)"),
            "to_anhydrite": (("case",), full, "degC", "gypsum = anhydrite II + 2 H2O(g)"),
            "drying_limit": (("case",), np.fmin(first, full), "degC", "gypsum is stable below"),
        },
        [set_[n].source for n in ("gypsum", hemi, "anhydrite", "H2O(g)")],
        coords={"case": np.arange(len(p)), "water_pressure": ("case", p, {"units": "bar"})},
        assumptions=("pure phases, ideal gas, 1 bar total pressure", "rates are not considered"),
        warnings=warnings, inputs=[p, form],
    )  # fmt: skip


def transition_in_water(*, form: str = "alpha", thermo: Thermochemistry | None = None) -> xr.Dataset:
    """Temperatures of the gypsum transitions under liquid water at its own vapour pressure (autoclave).

    Returns
    -------
    xarray.Dataset
        ``to_hemihydrate``, ``to_anhydrite`` [degC]. NaN, with a warning, where no transition lies between 25 degC
        and the end of the data.

    Notes
    -----
    The textbooks have 97 degC to alpha hemihydrate (Posnjak 1938), on which its data are placed; beta is 2 kJ/mol less
    stable and forms in water at much higher temperature, if at all. To anhydrite they have, disputed, 42 to 58 degC
    (Hardie, Am. Mineral. 52 (1967): 58 +- 2 by experiment, 46 +- 22 from thermodynamics). Salts lower all; activity of
    water is taken as 1 here.
    """
    set_ = thermo or thermochemistry()
    hemi = _hemihydrate(set_, form)
    found, warnings = {}, _weakness(set_, ("gypsum", hemi, "anhydrite"))
    for name, reaction in (
        ("to_hemihydrate", {"gypsum": -1.0, hemi: 1.0, "H2O(g)": 1.5}),
        ("to_anhydrite", {"gypsum": -1.0, "anhydrite": 1.0, "H2O(g)": 2.0}),
    ):
        found[name] = _root(set_, reaction, None)
        if np.isnan(found[name]):
            warnings.append(f"{name}: no transition between 25 degC and the end of the data; the data are weak.")
    return dataset(
        "Gypsum transitions in water",
        {k: ((), v, "degC", k.replace("_", " ")) for k, v in found.items()},
        [set_[n].source for n in ("gypsum", hemi, "anhydrite", "H2O(g)")] + [_STEAM],
        assumptions=("pure water, saturation pressure",), warnings=warnings, inputs=[form],
    )  # fmt: skip


def phase_state(
    temperature: ArrayLike, water_pressure: ArrayLike, *, form: str = "beta", thermo: Thermochemistry | None = None
) -> xr.Dataset:
    """Which sulfate is stable, and which is so while anhydrite II does not form.

    Parameters
    ----------
    temperature : array_like
        [degC], 25 to the end of the data (about 177).
    water_pressure : array_like
        [bar]; broadcasts with `temperature`.

    Returns
    -------
    xarray.Dataset, dim "case"
        ``stable``, ``without_anhydrite`` (names), ``driving_force`` [kJ/mol CaSO4] of gypsum to hemihydrate, positive
        where it dehydrates.
    """
    t, p = np.broadcast_arrays(
        array_within(temperature, T0 - 273.15, 400.0, "temperature", "degC"),
        array_within(water_pressure, 1e-6, 20.0, "water_pressure", "bar"),
    )
    t, p = np.atleast_1d(t).ravel(), np.atleast_1d(p).ravel()
    set_ = thermo or thermochemistry()
    hemi = _hemihydrate(set_, form)
    kelvin = t + 273.15
    vapour = GAS_CONSTANT * kelvin * np.log(p)
    to_hemi = set_.reaction_gibbs({"gypsum": -1, hemi: 1, "H2O(g)": 1.5}, kelvin) + 1.5 * vapour
    to_anhydrite = set_.reaction_gibbs({"gypsum": -1, "anhydrite": 1, "H2O(g)": 2}, kelvin) + 2.0 * vapour
    energies = np.stack([np.zeros_like(to_hemi), to_hemi, to_anhydrite])
    names = np.array(["gypsum", "hemihydrate", "anhydrite II"])
    return dataset(
        "Stable calcium sulfate",
        {
            "stable": (("case",), names[energies.argmin(axis=0)], "1", "phase of lowest Gibbs energy"),
            "without_anhydrite": (("case",), names[energies[:2].argmin(axis=0)], "1", "gypsum or hemihydrate"),
            "driving_force": (("case",), -to_hemi / 1e3, "kJ/mol", "of gypsum to hemihydrate"),
        },
        [set_[n].source for n in ("gypsum", hemi, "anhydrite", "H2O(g)")],
        coords={
            "case": np.arange(len(t)),
            "temperature": ("case", t, {"units": "degC"}),
            "water_pressure": ("case", p, {"units": "bar"}),
        },
        assumptions=("pure phases, ideal gas", "soluble anhydrite is not considered"),
        warnings=_weakness(set_, ("gypsum", hemi, "anhydrite")), inputs=[t, p, form],
    )  # fmt: skip


def phase_analysis(
    first_gain: float,
    full_gain: float,
    ignition_loss: float,
    *,
    sulfate: float | None = None,
    sigma: float = 0.05,
) -> xr.Dataset:
    """Phases of a plaster from three weighings, all per mass of the sample as it is.

    Parameters
    ----------
    first_gain : float
        Mass change after soluble anhydrite was turned into hemihydrate (95 % ethanol or moist air) and dried at 40 to
        45 degC [wt%]; negative where free water left.
    full_gain : float
        Mass change after complete hydration with water and drying at 40 to 45 degC [wt%].
    ignition_loss : float
        Loss at 230 degC of the sample as it is, free water included [wt%].
    sulfate : float, optional
        Total SO3 [wt%]; gives anhydrite II if all sulfate is calcium sulfate.
    sigma : float
        Standard uncertainty of each of the three mass changes [wt%].

    Returns
    -------
    xarray.Dataset, dim "phase"
        ``content`` [wt% of the sample] and ``sigma`` [wt%] of free_water, AIII, hemihydrate, dihydrate, anhydrite_II
        (NaN without SO3) and rest.

    Raises
    ------
    ValidityError
        If the weighings give a phase more negative than three standard uncertainties, or more than 100 % in all.

    Notes
    -----
    With w free water, and water uptakes a1 = 0.5 H2O/CaSO4, a2 = 2 H2O/CaSO4, h = 1.5 H2O/hemihydrate:
    first_gain = a1 AIII - w; full_gain = a2 AIII + h HH - w; ignition_loss = w + water of HH and DH. Free water and
    AIII cannot be told apart by weighing and hardly coexist: a negative first_gain is read as free water, a positive
    one as AIII. Anhydrite II that hydrates within the test counts as hemihydrate, clay and carbonates that lose mass
    below 230 degC as dihydrate.
    """
    g1 = float(array_within(first_gain, -50, 12, "first_gain", "wt%"))
    g2 = float(array_within(full_gain, -50, 27, "full_gain", "wt%"))
    lost = float(array_within(ignition_loss, 0, 60, "ignition_loss", "wt%"))
    s = float(array_within(sigma, 0, 5, "sigma", "wt%"))
    so3 = None if sulfate is None else float(array_within(sulfate, 0, 60, "sulfate", "wt%"))
    # rows: contributions of (w, AIII, HH, DH) to (first_gain, full_gain, ignition_loss)
    balance = np.array(
        [[-1.0, AIII_TO_HH, 0.0, 0.0], [-1.0, AIII_TO_DH, HH_TO_DH, 0.0], [1.0, 0.0, WATER_OF_HH, WATER_OF_DH]]
    )
    keep = [1, 2, 3] if g1 >= 0 else [0, 2, 3]
    inverse = np.linalg.inv(balance[:, keep])
    content, spread = np.zeros(4), np.zeros(4)
    content[keep] = inverse @ np.array([g1, g2, lost])
    spread[keep] = s * np.sqrt((inverse**2).sum(axis=1))
    names = ["free_water", "AIII", "hemihydrate", "dihydrate", "anhydrite_II", "rest"]
    warnings = []
    for name, value, u in zip(names, content, spread, strict=False):
        if value < -3.0 * u - 1e-9:
            raise ValidityError(
                f"phase analysis: {name} comes out as {value:.3g} wt%; the weighings contradict each other (first_gain "
                f"{g1:g}, full_gain {g2:g}, ignition_loss {lost:g} wt%). Check drying at 40-45 degC and hydration."
            )
        if value < 0:
            warnings.append(f"{name} is {value:.2g} wt%, zero within its uncertainty.")
    content = np.maximum(content, 0.0)
    anhydrite, u_anhydrite = np.nan, np.nan
    if so3 is not None:
        per = np.array([0.0, 1 / ANHYDRITE, 1 / HEMIHYDRATE, 1 / DIHYDRATE])
        anhydrite = so3 / SULFATE * ANHYDRITE - float(per @ content) * ANHYDRITE
        u_anhydrite = s * float(np.sqrt(((per[keep] @ inverse) ** 2).sum())) * ANHYDRITE
        if anhydrite < -3 * u_anhydrite - 0.5:
            raise ValidityError(
                f"phase analysis: SO3 = {so3:g} wt% is less than the hydrates hold (anhydrite II {anhydrite:.3g} wt%); "
                "check SO3, or what else lost mass below 230 degC."
            )
        anhydrite = max(anhydrite, 0.0)
    else:
        warnings.append("anhydrite II is unknown: give the total SO3.")
    total = float(content.sum()) + (0.0 if np.isnan(anhydrite) else anhydrite)
    if total > 101.5:
        raise ValidityError(f"phase analysis: the phases sum to {total:.4g} wt%; check the weighings and SO3.")
    rest = np.nan if np.isnan(anhydrite) else max(100.0 - total, 0.0)
    u_rest = np.nan if np.isnan(anhydrite) else float(np.hypot(np.linalg.norm(spread), u_anhydrite))
    return dataset(
        "Phase analysis of plaster",
        {
            "content": (("phase",), [*content, anhydrite, rest], "wt%", "of the sample as it is"),
            "sigma": (("phase",), [*spread, u_anhydrite, u_rest], "wt%", "standard uncertainty of the weighings"),
        },
        [_STOICHIOMETRY, _PHASES], coords={"phase": names},
        assumptions=(
            "free water and AIII do not coexist", "all SO3 is calcium sulfate",
            "nothing else loses mass below 230 degC",
        ),
        warnings=warnings, inputs=[g1, g2, lost, s, np.nan if so3 is None else so3],
    )  # fmt: skip


def purity(crystal_water: ArrayLike | None = None, sulfate: ArrayLike | None = None) -> xr.Dataset:
    """Gypsum in FGD or natural gypsum from its crystal water and from its SO3.

    Parameters
    ----------
    crystal_water : array_like, optional
        Loss at 230 degC of the sample dried at 40 to 45 degC [wt%].
    sulfate : array_like, optional
        SO3 of the same dried sample [wt%], without sulfite.

    Returns
    -------
    xarray.Dataset, dim "case"
        ``from_water`` = 4.778 x water, ``from_sulfate`` = 2.150 x SO3 [wt%], ``water_per_sulfate`` [mol/mol], and
        ``other_sulfate``: SO3-based less water-based content; positive means anhydrite, hemihydrate or other sulfates.

    Raises
    ------
    MissingDataError
        If neither is given.

    Notes
    -----
    Factors from molar masses, as GB/T 5484 practice uses them. Bound water of clay or hydroxides reads as gypsum.
    """
    if crystal_water is None and sulfate is None:
        raise MissingDataError("purity needs crystal water (loss at 230 degC) or SO3; measure one of them.")
    water = None if crystal_water is None else array_within(
        crystal_water, 0, 100 * WATER_OF_DH * 1.01, "crystal_water", "wt%"
    )  # fmt: skip
    so3 = None if sulfate is None else array_within(sulfate, 0, 100 * SULFATE / ANHYDRITE * 1.01, "sulfate", "wt%")
    shape = np.broadcast(*(x for x in (water, so3) if x is not None)).shape
    nan = np.full(shape, np.nan)
    w = np.atleast_1d(nan if water is None else np.broadcast_to(water, shape)).ravel()
    s = np.atleast_1d(nan if so3 is None else np.broadcast_to(so3, shape)).ravel()
    by_water, by_sulfate = w / WATER_OF_DH, s * DIHYDRATE / SULFATE
    ratio = np.divide(w / WATER, s / SULFATE, out=np.full_like(w, np.nan), where=s > 0)
    warnings = []
    if water is not None and so3 is not None and (by_water > by_sulfate + 3.0).any():
        warnings.append("more crystal water than the sulfate can hold: clay, hydroxides or incomplete drying.")
    for name, given in (("crystal_water", water), ("sulfate", so3)):
        if given is None:
            warnings.append(f"{name} was not given: one of two checks only.")
    return dataset(
        "Purity of gypsum",
        {
            "from_water": (("case",), by_water, "wt%", "gypsum by crystal water"),
            "from_sulfate": (("case",), by_sulfate, "wt%", "gypsum if all SO3 were gypsum"),
            "water_per_sulfate": (("case",), ratio, "mol/mol", "2 for gypsum, 0.5 for hemihydrate"),
            "other_sulfate": (("case",), by_sulfate - by_water, "wt%", "sulfate not present as gypsum, as gypsum"),
        },
        [_STOICHIOMETRY], coords={"case": np.arange(len(w))}, warnings=warnings, inputs=[w, s],
    )  # fmt: skip


def _hemihydrate(thermo: Thermochemistry, form: str) -> str:
    if form not in _FORMS:
        raise ValidityError(f"form {form!r} is not one of {', '.join(_FORMS)}.")
    for name in _FORMS[form]:
        if name in thermo:
            return name
    raise MissingDataError(f"The thermochemical set has no {form} hemihydrate ({', '.join(_FORMS[form])}).")


def _equilibrium(thermo: Thermochemistry, reaction: dict[str, float], pressure: float) -> float:
    """Temperature of equilibrium [degC] at a water pressure [bar]; NaN below 25 degC."""
    t = _root(thermo, reaction, pressure)
    if not np.isnan(t) or _affinity(thermo, reaction, T0, pressure) < 0:
        return t
    raise ValidityError(
        f"at {pressure:g} bar of water the reaction {' + '.join(n for n, k in reaction.items() if k > 0)} lies above "
        f"{_end(thermo, reaction) - 273.15:.0f} degC, the end of the data."
    )


def _root(thermo: Thermochemistry, reaction: dict[str, float], pressure: float | None) -> float:
    from scipy.optimize import brentq

    def f(t: float) -> float:
        return _affinity(thermo, reaction, t, float(wagner_pruss(t - 273.15)) if pressure is None else pressure)

    low, high = T0, _end(thermo, reaction)
    if f(low) * f(high) > 0:
        return float("nan")
    return float(brentq(f, low, high, xtol=1e-9)) - 273.15


def _affinity(thermo: Thermochemistry, reaction: dict[str, float], t: float, pressure: float) -> float:
    return float(thermo.reaction_gibbs(reaction, t)) + reaction["H2O(g)"] * GAS_CONSTANT * t * float(np.log(pressure))


def _end(thermo: Thermochemistry, reaction: dict[str, float]) -> float:
    return min(thermo[n].T_max for n in reaction)


def _weakness(thermo: Thermochemistry, names: tuple[str, ...]) -> list[str]:
    return [f"{n}: {thermo[n].weak}." for n in names if thermo[n].weak]


__all__ = [
    "hemihydrate_window",
    "phase_analysis",
    "phase_state",
    "purity",
    "transition_in_water",
    "wagner_pruss",
]
