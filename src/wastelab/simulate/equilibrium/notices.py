"""What to know before relying on phases at a temperature: melt, weak data, data that end, sulfides.

The same texts serve `equilibrium`, `PhaseTable.warnings` (for the short list of a screening) and phase diagrams.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...reference.melting import Melting, melting_points
from ...reference.phase_names import name_of, phase_groups
from ...reference.thermochemistry import Thermochemistry
from .solutions import SOLUTIONS, Solution

if TYPE_CHECKING:
    from .system import PhaseTable, System

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

#: Mass fraction from which a phase counts in warnings [kg/kg].
WORTH = 1e-4
#: Mass fraction of the solid from which a mineral counts as taking part in a melt [kg/kg].
TAKES_PART = 2e-3
#: Rows of the table of melting points that one result names.
MOST_ROWS = 8
#: Above this part of most mixes is molten [K].
MELT_K = 1600.0
_NO_MELT = "no melt is modelled, the solids shown stand for it"
_CLINKER = "20 to 30 % of a Portland clinker is melt at 1450 degC; amounts of C3A and ferrite stand for it"


def melt_warnings(minerals_present: Mapping[str, float] | Iterable[str], temperature_K: float) -> list[str]:
    """What is said where minerals that melt together are present at a temperature.

    Parameters
    ----------
    minerals_present : mapping of str to float, or iterable of str
        Minerals (symbols, groups or names of phases; end members of solid solutions, not the solutions) with their
        mass fraction of the solid [kg/kg]; below `TAKES_PART` a mineral does not count. Names alone all count.
    temperature_K : float

    Returns
    -------
    list of str
        One sentence for each melting point, eutectic or minimum exceeded, lowest first; rows that another one with
        more of the minerals at a lower temperature includes are left out. Empty where the table knows of no melt.
    """
    if not isinstance(minerals_present, Mapping):
        minerals_present = dict.fromkeys(minerals_present, 1.0)
    mass = {name: np.array([[float(v)]]) for name, v in minerals_present.items()}
    return melt_texts(mass, np.array([float(temperature_K)]))


def melt_texts(mass: Mapping[str, FloatArray], kelvins: FloatArray) -> list[str]:
    """As `melt_warnings` for mass fractions of shape (n_mixes, n_T) at several temperatures."""
    found = _molten(mass, kelvins)
    if rest := found[MOST_ROWS:]:
        rest = sorted(found[1:], key=lambda f: -int(f[1].sum()))[MOST_ROWS - 1 :]
        found = [f for f in found if not any(f is r for r in rest)]
    out = []
    n = max((v.shape[0] for v in mass.values()), default=1)
    for row, mask in found:
        hot = kelvins[mask.any(axis=0)] - 273.15
        at = f"{hot.min():.0f} degC" if len(hot) == 1 else f"{hot.min():.0f} to {hot.max():.0f} degC"
        mixes = int(mask.any(axis=1).sum())
        who = "the mix is" if n == 1 else f"{mixes} of {n} mixes are"
        verb = {"melts whole": "melts", "melts in part": "melts in part"}.get(row.kind, "begin to melt")
        if row.kind == "solidus":
            verb = "begins to melt"
        what = f"{row.kind}, " if row.kind in ("eutectic", "minimum", "solidus") else ""
        out.append(
            f"{' + '.join(row.minerals)} {verb} at {row.temperature_K - 273.15:.0f} degC ({what}{row.source}): at {at} "
            f"{who} part molten"
        )
    if out:
        out[0] += f"; {_CLINKER if found[0][0].of == 'clinker' else _NO_MELT}"
    if rest:
        out.append(f"{len(rest)} further assemblages that melt are present in fewer of these mixes")
    return out


def melt_fallback(mass: Mapping[str, FloatArray], kelvins: FloatArray) -> list[str]:
    """One sentence where it is hot and the table of melting points says nothing of some mix."""
    hot = kelvins > MELT_K
    if not hot.any():
        return []
    n = max((v.shape[0] for v in mass.values()), default=1)
    known = np.zeros((n, len(kelvins)), dtype=bool)
    for _, mask in _molten(mass, kelvins):
        known |= mask
    if known[:, hot].all():
        return []
    return [
        f"above {MELT_K - 273.15:.0f} degC part of most mixes is molten, also where no row of the table of melting "
        f"points applies; {_NO_MELT}"
    ]


def _molten(mass: Mapping[str, FloatArray], kelvins: FloatArray) -> list[tuple[Melting, BoolArray]]:
    """Rows of the table that apply and where, shape (n_mixes, n_T)."""
    by_name: dict[str, FloatArray] = {}
    for phase, value in mass.items():
        for name in names_of(phase):
            by_name[name] = by_name[name] + value if name in by_name else value
    found: list[tuple[Melting, BoolArray]] = []
    for row in melting_points():
        hot = kelvins >= row.temperature_K - 1e-9
        if not hot.any() or not all(m in by_name for m in row.minerals):
            continue
        mask = np.broadcast_to(hot[None, :], np.broadcast_shapes(*(by_name[m].shape for m in row.minerals))).copy()
        for mineral in row.minerals:
            mask &= by_name[mineral] > TAKES_PART
        for mineral, least in row.share.items():
            whole = sum((by_name[e] for e in _companions(mineral) if e in by_name), by_name[mineral])
            mask &= by_name[mineral] >= least * whole
        if mask.any():
            found.append((row, mask))
    return [
        (row, mask)
        for k, (row, mask) in enumerate(found)
        if not any(
            set(other.minerals) >= set(row.minerals) and not (mask & ~more).any() and j != k
            for j, (other, more) in enumerate(found)
            if (other.temperature_K, j) < (row.temperature_K, k)
        )
    ]


def names_of(phase: str) -> tuple[str, ...]:
    """Every name a phase goes by: its own, its symbol, its group and that one's symbol."""
    entry = name_of(phase)
    return tuple(dict.fromkeys((phase, entry.symbol, entry.group, phase_groups().get(entry.group, entry).symbol)))


