"""Compile a recipe to integer rows: what the search kernel needs, and nothing else.

Every criterion is a ratio of two linear forms, so a limit on it is a half-space of the fractions once the
denominator is multiplied out. Rows and objectives are scaled to integers: sums are exact and do not depend
on order. A value within about 1e-12 of an inclusive limit (relative to the terms of its row) counts as on it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..chemistry.criterion import MASS, Condition, Criterion
from ..chemistry.material import FED, PHASE
from ..errors import RecipeError, UnitError, WastelabError, suggest
from ..provenance import Evidence, Source
from ..routes.base import EQUILIBRIUM, Route
from ..units import parse
from .assemblage import INERT, OPTIONAL, OXIDES, Phases, PhaseSearch, PhaseWindow, is_phase
from .limits import acceptance_window, bounds_text, exclusions, standard_limits
from .recipe import LAB, Recipe, Window, parse_window
from .space import Space

if TYPE_CHECKING:
    from ..chemistry.material import Material
    from ..standards import Limit

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Rows are scaled so that no sum over a whole blend exceeds this.
_FULL_SCALE = 2.0**50
#: Significant digits an objective is compared on.
OBJECTIVE_DIGITS = 10


@dataclass(frozen=True)
class Requirement:
    """One half-space family of the program (the same over all process points).

    Attributes
    ----------
    label : str
        What a person reads: ``"Cm <= 1.05"``, ``"GB 6566-2010/main_structure: I_Ra"``.
    kind : {"exclusion", "require", "standard", "validity", "denominator"}
    symbol : str
        Criterion it belongs to.
    partial : bool
        True where inputs are missing for some materials, so that the row only discards what must fail
        whatever the missing (non-negative) values are.
    missing : tuple of str
        The missing inputs, ``"limestone: Ra226"``.
    """

    label: str
    kind: str
    symbol: str
    partial: bool = False
    missing: tuple[str, ...] = ()
    label_zh: str = ""


@dataclass(frozen=True)
class PointProgram:
    """Integer arrays of one process point, materials in recipe order."""

    g: IntArray  # (d, R)
    threshold: IntArray  # (R,)
    numerator: IntArray  # (d, V)
    denominator: IntArray  # (d, V)
    factor: FloatArray  # (V,)
    components: Mapping[str, FloatArray]  # (d,) per 100 g dry mix


@dataclass(frozen=True)
class Program:
    """A compiled recipe."""

    recipe: Recipe
    route: Route
    space: Space
    materials: tuple[Material, ...]
    requirements: tuple[Requirement, ...]
    objectives: tuple[str, ...]
    directions: tuple[str, ...]
    resolution: tuple[float, ...]
    top_by: str | None
    points: tuple[PointProgram, ...]
    windows: Mapping[str, Window]
    skipped_limits: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    phase_search: PhaseSearch | None = None

    def mixes(self, fraction: FloatArray, p: int) -> Any:
        """Components of blends (n, d) at process point `p`, phases included where the route calculates them."""
        from .study import mix_components

        mixed = mix_components(fraction, self.points[p].components)
        return mixed if self.phase_search is None else self.phase_search.phases.extend(mixed, p)

    @property
    def n_objectives(self) -> int:
        """Number of Pareto objectives."""
        return len(self.objectives)


def material_components(recipe: Recipe, materials: tuple[Material, ...]) -> dict[str, FloatArray]:
    """Components of the recipe's materials as arrays (d,), NaN where a material lacks one.

    Besides what `Material.components` gives: ``transport_km`` and the ``transport:road`` … share of the mode.
    """
    rows = []
    for (key, entry), material in zip(recipe.materials.items(), materials, strict=True):
        values = dict(material.components())
        values["waste"] = 1.0 if material.is_waste else 0.0
        km = 0.0
        if entry.transport is not None:
            try:
                km = parse(entry.transport, "km", what="transport")
            except UnitError as exc:
                raise recipe.error(("materials", key, "transport"), str(exc)) from None
            if km < 0:
                raise recipe.error(("materials", key, "transport"), "a distance cannot be negative.")
        values["transport_km"] = km
        for mode in ("road", "rail", "water"):
            values[f"transport_km:{mode}"] = km if entry.mode == mode else 0.0
        for cls in ("coal_gangue", "fly_ash", "fgd_gypsum", "smelting_slag", "tailings", "red_mud", "raw"):
            values[f"share:{cls}"] = 100.0 if material.waste_class == cls else 0.0
        values["share:clinker"] = 100.0 if "clinker" in material.id else 0.0
        values["calcined"] = 1.0 if entry.calcined else 0.0
        values.update({f"{PHASE}{name}": q.value for name, q in material.phases.items()})
        rows.append(values)
    names = dict.fromkeys(name for row in rows for name in row)
    out: dict[str, FloatArray] = {}
    for name in names:
        # a phase that a quantified sample does not list is not in it; a material that was not calcined fed none
        defaults = [
            0.0
            if (name.startswith(PHASE) and material.phases) or (name.startswith(FED) and not row["calcined"])
            else math.nan
            for row, material in zip(rows, materials, strict=True)
        ]
        out[name] = np.array([r.get(name, x) for r, x in zip(rows, defaults, strict=True)], dtype=np.float64)
    return out


#: What `completed` takes from a reference material: economy, and what decides CO2.
REST = ("price", "gwp", "moisture", "carbonate_CO2", "organic_C")


class MaterialSource(Protocol):
    """What a screening asks of a laboratory."""

    def material(self, query: str | None = None, **options: Any) -> Material:
        """Mean and spread of what was measured on a sample, a class (``red_mud``) or a heap (``source:H1``)."""
        ...


def load_materials(recipe: Recipe, lab: MaterialSource | None = None) -> tuple[Material, ...]:
    """Materials of a recipe: shipped by id, from a file beside the recipe, or from a laboratory (``lab:RM-XY-03``).

    Raises
    ------
    RecipeError
        If an id, file or sample does not exist, an override is wrong, or a laboratory is needed and none was given.
    """
    from ..reference import material as reference_material
    from ..reference import material_from_file

    def from_file(key: str, field: str, name: str) -> Material:
        path = recipe.path.parent / name
        if not path.is_file():
            raise recipe.error(("materials", key, field), f"there is no file {path}.")
        return material_from_file(path)

    found = []
    for key, entry in recipe.materials.items():
        try:
            if entry.use.endswith(".toml"):
                material = from_file(key, "use", entry.use)
            elif entry.use.startswith(LAB):
                if lab is None:
                    raise recipe.error(
                        ("materials", key, "use"),
                        f"{entry.use!r} is in a laboratory; say in which: wastelab screen … --lab DIR, or "
                        "screen(…, lab=open_lab(DIR)).",
                    )
                window = {k: v for k, v in (("date_from", entry.from_), ("date_to", entry.to)) if v is not None}
                material = lab.material(entry.use.removeprefix(LAB), **window)
                if entry.rest:
                    card = entry.rest.endswith(".toml")
                    material = completed(
                        material, from_file(key, "rest", entry.rest) if card else reference_material(entry.rest)
                    )
            else:
                material = reference_material(entry.use)
            if entry.override:
                material = material.with_overrides(entry.override)
            if entry.price is not None:
                material = material.with_overrides({"price": entry.price})
            if entry.calcined:
                material = material.calcined()
        except RecipeError:
            raise
        except WastelabError as exc:
            raise recipe.error(("materials", key), str(exc)) from None
        found.append(material)
    return tuple(found)


def completed(material: Material, card: Material) -> Material:
    """A measured material with what laboratories seldom measure (`REST`) from a reference material, where it lacks it.

    Each value keeps the card's source and evidence, and the material's note says which were taken.
    """
    quantities = dict(material.quantities)
    taken = [name for name in REST if name not in quantities and name in card.quantities]
    for name in taken:
        q = card.quantities[name]
        note = "; ".join(n for n in (q.source.note, f"of {card.id}, not measured on {material.id}") if n)
        quantities[name] = replace(q, source=replace(q.source, note=note))
    if not taken:
        return material
    note = f"Not measured, taken from {card.id}: {', '.join(taken)}."
    return replace(material, quantities=quantities, note=f"{material.note} {note}".strip())


def compile_recipe(
    recipe: Recipe, route: Route, space: Space, materials: tuple[Material, ...] | None = None
) -> Program:
    """Compile a recipe to integer rows for every process point.

    Raises
    ------
    RecipeError
        If a requirement or objective names something the route cannot compute, lacks a unit, or needs
        an input that a material does not have.
    """
    materials = load_materials(recipe) if materials is None else materials
    at_equilibrium = route.assemblage is not None and route.assemblage.temperature in space.points[0]
    closed = route  # criteria before the equilibrium
    if at_equilibrium:
        route = route.at_equilibrium()
    raw = material_components(recipe, materials)
    point_components = [route.product_components(raw, p, space.parameters) for p in space.points]
    keys = tuple(recipe.materials)

    for symbol in route.implied:  # the route's own validity must be decidable for every candidate
        _need(recipe, ("route",), route.criteria[symbol], point_components[0], keys)
    windows: dict[str, Window] = {}
    for symbol, text in recipe.require.items():
        criterion = _criterion(recipe, route, ("require", symbol), symbol)
        try:
            windows[symbol] = parse_window(text, criterion.unit, symbol)
        except UnitError as exc:
            raise recipe.error(("require", symbol), str(exc)) from None
        _need(recipe, ("require", symbol), criterion, point_components[0], keys)
    objective_criteria = []
    for symbol in recipe.objectives:
        criterion = _criterion(recipe, route, ("objectives", symbol), symbol)
        _need(recipe, ("objectives", symbol), criterion, point_components[0], keys)
        objective_criteria.append(criterion)
    directions = [1.0 if d == "min" else -1.0 for d in recipe.objectives.values()]
    value_criteria, value_signs = list(objective_criteria), list(directions)
    if recipe.top is not None:
        if recipe.top.by not in recipe.objectives:
            raise recipe.error(
                ("top", "by"),
                f"'{recipe.top.by}' is not one of the objectives ({', '.join(recipe.objectives)})."
                f"{suggest(recipe.top.by, recipe.objectives)}",
            )
        j = list(recipe.objectives).index(recipe.top.by)
        value_criteria.append(objective_criteria[j])
        value_signs.append(directions[j])

    limits, skipped = standard_limits(recipe, route)
    on_phases = {s: w for s, w in windows.items() if is_phase(route.criteria[s])}
    linear_windows = {s: w for s, w in windows.items() if s not in on_phases}
    linear_limits = [entry for entry in limits if not is_phase(entry[2])]
    after = [entry for entry in limits if is_phase(entry[2])]
    relaxed = []
    if after and not any(np.nan_to_num(raw.get(o, np.zeros(1))).any() for o in OPTIONAL):
        # sulfur only leaves, iron takes up no oxygen: a content in the ignited mass is never above that in the product
        for grade, limit, criterion, unit in after:
            before = closed.criteria[criterion.symbol]
            if "SO3" not in before.numerator and min(before.numerator.values()) >= 0:
                relaxed.append((grade, limit, before, unit))
    plan = _plan(route, linear_windows, [c for c in objective_criteria if not is_phase(c)], linear_limits)
    plan += [item for item in _plan(route, {}, [], relaxed) if item.side == "high"]
    if at_equilibrium:
        plan += _without_data(point_components[0])
    plan = [item for item in plan if item.side != "denominator" or item.may_vanish(point_components)]
    excluded = [(Requirement(label, "exclusion", symbol), hit) for label, symbol, hit in exclusions(recipe, materials)]
    resolution = _resolution(value_criteria, point_components)

    programs = []
    requirements: list[Requirement] = []
    notes: list[str] = []
    for components in point_components:
        columns, thresholds, labels = [], [], []
        for requirement, hit in excluded:  # before any number
            g, threshold = _integer_row(hit, np.ones(len(keys)), space.m, strict=False)
            columns.append(g)
            thresholds.append(threshold)
            labels.append(requirement)
        for item in plan:
            built = item.build(components, keys)
            if built is None:
                if item.requirement.kind == "standard":
                    skipped.append(item.unknown(components, keys))
                continue
            vector, terms, strict, requirement = built
            g, threshold = _integer_row(vector, terms, space.m, strict)
            columns.append(g)
            thresholds.append(threshold)
            labels.append(requirement)
        if not requirements:
            requirements = labels
        elif [r.label for r in labels] != [r.label for r in requirements]:  # pragma: no cover - same inputs
            raise AssertionError("requirement rows differ between process points")
        num, den, factor = _integer_values(value_criteria, value_signs, resolution, components, space.m)
        d = len(keys)
        programs.append(
            PointProgram(
                g=np.array(columns, dtype=np.int64).reshape(len(columns), d).T.copy(),
                threshold=np.array(thresholds, dtype=np.int64),
                numerator=num,
                denominator=den,
                factor=factor,
                components=components,
            )
        )
    phase_search = None
    if at_equilibrium:
        assert route.assemblage is not None
        wanted = {*windows, *recipe.objectives} & {*route.assemblage.criteria}
        if len(space.points) > 1 and not wanted:
            variable = route.assemblage.temperature
            stage = next((k for k in route.stages if variable in (recipe.process.get(k) or ())), "")
            raise recipe.error(
                ("process", stage, variable) if stage else ("process", variable),
                f"a grid over {variable} and its gas changes nothing here: no phase is required or wanted. Require or "
                f"optimise one ({', '.join(route.assemblage.criteria)}), or give one {variable}.",
            )
        rows = []
        for symbol, w in on_phases.items():
            rows.append(PhaseWindow(route.criteria[symbol], w, len(requirements)))
            requirements.append(Requirement(f"{symbol} {w.text} (equilibrium)", "require", symbol))
        for grade, limit, criterion, unit in after:
            lacking = missing_inputs(
                {k: v for k, v in criterion.numerator.items() if not k.startswith(EQUILIBRIUM)},
                point_components[0],
                keys,
            )
            if lacking and (grade, criterion.symbol) in {(g, c.symbol) for g, _, c, _ in relaxed}:
                continue  # the row before the search discards what must fail whatever is not known
            if lacking:
                skipped.append(f"{grade}: {criterion.symbol}: cannot be applied, not known for {'; '.join(lacking)}")
                continue
            w = acceptance_window(limit, unit)
            rows.append(PhaseWindow(criterion, w, len(requirements)))
            requirements.append(
                Requirement(f"{grade}: {criterion.symbol} {bounds_text(w)} (product)", "standard", criterion.symbol)
            )
        values = tuple(
            (c, sign, res) if is_phase(c) else None
            for c, sign, res in zip(value_criteria, value_signs, resolution, strict=True)
        )
        tolerance = float(space.parameters.get("temperature_tolerance", 0.0))  # type: ignore[arg-type]
        phases = Phases(route.assemblage, space.points)
        for p in range(len(space.points)):  # refused here, not in the middle of a search
            for shift in dict.fromkeys((0.0, -tolerance, tolerance)):
                try:
                    phases.table(p, shift)
                except WastelabError as exc:
                    raise recipe.error(("process",), str(exc)) from None
        phase_search = PhaseSearch(phases, tuple(rows), values, tolerance)
    return Program(
        recipe=recipe,
        route=route,
        space=space,
        materials=materials,
        requirements=tuple(requirements),
        objectives=tuple(recipe.objectives),
        directions=tuple(recipe.objectives.values()),
        resolution=tuple(resolution[: len(recipe.objectives)]),
        top_by=recipe.top.by if recipe.top else None,
        points=tuple(programs),
        windows=windows,
        skipped_limits=tuple(dict.fromkeys(skipped)),
        notes=tuple(notes),
        phase_search=phase_search,
    )


def form_vector(form: Mapping[str, float], components: Mapping[str, FloatArray], d: int) -> FloatArray:
    """Value of a linear form for each material (d,), NaN where a component is missing."""
    total = np.zeros(d)
    for name, coefficient in form.items():
        total = total + coefficient * components.get(name, np.full(d, np.nan))
    return total


def missing_inputs(form: Mapping[str, float], components: Mapping[str, FloatArray], keys: tuple[str, ...]) -> list[str]:
    """``"limestone: Ra226"`` for every component of a form that a material lacks."""
    out = []
    for name in form:
        values = components.get(name)
        for i, key in enumerate(keys):
            if values is None or np.isnan(values[i]):
                measured = "LOI" if name == MASS else name  # the mass of a fired product follows from its loss
                out.append(f"{key}: {measured}")
    return out


# ----------------------------------------------------------------------------------------------- rows


@dataclass(frozen=True)
class _Item:
    """A row to be built at each process point: sum_i x_i v_i <= 0 (or < 0)."""

    requirement: Requirement
    criterion: Criterion
    side: str  # "high" | "low" | "condition" | "denominator"
    limit: float = 0.0
    strict: bool = False
    condition: Condition | None = None

    def unknown(self, components: Mapping[str, FloatArray], keys: tuple[str, ...]) -> str:
        """What a person reads when missing inputs leave this row undecidable."""
        forms = {**self.criterion.numerator, **self.criterion.denominator}
        lacking = missing_inputs(forms, components, keys)
        return f"{self.requirement.label}: cannot be applied, not known for {'; '.join(lacking)}"

    def may_vanish(self, points: list[dict[str, FloatArray]]) -> bool:
        """Whether the denominator is zero or less for a material at any process point."""
        forms = (form_vector(self.criterion.denominator, c, len(next(iter(c.values())))) for c in points)
        return any(not bool(np.all(den > 0)) for den in forms)

    def build(
        self, components: Mapping[str, FloatArray], keys: tuple[str, ...]
    ) -> tuple[FloatArray, FloatArray, bool, Requirement] | None:
        d = len(keys)
        c = self.criterion
        if self.side == "condition":
            assert self.condition is not None
            vector = -form_vector(self.condition.form, components, d)
            terms = _terms(self.condition.form, components, d)
            assert not np.isnan(vector).any(), "inputs of validity conditions are checked beforehand"
            return vector, terms, self.strict, self.requirement
        den = form_vector(c.denominator, components, d)
        if self.side == "denominator":
            if np.isnan(den).any():
                return None
            return -den, _terms(c.denominator, components, d), True, self.requirement
        missing = missing_inputs(c.numerator, components, keys)
        if np.isnan(den).any():
            return None
        sign = 1.0 if self.side == "high" else -1.0
        num_form = {k: sign * c.scale * v for k, v in c.numerator.items()}
        num = form_vector(num_form, components, d)
        requirement = self.requirement
        if missing:
            # a non-negative unknown can only raise this row where its coefficient is positive
            lacking = {entry.split(": ", 1)[1] for entry in missing}
            if any(num_form.get(name, -1.0) < 0 for name in lacking):
                return None
            known = {k: np.nan_to_num(components.get(k, np.zeros(d))) for k in c.numerator}
            num = form_vector(num_form, known, d)
            requirement = Requirement(requirement.label, requirement.kind, requirement.symbol, True, tuple(missing))
        vector = num - sign * self.limit * den
        terms = _terms(c.numerator, components, d) * abs(c.scale) + abs(self.limit) * _terms(
            c.denominator, components, d
        )
        return vector, terms, self.strict, requirement


def _terms(form: Mapping[str, float], components: Mapping[str, FloatArray], d: int) -> FloatArray:
    """Sum of the magnitudes of a form's terms for each material (for the scale of rounding)."""
    total = np.zeros(d)
    for name, coefficient in form.items():
        total = total + np.abs(np.nan_to_num(coefficient * components.get(name, np.zeros(d))))
    return total


