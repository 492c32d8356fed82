"""What the columns of a table of mixes mean: cement, water, silica modulus, CaO of the fly ash …, English and Chinese.

Read from ``datasets/vocabulary/mix_columns.toml``; folders in ``WASTELAB_DATA`` add to it. A known column in a unit of
the wrong kind is an error; a column of unknown name means nothing here and is left as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ..errors import DatasetError, UnitError
from ..provenance import Evidence, Source
from ..reference import find_files
from ..reference.files import read_toml
from ..units import parse
from .columns import split_unit

_OF_BINDER = re.compile(r"^(?P<stem>.+?)_(?P<unit>pct|percent|wt_pct)_of_binder$")
_REMARK = re.compile(r"^(?P<stem>[^((\[]+?)\s*[((\[].*[))\]]\s*$")
_NO_UNIT = ("", "-", "1")
#: A symbol and the age it is for: ``R28``, ``fc_28d``, ``fcu7``.
_SYMBOL = re.compile(r"^(?P<symbol>[a-z]+?)(?: mean)?(?: ?(?P<days>\d{1,3}) ?(?:d|days?)?)?$")
_TEST_AGES = (1, 2, 3, 7, 14, 21, 28, 56, 60, 90, 91, 120, 180, 182, 270, 360, 364, 365)


@dataclass(frozen=True)
class Role:
    """What a column can be.

    Attributes
    ----------
    name : str
        ``"cement"``, ``"curing_temperature"`` …; of properties without the material: ``"blaine"``.
    group : str
        ``"binder"``, ``"water"``, ``"coarse"``, ``"curing"`` …
    units : tuple of str
        A column is brought to the first of these that its unit is convertible to.
    zh : str
        Chinese name.
    density : float or None
        Typical [g/cm3], for volumes.
    k : float or None
        Share of it that counts as cement (EN 206).
    """

    name: str
    group: str
    units: tuple[str, ...]
    zh: str = ""
    density: float | None = None
    k: float | None = None


@dataclass(frozen=True)
class Meaning:
    """What one column of a table is.

    Attributes
    ----------
    column : str
    role : str
        ``"cement"``; ``"fly_ash:CaO"`` for a property of a material, ``"binder:CaO"`` of the whole dry binder,
        ``"activator:Na2O"`` for what activators bring.
    group : str
    unit : str or None
        As in the table; None where it is not known.
    wanted : str
        What it is brought to: ``slope * value + offset``.
    slope, offset : float
    """

    column: str
    role: str
    group: str
    unit: str | None
    wanted: str
    slope: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class Vocabulary:
    """Roles and the words for them; see `vocabulary`."""

    roles: Mapping[str, Role]
    properties: Mapping[str, Role]
    words: Mapping[str, str]
    levels: Mapping[str, str]
    property_words: Mapping[str, tuple[str, ...]]
    activator_words: Mapping[str, str]
    table: Mapping[str, str]
    of_mix: Mapping[str, tuple[str, ...]]
    sources: Mapping[str, Source] = field(default_factory=dict)


def fold(text: str) -> str:
    """A heading without case, width, spaces and punctuation: ``"W/B"`` and ``"w_b"`` are one."""
    body = unicodedata.normalize("NFKC", text).strip().lower()
    return re.sub(r"[\W_]+", "", body)


@cache
def vocabulary() -> Vocabulary:
    """The words of tables of mixes.

    Raises
    ------
    DatasetError
        If a file names a dimension that does not exist, or gives one word to two roles.
    """
    roles: dict[str, Role] = {}
    properties: dict[str, Role] = {}
    words: dict[str, str] = {}
    levels: dict[str, str] = {}
    of_property: dict[str, tuple[str, ...]] = {}
    activator: dict[str, str] = {}
    table: dict[str, str] = {}
    of_mix: dict[str, tuple[str, ...]] = {}
    sources: dict[str, Source] = {}
    dimensions: dict[str, tuple[str, ...]] = {}
    for file in reversed(find_files("datasets", "vocabulary/mix_columns.toml")):
        data = read_toml(file)
        dimensions |= {k: tuple(v) for k, v in data.get("dimension", {}).items()}
        sources |= {k: Source(v["text"], Evidence(v["evidence"])) for k, v in data.get("source", {}).items()}
        for name, entry in data.get("role", {}).items():
            roles[name] = _role(name, entry, dimensions, str(file))
            for word in (name, *entry.get("words", ())):
                if words.setdefault(fold(word), name) != name:
                    raise DatasetError(f"{file}: the word '{word}' is of '{name}' and of '{words[fold(word)]}'.")
            for word in (name, *entry.get("words", ()), *entry.get("levels", ())):
                levels[fold(word)] = name
        content = {"dimension": "content"}
        oxides = {o: {**content, "words": [o]} for o in data.get("oxides", {}).get("names", ())}
        for name, entry in {**oxides, **data.get("property", {})}.items():
            properties[name] = _role(name, entry, dimensions, str(file))
            for word in (name, *entry.get("words", ())):
                known = of_property.get(fold(word), ())
                of_property[fold(word)] = known if name in known else (*known, name)
        for oxide, said in data.get("activator_oxide", {}).items():
            activator |= {fold(word): oxide for word in said}
        table |= data.get("table", {})
        for kind, said in data.get("property_of_mix", {}).items():
            of_mix[kind] = (*of_mix.get(kind, ()), *map(fold, said))
    return Vocabulary(roles, properties, words, levels, of_property, activator, table, of_mix, sources)


def _role(name: str, entry: Mapping[str, Any], dimensions: Mapping[str, tuple[str, ...]], file: str) -> Role:
    if entry.get("dimension") not in dimensions:
        raise DatasetError(
            f"{file}, '{name}': dimension {entry.get('dimension')!r} is none of {', '.join(dimensions)}."
        )
    return Role(
        name, entry.get("group", "property"), dimensions[entry["dimension"]], entry.get("zh", ""),
        entry.get("density"), entry.get("k"),
    )  # fmt: skip


def heading(name: str) -> tuple[str, str]:
    """A heading as what it names and its unit: ``cement_kg_m3``, ``水泥(kg/m3)``, ``na2o_pct_of_binder``.

    Parameters
    ----------
    name : str

    Returns
    -------
    stem, unit : str
        The unit is empty where there is none.
    """
    of_binder = _OF_BINDER.match(name)
    if of_binder:
        return f"{of_binder['stem']}_of_binder", "%"
    return split_unit(name)


@cache
def factor_of(unit: str, wanted: str) -> tuple[float, float]:
    """Slope and offset that bring numbers from one unit to another, temperatures too.

    Raises
    ------
    UnitError
        If one is not convertible into the other; a volume per volume is no mass per mass.
    """
    if unit == wanted or (unit in _NO_UNIT and wanted in ("", "kg/kg")):
        return 1.0, 0.0
    if wanted == "kg/kg" and unit not in ("%", "wt%"):
        over, _, under = unit.partition("/")
        for part in (over, under):
            parse(f"1 {part.strip()}" if part else "1", "kg", what=unit)
    offset = parse(f"0 {unit}", wanted, what=unit)
    slope = (parse(f"1000 {unit}", wanted, what=unit) - offset) / 1000.0
    return float(f"{slope:.14g}"), float(f"{offset:.14g}")


def meaning(column: str, unit: str | None = None) -> Meaning | None:
    """What a column is, or None where its name says nothing.

    Parameters
    ----------
    column : str
        Heading, with or without its unit.
    unit : str, optional
        Where it is known from elsewhere.

    Raises
    ------
    UnitError
        If what it is cannot be in its unit; names the column.
    """
    stem, said = heading(column)
    unit = unit or said or None
    vocab = vocabulary()
    text = fold(stem)
    if text in vocab.words:
        role = vocab.roles[vocab.words[text]]
        usual = vocab.table.get(stem) or ("kg/kg" if stem.startswith("amount_") else None)
        return _meant(column, role.name, role.group, (role,), unit or usual)
    for prefix, suffix in (
        ("fraction", ""),
        ("amount", ""),
        ("", "fraction"),
        ("", "share"),
        ("", "掺量"),
        ("", "占比"),
    ):
        name = text.removeprefix(prefix).removesuffix(suffix)
        if name != text and len(name) + len(prefix) + len(suffix) == len(text):
            known = (vocab.levels if prefix else vocab.words).get(name)
            if known and vocab.roles[known].units[0] == "kg/m3":
                return _meant(column, known, vocab.roles[known].group, (vocab.roles[known],), unit or "kg/kg")
    if text in vocab.activator_words:
        return _activator(column, vocab.activator_words[text], unit, vocab)
    for cut in range(len(text) - 1, -1, -1):
        names = vocab.property_words.get(text[cut:])
        owner = _owner(text[:cut], vocab) if names else None
        if names and owner and not (cut == 0 and names == ("density",)):
            if owner == "activator":
                return _activator(column, names[0], unit, vocab) if vocab.properties[names[0]].units == ("%",) else None
            usual = vocab.table.get(names[0], vocab.table["content"] if _is_content(names, vocab) else None)
            return _meant(column, f"{owner}:{{}}", "property", tuple(vocab.properties[n] for n in names), unit or usual)
    return _remarked(column, stem, unit, vocab)


def _remarked(column: str, stem: str, unit: str | None, vocab: Vocabulary) -> Meaning | None:
    """A binder with a remark, or a unit that is none, in brackets after its name: ``cement (OPC)``, ``水泥(foo)``.

    It must count: a total without it would be wrong.
    """
    found = _REMARK.match(stem)
    known = vocab.words.get(fold(found["stem"])) if found else None
    if known is None or vocab.roles[known].group != "binder":
        return None
    return _meant(column, known, "binder", (vocab.roles[known],), unit)


def _is_content(names: tuple[str, ...], vocab: Vocabulary) -> bool:
    return vocab.properties[names[0]].units == ("%",)


def _owner(text: str, vocab: Vocabulary) -> str | None:
    """Whose property it is: the whole dry binder where no material is named."""
    if text in ("", "binder", "precursor", "blend", "胶凝材料", "前驱体"):
        return "binder"
    if text in ("activator", "激发剂"):
        return "activator"
    known = vocab.words.get(text)
    return known if known and vocab.roles[known].group == "binder" else None


def _activator(column: str, oxide: str, unit: str | None, vocab: Vocabulary) -> Meaning:
    role = Role(f"activator:{oxide}", "activator oxide", vocab.roles["activator"].units)
    return _meant(column, role.name, role.group, (role,), unit or vocab.table["activator"])


def _meant(column: str, name: str, group: str, roles: tuple[Role, ...], unit: str | None) -> Meaning:
    """The meaning of a column in its unit; of several roles the first that may be in it."""
    if unit is None and "" not in roles[0].units and roles[0].units != ("kg/kg",):
        return Meaning(column, name.format(roles[0].name), group, None, "")
    for role in roles:
        for wanted in role.units:
            try:
                slope, offset = factor_of(unit or "", wanted)
            except UnitError:
                continue
            return Meaning(column, name.format(role.name), group, unit or "", wanted, slope, offset)
    expected = " or ".join(u or "a pure number" for role in roles for u in role.units)
    raise UnitError(
        f"column '{column}' is {name.format(roles[0].name)} in '{unit}'; expected {expected} or what is convertible "
        f"to it. Correct the unit in the heading, or rename the column if it is something else."
    )


def level_role(text: str) -> str | None:
    """Binder that a word in a cell names (``"GGBFS"``, ``"cFA"``, ``"粉煤灰"``), or None."""
    vocab = vocabulary()
    known = vocab.levels.get(fold(text))
    return known if known and vocab.roles[known].group == "binder" else None


def grows_with_age(name: str) -> bool:
    """Whether a property does not fall with time at a fixed mix: strengths, ``UCS``, ``R28``, activity index …

    Parameters
    ----------
    name : str
        With or without its unit. Losses, strains and the like of such a property are not meant.
    """
    return _is_of_mix(name, "grows_with_age") or _has_symbol(name)


def is_stress(unit: str) -> bool:
    """Whether a unit is one of stress: MPa, GPa, psi …"""
    try:
        return bool(unit) and factor_of(unit, "MPa")[0] > 0.0
    except UnitError:
        return False


def never_negative(name: str) -> bool:
    """Whether a property cannot be below zero, as its name says; see `grows_with_age`."""
    text, of_mix = fold(name), vocabulary().of_mix
    if any(part in text for part in of_mix.get("may_be_negative", ())):
        return False
    return _is_of_mix(name, "never_negative") or grows_with_age(name)


def _is_of_mix(name: str, kind: str) -> bool:
    text, of_mix = fold(name), vocabulary().of_mix
    return any(part in text for part in of_mix.get(kind, ())) and not _changes(text)


def _changes(text: str) -> bool:
    return any(part in text for part in vocabulary().of_mix.get("changes", ()))


def _has_symbol(name: str) -> bool:
    """Whether the first word of a name is the symbol of a strength; one letter only with a number of days."""
    text = unicodedata.normalize("NFKC", heading(name)[0]).replace("'", "").lower()
    found = _SYMBOL.match(" ".join(re.findall(r"[a-z0-9]+", text)))
    if found is None or (found["days"] and int(found["days"]) not in _TEST_AGES):
        return False
    known = found["symbol"] in vocabulary().of_mix.get("symbols_that_grow", ())
    return known and (len(found["symbol"]) > 1 or found["days"] is not None)