def _companions(mineral: str) -> tuple[str, ...]:
    """Other end members of the solid solution that a mineral belongs to."""
    for solution in SOLUTIONS:
        if mineral in solution.phases:
            return tuple(p for p in solution.phases if p != mineral)
    return ()


def weak_texts(thermo: Thermochemistry, solutions: Sequence[Solution], mass: Mapping[str, FloatArray]) -> list[str]:
    """One sentence for each phase of the set that is present and whose data are weak, naming its solution."""
    owner = {p: s.name for s in solutions for p in s.phases}
    out = []
    for name, value in mass.items():
        if name in thermo and thermo[name].weak and (np.abs(value) > WORTH).any():
            of = f" (end member of {owner[name]})" if name in owner else ""
            out.append(f"{name}{of} is present and its data are weak: {thermo[name].weak}")
    return out


def sulfide_texts(mass: Mapping[str, FloatArray]) -> list[str]:
    """That sulfides are simplified, where they are present."""
    there = [p for p in ("pyrite", "troilite", "oldhamite") if p in mass and (mass[p] > WORTH).any()]
    if not there:
        return []
    return [f"{', '.join(there)}: sulfides are pure here, without pyrrhotite, and their gases H2S, COS, S2 absent"]


#: What the neglect of an oxide set aside does to the phases; 3 CaO are 1.18 kg per kg of P2O5.
BIAS = {
    "P2O5": "it binds about 3 CaO (1.2 wt% CaO per wt%) and enters belite: free lime, C3S and C2S are overstated",
    "V2O5": "it binds up to 3 CaO: free lime and C3S are overstated",
    "SrO": "it replaces CaO and takes up SO3: lime-poor phases and free sulfate are misjudged",
    "BaO": "it replaces CaO and takes up SO3: lime-poor phases and free sulfate are misjudged",
    "MnO": "it enters ferrite, spinel and olivine: these are understated",
    "MnO2": "it enters ferrite, spinel and olivine: these are understated",
    "Mn2O3": "it enters ferrite, spinel and olivine: these are understated",
    "Cr2O3": "it enters spinel and ferrite, in air it binds CaO and alkalis as chromate: these are misjudged",
    "ZnO": "it enters spinel, melilite and ferrite: these are understated",
    "ZrO2": "it binds CaO or SiO2 (CaZrO3, zircon): both are overstated",
    "B2O3": "it binds CaO and makes melt: free lime is overstated",
}
#: Largest mass set aside that is calculated with [wt% of the dry mix].
MOST_ASIDE = 5.0