def _plan(
    route: Route,
    windows: Mapping[str, Window],
    objectives: list[Criterion],
    limits: list[tuple[str, Limit, Criterion, float]],
) -> list[_Item]:
    items: list[_Item] = []
    guarded: set[str] = set()
    conditions: set[str] = set()

    def guard(criterion: Criterion) -> None:
        if criterion.symbol not in guarded:
            guarded.add(criterion.symbol)
            items.append(
                _Item(
                    Requirement(f"{criterion.symbol}: denominator > 0", "denominator", criterion.symbol),
                    criterion,
                    "denominator",
                    strict=True,
                )
            )

    def valid(criterion: Criterion) -> None:
        for condition in criterion.validity:
            if condition.reason in conditions:
                continue
            conditions.add(condition.reason)
            items.append(
                _Item(
                    Requirement(
                        f"valid: {condition.reason}",
                        "validity",
                        criterion.symbol,
                        label_zh=f"适用条件:{condition.reason_zh}" if condition.reason_zh else "",
                    ),
                    criterion,
                    "condition",
                    strict=condition.strict,
                    condition=condition,
                )
            )

    def window(label: str, kind: str, criterion: Criterion, w: Window) -> None:
        unit = f" {criterion.unit}" if criterion.unit else ""
        if w.low is not None:
            sign = ">=" if w.low_inclusive else ">"
            items.append(
                _Item(
                    Requirement(f"{label} {sign} {w.low:g}{unit}", kind, criterion.symbol),
                    criterion, "low", w.low, not w.low_inclusive,
                )
            )  # fmt: skip
        if w.high is not None:
            sign = "<=" if w.high_inclusive else "<"
            items.append(
                _Item(
                    Requirement(f"{label} {sign} {w.high:g}{unit}", kind, criterion.symbol),
                    criterion, "high", w.high, not w.high_inclusive,
                )
            )  # fmt: skip

    for symbol in route.implied:
        criterion = route.criteria[symbol]
        guard(criterion)
        valid(criterion)
    for symbol, w in windows.items():
        criterion = route.criteria[symbol]
        guard(criterion)
        valid(criterion)
        window(symbol, "require", criterion, w)
    for criterion in objectives:
        guard(criterion)
        valid(criterion)
    for grade, limit, criterion, factor in limits:
        window(f"{grade}: {criterion.symbol}", "standard", criterion, acceptance_window(limit, factor))
    return items


