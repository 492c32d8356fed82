"""What the columns of one table offer to formulas: amounts by role in one basis, properties of the blended binder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...chemistry import molar_mass
from ...errors import UnitError
from ...provenance import Source
from ..design import Ratio
from ..words import Meaning, heading, level_role, vocabulary
from .plan import Step, ratio_step

Form = dict[str, float]
#: kg of Na2O per kg of NaOH; kg of SiO2 per kg of Na2O at a silica modulus of 1.
SODA_OF_HYDROXIDE = molar_mass("Na2O") / (2.0 * molar_mass("NaOH"))
SILICA_OF_SODA = molar_mass("SiO2") / molar_mass("Na2O")
#: Units in which amounts can be added up, the most telling first.
BASES = ("kg/m3", "kg", "kg/kg")


@dataclass(frozen=True)
class Derived:
    """A feature that can be made where its inputs are columns.

    Attributes
    ----------
    name, unit : str
        A name in capitals within braces stands for several: ``"{SCM}/binder"``.
    formula : str
        What a person reads.
    source : Source
    function : callable
        The same as a plain function of arrays.
    make : callable
        Steps for a table, the last of each list being the feature; empty where inputs are no columns.
    title_zh : str
        What it is, in Chinese.
    least : float
        Differences up to this are rounding: such a feature is not made.
    """

    name: str
    unit: str
    formula: str
    source: Source
    function: Callable[..., Any]
    make: Callable[[Offer], list[Step]]
    title_zh: str = ""
    least: float = 0.0


@dataclass
class Offer:
    """Columns of a table by role.

    Attributes
    ----------
    meanings : list of Meaning
        Of the numeric columns that are known, in the order of the table.
    levels : mapping of str to list of str
        Text columns and their levels.
    taken : collection of str
        Names of all columns of the table; steps are called otherwise.
    basis : str
        Unit in which amounts are added up; empty where none is known.
    helpers : dict of str to Step
        Steps that features need and that are no features themselves.
    notices : list of str
    """

    meanings: list[Meaning]
    levels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    taken: Collection[str] = ()
    basis: str = ""
    helpers: dict[str, Step] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._refuse_grams_and_tonnes()
        bare = [m.column for m in self.meanings if m.unit is None]
        if bare:
            self.notices.append(
                f"no feature is made of {', '.join(map(repr, bare))}: the unit is not known. Name it at the end of the "
                f"heading (cement_kg_m3), or give units={{...}}"
            )
        counts = {b: sum(m.wanted == b and m.group in ("binder", "total") for m in self.meanings) for b in BASES}
        best = max(BASES, key=lambda b: (counts[b], -BASES.index(b)))
        self.basis = best if counts[best] else ""
        self._parts = self._binders()
        lacking = [m.column for m in self._outside("binder")]
        lacking += [m.column for m in self.meanings if m.group == "binder" and m.unit is None and self.basis]
        self.parts_known = bool(self._parts) and not lacking
        self.complete = bool(self.role("total_binder")) or not lacking
        if lacking and not self.complete:
            self.notices.append(
                f"no total of binders: {', '.join(map(repr, lacking))} cannot be added to the columns in {self.basis}. "
                f"Give all binders in one unit, or a column of the total"
            )

    def _refuse_grams_and_tonnes(self) -> None:
        """Masses of one batch in g and in t are no batch of one size."""
        batch = [m for m in self.meanings if m.wanted == "kg"]
        small = next((m for m in batch if m.slope <= 1e-3), None)
        large = next((m for m in batch if m.slope >= 1e3), None)
        if small and large:
            raise UnitError(
                f"column '{small.column}' is in {small.unit} and column '{large.column}' in {large.unit}: amounts of "
                f"one mix a million apart. Give all amounts in one unit, best kg/m3."
            )

    def _outside(self, group: str) -> list[Meaning]:
        """Columns of a group in another basis whose role has none in this one."""
        here = {m.role for m in self.meanings if m.wanted == self.basis}
        return [m for m in self.meanings if m.group == group and m.wanted != self.basis and m.unit is not None
                and m.role not in here and self.basis]  # fmt: skip

    def key(self, name: str) -> str:
        """Name of a step, which is no column of the table."""
        return f"{name} (computed)" if name in self.taken else name

    # -- amounts
    def role(self, *names: str) -> Form:
        """Columns of these roles in the basis, with what brings each to it."""
        return {m.column: m.slope for m in self.meanings if m.role in names and m.wanted == self.basis and self.basis}

    def group(self, *names: str) -> Form:
        """Columns of these groups in the basis."""
        return {m.column: m.slope for m in self.meanings if m.group in names and m.wanted == self.basis and self.basis}

    def one(self, role: str) -> Meaning | None:
        """The first column of a role that is no amount."""
        return next((m for m in self.meanings if m.role == role and m.unit is not None), None)

    def _binders(self) -> dict[str, Form]:
        """Amounts by binder; what a text column beside it names is counted under that name."""
        out: dict[str, Form] = {}
        typed: dict[str, list[list[Any]]] = {}
        for m in self.meanings:
            if m.group != "binder" or m.wanted != self.basis:
                continue
            kind = _type_column(m.column, self.levels)
            if kind is None:
                out.setdefault(m.role, {})[m.column] = m.slope
            else:
                roles = [level_role(level) or "scm" for level in self.levels[kind]]
                for role in sorted(set(roles)):
                    codes = [k for k, said in enumerate(roles) if said == role]
                    typed.setdefault(role, []).append([m.column, m.slope, kind, codes])
        for role in sorted(typed):
            name = self.key(f"{role} by type")
            self.helpers[name] = Step(name, "typed", {"pairs": typed[role]})
            out.setdefault(role, {})[name] = 1.0
        return out

    @property
    def binders(self) -> dict[str, Form]:
        """Linear form of each binder, by role."""
        return self._parts

    def total_binder(self) -> Form:
        """The whole dry binder: the table's own total where it has one, else the sum; empty where it is not known."""
        total = self.role("total_binder")
        return total or (self.group("binder") if self.complete else {})

    def water(self) -> Form:
        """Mixing water: the column of water, else of effective water."""
        return self.role("water") or self.role("effective_water")

    def fine(self) -> Form:
        """Fine aggregates."""
        return self.group("fine")

    def coarse(self) -> Form:
        """Coarse aggregates."""
        return self.group("coarse")

    def aggregate(self) -> Form:
        """All aggregates: the parts, else the total."""
        parts = {**self.fine(), **self.coarse()}
        return parts if self.fine() and self.coarse() else (self.group("aggregate") or parts)

    # -- properties of the dry binder
    def content(self, name: str) -> Form:
        """A content or property of the whole dry binder: a column, or blended from all its parts; empty if unknown."""
        direct = self.one(f"binder:{name}")
        if direct:
            return {direct.column: direct.slope}
        key = self.key(f"binder {name}")
        if key not in self.helpers:
            parts = []
            for role, form in self._parts.items():
                prop = self.one(f"{role}:{name}")
                if prop is None:
                    return {}
                parts += [[column, factor, prop.column, prop.slope] for column, factor in form.items()]
            if not self.parts_known or any(part[0] in self.helpers for part in parts):
                return {}
            self.helpers[key] = Step(key, "blend", {"parts": parts, "harmonic": name == "density"})
        return {key: 1.0}

    def activator(self, oxide: str) -> Form:
        """An oxide that activators bring [kg per 100 kg of dry binder]; empty if unknown."""
        share = next((m for m in self.meanings if m.role == f"activator:{oxide}" and m.wanted == "kg/kg"), None)
        if share:
            return {share.column: 100.0 * share.slope}
        form, binder = self.role(f"activator:{oxide}"), self.total_binder()
        key = self.key(f"activator {oxide}")
        if not form and oxide == "Na2O" and not self.role("sodium_silicate", "naoh_solution", "activator"):
            solid = self.role("sodium_hydroxide")
            form = {column: slope * SODA_OF_HYDROXIDE for column, slope in solid.items()}
        if not form and oxide == "SiO2" and self.one("activator_modulus") and self.activator("Na2O"):
            return self._silica_by_modulus(key)
        if not form or not binder:
            return {}
        self.helpers[key] = ratio_step(key, Ratio(form, binder, 100.0))
        return {key: 1.0}

    def _silica_by_modulus(self, key: str) -> Form:
        (soda, factor), modulus = next(iter(self.activator("Na2O").items())), self.one("activator_modulus")
        assert modulus is not None
        inputs = {"soda": [soda, factor * SILICA_OF_SODA, 0.0], "modulus": [modulus.column, modulus.slope, 0.0]}
        self.helpers[key] = Step(key, "product", {"inputs": inputs})
        return {key: 1.0}

    def water_share(self) -> Form:
        """Water [kg per kg of dry binder]."""
        ratio = self.one("water_binder")
        if ratio:
            return {ratio.column: ratio.slope}
        water, binder = self.water(), self.total_binder()
        if not water or not binder:
            return {}
        key = self.key("water per binder")
        self.helpers[key] = ratio_step(key, Ratio(water, binder))
        return {key: 1.0}

    def call(self, name: str, function: Callable[..., Any], **roles: str) -> list[Step]:
        """A step that calls a formula with the columns of roles; empty where one has none."""
        found = {key: self.one(role) for key, role in roles.items()}
        inputs = {key: [m.column, m.slope, m.offset] for key, m in found.items() if m is not None}
        return [Step(name, function.__name__, {"inputs": inputs})] if len(inputs) == len(found) else []