def aside_texts(set_aside: Mapping[str, FloatArray]) -> list[str]:
    """One sentence for each oxide without data, with the direction of the error where it is known."""
    return [
        f"{oxide} set aside as inert mass, at most {float(values.max()):.3g} wt%, no data for its phases: "
        + BIAS.get(oxide, "what it binds is counted as free, and its phases are missing")
        for oxide, values in set_aside.items()
    ]


def beyond_range(table: PhaseTable, b: FloatArray, pi: FloatArray) -> dict[str, int]:
    """Phases left out because their data end, that would be present on data continued to this temperature.

    Parameters
    ----------
    table : PhaseTable
        Of an open or closed system; in a closed one a phase counts where it is favoured by the potentials found.
    b : ndarray, shape (n, n_row)
        Elements [mol/kg].
    pi : ndarray, shape (n, n_row)
        Element potentials found without these phases [J/mol].

    Returns
    -------
    dict of str to int
        Phase to the number of mixes that it would be present in.
    """
    from .lp import solve

    system = table.system
    more = system.cost(table.temperature_K, beyond=True)
    extra = np.flatnonzero(~np.isfinite(table.cost))
    if not len(extra):
        return {}
    absent = b <= 0
    A = system.A[extra]
    reduced = more[extra][None, :] - np.where(absent, 0.0, pi) @ A.T
    possible = ~((absent.astype(np.float64) @ np.abs(A).T) > 0)
    forms = (reduced < -1e-6) & possible
    asked = forms.any(axis=1)
    if not asked.any():
        return {}
    if system.closed:  # the programme alone has no gas to judge by; the potentials found have
        return {system.columns[extra[k]].name: int(forms[:, k].sum()) for k in np.flatnonzero(forms.any(axis=0))}
    result = solve(system.A, b[asked], more, system.start)
    mass = np.where(result.amount > 0, result.amount * system.molar_mass[result.basis], 0.0)
    out: dict[str, int] = {}
    for j in extra:
        count = int(((result.basis == j) & (mass > WORTH)).any(axis=1).sum())
        if count:
            name = system.columns[j].name
            out[name] = out.get(name, 0) + count
    return out


def range_text(system: System, phase: str, kelvins: Sequence[float], mixes: int, n: int) -> str:
    """One sentence for a phase that `beyond_range` found at some temperatures."""
    members = next((s.phases for s in system.solutions if s.name == phase), (phase,))
    ends = min(system.thermo[p].T_max for p in members)
    begins = max(system.thermo[p].T_min for p in members)
    low, high = min(kelvins) - 273.15, max(kelvins) - 273.15
    at = f"{low:.0f} degC" if low == high else f"{low:.0f} to {high:.0f} degC"
    who = "" if n == 1 else f" in {mixes} of {n} mixes"
    return (
        f"{phase} is left out at {at} because its data hold from {begins - 273.15:.0f} to {ends - 273.15:.0f} degC; "
        f"continued, they would have it present{who}: the phases shown may owe themselves to that"
    )


def clay_text(mass: Mapping[str, FloatArray], kelvins: FloatArray, aluminous: ArrayLike) -> list[str]:
    """That fired clay is not at equilibrium below 1000 degC, where silicates of alumina are what equilibrium gives.

    Parameters
    ----------
    mass : mapping of str to ndarray, shape (n_mixes, n_T)
    kelvins : ndarray, shape (n_T,)
    aluminous : array_like of bool, shape (n_mixes,)
        Mixes rich enough in SiO2 and Al2O3 to have been clay.
    """
    cool = (kelvins > 700.0) & (kelvins < 1273.15)
    formed = [p for p in ("sillimanite", "mullite_3to2", "cordierite", "pyrophyllite", "kaolinite") if p in mass]
    there = [
        p for p in formed if ((mass[p] > 0.02) & cool[None, :] & np.asarray(aluminous, dtype=bool)[:, None]).any()
    ]  # fmt: skip
    if not there:
        return []
    return [
        f"{', '.join(there)} below 1000 degC: equilibrium, not what firing a clay gives. Kaolinite and other clay "
        "minerals leave metakaolinite and glass-like solids that last to about 950 degC; use wastelab.calcine for them"
    ]
