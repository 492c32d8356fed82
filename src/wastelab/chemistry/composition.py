"""A chemical analysis: contents in wt% with basis, uncertainty and detection limits.

Conversion between bases follows the mass: moisture turns as-received into dry, loss on ignition turns dry
into ignited. Nothing is normalised to 100 %: what an analysis does not account for stays unaccounted for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import CompositionError, MissingDataError

if TYPE_CHECKING:
    import pandas as pd

BASES = ("as_received", "dry", "ignited")
#: What an analysis in wt% may sum to before it is doubted.
CLOSURE = (95.0, 103.0)
#: Components that describe part of others (free lime is part of CaO) or are no oxide: not in the sum.
NOT_IN_SUM = frozenset({"free_CaO", "moisture", "carbonate_CO2", "organic_C", "bound_water", "glass"})
_NAME = re.compile(r"^[A-Z][A-Za-z0-9()]*$")
_BELOW = re.compile(r"^\s*<\s*([0-9.]+)\s*$")
_NOT_DETECTED = frozenset({"nd", "n.d.", "not detected", "未检出", "bdl"})


@dataclass(frozen=True)
class Closure:
    """Sum of an analysis and what it says.

    Attributes
    ----------
    total : float
        Sum of all contents, LOI included [wt%].
    ok : bool
    message : str
    """

    total: float
    ok: bool
    message: str


@dataclass(frozen=True)
class Composition(Mapping[str, float]):
    """Contents in wt% of one basis. Immutable; behaves as a mapping of name to wt%.

    Attributes
    ----------
    contents : mapping of str to float
        Oxides, elements and ``LOI`` [wt%]. Absent means not measured.
    basis : {"as_received", "dry", "ignited"}
    sigma : mapping of str to float
        Standard uncertainties [wt%], where known.
    lod : mapping of str to float
        Detection limits of what was not detected [wt%]; its content is half of it by convention.
    moisture : float or None
        Free water [wt% of the as-received mass].
    """

    contents: Mapping[str, float]
    basis: str = "dry"
    sigma: Mapping[str, float] = field(default_factory=dict)
    lod: Mapping[str, float] = field(default_factory=dict)
    moisture: float | None = None
    moisture_sigma: float = 0.0

    def __post_init__(self) -> None:
        if self.basis not in BASES:
            raise CompositionError(f"basis {self.basis!r} is not one of {', '.join(BASES)}.")
        for name, value in self.contents.items():
            if not _NAME.match(name) and name not in NOT_IN_SUM:
                raise CompositionError(f"{name!r} is not a formula or component name.")
            if not math.isfinite(value):
                raise CompositionError(f"{name} = {value!r}: leave a content out if it is not known.")
            if value < 0 and name != "LOI":
                raise CompositionError(f"{name} = {value:g} wt% is negative; expected 0 to 100.")
            if value > 100.0 * (1.0 + 1e-9):
                raise CompositionError(f"{name} = {value:g} wt% is more than 100.")
        if self.moisture is not None and not 0 <= self.moisture < 100:
            raise CompositionError(f"moisture = {self.moisture:g} wt% of the as-received mass; expected 0 to < 100.")

    @classmethod
    def from_dict(
        cls,
        values: Mapping[str, float | str],
        basis: str = "dry",
        *,
        sigma: Mapping[str, float] | None = None,
        lod: Mapping[str, float] | None = None,
        moisture: float | None = None,
    ) -> Composition:
        """Make a composition from what a table holds.

        Parameters
        ----------
        values : mapping of str to float or str
            Contents [wt%]; ``"<0.01"`` is below that detection limit, ``"ND"`` or ``"未检出"`` needs the limit
            in `lod`.
        basis : str
        sigma, lod : mapping of str to float, optional
        moisture : float, optional

        Raises
        ------
        CompositionError
            For a negative content, one above 100, a name that is no formula, a bad basis, or a text that
            cannot be read.
        """
        contents: dict[str, float] = {}
        limits: dict[str, float] = {}
        for name, value in values.items():
            if isinstance(value, str):
                below = _BELOW.match(value)
                if below:
                    limits[name] = float(below[1])
                    contents[name] = limits[name] / 2
                    continue
                if value.strip().lower() in _NOT_DETECTED:
                    if not lod or name not in lod:
                        raise CompositionError(
                            f"{name} = {value!r}: not detected, but without a detection limit nothing is known of it. "
                            f"Give lod={{'{name}': …}} or leave it out."
                        )
                    limits[name] = float(lod[name])
                    contents[name] = limits[name] / 2
                    continue
                try:
                    contents[name] = float(value)
                except ValueError:
                    raise CompositionError(f"{name} = {value!r} is not a number in wt%.") from None
            else:
                contents[name] = float(value)
        spread = dict(sigma or {})
        for name, limit in limits.items():
            spread.setdefault(name, limit / math.sqrt(12.0))
        return cls(contents, basis, spread, limits, moisture)

    # -- mapping
    def __getitem__(self, name: str) -> float:
        return self.contents[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.contents)

    def __len__(self) -> int:
        return len(self.contents)

    # -- chemistry
    def closure(self, low: float = CLOSURE[0], high: float = CLOSURE[1], *, strict: bool = False) -> Closure:
        """Check that the analysis sums to about 100 wt%.

        Raises
        ------
        CompositionError
            If `strict` and the sum lies outside.
        """
        total = sum(v for k, v in self.contents.items() if k not in NOT_IN_SUM)
        ok = low <= total <= high
        message = f"oxide sum {total:.2f} wt% ({self.basis})"
        if not ok:
            message += f" is outside {low:g}-{high:g}"
            if "LOI" not in self.contents and self.basis != "ignited":
                message += "; LOI was not given"
        if strict and not ok:
            raise CompositionError(f"{message}. Check for a shifted column or a missing component.")
        return Closure(total, ok, message)

    def to_basis(self, basis: str) -> Composition:
        """The same material on another basis, uncertainty carried along.

        Raises
        ------
        MissingDataError
            If LOI or moisture is needed and was not measured.
        CompositionError
            If the basis is unknown, or an ignited analysis without LOI is asked for its dry basis.
        """
        if basis not in BASES:
            raise CompositionError(f"basis {basis!r} is not one of {', '.join(BASES)}.")
        if basis == self.basis:
            return self
        start, end = BASES.index(self.basis), BASES.index(basis)
        here = self
        step = 1 if end > start else -1
        for index in range(start, end, step):
            here = here._step(BASES[index], BASES[index + step])
        return here

    def _step(self, source: str, target: str) -> Composition:
        if {source, target} == {"as_received", "dry"}:
            if self.moisture is None:
                raise MissingDataError(
                    f"moisture is needed to go from {source} to {target} basis; measure it (105 degC)."
                )
            dry = 1.0 - self.moisture / 100.0
            factor, relative = (1.0 / dry, 1.0) if target == "dry" else (dry, -1.0)
            extra = relative * self.moisture_sigma / 100.0 / dry
            contents = {k: v * factor for k, v in self.contents.items()}
            sigma = {
                k: math.hypot(s * factor, contents.get(k, 0.0) * extra) for k, s in self._full_sigma(extra).items()
            }
            return Composition(
                contents,
                target,
                sigma,
                {k: v * factor for k, v in self.lod.items()},
                self.moisture,
                self.moisture_sigma,
            )
        loi = self.contents.get("LOI")
        if loi is None:
            raise MissingDataError(f"LOI is needed to go from {source} to {target} basis; measure it (950-1000 degC).")
        left = 1.0 - loi / 100.0
        if left <= 0:
            raise CompositionError(f"LOI = {loi:g} wt% leaves nothing to refer to.")
        factor = 1.0 / left if target == "ignited" else left
        s_loi = self.sigma.get("LOI", 0.0)
        extra = s_loi / 100.0 / left
        contents, sigma = {}, {}
        full = self._full_sigma(extra)
        for k, v in self.contents.items():
            if k == "LOI":
                contents[k] = loi
                if s_loi:
                    sigma[k] = s_loi
                continue
            if k in ("carbonate_CO2", "organic_C", "bound_water"):
                continue
            contents[k] = v * factor
            if k in full:
                sigma[k] = math.hypot(full[k] * factor, contents[k] * extra)
        return Composition(
            contents,
            target,
            sigma,
            {k: v * factor for k, v in self.lod.items()},
            self.moisture,
            self.moisture_sigma,
        )

    def _full_sigma(self, extra: float) -> dict[str, float]:
        """Sigmas to carry: all known ones, and zero for the rest if the conversion itself is uncertain."""
        if extra:
            return {k: self.sigma.get(k, 0.0) for k in self.contents}
        return dict(self.sigma)

    def to_series(self) -> pd.Series[float]:
        """The contents as a pandas Series [wt%]."""
        import pandas as pd

        return pd.Series(dict(self.contents), name=f"wt% ({self.basis})", dtype=float)

    def __repr__(self) -> str:
        parts = []
        for k, v in self.contents.items():
            if k in self.lod:
                parts.append(f"{k} < {self.lod[k]:g}")
            elif self.sigma.get(k):
                parts.append(f"{k} {v:g} ± {self.sigma[k]:.2g}")
            else:
                parts.append(f"{k} {v:g}")
        return f"Composition({self.basis}, wt%: {', '.join(parts)})"
