"""Plausibility of a row of the thermochemical tables: slips of unit, sign and digit that no reader may let through.

The bounds are wide: every phase of the shipped sets lies well inside. They find joules in a column of kilojoules, a
lost sign or digit and kilojoules in a column of joules; they do not say that a value is right.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Elements that the set covers; N only as a gas.
ELEMENTS = ("Ca", "Si", "Al", "Fe", "Mg", "Ti", "Na", "K", "S", "C", "O", "H")
#: Oxide that carries one atom of an element: enthalpy of formation [kJ/mol of element, rounded], oxygen atoms.
_OXIDES = {
    "Ca": (-635.0, 1.0), "Si": (-911.0, 2.0), "Al": (-838.0, 1.5), "Fe": (-413.0, 1.5), "Mg": (-602.0, 1.0),
    "Ti": (-944.0, 2.0), "Na": (-208.0, 0.5), "K": (-182.0, 0.5), "S": (-396.0, 3.0), "C": (-394.0, 2.0),
    "H": (-121.0, 0.5),
}  # fmt: skip
#: Enthalpy of formation from these oxides [kJ per mole of atoms]: salts of strong bases are the lowest.
FORMATION = (-150.0, 60.0)
#: What an oxide gives up at most when it loses an oxygen atom [kJ/mol].
OXYGEN = 700.0
#: Third-law entropy at 298.15 K [J/(K mol of atoms)].
ENTROPY = {"solid": (4.0, 60.0), "gas": (15.0, 220.0)}
#: Heat capacity [J/(K mol of atoms)].
HEAT_CAPACITY = (4.0, 80.0)
#: Highest temperature of a table [K], largest uncertainty [kJ/mol].
T_HIGHEST, SIGMA_HIGHEST = 6000.0, 200.0


def outside(formula_atoms: Mapping[str, float], state: str) -> list[str]:
    """Elements of a phase that the set does not cover."""
    known = {*ELEMENTS, "N"} if state == "gas" else set(ELEMENTS)
    return [element for element in formula_atoms if element not in known]


def enthalpy_fault(formula_atoms: Mapping[str, float], dHf298: float) -> str:
    """What is implausible about an enthalpy of formation [kJ/mol]; empty if nothing is."""
    total = sum(formula_atoms.values())
    oxides = sum(n * _OXIDES[e][0] for e, n in formula_atoms.items() if e in _OXIDES)
    needed = sum(n * _OXIDES[e][1] for e, n in formula_atoms.items() if e in _OXIDES)
    missing = max(needed - formula_atoms.get("O", 0.0), 0.0)
    low, high = oxides + FORMATION[0] * total, oxides + FORMATION[1] * total + OXYGEN * missing
    if low <= dHf298 <= high:
        return ""
    slip = next(
        (text for value, text in ((dHf298 / 1e3, "J instead of kJ"), (-dHf298, "the sign"), (dHf298 * 4.184, "kcal"))
         if low <= value <= high),
        "",
    )  # fmt: skip
    hint = f" It would fit with another unit or sign: {slip}." if slip else ""
    return (
        f"{dHf298:g} kJ/mol is {(dHf298 - oxides) / total:+.4g} kJ per mole of atoms from the simple oxides; expected "
        f"the enthalpy of formation from the elements at 298.15 K, {low:.0f} to {high:.0f} kJ/mol for this "
        f"formula.{hint}"
    )


def entropy_fault(formula_atoms: Mapping[str, float], state: str, s298: float) -> str:
    """What is implausible about a third-law entropy [J/(mol K)]; empty if nothing is."""
    low, high = (bound * sum(formula_atoms.values()) for bound in ENTROPY[state])
    if low <= s298 <= high:
        return ""
    return f"{s298:g} J/(mol K) is outside {low:.0f} to {high:.0f} J/(mol K), what a {state} of this formula can have."


def heat_capacity_fault(formula_atoms: Mapping[str, float], cp: float, temperature_K: float) -> str:
    """What is implausible about a heat capacity [J/(mol K)]; empty if nothing is."""
    low, high = (bound * sum(formula_atoms.values()) for bound in HEAT_CAPACITY)
    if low <= cp <= high:
        return ""
    return (
        f"Cp is {cp:.4g} J/(mol K) at {temperature_K:.0f} K; expected {low:.0f} to {high:.0f} J/(mol K) for this "
        "formula. Check the units of cp_a to cp_f and the powers of T that they belong to."
    )
