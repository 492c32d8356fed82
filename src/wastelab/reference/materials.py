"""Shipped reference materials: one TOML name card each, with the source of every value.

Where a card gives a range, the standard uncertainty is taken as (high - low)/4: the range is read as about
two standard uncertainties to either side. That is a convention, not a measurement. A price or a GWP may
point to a row of the factor table (``price = { factor = "F173" }``); value, range and source are then those
of the row.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from ..chemistry.composition import Composition
from ..chemistry.formulas import molar_mass
from ..chemistry.material import WASTE_CLASSES, Material, unit_of
from ..chemistry.quantity import Quantity
from ..errors import DatasetError, UnknownNameError, WastelabError, suggest
from ..provenance import Evidence, Source
from .files import find_files, read_toml
from .tables import factor

KINDS = ("sample", "typical", "pure", "mean")
_TOP = {"schema", "id", "name", "name_zh", "waste_class", "kind", "basis", "licence", "note"}
#: Group of values -> components allowed in it (None: any oxide or element formula).
GROUPS: dict[str, tuple[str, ...] | None] = {
    "oxides": None,
    "loss": ("LOI", "carbonate_CO2", "organic_C", "bound_water", "moisture"),
    "radionuclides": ("Ra226", "Th232", "K40"),
    "metals": None,
    "physical": ("density", "blaine", "bet", "d50", "glass", "free_CaO", "calorific_value"),
    "economy": ("price", "gwp"),
    "phases": None,
}
_VALUE_KEYS = {"value", "low", "high", "sigma", "lod", "source", "method"}
#: Unit of a factor -> what it is multiplied by to be a price [CNY/t] or a GWP [kg/t].
_FACTOR_UNITS = {"price": {"CNY/t": 1.0}, "gwp": {"kg CO2e/t": 1.0, "kg CO2e/kg": 1000.0}}


def material(name: str) -> Material:
    """A shipped (or the user's own) reference material by id.

    Parameters
    ----------
    name : str
        For example ``"red_mud/bayer-diasporic"`` or ``"raw/limestone"``.

    Raises
    ------
    UnknownNameError
        If there is none; suggests a near one.
    """
    files = _index()
    if name not in files:
        raise UnknownNameError(
            f"There is no reference material {name!r}.{suggest(name, files)} "
            "`wastelab datasets list materials` lists them."
        )
    found = material_from_file(files[name])
    if found.id != name:
        raise DatasetError(
            f"{files[name]}, id: found {found.id!r}, expected {name!r}: "
            "the id is the folder and the file name of the card."
        )
    return found


def materials(waste_class: str | None = None) -> list[str]:
    """Ids of the reference materials, of one waste class or all.

    Raises
    ------
    UnknownNameError
        If the waste class does not exist.
    """
    if waste_class is not None and waste_class not in WASTE_CLASSES:
        raise UnknownNameError(
            f"There is no waste class {waste_class!r}.{suggest(waste_class, WASTE_CLASSES)} "
            f"Classes: {', '.join(WASTE_CLASSES)}."
        )
    return sorted(i for i in _index() if waste_class is None or i.startswith(f"{waste_class}/"))


def _index() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in find_files("datasets", "materials/*/*.toml"):
        found.setdefault(f"{file.parent.name}/{file.stem}", file)
    return found


@cache
def material_from_file(file: Path | str) -> Material:
    """Read one material card.

    Raises
    ------
    DatasetError
        If the card breaks the schema or is physically impossible; names file, field, value and what was
        expected.
    """
    path = Path(file)
    data = read_toml(path)

    def fail(where: str, problem: str) -> DatasetError:
        return DatasetError(f"{path}, {where}: {problem}")

    for key in data:
        if key not in _TOP and key not in GROUPS and key != "sources":
            raise fail(key, f"unknown key.{suggest(key, [*_TOP, *GROUPS, 'sources'])}")
    for key in ("schema", "id", "name", "waste_class", "kind", "basis", "licence"):
        if key not in data:
            raise fail(key, "is missing.")
    for key in _TOP - {"schema"}:
        if not isinstance(data.get(key, ""), str):
            raise fail(key, f"found {data[key]!r}, expected text.")
    for key in ("sources", *GROUPS):
        if not isinstance(data.get(key, {}), dict):
            raise fail(key, f"found {data[key]!r}, expected a table, e.g. [{key}].")
    if data["schema"] != 1:
        raise fail("schema", f"found {data['schema']!r}, expected 1.")
    if data["waste_class"] not in WASTE_CLASSES:
        raise fail("waste_class", f"found {data['waste_class']!r}, expected one of {', '.join(WASTE_CLASSES)}.")
    if data["kind"] not in KINDS:
        raise fail("kind", f"found {data['kind']!r}, expected one of {', '.join(KINDS)}.")
    if data["basis"] != "dry":
        raise fail("basis", f"found {data['basis']!r}; cards are on the dry basis, convert the analysis first.")
    sources = {}
    for key, entry in data.get("sources", {}).items():
        sources[key] = _source(entry, lambda p, k=key: fail(f"sources.{k}", p), data["licence"])
    if not sources:
        raise fail("sources", "there is none; every value needs a source.")

    contents: dict[str, float] = {}
    sigma: dict[str, float] = {}
    lod: dict[str, float] = {}
    oxide_sources: dict[str, Source] = {}
    quantities: dict[str, Quantity] = {}
    phases: dict[str, Quantity] = {}
    for group, allowed in GROUPS.items():
        table = dict(data.get(group, {}))
        default = table.pop("source", None)
        for name, raw in table.items():
            where = f"{group}.{name}"
            if allowed is not None and name not in allowed:
                raise fail(where, f"unknown component.{suggest(name, allowed)} Known here: {', '.join(allowed)}.")
            if group in ("oxides", "metals"):
                try:
                    molar_mass(name)
                except WastelabError as exc:
                    raise fail(where, str(exc)) from None
            key = f"metal:{name}" if group == "metals" else name
            entry = raw if isinstance(raw, dict) else {"value": raw}
            if group == "economy" and "factor" in entry:
                quantities[name] = _from_factor(entry, name, lambda p, w=where: fail(w, p))
                continue
            extra = set(entry) - _VALUE_KEYS
            if extra:
                raise fail(where, f"unknown key '{extra.pop()}'; expected {', '.join(sorted(_VALUE_KEYS))}.")
            named = entry.get("source", default)
            source = sources.get(named) if isinstance(named, str) else None
            if source is None:
                raise fail(where, f"its source {named!r} is not under [sources]; every value needs one.")
            try:
                quantity = _quantity(entry, unit_of(key), source, lambda p, w=where: fail(w, p), name)
            except DatasetError:
                raise
            except WastelabError as exc:
                raise fail(where, str(exc)) from None
            if group == "oxides" or name == "LOI":
                contents[name] = quantity.value
                oxide_sources[name] = source
                if quantity.sigma:
                    sigma[name] = quantity.sigma
                if quantity.censored and quantity.lod is not None:
                    lod[name] = quantity.lod
            elif group == "phases":
                phases[name] = quantity
            else:
                quantities[key] = quantity
    moisture = quantities.get("moisture")
    try:
        composition = Composition(
            contents,
            "dry",
            sigma,
            lod,
            moisture.value if moisture else None,
            (moisture.sigma or 0.0) if moisture else 0.0,
        )
        total = composition.closure(0.0, 106.0)
        if not total.ok:
            raise fail("oxides", f"{total.message}; check for a shifted column.")
        return Material(
            id=data["id"],
            name=data["name"],
            name_zh=data.get("name_zh", ""),
            waste_class=data["waste_class"],
            kind=data["kind"],
            composition=composition,
            quantities=quantities,
            oxide_sources=oxide_sources,
            note=data.get("note", ""),
            phases=phases,
        )
    except DatasetError:
        raise
    except WastelabError as exc:
        raise fail("oxides", str(exc)) from None


def _source(entry: Any, fail: Any, licence: str) -> Source:
    if not isinstance(entry, dict) or not entry.get("text"):
        raise fail("needs at least text and evidence.")
    for key, value in entry.items():
        if not isinstance(value, str):
            raise fail(f"{key} = {value!r} is not text.")
    extra = set(entry) - {"text", "evidence", "edition", "doi", "licence", "note"}
    if extra:
        raise fail(f"unknown key '{extra.pop()}'.")
    try:
        level = Evidence(entry.get("evidence", ""))
    except ValueError:
        raise fail(f"evidence {entry.get('evidence')!r} is not one of {', '.join(Evidence)}.") from None
    return Source(
        entry["text"],
        level,
        entry.get("edition", ""),
        entry.get("doi", ""),
        entry.get("licence", licence),
        entry.get("note", ""),
    )


def _from_factor(entry: dict[str, Any], name: str, fail: Any) -> Quantity:
    """A price or GWP that is a row of the factor table."""
    if len(entry) > 1:
        raise fail("a factor brings its own value, range and source; remove the other keys.")
    try:
        found = factor(str(entry["factor"]))
    except UnknownNameError as exc:
        raise fail(str(exc)) from None
    units = _FACTOR_UNITS[name]
    if found.unit not in units:
        raise fail(f"factor {entry['factor']} is in {found.unit}; expected {' or '.join(units)}.")
    scale = units[found.unit]

    def scaled(value: float | None) -> float | None:
        return None if value is None else float(f"{value * scale:.12g}")  # 0.07 kg/kg is 70 kg/t, no more digits

    return Quantity(
        float(f"{found.value * scale:.12g}"),
        unit_of(name),
        found.source,
        scaled(found.sigma),
        scaled(found.low),
        scaled(found.high),
    )


def _quantity(entry: dict[str, Any], unit: str, source: Source, fail: Any, name: str) -> Quantity:
    numbers = {}
    for key in ("value", "low", "high", "sigma", "lod"):
        if key in entry:
            value = entry[key]
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise fail(f"{key} = {value!r} is not a number; values stand without unit, in {unit}.")
            numbers[key] = float(value)
    if "value" not in numbers:
        if "lod" in numbers:
            return Quantity.below(numbers["lod"], unit, source, entry.get("method", ""))
        raise fail("needs a value, or a detection limit (lod) if nothing was detected.")
    value = numbers["value"]
    if value < 0 and name not in ("LOI", "price"):
        raise fail(f"{value:g} {unit} is negative.")
    if unit == "wt%" and value > 100:
        raise fail(f"{value:g} wt% is more than 100.")
    low, high = numbers.get("low"), numbers.get("high")
    if low is not None and high is not None:
        if not low <= value <= high:
            raise fail(f"value {value:g} is not between low {low:g} and high {high:g}.")
        numbers.setdefault("sigma", (high - low) / 4.0)
    return Quantity(
        value,
        unit,
        source,
        numbers.get("sigma"),
        low,
        high,
        numbers.get("lod"),
        method=entry.get("method", ""),
    )
