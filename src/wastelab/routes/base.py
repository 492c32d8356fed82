"""What a product family is: its stages, what it responds to, what it can compute, what it takes for granted.

A route turns the components of dry materials into contributions to the product. Everything is linear in the
dry mass fractions, so a blend is one dot product, and every criterion is a `Criterion` on those components.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..chemistry.criterion import MASS, Criterion
from ..provenance import Source

FloatArray = NDArray[np.float64]
Components = Mapping[str, FloatArray]

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
    """

    name: str
    unit: str
    description: str
    description_zh: str
    low: float
    high: float
    default: float | None = None
    source: Source | None = None


@dataclass(frozen=True)
class ModelNeed:
    """A property the route cannot compute, and what would be needed."""

    property: str
    text: str
    text_zh: str
    method: str = ""


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
