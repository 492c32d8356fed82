"""Radionuclide indices of building materials: GB 6566-2010 and Council Directive 2013/59/Euratom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..provenance import Evidence, Source
from .composition import Composition
from .criterion import MASS, Criterion
from .material import Material
from .moduli import value_of

_GB6566 = Source(
    "GB 6566-2010; formulas as printed under Table 5 of Math. Probl. Eng. 2021, 8468063",
    Evidence.SECONDARY, edition="2010", doi="10.1155/2021/8468063",
)  # fmt: skip
_EU = Source("Council Directive 2013/59/Euratom, Annex VIII", Evidence.MEMORY, edition="2013")

#: Indices by symbol; activities in Bq/kg of the product.
INDICES: dict[str, Criterion] = {
    c.symbol: c
    for c in (
        Criterion(
            "I_Ra", "internal exposure index", "", {"Ra226": 1 / 200}, {MASS: 1.0}, _GB6566,
            scale=100.0, name_zh="内照射指数",
        ),
        Criterion(
            "I_gamma", "external exposure index", "",
            {"Ra226": 1 / 370, "Th232": 1 / 260, "K40": 1 / 4200}, {MASS: 1.0}, _GB6566,
            scale=100.0, name_zh="外照射指数",
        ),
        Criterion(
            "I_EU", "activity concentration index", "",
            {"Ra226": 1 / 300, "Th232": 1 / 200, "K40": 1 / 3000}, {MASS: 1.0}, _EU,
            scale=100.0, name_zh="欧盟活度浓度指数",
        ),
    )
}  # fmt: skip


def i_ra(x: Composition | Material | Mapping[str, Any]) -> float | NDArray[np.float64]:
    """Internal exposure index C_Ra/200 (GB 6566-2010); activities in Bq/kg."""
    return value_of(INDICES["I_Ra"], x)


def i_gamma(x: Composition | Material | Mapping[str, Any]) -> float | NDArray[np.float64]:
    """External exposure index C_Ra/370 + C_Th/260 + C_K/4200 (GB 6566-2010); activities in Bq/kg."""
    return value_of(INDICES["I_gamma"], x)
