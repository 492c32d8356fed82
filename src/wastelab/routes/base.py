"""What a product family is: its stages, what it responds to, what it can compute, what it takes for granted.

A route turns the components of dry materials into contributions to the product. Everything is linear in the
dry mass fractions, so a blend is one dot product, and every criterion is a `Criterion` on those components.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..chemistry.criterion import MASS, Criterion
from ..provenance import Source

FloatArray = NDArray[np.float64]
Components = Mapping[str, FloatArray]

#: Components that come from an equilibrium, not from a mass balance: not linear in the fractions.
EQUILIBRIUM = "eq:"
#: What a closed-form phase is called where the phase of that name comes from equilibrium.
POTENTIAL = "potential_"

#: Oxides and elements that a fired product may lose to the gas.
VOLATILE = ("Na2O", "K2O", "SO3", "Cl", "F")


@dataclass(frozen=True)
class ProcessVariable:
    """Something a person may set: a variable of the process grid or a fixed parameter.

    Attributes
    ----------
    name, unit : str
    description, description_zh : str
    low, high : float
        Range within which the route's formulas make sense [unit].
    default : float or None
        Used where the recipe is silent; None where it must be given.
    source : Source or None
        Where the default comes from.
    needs : str
        Name of the variable without which this one does nothing; it may then be left out.
    optional : bool
        Whether the route also works without it.
    """

    name: str
    unit: str
    description: str
    description_zh: str
    low: float
    high: float
    default: float | None = None
    source: Source | None = None
    needs: str = ""
    optional: bool = False


@dataclass(frozen=True)
class ModelNeed:
    """A property the route cannot compute, and what would be needed."""

    property: str
    text: str
    text_zh: str
    method: str = ""


@dataclass(frozen=True)
class Assemblage:
    """Phases of a fired product from equilibrium, where the recipe says at which temperature.

    Attributes
    ----------
    temperature : str
        Process variable [degC] that turns it on.
    atmosphere : str
        Preset of the gas (`wastelab.simulate.atmosphere`).
    pressures : mapping of str to str
        Gas to the process variable that sets its partial pressure [bar].
    suppress : tuple of str
        Phases that do not form in such a product.
    minerals : mapping of str to str
        Component (after `EQUILIBRIUM`) to the mineral it is the mass of.
    criteria : mapping of str to Criterion
        On these components; a symbol that a closed-form phase has too takes its place, and that one becomes
        ``potential_<symbol>``.
    statements, statements_zh : tuple of str
        In place of the route's `closed_form`.
    """

    temperature: str
    atmosphere: str
    pressures: Mapping[str, str]
    suppress: tuple[str, ...]
    minerals: Mapping[str, str]
    criteria: Mapping[str, Criterion]
    statements: tuple[str, ...] = ()
    statements_zh: tuple[str, ...] = ()


@dataclass(frozen=True)
class Route:
    """A product family.

    Attributes
    ----------
    name, title, title_zh, product : str
        `product` says what "per tonne of product" means.
    stages : tuple of str
        Names of process stages (sub-tables of ``[process]`` in a recipe).
    product_basis : {"ignited", "dry"}
        What limits on the product refer to.
    criteria : mapping of str to Criterion
        Everything the route can compute.
    transform : callable
        ``transform(components, point, parameters)`` gives the contributions of each material to the
        product, per 100 g of dry mix; see `product_components`.
    variables, parameters : tuple of ProcessVariable
        What may be gridded (the route responds to it), and fixed settings.
    implied : tuple of str
        Criteria whose validity conditions every candidate must meet.
    potential : frozenset of str
        Criteria that are calculated phase contents, not what a test method measures: never judged
        against a standard.
    needs : tuple of ModelNeed
    statements, statements_zh : tuple of str
        Assumptions printed with every result.
    suggested_standards : tuple of str
    forbidden_variables : mapping of str to str
        Process keys people will try, and why this route refuses them.
    assemblage : Assemblage or None
        How phases follow from equilibrium when the recipe gives a temperature.
    closed_form, closed_form_zh : tuple of str
        Statements that hold only without it.
    """

    name: str
    title: str
    title_zh: str
    product: str
    stages: tuple[str, ...]
    product_basis: str
    criteria: Mapping[str, Criterion]
    transform: Callable[[Components, Mapping[str, float], Mapping[str, object]], dict[str, FloatArray]]
    variables: tuple[ProcessVariable, ...] = ()
    parameters: tuple[ProcessVariable, ...] = ()
    implied: tuple[str, ...] = ()
    potential: frozenset[str] = frozenset()
    needs: tuple[ModelNeed, ...] = ()
    statements: tuple[str, ...] = ()
    statements_zh: tuple[str, ...] = ()
    suggested_standards: tuple[str, ...] = ()
    forbidden_variables: Mapping[str, str] = field(default_factory=dict)
    assemblage: Assemblage | None = None
    closed_form: tuple[str, ...] = ()
    closed_form_zh: tuple[str, ...] = ()

    def at_equilibrium(self) -> Route:
        """The same route with phases from equilibrium; closed-form phases stay as ``potential_…`` cross-checks.

        Contents, indices, cost and CO2 are per mass of solid product, less the sulfur that leaves. Validity conditions
        of the closed formulas no longer decide which candidates are looked at.
        """
        assert self.assemblage is not None
        others: dict[str, Criterion] = {}
        for s, c in self.criteria.items():
            if s in self.potential:
                others[f"{POTENTIAL}{s}"] = replace(
                    c,
                    symbol=f"{POTENTIAL}{s}",
                    assumptions=(
                        *c.assumptions,
                        "a cross-check; outside its own conditions a phase or the lime is negative",
                    ),
                )
            elif MASS in c.denominator:  # per mass of product: of what is left when sulfur has gone
                others[s] = replace(c, numerator=_left(c.numerator), denominator=_left(c.denominator))
            else:
                others[s] = c
        criteria = {**self.assemblage.criteria, **others}
        return replace(
            self,
            criteria=criteria,
            needs=tuple(n for n in self.needs if n.property not in criteria),
            implied=(),
            potential=frozenset({*(f"{POTENTIAL}{s}" for s in self.potential), *self.assemblage.criteria}),
            closed_form=self.assemblage.statements,
            closed_form_zh=self.assemblage.statements_zh,
        )

    @property
    def all_statements(self) -> tuple[str, ...]:
        """Everything printed with a result, English."""
        return (*self.closed_form, *self.statements)

    @property
    def all_statements_zh(self) -> tuple[str, ...]:
        """Everything printed with a result, Chinese."""
        return (*self.closed_form_zh, *self.statements_zh)

    def product_components(
        self, components: Components, point: Mapping[str, float], parameters: Mapping[str, object]
    ) -> dict[str, FloatArray]:
        """Contribution of each material to the product, per 100 g of dry mix.

        Parameters
        ----------
        components : mapping of str to ndarray, shape (n_materials,)
            Dry-basis components of the materials (NaN where not known).
        point : mapping of str to float
            Values of the process variables, in their units.
        parameters : mapping
            Fixed settings of the recipe; the route's defaults fill in.

        Returns
        -------
        dict of str to ndarray, shape (n_materials,)
            Linear in the dry fractions: a blend x has components ``x @ value``. `MASS` is the mass of
            product [g per 100 g dry mix].
        """
        settings: dict[str, object] = {p.name: p.default for p in self.parameters if p.default is not None}
        settings.update(parameters)
        return self.transform(components, point, settings)


def _left(form: Mapping[str, float]) -> dict[str, float]:
    """The same form on what is left of a product after the equilibrium."""
    return {f"{EQUILIBRIUM}{k}" if k in (MASS, "SO3") else k: v for k, v in form.items()}


def fired(components: Components, parameters: Mapping[str, object]) -> dict[str, FloatArray]:
    """Components after firing: LOI gone, volatilised shares gone, `MASS` what is left.

    Whatever is limited in a fired product is per mass of this product: contents concentrate by
    1/(1 - loss). A material whose LOI is unknown makes `MASS` unknown.
    """
    shares = parameters.get("volatilised") or {}
    assert isinstance(shares, Mapping)
    out = {name: np.array(values, dtype=np.float64) for name, values in components.items()}
    loi = out.get("LOI", np.full_like(next(iter(out.values())), np.nan))
    lost = loi.copy()
    for name, share in shares.items():
        if name in out:
            if not name.startswith(("metal:", "Ra", "Th", "K4")):
                lost = lost + np.nan_to_num(out[name]) * float(share)
            out[name] = out[name] * (1.0 - float(share))
    out[MASS] = 100.0 - lost
    out["LOI"] = np.zeros_like(loi)
    return out