def _without_data(components: Mapping[str, FloatArray]) -> list[_Item]:
    """The row that keeps out mixes with more oxides without thermochemical data than an equilibrium can ignore."""
    from ..simulate.equilibrium.notices import MOST_ASIDE

    known = [o for o in INERT if o in components and not np.isnan(components[o]).any()]
    reason = f"more than {MOST_ASIDE:g} wt% oxides without thermochemical data ({', '.join(known)})"
    condition = Condition(
        {MASS: MOST_ASIDE / 100.0, **dict.fromkeys(known, -1.0)}, reason, f"无热力学数据的氧化物超过 {MOST_ASIDE:g} wt%"
    )
    aside = Criterion(
        "set_aside", reason, "wt%", {}, {MASS: 1.0}, Source("limit of this calculation", Evidence.COMPUTED)
    )
    label = f"valid: at most {MOST_ASIDE:g} wt% oxides without thermochemical data"
    requirement = Requirement(label, "validity", "set_aside", label_zh=f"适用条件:{condition.reason_zh}者除外")
    return [_Item(requirement, aside, "condition", condition=condition)] if known else []


def _integer_row(vector: FloatArray, terms: FloatArray, m: int, strict: bool) -> tuple[IntArray, int]:
    """Scale a row to integers; inclusive rows get the tie tolerance, strict rows lose it."""
    size = float(np.max(terms))
    if size <= 0.0:
        size = 1.0
    exponent = math.floor(math.log2(_FULL_SCALE / (size * m)))
    g = np.rint(np.ldexp(vector, exponent)).astype(np.int64)
    tolerance = max(m, math.ceil(1e-12 * math.ldexp(size, exponent) * m))
    return g, -tolerance - 1 if strict else tolerance


