"""Formulas, molar masses, and the ways between oxides, elements and minerals.

Molar masses come from `periodictable` (IUPAC standard atomic weights). Cement notation (C3S, C4A3S …) is
understood where it is unambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from ..errors import CompositionError, suggest

#: Cement chemist's notation -> formula. `S` in C4A3S is SiO2 by the letter but the name means ye'elimite.
CEMENT_NOTATION: dict[str, str] = {
    "C3S": "Ca3SiO5",
    "C2S": "Ca2SiO4",
    "C3A": "Ca3Al2O6",
    "C4AF": "Ca4Al2Fe2O10",
    "C2F": "Ca2Fe2O5",
    "C4A3S": "Ca4Al6O12SO4",
    "C12A7": "Ca12Al14O33",
    "CA": "CaAl2O4",
    "CA2": "CaAl4O7",
    "C2AS": "Ca2Al2SiO7",
    "CT": "CaTiO3",
    "CH": "Ca(OH)2",
    "CaSO4": "CaSO4",
    "C5S2Sulfate": "Ca5Si2SO12",
}

#: Mineral names -> formula, for oxide <-> mineral conversion.
MINERALS: dict[str, str] = {
    "calcite": "CaCO3",
    "dolomite": "CaMg(CO3)2",
    "magnesite": "MgCO3",
    "siderite": "FeCO3",
    "gypsum": "CaSO4(H2O)2",
    "bassanite": "CaSO4(H2O)0.5",
    "anhydrite": "CaSO4",
    "kaolinite": "Al2Si2O5(OH)4",
    "quartz": "SiO2",
    "hematite": "Fe2O3",
    "goethite": "FeOOH",
    "gibbsite": "Al(OH)3",
    "boehmite": "AlOOH",
    "diaspore": "AlOOH",
    "pyrite": "FeS2",
    "portlandite": "Ca(OH)2",
    "perovskite": "CaTiO3",
    "mullite": "Al6Si2O13",
}

#: Oxides reported for each element, as XRF tables do.
OXIDE_OF: dict[str, str] = {
    "Si": "SiO2",
    "Al": "Al2O3",
    "Fe": "Fe2O3",
    "Ca": "CaO",
    "Mg": "MgO",
    "S": "SO3",
    "Na": "Na2O",
    "K": "K2O",
    "Ti": "TiO2",
    "P": "P2O5",
    "Mn": "MnO",
    "Cr": "Cr2O3",
    "V": "V2O5",
    "C": "CO2",
    "H": "H2O",
    "Zn": "ZnO",
    "Sr": "SrO",
    "Ba": "BaO",
    "Zr": "ZrO2",
}

_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_WATER = re.compile(r"[.·∙*](\d*\.?\d*)\s*H2O$")


def normalise(formula: str) -> str:
    """Bring a typed formula to a form the parser reads: subscripts, ``·2H2O``, cement notation, minerals."""
    text = formula.strip().translate(_SUBSCRIPTS).replace(" ", "")
    text = CEMENT_NOTATION.get(text, MINERALS.get(text.lower(), text))
    water = _WATER.search(text)
    if water:
        text = f"{text[: water.start()]}(H2O){water[1] or 1}"
    return text


@cache
def _atoms(formula: str) -> dict[str, float]:
    import periodictable

    text = normalise(formula)
    try:
        parsed = periodictable.formula(text)
    except Exception:  # the parser raises classes of its own
        parsed = None
    if parsed is None or not parsed.atoms or not re.match(r"^[A-Z(]", text):
        raise CompositionError(
            f"{formula!r} is not a chemical formula.{suggest(formula, [*MINERALS, *CEMENT_NOTATION])} "
            "Write for example 'Fe2O3', 'CaSO4·2H2O' or 'C4A3S'."
        )
    return {str(element): float(number) for element, number in parsed.atoms.items()}


def atoms(formula: str) -> dict[str, float]:
    """Atoms in one formula unit, e.g. ``{"Ca": 1, "C": 1, "O": 3}``.

    Raises
    ------
    CompositionError
        If the text is not a formula.
    """
    return dict(_atoms(formula))


@cache
def molar_mass(formula: str) -> float:
    """Molar mass [g/mol] from standard atomic weights.

    Raises
    ------
    CompositionError
        If the text is not a formula.
    """
    import periodictable

    return float(sum(number * getattr(periodictable, symbol).mass for symbol, number in _atoms(formula).items()))


def element_to_oxide(element: str, oxide: str | None = None) -> float:
    """Mass of oxide per mass of element [kg/kg]; the usual XRF oxide unless another is named."""
    oxide = oxide or OXIDE_OF.get(element)
    if oxide is None:
        raise CompositionError(f"No usual oxide is known for element {element!r}; name one.")
    number = _atoms(oxide).get(element)
    if number is None:
        raise CompositionError(f"{oxide} holds no {element}.")
    return molar_mass(oxide) / (number * molar_mass(element))


def oxide_to_element(oxide: str, element: str | None = None) -> float:
    """Mass of the metal (or named element) per mass of oxide [kg/kg]."""
    if element is None:
        metals = [e for e in _atoms(oxide) if e != "O"]
        if len(metals) != 1:
            raise CompositionError(f"{oxide} is no simple oxide; name the element.")
        element = metals[0]
    return 1.0 / element_to_oxide(element, oxide)


def mineral_oxides(formula: str) -> dict[str, float]:
    """Oxides that a mineral is made of [wt%], e.g. kaolinite -> Al2O3 39.5, SiO2 46.5, H2O 14.0.

    Oxygen is balanced; a phase whose oxygen does not balance (sulfides, native metals) is refused.

    Raises
    ------
    CompositionError
        If an element has no usual oxide or the oxygen does not balance.
    """
    counts = _atoms(formula)
    mass = molar_mass(formula)
    out: dict[str, float] = {}
    oxygen = counts.get("O", 0.0)
    for element, number in counts.items():
        if element == "O":
            continue
        oxide = OXIDE_OF.get(element)
        if oxide is None:
            raise CompositionError(f"{formula}: no usual oxide is known for {element}.")
        if element == "Fe" and "CO3" in normalise(formula):
            oxide = "FeO"
        parts = _atoms(oxide)
        units = number / parts[element]
        oxygen -= units * parts["O"]
        out[oxide] = out.get(oxide, 0.0) + 100.0 * units * molar_mass(oxide) / mass
    if abs(oxygen) > 1e-9:
        raise CompositionError(
            f"{formula}: its oxygen does not balance its oxides ({oxygen:+g} O); it is not made of the usual oxides."
        )
    return out


def oxides_from_elements(elements: Mapping[str, float]) -> dict[str, float]:
    """Convert an element analysis [wt%] to oxides [wt%]."""
    return {OXIDE_OF.get(e, e): value * element_to_oxide(e) for e, value in elements.items() if e != "O"}


def oxides_from_minerals(minerals: Mapping[str, float]) -> dict[str, float]:
    """Oxide content [wt%] of a mix of minerals given in wt% (Rietveld shares, norms)."""
    out: dict[str, float] = {}
    for mineral, share in minerals.items():
        for oxide, content in mineral_oxides(mineral).items():
            out[oxide] = out.get(oxide, 0.0) + share * content / 100.0
    return out
