"""A material: what simulations and screenings use, with the source of every value.

Built from a shipped name card, from a laboratory's sample, or by blending. All contents are on the dry basis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..errors import CompositionError, MissingDataError, UnitError
from ..provenance import Evidence, Source, weakest
from ..units import parse
from .composition import Composition
from .criterion import MASS
from .formulas import molar_mass
from .quantity import Quantity

WASTE_CLASSES = ("coal_gangue", "fly_ash", "fgd_gypsum", "smelting_slag", "tailings", "red_mud", "raw")

#: Unit of every component that is not an oxide in wt%.
UNITS: dict[str, str] = {
    "Ra226": "Bq/kg",
    "Th232": "Bq/kg",
    "K40": "Bq/kg",
    "moisture": "wt%",
    "carbonate_CO2": "wt%",
    "organic_C": "wt%",
    "bound_water": "wt%",
    "free_CaO": "wt%",
    "glass": "wt%",
    "density": "g/cm3",
    "blaine": "m2/kg",
    "bet": "m2/g",
    "d50": "um",
    "process_CO2": "kg/t",
    "price": "CNY/t",
    "gwp": "kg/t",
    "calorific_value": "MJ/kg",
}
#: Leachate concentrations, bound to their method; a waste is judged by them before it is blended.
LEACHATE = "leachate_"
#: Mineral phases in overrides and as components [wt% dry].
PHASE = "phase:"
#: Mineral phases that a calcined material held before, per mass of calcined material [wt%].
FED = "fed:"
_BURNT_AWAY = ("carbonate_CO2", "organic_C", "bound_water", "calorific_value", "moisture")
_CONTENT = ("Ra226", "Th232", "K40", "free_CaO")


def unit_of(component: str) -> str:
    """Unit of a component: wt% for oxides, mg/kg for ``metal:X``, mg/L for ``leachate_X``, else as in `UNITS`."""
    if component.startswith(LEACHATE):
        return "1" if component == "leachate_pH" else "mg/L"
    if component.startswith("metal:"):
        return "mg/kg"
    return UNITS.get(component, "wt%")


@dataclass(frozen=True)
class Material:
    """A material on the dry basis.

    Attributes
    ----------
    id, name, name_zh : str
    waste_class : str
        One of the six waste classes, or ``"raw"`` for what is bought.
    kind : {"sample", "typical", "pure", "mean", "blend"}
    composition : Composition
        Oxides and LOI, dry basis [wt%].
    quantities : mapping of str to Quantity
        Everything else, keyed and in the units of `UNITS`.
    oxide_sources : mapping of str to Source
        Source of each oxide.
    note : str
    phases : mapping of str to Quantity
        Mineral phases [wt% dry].
    """

    id: str
    name: str
    waste_class: str
    composition: Composition
    kind: str = "sample"
    name_zh: str = ""
    quantities: Mapping[str, Quantity] = field(default_factory=dict)
    oxide_sources: Mapping[str, Source] = field(default_factory=dict)
    note: str = ""
    phases: Mapping[str, Quantity] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.waste_class not in WASTE_CLASSES:
            raise CompositionError(
                f"{self.id}: waste class {self.waste_class!r} is not one of {', '.join(WASTE_CLASSES)}."
            )
        if self.composition.basis != "dry":
            raise CompositionError(f"{self.id}: a material's composition is on the dry basis; convert it first.")

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def is_waste(self) -> bool:
        """Whether using it counts as using waste."""
        return self.waste_class != "raw"

    @property
    def evidence(self) -> Evidence:
        """Weakest evidence among all its values."""
        sources = [*self.oxide_sources.values(), *(q.source for q in self.quantities.values())]
        return weakest(s.evidence for s in sources)

    def components(self) -> dict[str, float]:
        """All known components on the dry basis, each in its unit, and ``mass`` = 100.

        A leachate is no component: what a blend leaches does not follow from what its parts leach.
        """
        out = dict(self.composition.contents)
        out.update({k: q.value for k, q in self.quantities.items() if not k.startswith(LEACHATE)})
        out[MASS] = 100.0
        return out

    def sigma(self) -> dict[str, float]:
        """Standard uncertainties of the components, where known."""
        out = {k: s for k, s in self.composition.sigma.items() if s}
        out.update({k: q.sigma for k, q in self.quantities.items() if q.sigma and not k.startswith(LEACHATE)})
        return out

    def source(self, component: str) -> Source | None:
        """Source of one component, or None."""
        if component in self.quantities:
            return self.quantities[component].source
        return self.oxide_sources.get(component)

    def with_overrides(self, values: Mapping[str, float | str]) -> Material:
        """The same material with some values replaced, marked as typed by the user.

        Parameters
        ----------
        values : mapping of str to str or number
            Texts with unit (``"0.1 %"``, ``"85 Bq/kg"``, ``"60 CNY/t"``, ``"< 0.01 %"``); mineral phases are
            written ``phase:kaolinite``.

        Raises
        ------
        UnitError, CompositionError
        """
        source = Source("typed in the recipe", Evidence.RECIPE)
        contents, sigma = dict(self.composition.contents), dict(self.composition.sigma)
        lod, sources = dict(self.composition.lod), dict(self.oxide_sources)
        quantities, phases = dict(self.quantities), dict(self.phases)
        for name, value in values.items():
            unit = unit_of(name)
            below = isinstance(value, str) and value.strip().startswith("<")
            text = value.strip()[1:] if below and isinstance(value, str) else value
            number = parse(text, unit, what=name)
            if number < 0 and name not in ("LOI", "price"):
                raise UnitError(f"{name} = {value!r} is negative.")
            if name.startswith(PHASE):
                if number > 100.0:
                    raise CompositionError(f"{name} = {value!r} is more than 100 %.")
                key = name.removeprefix(PHASE)
                phases[key] = Quantity.below(number, unit, source) if below else Quantity(number, unit, source)
                continue
            if name in UNITS or name.startswith("metal:"):
                quantities[name] = Quantity.below(number, unit, source) if below else Quantity(number, unit, source)
                continue
            contents[name] = number / 2 if below else number
            sources[name] = source
            sigma.pop(name, None)
            lod.pop(name, None)
            if below:
                lod[name] = number
        return replace(
            self,
            composition=replace(self.composition, contents=contents, sigma=sigma, lod=lod),
            quantities=quantities,
            oxide_sources=sources,
            phases=phases,
        )

    def calcined(self) -> Material:
        """The material after complete loss on ignition: contents per ignited mass, LOI zero.

        Says nothing of phases or reactivity; carbonate CO2 and carbon are gone (their emission belongs
        to the calcination). Price is per mass of calcined material, calcining itself not included.

        Raises
        ------
        MissingDataError
            If the LOI is not known.
        """
        if "LOI" not in self.composition:
            raise MissingDataError(f"{self.id}: LOI is needed to calcine it; measure it (950-1000 degC).")
        ignited = self.composition.to_basis("ignited")
        factor = 1.0 / (1.0 - self.composition["LOI"] / 100.0)
        contents = {k: v for k, v in ignited.contents.items() if k != "LOI"} | {"LOI": 0.0}
        sigma = {k: v for k, v in ignited.sigma.items() if k != "LOI"}
        quantities: dict[str, Quantity] = {}
        for name, q in self.quantities.items():
            if name in _BURNT_AWAY:
                continue
            if name in _CONTENT or name.startswith("metal:"):
                q = replace(
                    q,
                    value=q.value * factor,
                    sigma=None if q.sigma is None else q.sigma * factor,
                    low=None if q.low is None else q.low * factor,
                    high=None if q.high is None else q.high * factor,
                    lod=None if q.lod is None else q.lod * factor,
                )
            elif name in ("price", "gwp"):
                dry = 1.0 - (self.quantities["moisture"].value / 100.0 if "moisture" in self.quantities else 0.0)
                per_dry = q.value / dry if name == "price" else q.value
                q = replace(q, value=per_dry * factor, sigma=None if q.sigma is None else q.sigma * factor)
            else:
                continue  # density, fineness, glass … are not those of the calcined material
            quantities[name] = q
        for name, q in self.phases.items():  # what was there before, for what it turned into
            quantities[f"{FED}{name}"] = replace(
                q,
                value=q.value * factor,
                sigma=None if q.sigma is None else q.sigma * factor,
                low=None,
                high=None,
                lod=None,
                censored=False,
            )
        done = Source("complete loss on ignition", Evidence.COMPUTED)
        for name in ("carbonate_CO2", "organic_C", "moisture"):
            quantities[name] = Quantity(0.0, "wt%", done)
        parts = [self.quantities.get("carbonate_CO2"), self.quantities.get("organic_C")]
        if all(part is not None for part in parts):
            carbonate, carbon = (part.value for part in parts if part is not None)
            level = weakest([Evidence.COMPUTED, *(part.source.evidence for part in parts if part is not None)])
            quantities["process_CO2"] = Quantity(
                10.0 * factor * (carbonate + carbon * molar_mass("CO2") / molar_mass("C")),
                "kg/t",
                Source("carbonate CO2 and burnt carbon of the calcination, by stoichiometry", level),
            )
        return replace(
            self,
            id=f"{self.id}+calcined",
            name=f"{self.name}, calcined",
            name_zh=f"{self.name_zh}(煅烧)" if self.name_zh else "",
            composition=Composition(contents, "dry", sigma, ignited.lod, 0.0),
            quantities=quantities,
            oxide_sources={**self.oxide_sources, "LOI": done},
            phases={},
        )