def ratio(name: str, over: Form, under: Form, scale: float = 1.0) -> list[Step]:
    """A step of two linear forms; none where one is empty."""
    return [ratio_step(name, Ratio(over, under, scale))] if over and under else []


def total(name: str, form: Form) -> list[Step]:
    """A step of one linear form; none where it is empty."""
    return [ratio_step(name, Ratio(form))] if form else []


def combine(*forms: tuple[float, Form]) -> Form:
    """Weighted sum of linear forms; empty where one of them is."""
    if not all(form for _, form in forms):
        return {}
    out: Form = {}
    for weight, form in forms:
        for column, value in form.items():
            out[column] = out.get(column, 0.0) + weight * value
    return out


def volumes(offer: Offer, with_water: bool = True) -> Form:
    """Volume of binders (and water) [m3 per m3 where amounts are kg/m3]; empty where a density is not known."""
    roles = vocabulary().roles
    out: Form = {}
    for role, form in offer.binders.items():
        density = roles[role].density
        if density is None:
            return {}
        out |= {column: factor / (1000.0 * density) for column, factor in form.items()}
    water = offer.water()
    if not offer.parts_known or (with_water and not water):
        return {}
    return {**out, **{c: f / 1000.0 for c, f in water.items()}} if with_water else out


def _type_column(amount: str, levels: Mapping[str, Sequence[str]]) -> str | None:
    """The text column that says what an amount is of: ``scm1_type`` of ``scm1_kg_m3``."""
    stem = heading(amount)[0]
    return next(
        (name for name in (f"{stem}_type", f"{stem} type", f"{stem}类型", f"{stem}种类") if name in levels), None
    )
