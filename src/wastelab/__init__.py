"""wastelab: from the analysis of a waste heap to a recipe that passes its standard.

The public face; every name is imported on first use so that ``import wastelab`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_LAZY = {
    "Composition": "chemistry",
    "Material": "chemistry",
    "bogue": "chemistry",
    "moduli": "chemistry",
    "sulfoaluminate": "chemistry",
    "data_dir": "reference",
    "material": "reference",
    "materials": "reference",
    "material_from_file": "reference",
    "factor": "reference",
    "factors": "reference",
    "compositions": "reference",
    "published_recipes": "reference",
    "blend": "simulate",
    "footprint": "impact",
    "calcine": "simulate.kinetics.calcine",
    "equilibrium": "simulate.equilibrium",
    "fit_kinetics": "simulate.kinetic_fit",
    "kiln": "simulate.kiln",
    "phase_diagram": "simulate.equilibrium",
    "reactions": "reference.kinetics",
    "thermochemistry": "reference.thermochemistry",
    "training_set": "reference.training",
    "training_sets": "reference.training",
    "triplets": "reference.kinetics",
    "PropertyModel": "models.property_model",
    "PropertyModels": "models.multi",
    "audit_table": "models.audit",
    "load_model": "models.persistence",
    "read_table": "models.table",
    "shipped_model": "models.shipped",
    "shipped_models": "models.shipped",
    "judge": "standards",
    "list_standards": "standards",
    "load_standard": "standards",
    "get_route": "routes",
    "list_routes": "routes",
    "Study": "screening",
    "load_recipe": "screening",
    "nondominated": "screening",
    "screen": "screening",
    "shipped_recipes": "screening",
    "Lab": "lab",
    "open_lab": "lab",
    "formats": "instruments",
    "read": "instruments",
    "read_all": "instruments",
    "WastelabError": "errors",
}

__all__ = ["__version__", *sorted(_LAZY)]

if TYPE_CHECKING:
    from .chemistry import Composition, Material, bogue, moduli, sulfoaluminate
    from .errors import WastelabError
    from .impact import footprint
    from .instruments import formats, read, read_all
    from .lab import Lab, open_lab
    from .models.audit import audit_table
    from .models.multi import PropertyModels
    from .models.persistence import load_model
    from .models.property_model import PropertyModel
    from .models.shipped import shipped_model, shipped_models
    from .models.table import read_table
    from .reference import (
        compositions,
        data_dir,
        factor,
        factors,
        material,
        material_from_file,
        materials,
        published_recipes,
    )
    from .reference.kinetics import reactions, triplets
    from .reference.thermochemistry import thermochemistry
    from .reference.training import training_set, training_sets
    from .routes import get_route, list_routes
    from .screening import Study, load_recipe, nondominated, screen, shipped_recipes
    from .simulate import blend
    from .simulate.equilibrium import equilibrium, phase_diagram
    from .simulate.kiln import kiln
    from .simulate.kinetic_fit import fit_kinetics
    from .simulate.kinetics.calcine import calcine
    from .standards import judge, list_standards, load_standard


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