def _resolution(criteria: list[Criterion], points: list[dict[str, FloatArray]]) -> list[float]:
    """Grid width of each objective: one unit in the tenth significant digit of its largest value."""
    out = []
    for c in criteria:
        size = 100.0 if is_phase(c) else 0.0
        for components in points if not is_phase(c) else ():
            d = len(next(iter(components.values())))
            num = c.scale * form_vector(c.numerator, components, d)
            den = form_vector(c.denominator, components, d)
            ok = den > 1e-9 * float(np.max(np.abs(den)))
            if ok.any():
                size = max(size, float(np.max(np.abs(num[ok] / den[ok]))))
        size = size if size > 0 else 1.0
        out.append(10.0 ** (math.floor(math.log10(size)) + 1 - OBJECTIVE_DIGITS))
    return out


def _integer_values(
    criteria: list[Criterion],
    signs: list[float],
    resolution: list[float],
    components: Mapping[str, FloatArray],
    m: int,
) -> tuple[IntArray, IntArray, FloatArray]:
    d = len(next(iter(components.values())))
    num = np.zeros((d, len(criteria)), dtype=np.int64)
    den = np.zeros((d, len(criteria)), dtype=np.int64)
    factor = np.zeros(len(criteria))
    for j, (c, sign, res) in enumerate(zip(criteria, signs, resolution, strict=True)):
        if is_phase(c):
            continue
        parts = []
        for form in (c.numerator, c.denominator):
            vector = form_vector(form, components, d)
            size = float(np.max(_terms(form, components, d))) or 1.0
            exponent = math.floor(math.log2(_FULL_SCALE / (size * m)))
            parts.append((np.rint(np.ldexp(vector, exponent)).astype(np.int64), exponent))
        (num[:, j], e_num), (den[:, j], e_den) = parts
        factor[j] = sign * c.scale / res * 2.0 ** (e_den - e_num)
    return num, den, factor


