"""The words of the laboratory: techniques, quantities and column headings, in Chinese and English.

Read from ``datasets/vocabulary/*.toml``; folders in ``WASTELAB_DATA`` add to them. Elements, compounds and the oxides
of ``oxides.toml`` are known by their formula, metals as ``metal:Pb`` (total, mg/kg) and ``leachate_Pb`` (mg/L).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..chemistry import molar_mass
from ..errors import DatasetError, UnknownNameError, WastelabError, suggest
from ..provenance import Evidence, Source
from ..reference import find_files
from ..reference.files import read_toml


@dataclass(frozen=True, slots=True)
class Repeatability:
    """Limit between two results of one laboratory (95 %), absolute [unit of the quantity] or relative."""

    value: float | None
    relative: float | None
    source: Source

    def limit(self, mean: float) -> float:
        """Largest difference of two results around `mean`."""
        return self.value if self.value is not None else (self.relative or 0.0) * abs(mean)


@dataclass(frozen=True, slots=True)
class Term:
    """A quantity of the vocabulary.

    Attributes
    ----------
    name, unit : str
    title, title_zh : str
    technique : str
        Technique it usually comes from (empty if several).
    low, high : float or None
        Outside of these it cannot be true.
    basis : str
        Basis it is always stated on, or empty.
    repeatability : Repeatability or None
    """

    name: str
    unit: str
    title: str = ""
    title_zh: str = ""
    technique: str = ""
    low: float | None = None
    high: float | None = None
    basis: str = ""
    repeatability: Repeatability | None = None

    def label(self, lang: str = "en") -> str:
        """Name for people."""
        return (self.title_zh if lang == "zh" else self.title) or self.title or self.name


@dataclass(frozen=True, slots=True)
class Technique:
    """How something is measured."""

    code: str
    title: str
    title_zh: str = ""
    methods: tuple[str, ...] = ()
    group: str = ""
    curve: str = ""
    needs_method: bool = False


def fold(text: str) -> str:
    """A heading without case, width, spaces, punctuation and units in brackets at its end."""
    body = unicodedata.normalize("NFKC", text).strip().lower()
    body = body.translate(str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789"))
    return re.sub(r"[\s_\-.:;,'\"/·*]+", "", body)


def _tables(name: str) -> list[tuple[str, dict[str, Any]]]:
    return [(str(file), read_toml(file)) for file in reversed(find_files("datasets", f"vocabulary/{name}.toml"))]


@cache
def techniques() -> dict[str, Technique]:
    """Every technique by code."""
    out: dict[str, Technique] = {}
    for _, data in _tables("techniques"):
        for code, entry in data.get("technique", {}).items():
            out[code] = Technique(
                code,
                entry["title"],
                entry.get("title_zh", ""),
                tuple(entry.get("methods", ())),
                entry.get("group", ""),
                entry.get("curve", ""),
                bool(entry.get("needs_method", False)),
            )
    return out


@cache
def _technique_words() -> dict[str, str]:
    words = {fold(code): code for code in techniques()}
    for _, data in _tables("techniques"):
        for code, entry in data.get("technique", {}).items():
            for alias in (entry["title"], entry.get("title_zh", ""), *entry.get("aliases", ())):
                if alias:
                    words.setdefault(fold(alias), code)
    return words


def technique(name: str) -> Technique:
    """A technique by code or alias (``"TG"``, ``"tga"``, ``"热重"``).

    Raises
    ------
    UnknownNameError
        If there is none; suggests a near one.
    """
    code = _technique_words().get(fold(name))
    if code is None:
        known = techniques()
        raise UnknownNameError(
            f"There is no technique {name!r}.{suggest(name, [*known, *_technique_words()])} "
            f"Techniques: {', '.join(known)}."
        )
    return techniques()[code]


@cache
def technique_in(text: str) -> str:
    """Code of the one technique named within a text (``"赤泥重金属检测表"`` gives ``"metals"``), or an empty string.

    The longest word found decides; where two techniques are named by other words, none is taken.
    """
    body = unicodedata.normalize("NFKC", text).lower()
    folded = fold(text)
    hits: dict[str, int] = {}
    for word, code in _technique_words().items():
        if word.isascii():
            if len(word) < 2 or not re.search(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", fold_words(body)):
                continue
        elif word not in folded:
            continue
        hits[code] = max(hits.get(code, 0), len(word))
    if not hits:
        return ""
    best = max(hits.values())
    codes = [code for code, size in hits.items() if size == best]
    return codes[0] if len(codes) == 1 else ""


def fold_words(text: str) -> str:
    """A text with every mark but letters and digits as a blank, words kept apart."""
    return re.sub(r"[^a-z0-9\u4e00-\u9fff]+", " ", text.lower())


@cache
def names() -> frozenset[str]:
    """Names of the quantities that have an entry of their own."""
    return frozenset(_terms()[0])


@cache
def words() -> tuple[str, ...]:
    """Headings that are known as printed: names, titles and synonyms of quantities, words of fields."""
    out: dict[str, None] = {}
    for _, data in _tables("quantities"):
        for name, entry in data.get("quantity", {}).items():
            out.update(
                dict.fromkeys(
                    (
                        name,
                        entry.get("title", name),
                        *([entry["zh"]] if "zh" in entry else ()),
                        *entry.get("synonyms", ()),
                    )
                )
            )
    for _, data in _tables("fields"):
        for name, entry in data.get("fields", {}).items():
            out.update(dict.fromkeys((name, *entry)))
    return tuple(out)


@cache
def _terms() -> tuple[dict[str, Term], dict[str, str]]:
    terms: dict[str, Term] = {}
    words: dict[str, str] = {}
    for file, data in _tables("quantities"):
        sources = {k: Source(v["text"], Evidence(v["evidence"])) for k, v in data.get("source", {}).items()}
        for name, entry in data.get("quantity", {}).items():
            limit = entry.get("repeatability")
            if limit is not None and limit.get("source") not in sources:
                raise DatasetError(f"{file}, quantity.{name}.repeatability: its source is not under [source].")
            terms[name] = Term(
                name,
                entry["unit"],
                entry.get("title", name),
                entry.get("zh", ""),
                entry.get("technique", "XRF" if entry["unit"] == "wt%" else ""),
                entry.get("low"),
                entry.get("high"),
                entry.get("basis", ""),
                Repeatability(limit.get("value"), limit.get("relative"), sources[limit["source"]]) if limit else None,
            )
            for word in (name, entry.get("title", ""), entry.get("zh", ""), *entry.get("synonyms", ())):
                if word:
                    words[fold(word)] = name
    return terms, words


@cache
def term(name: str) -> Term:
    """The vocabulary entry of a quantity name.

    Formulas (``"V2O5"``; oxides as far as `oxides` lists them), ``"metal:X"``, ``"leachate_X"``, ``"phase:X"`` and
    ``"X_28d"`` (a quantity at an age) are known without an entry.

    Raises
    ------
    UnknownNameError
        If it is no quantity; suggests a near one.
    """
    terms, _ = _terms()
    if name in terms:
        return terms[name]
    prefix, colon, rest = name.partition(":")
    if colon and prefix == "metal" and _is_formula(rest):
        return Term(name, "mg/kg", f"total {rest}", f"{rest}全量", "metals")
    if colon and prefix == "phase" and rest:
        return Term(name, "wt%", rest, rest, "QPA", 0.0, 100.0)
    if name.startswith("leachate_") and name[9:]:
        return Term(name, "mg/L", f"leachate {name[9:]}", f"浸出{name[9:]}", "leaching")
    aged = re.fullmatch(r"(.+)_(\d+(?:\.\d+)?)([dh])", name)
    if aged and aged[1] in terms:
        base = terms[aged[1]]
        return Term(
            name, base.unit, f"{base.title}, {aged[2]} {aged[3]}", f"{aged[2]}{aged[3]}{base.title_zh}", base.technique,
            base.low, base.high, base.basis, base.repeatability,
        )  # fmt: skip
    if _is_formula(name):
        return Term(name, "wt%", name, "", "XRF")
    metal = _oxide_of(name)
    if metal in _elements():
        known = oxides().get(metal, ())
        raise UnknownNameError(
            f"There is no quantity {name!r}.{suggest(name, known)} Oxides of {metal}: {', '.join(known) or 'none'}; "
            "others are added in vocabulary/oxides.toml."
        )
    raise UnknownNameError(f"There is no quantity {name!r}.{suggest(name, terms)}")


@cache
def oxides() -> Mapping[str, tuple[str, ...]]:
    """Oxides and oxo-anions that analyses report, by element; every other formula of an oxide is no quantity.

    Raises
    ------
    DatasetError
        If a file lists what is no oxide of the element.
    """
    out: dict[str, dict[str, None]] = {}
    for file, data in _tables("oxides"):
        for metal, formulas in data.get("oxides", {}).items():
            for formula in formulas:
                if _oxide_of(formula) != metal:
                    raise DatasetError(f"{file}, oxides.{metal}: {formula!r} is no oxide of {metal}.")
                out.setdefault(metal, {})[formula] = None
    return {metal: tuple(formulas) for metal, formulas in out.items()}


def _oxide_of(formula: str) -> str:
    """The element in a formula of one element and oxygen, in this order; an empty string for other texts."""
    match = re.fullmatch(r"([A-Z][a-z]?)(?:\d+(?:\.\d+)?)?O(?:\d+(?:\.\d+)?)?", formula)
    return match[1] if match else ""


def _is_formula(text: str) -> bool:
    """True for the formula of an element, of an oxide that analyses report, or of another compound."""
    if not re.fullmatch(r"(?:[A-Z][a-z]?\d*(?:\.\d+)?)+", text):
        return False
    metal = _oxide_of(text)
    if metal:
        return text in oxides().get(metal, ())
    try:
        molar_mass(text)
    except WastelabError:
        return False
    return True


@cache
def _elements() -> Mapping[str, str]:
    """Symbol by Chinese name, English name and folded symbol."""
    out: dict[str, str] = {}
    for _, data in _tables("fields"):
        for symbol, words in data.get("elements", {}).items():
            out.update({fold(w): symbol for w in words})
            out[symbol] = symbol
    return out


def element(text: str) -> str:
    """Symbol of the element a heading names (``"Pb"``, ``"铅"``, ``"total lead"``, ``"总铅"``), or an empty string.

    A symbol must be written as a symbol: ``"CO"`` and ``"no"`` are no elements; ``"PB"`` is.
    """
    known = _elements()
    body = unicodedata.normalize("NFKC", text).strip()
    match = re.fullmatch(r"([A-Za-z]{1,2})(?:\s+\d+(?:\.\d+)?)?", body)
    if match:
        symbol = match[1] if match[1] in known else match[1].capitalize()
        alike = match[1] == symbol or (
            len(symbol) == 2 and symbol not in ("Co", "No", "As", "In", "At", "He", "Be", "Am", "Nd")
        )
        return symbol if symbol in known and alike else ""
    folded = fold(body)
    for word in (folded, folded.removeprefix("total"), folded.removeprefix("总"), folded.removesuffix("总量"),
                 folded.removesuffix("全量"), folded.removesuffix("元素")):  # fmt: skip
        if word in known and not word.isascii():
            return known[word]
        if len(word) > 2 and known.get(word):
            return known[word]
        if word != folded and word.capitalize() in known:
            return word.capitalize()
    return ""


@cache
def _formula_by_fold(folded: str) -> str:
    match = re.fullmatch(r"([a-z]{1,2})(\d?)o(\d{0,2})", folded)
    if match and match[1].capitalize() in _elements() and (len(match[1]) == 2 or match[2] or match[3]):
        return f"{match[1].capitalize()}{match[2]}O{match[3]}"
    return ""


def find(heading: str) -> Term | None:
    """The quantity a column heading without its unit means, or None.

    Understands names, titles, Chinese names, synonyms, formulas in any case (``"sio2"``, ``"SiO₂"``), and ages
    (``"28d抗压强度"``, ``"compressive strength 28 d"``). An oxide that no analysis reports (``"Fe2O4"``) is None.
    """
    _, words = _terms()
    folded = fold(heading)
    if not folded:
        return None
    if folded in words:
        return term(words[folded])
    formula = element(heading) or _formula_by_fold(folded)
    if formula:
        return term(formula) if formula in _terms()[0] or _is_formula(formula) else None
    aged = re.fullmatch(r"(\d+)(d|h|天|小时)(.+)", folded) or None
    tail = re.fullmatch(r"(.+?)\(?(\d+)(d|h|天|小时|days|day)\)?", folded)
    for match, number, mark, rest in (
        (aged, 1, 2, 3),
        (tail, 2, 3, 1),
    ):
        if match and match[rest] in words:
            unit = {"天": "d", "小时": "h", "days": "d", "day": "d"}.get(match[mark], match[mark])
            return term(f"{words[match[rest]]}_{match[number]}{unit}")
    return None


@cache
def _field_words() -> Mapping[str, str]:
    out: dict[str, str] = {}
    for _, data in _tables("fields"):
        for name, words in data.get("fields", {}).items():
            out.update({fold(w): name for w in (name, *words)})
    return out


def field(heading: str) -> str:
    """The descriptive column a heading means (``"sample"``, ``"operator"`` …), or an empty string."""
    return _field_words().get(fold(heading), "")


@cache
def _register_words() -> Mapping[str, str]:
    return {**_field_words(), **_class_words("registers")}


def register_field(heading: str) -> str:
    """The column of a sheet of samples, mixes or specimens that a heading means, or an empty string."""
    return _register_words().get(fold(heading), "")


@cache
def _class_words(table: str) -> Mapping[str, str]:
    out: dict[str, str] = {}
    for _, data in _tables("fields"):
        for name, words in data.get(table, {}).items():
            out.update({fold(w): name for w in (name, *words)})
    return out


def phase(text: str) -> str:
    """The name used for a mineral phase (``"石英"`` and ``"Quartz"`` give ``"quartz"``); others stay as written."""
    return _class_words("phases").get(fold(text), " ".join(text.split()))


def waste_class(text: str) -> str:
    """The waste class a text means (``"赤泥"`` gives ``"red_mud"``), or an empty string."""
    return _class_words("classes").get(fold(text), "")


def basis(text: str) -> str:
    """The basis a text means (``"干基"`` gives ``"dry"``), or an empty string."""
    return _class_words("bases").get(fold(text), "")


def component_role(text: str) -> str:
    """The role of a component in a mix (``"激发剂"`` gives ``"activator"``), or an empty string."""
    return _class_words("roles").get(fold(text), "")
