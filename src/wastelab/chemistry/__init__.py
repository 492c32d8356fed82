"""Chemistry: formulas, compositions, materials, and published quantities computed from them."""

from .composition import Closure, Composition
from .criterion import MASS, Condition, Criterion
from .formulas import atoms, mineral_oxides, molar_mass, oxides_from_elements, oxides_from_minerals
from .material import WASTE_CLASSES, Material, unit_of
from .moduli import MODULI, content, moduli, modulus
from .phases import BOGUE, BYF, bogue, sulfoaluminate
from .quantity import Quantity
from .radioactivity import INDICES, i_gamma, i_ra

__all__ = [
    "BOGUE",
    "BYF",
    "INDICES",
    "MASS",
    "MODULI",
    "WASTE_CLASSES",
    "Closure",
    "Composition",
    "Condition",
    "Criterion",
    "Material",
    "Quantity",
    "atoms",
    "bogue",
    "content",
    "i_gamma",
    "i_ra",
    "mineral_oxides",
    "moduli",
    "modulus",
    "molar_mass",
    "oxides_from_elements",
    "oxides_from_minerals",
    "sulfoaluminate",
    "unit_of",
]