# ------------------------------------------------------------------------------------- what is asked


def _criterion(recipe: Recipe, route: Route, keys: tuple[str, ...], symbol: str) -> Criterion:
    if symbol in route.criteria:
        return route.criteria[symbol]
    for need in route.needs:
        if need.property == symbol:
            raise recipe.error(
                keys,
                f"route {route.name} cannot compute '{symbol}': {need.text}. Remove the line, or fit a model.",
            )
    raise recipe.error(
        keys,
        f"route {route.name} cannot compute '{symbol}'.{suggest(symbol, route.criteria)} "
        f"It computes: {', '.join(route.criteria)}.",
    )


def _need(
    recipe: Recipe,
    keys: tuple[str, ...],
    criterion: Criterion,
    components: Mapping[str, FloatArray],
    materials: tuple[str, ...],
) -> None:
    forms = [criterion.numerator, criterion.denominator, *(c.form for c in criterion.validity)]
    names = dict.fromkeys(name for form in forms for name in form)
    if is_phase(criterion):
        own = [n for n in names if not n.startswith(EQUILIBRIUM)]
        names = dict.fromkeys([*own, *OXIDES, MASS])
    lacking = missing_inputs(dict.fromkeys(names, 1.0), components, materials)
    if lacking:
        raise recipe.error(
            keys,
            f"'{criterion.symbol}' cannot be computed: not known for {'; '.join(lacking[:6])}"
            f"{' …' if len(lacking) > 6 else ''}. Measure it, choose another material, or state a value in the "
            "recipe, e.g. override = { TiO2 = '0.1 %' }.",
        )
