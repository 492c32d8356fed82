"""What is heated: a mix as moles of elements per kg, with what is set aside because no data cover it.

One door for everything a person may have: a Material, a Composition, oxides in wt%, or many mixes as an
`xarray.DataArray` (mix, oxide) or a table. Oxides outside the elements are carried as inert mass and named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..chemistry.composition import Composition
from ..chemistry.formulas import atoms, molar_mass
from ..chemistry.material import Material
from ..errors import CompositionError, MissingDataError
from ..provenance import Evidence, Source

FloatArray = NDArray[np.float64]

#: Elements that the thermochemical set covers.
ELEMENTS = ("Ca", "Si", "Al", "Fe", "Mg", "Ti", "Na", "K", "S", "C", "O", "H")
#: Of an analysis, not oxides: handled apart or part of another value.
_APART = frozenset({"LOI", "carbonate_CO2", "organic_C", "bound_water", "free_CaO", "moisture", "glass"})
#: What loss on ignition is made of, where it is known: component -> formula of what leaves or burns.
LOSS = {"carbonate_CO2": "CO2", "organic_C": "C", "bound_water": "H2O"}
SUM_LOW, SUM_HIGH = 90.0, 105.0


@dataclass(frozen=True)
class Charge:
    """One or many dry mixes.

    Attributes
    ----------
    elements : tuple of str
    amount : ndarray, shape (n_mixes, n_elements)
        Atoms per kg of dry mix [mol/kg]. Oxygen is that of the oxides as reported (iron as Fe2O3 unless given as FeO),
        sulfur as SO3 unless given as S; what LOI is made of is included where it is known.
    labels : tuple
        Name of each mix.
    set_aside : mapping of str to ndarray, shape (n_mixes,)
        Oxides that no data cover [wt% dry]: inert mass.
    loss : ndarray, shape (n_mixes,)
        LOI [wt% dry], NaN where not known.
    loss_split : bool
        Whether CO2, carbon and bound water are known (and in `amount`) for every mix.
    phases : mapping of str to float
        Mineral phases [wt% dry] of a single mix, where measured.
    sigma : mapping of str to float
        Standard uncertainties of the oxides of a single mix [wt%].
    single : bool
        Whether a single mix was given.
    source : Source
    """

    elements: tuple[str, ...]
    amount: FloatArray
    labels: tuple[Any, ...]
    set_aside: Mapping[str, FloatArray]
    loss: FloatArray
    loss_split: bool
    oxides: Mapping[str, FloatArray]
    phases: Mapping[str, float] = field(default_factory=dict)
    sigma: Mapping[str, float] = field(default_factory=dict)
    single: bool = True
    source: Source = field(default=Source("typed by the user", Evidence.RECIPE))

    @property
    def n(self) -> int:
        """Number of mixes."""
        return len(self.amount)

    def element(self, name: str) -> FloatArray:
        """Amount of one element [mol/kg], shape (n_mixes,)."""
        return np.asarray(self.amount[:, self.elements.index(name)])


def as_charge(mix: Any, *, basis: str = "") -> Charge:
    """Read a mix of any accepted kind.

    Parameters
    ----------
    mix : Charge, Material, Composition, mapping, xarray.DataArray or pandas.DataFrame
        A mapping is oxides in wt% of the dry (or ignited) mass; an array has dims (mix, oxide), a table one mix per
        row. A `Material` brings its loss split and mineral phases.
    basis : str
        Not needed: loss on ignition says what is left; given only to label.

    Raises
    ------
    CompositionError
        For contents that are no oxides, negative or not finite, or a sum outside 90 to 105 wt% with LOI.
    MissingDataError
        If nothing is given.
    """
    if isinstance(mix, Charge):
        return mix
    if isinstance(mix, Material):
        values = {**mix.composition.contents, **{k: mix.quantities[k].value for k in LOSS if k in mix.quantities}}
        source = Source(f"material {mix.id}", mix.evidence)
        phases = {k: q.value for k, q in mix.phases.items()}
        return _charge({k: np.array([v]) for k, v in values.items()}, (mix.id,), True, source, phases, mix.sigma())
    if isinstance(mix, Composition):
        if mix.basis == "as_received":
            mix = mix.to_basis("dry")
        return _charge({k: np.array([v]) for k, v in mix.contents.items()}, ("mix",), True, None, {}, mix.sigma)
    if isinstance(mix, Mapping) and not hasattr(mix, "dims"):
        table = {}
        for name, value in mix.items():
            if isinstance(value, bool) or not isinstance(value, int | float | np.number):
                raise CompositionError(f"{name} = {value!r} is not a number; give oxides in wt%, {{'CaO': 66.6, ...}}.")
            table[str(name)] = np.array([float(value)])
        return _charge(table, ("mix",), True, None, {}, {})
    if hasattr(mix, "dims") and hasattr(mix, "coords"):
        if tuple(mix.dims) == ("oxide",):
            return _charge({str(o): np.array([float(mix.sel(oxide=o))]) for o in mix["oxide"].values}, ("mix",), True)
        if "oxide" not in mix.dims or len(mix.dims) != 2:
            raise CompositionError(f"An array of mixes has dims (mix, oxide), found {tuple(mix.dims)}.")
        other = next(d for d in mix.dims if d != "oxide")
        array = mix.transpose(other, "oxide")
        labels = tuple(array[other].values.tolist()) if other in array.coords else tuple(range(array.shape[0]))
        grid = np.asarray(array.values, dtype=np.float64)
        return _charge({str(o): grid[:, j] for j, o in enumerate(array["oxide"].values)}, labels, False)
    if hasattr(mix, "columns") and hasattr(mix, "index"):
        table = {str(c): np.asarray(mix[c], dtype=np.float64) for c in mix.columns}
        return _charge(table, tuple(mix.index.tolist()), False)
    raise CompositionError(
        f"{type(mix).__name__} is no mix; give a Material, a Composition, oxides in wt% ({{'CaO': 66.6, ...}}), an "
        "xarray.DataArray with dims (mix, oxide) or a table with one mix per row."
    )


def _charge(
    table: Mapping[str, FloatArray],
    labels: tuple[Any, ...],
    single: bool,
    source: Source | None = None,
    phases: Mapping[str, float] | None = None,
    sigma: Mapping[str, float] | None = None,
) -> Charge:
    if not table or not labels:
        raise MissingDataError("The mix is empty; give at least one oxide in wt%.")
    n = len(labels)
    amount = np.zeros((n, len(ELEMENTS)))
    aside: dict[str, FloatArray] = {}
    total = np.zeros(n)
    loss = np.asarray(table.get("LOI", np.full(n, np.nan)), dtype=np.float64)
    for name, raw in table.items():
        values = np.asarray(raw, dtype=np.float64)
        if name in _APART and name not in LOSS:
            continue
        if not np.isfinite(values).all():
            if name in LOSS:
                continue
            bad = int(np.argmax(~np.isfinite(values)))
            if not np.isnan(values[bad]):
                raise CompositionError(f"mix {labels[bad]!r}: {name} = {values[bad]:g} wt% is no content.")
            raise CompositionError(
                f"mix {labels[bad]!r}: {name} is not known (NaN); leave the column out or measure it, 0 means none."
            )
        if (values < 0).any():
            bad = int(np.argmax(values < 0))
            raise CompositionError(f"mix {labels[bad]!r}: {name} = {values[bad]:g} wt% is negative.")
        formula = LOSS.get(name, name)
        parts = atoms(formula)
        if set(parts) <= set(ELEMENTS):
            moles = values * 10.0 / molar_mass(formula)
            for element, k in parts.items():
                amount[:, ELEMENTS.index(element)] += k * moles
        elif (values > 0).any():
            aside[name] = values
        if name not in LOSS:
            total = total + values
    with_losses = total + np.where(np.isfinite(loss), loss, 0.0)
    wrong = ~((with_losses >= SUM_LOW) & (with_losses <= SUM_HIGH))
    if wrong.any():
        i = int(np.argmax(wrong))
        what = "oxides and LOI" if np.isfinite(loss[i]) else "oxides"
        raise CompositionError(
            f"mix {labels[i]!r}: the {what} sum to {with_losses[i]:.4g} wt%; "
            f"expected {SUM_LOW:g} to {SUM_HIGH:g}. Give all oxides (LOI too, if the mix is not ignited), in wt% "
            "of the dry mass."
        )
    split = all(k in table and bool(np.isfinite(table[k]).all()) for k in LOSS)
    return Charge(
        ELEMENTS, amount, labels, aside, loss, split, dict(table), dict(phases or {}), dict(sigma or {}), single,
        source or Source("typed by the user", Evidence.RECIPE),
    )  # fmt: skip
