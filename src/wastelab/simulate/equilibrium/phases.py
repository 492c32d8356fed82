"""Which phases may form: names a person may use, what is left out by default, presets, solid solutions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...errors import UnknownNameError, suggest
from ...reference.phase_names import name_of, phase_groups
from ...reference.thermochemistry import Thermochemistry
from .solutions import SOLUTIONS, Solution

#: Phases left out unless `allow` names them, and why.
METASTABLE: dict[str, str] = {
    "anhydrite_III": "metastable product of drying hemihydrate; its data are from memory",
    "metakaolinite": "metastable product of dehydroxylation; its data are from memory",
    "bassanite_alpha": "hemihydrate is metastable against anhydrite and gypsum",
    "bassanite_beta": "hemihydrate is metastable against anhydrite and gypsum",
}
#: Lists of phases for `suppress`: what does not form in practice, by situation.
PRESETS: dict[str, tuple[str, ...]] = {
    "portland": ("C12A7",),
    "quenched": ("C2S_gamma",),
    "quartz_persists": ("tridymite", "cristobalite_beta"),
    "no_hydrates": (
        "gypsum", "bassanite_alpha", "bassanite_beta", "portlandite", "brucite", "gibbsite", "boehmite", "diaspore",
        "goethite", "kaolinite", "pyrophyllite", "muscovite",
        "hydrogarnet",
    ),
}  # fmt: skip
PRESET_REASONS = {
    "portland": "C12A7 does not form beside alite in Portland clinker",
    "quenched": "beta-C2S kept on cooling: the gamma polymorph does not form",
    "quartz_persists": "quartz changes to tridymite or cristobalite too slowly in a firing",
    "no_hydrates": "clays and hydrates do not form again in a furnace",
}
#: Other notations in use.
ALIASES = {"C5S2S": "ternesite"}


def symbol_of(name: str) -> str:
    """What a person calls a phase; polymorphs share it (C2S, C3S)."""
    entry = name_of(name)
    return phase_groups().get(entry.group, entry).symbol


def symbols(thermo: Thermochemistry) -> dict[str, tuple[str, ...]]:
    """Every name a person may use for solids (phase, symbol, group and its symbol) to the phases it means."""
    out: dict[str, list[str]] = {}
    groups = phase_groups()
    for phase in thermo.values():
        if phase.state == "gas":
            continue
        entry = name_of(phase.name)
        alias = [k for k, v in ALIASES.items() if v == phase.name]
        for key in {phase.name, entry.symbol, entry.group, groups.get(entry.group, entry).symbol, *alias}:
            out.setdefault(key, []).append(phase.name)
    return {k: tuple(v) for k, v in out.items()}


def choose_suppressed(thermo: Thermochemistry, suppress: Iterable[str], allow: Iterable[str]) -> dict[str, str]:
    """Phases left out, and why: the metastable ones not allowed, and what the user names.

    Raises
    ------
    UnknownNameError
    """
    known = symbols(thermo)
    if isinstance(suppress, str):
        suppress = (suppress,)
    if isinstance(allow, str):
        allow = (allow,)
    for option, value in (("suppress", suppress), ("allow", allow)):
        if not isinstance(value, Iterable):
            raise UnknownNameError(f"{option} = {value!r} names no phase; give names, {option}=('C12A7',).")
    out = {n: why for n, why in METASTABLE.items() if n in thermo}
    for name in allow:
        if name not in known:
            raise UnknownNameError(f"allow: there is no phase {name!r} in the set.{suggest(name, known)}")
        for phase in known[name]:
            out.pop(phase, None)
    for name in suppress:
        if name in PRESETS:
            out.update({p: PRESET_REASONS[name] for p in PRESETS[name] if p in thermo})
        elif name in known:
            out.update(dict.fromkeys(known[name], "suppressed by the user"))
        elif name in {s.name for s in SOLUTIONS}:
            continue  # left out among the solutions
        else:
            raise UnknownNameError(
                f"suppress: there is no phase, symbol, group or preset {name!r}."
                f"{suggest(name, [*known, *PRESETS, *(s.name for s in SOLUTIONS)])} Presets: {', '.join(PRESETS)}."
            )
    named = {s.name for s in SOLUTIONS} & set(suppress)
    out.update(dict.fromkeys(named, "suppressed by the user"))
    return out


def choose_solutions(
    thermo: Thermochemistry, chosen: bool | Iterable[str], out: Mapping[str, str]
) -> tuple[Solution, ...]:
    """Solid solutions to admit; one whose end members are not all there is left out.

    Raises
    ------
    UnknownNameError
    """
    by_name = {s.name: s for s in SOLUTIONS}
    if chosen is True:
        names: Iterable[str] = by_name
    elif chosen is False:
        names = ()
    else:
        names = (chosen,) if isinstance(chosen, str) else tuple(chosen)
        for name in names:
            if name not in by_name:
                raise UnknownNameError(
                    f"solutions: there is no {name!r}.{suggest(name, by_name)} Solutions: {', '.join(by_name)}."
                )
    return tuple(
        by_name[n] for n in names if n not in out and all(p in thermo and p not in out for p in by_name[n].phases)
    )
