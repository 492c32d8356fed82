"""Reference data with their sources: materials, factors, literature analyses, published recipes."""

from .files import data_dir, find_files, read_text, read_toml
from .lookup import find_factor
from .materials import material, material_from_file, materials
from .tables import Row, composition_rows, compositions, factor, factors, published_recipes, read_rows
from .thermochemistry import Thermochemistry, thermochemistry

__all__ = [
    "Row",
    "Thermochemistry",
    "composition_rows",
    "compositions",
    "data_dir",
    "factor",
    "factors",
    "find_factor",
    "find_files",
    "material",
    "material_from_file",
    "materials",
    "published_recipes",
    "read_rows",
    "read_text",
    "read_toml",
    "thermochemistry",
]
