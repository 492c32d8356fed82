"""Factors by what they are instead of by id: a fuel, a province's grid, a means of transport.

A name that fits several rows is an error that lists them; nothing is chosen silently.
"""

from __future__ import annotations

from ..chemistry.quantity import Quantity
from ..errors import DatasetError, UnknownNameError, suggest
from .tables import Row, factor, factor_rows


def find_factor(category: str, item: str, quantity: str = "", *, year: str | int = "") -> Quantity:
    """The one factor of a category with this item.

    Parameters
    ----------
    category : str
        For example ``"fuel"``, ``"electricity"``, ``"transport"``, ``"price"``, ``"material_gwp"``.
    item : str
        As in the table (``"anthracite"``, ``"heavy diesel truck 30 t"``), upper or lower case; for
        electricity also the province alone (``"Shanxi"``) or its code (``"CN-SX"``).
    quantity : str, optional
        Needed where an item has several: ``"CO2 emission factor"`` or ``"net calorific value"`` of a fuel.
    year : str or int, optional
        Needed where an item has several years.

    Returns
    -------
    Quantity

    Raises
    ------
    UnknownNameError
        If no row fits; suggests a near name.
    DatasetError
        If several rows fit; lists their ids and what tells them apart.
    """
    rows = list(factor_rows().values())
    rows = _keep(rows, "category", category, f"factor category {category!r}")
    wanted = item.strip().lower()
    if category == "electricity":
        named = [r for r in rows if wanted in (_low(r, "item").removeprefix("grid "), _low(r, "region"))]
        rows = named or _keep(rows, "item", item, f"factor {item!r} in {category!r}")
    else:
        rows = _keep(rows, "item", item, f"factor {item!r} in {category!r}")
    if quantity:
        rows = _keep(rows, "quantity", quantity, f"quantity {quantity!r} of {item!r}")
    if year:
        rows = _keep(rows, "year", str(year), f"factor of {year} for {item!r}")
    if len(rows) > 1:
        choices = "; ".join(
            f"{r.values['id']} ({r.values['quantity']}, {r.values['region'] or 'any region'} "
            f"{r.values['year']}".rstrip()
            + ")"
            for r in rows
        )
        raise DatasetError(f"{item!r} in {category!r} fits several factors: {choices}. Name quantity or year.")
    return factor(rows[0].values["id"])


def _low(row: Row, column: str) -> str:
    return row.values[column].strip().lower()


def _keep(rows: list[Row], column: str, wanted: str, what: str) -> list[Row]:
    kept = [r for r in rows if _low(r, column) == wanted.strip().lower()]
    if not kept:
        known = list(dict.fromkeys(r.values[column] for r in rows))
        near = suggest(wanted, known)
        listed = f" Known: {', '.join(known)}." if len(known) <= 12 else ""
        raise UnknownNameError(f"There is no {what}.{near}{listed}")
    return kept
