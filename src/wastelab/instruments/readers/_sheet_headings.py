"""What a heading of a laboratory's table means: a field, a quantity, its uncertainty or detection limit, or nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from ...errors import UnknownNameError
from ...errors import nearest as nearest_name
from ...i18n import Message, say
from ...reference import find_files
from ...reference.files import read_toml
from .. import vocabulary
from ..units import looks_like_unit, normalise, split_heading
from ..vocabulary import Term

#: Fields whose cells are text of the sample, the test or the trial.
ROLES_OF_LONG = frozenset(("quantity", "value", "unit", "uncertainty", "coverage", "lod"))


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    role : {"empty", "field", "quantity", "sigma", "relative_sigma", "lod", "meta", "beside", "unknown"}
    name : str
        Field, quantity or metadata key; empty for an uncertainty that belongs to the quantity before it.
    term : Term or None
    unit : str
        Unit of the heading, normalised; empty if it holds none.
    heading : str
        As printed.
    basis, age : str
    expanded : bool
        The heading says that the uncertainty is expanded.
    k : float or None
    """

    role: str
    heading: str = ""
    name: str = ""
    term: Term | None = None
    unit: str = ""
    basis: str = ""
    age: str = ""
    expanded: bool = False
    k: float | None = None


def clean(cell: object) -> str:
    """A heading without line breaks, width, and the mark of a required column."""
    text = unicodedata.normalize("NFKC", str(cell)) if cell is not None else ""
    return re.sub(r"\s+", " ", text).strip().strip("*").strip()


@cache
def _beside_words() -> Mapping[str, str]:
    out: dict[str, str] = {}
    for file in reversed(find_files("datasets", "vocabulary/fields.toml")):
        for kind, words in read_toml(file).get("beside", {}).items():
            out.update({vocabulary.fold(w): kind for w in words})
    return out


def beside(heading: str) -> str:
    """``"limit"``, ``"verdict"`` or ``"remark"`` for what stands beside results in a report; else an empty string.

    A longer heading counts where it ends or begins with a word of three or more characters (``"GB 5085.3 限值"``
    with its word of two, too, where a standard is named).
    """
    text = clean(heading)
    words = _beside_words()
    for body in (text, split_heading(text)[0], re.sub(r"\s*[(\[].*[)\]]$", "", text)):
        found = words.get(vocabulary.fold(body))
        if found:
            return found
    folded = vocabulary.fold(text)
    if "检出" in folded:
        return ""
    for word, kind in words.items():
        enough = len(word) > 2 or (word in ("限值", "限量", "判定") or _STANDARDS.match(text) is not None)
        if kind != "remark" and not word.isascii() and enough and (folded.endswith(word) or folded.startswith(word)):
            return kind
    return ""


_STANDARDS = re.compile(r"(?:GB|HJ|JC|JG|DL|YB|EN|ISO|ASTM)[\s/T]*\d", re.I)
_K = re.compile(r"[\s,;(\[]*k\s*=\s*(\d+(?:[.,]\d+)?)\s*[)\]]?")
_STANDARD = (
    "u|uc|σ|sigma|s\\.?d\\.?|std\\.?(?: ?dev\\.?)?|stdev|standard uncertainty|standard deviation|±|\\+/-|"
    "uncertainty|标准不确定度|标准偏差|标准差|不确定度|误差"
)
_EXPANDED = "expanded uncertainty|扩展不确定度"
_RELATIVE = "rsd|relative uncertainty|相对标准偏差|相对不确定度|相对标准不确定度"
_LIMIT = "lod|lld|mdl|dl|detection limit|limit of detection|检出限|方法检出限"
_KINDS = (("lod", _LIMIT), ("expanded", _EXPANDED), ("relative", _RELATIVE), ("standard", _STANDARD))
_SUFFIX = re.compile(
    r"\s*(?:含量|质量分数|质量百分数|质量百分比|百分含量|浓度|测定值|检测值|结果|"
    r"content|mass fraction|conc\.?|concentration|result)$",
    re.I,
)
_WRAPPED = re.compile(r"^(?:w|ω|c|ρ|m|wt)\s*[(\[]\s*([^()\[\]]+)\s*[)\]]$")
_META = frozenset(("rwp", "rexp", "rp", "gof", "chi2", "χ2", "rbragg", "goodnessoffit", "χ²"))
_AGED = re.compile(r"(.+)_(\d+(?:\.\d+)?)([dh])")


@lru_cache(maxsize=20_000)
def parse(heading: str) -> Column:
    """The meaning of a heading, the technique of its sheet not considered."""
    text = clean(heading)
    if not text:
        return Column("empty", heading)
    single = len(text) == 1 and text.isupper() and text.isalpha()
    name = "" if single else vocabulary.field(text)
    if name:
        return Column("field", heading, name, expanded=_says_expanded(text))
    if re.match(r"备注|note|remark", text, re.I):
        return Column("field", heading, text)
    direct = vocabulary.find(text)
    if direct is not None:
        return _aged(Column("quantity", heading, direct.name, direct))
    if beside(text):
        return Column("beside", heading, beside(text))
    if looks_like_unit(text):
        return Column("unknown", heading, text)
    body, k = text, None
    match = _K.search(text)
    if match and not single:
        k = float(match[1].replace(",", "."))
        body = clean(text[: match.start()] + " " + text[match.end() :])
    body, unit, basis = _strip(body)
    name = vocabulary.field(body)
    if name and not (len(body) == 1 and body.isupper()):
        return Column("field", heading, name, unit=unit, k=k, expanded=_says_expanded(body))
    found = _quantity(body)
    if found is not None:
        return _aged(Column("quantity", heading, found.name, found, unit, basis))
    leached = _leachate(body) if re.match(r"浸出|leach", body, re.I) else ""
    if leached:
        return Column("quantity", heading, leached, vocabulary.term(leached), unit, basis)
    if re.sub(r"[\s_\-]", "", body.lower()) in _META:
        return Column("meta", heading, body)
    about = about_what(body)
    if about is not None:
        kind, inner = about
        inner, inner_unit, inner_basis = _strip(inner)
        inside = _quantity(inner) if inner else None
        if inside is not None or not inner:
            role = {"lod": "lod", "relative": "relative_sigma"}.get(kind, "sigma")
            column = Column(
                role, heading, inside.name if inside else "", inside, unit or inner_unit, inner_basis,
                expanded=kind == "expanded", k=k,
            )  # fmt: skip
            return _aged(column) if inside else column
        return Column("unknown", heading, f"{kind}:{inner}", unit=unit or inner_unit, k=k, expanded=kind == "expanded")
    return Column("unknown", heading, body, unit=unit, basis=basis)


def _says_expanded(text: str) -> bool:
    return "扩展" in text or "expanded" in text.lower()


def _strip(text: str) -> tuple[str, str, str]:
    """A heading without its units and bases in brackets or after a slash."""
    unit = basis = ""
    for _ in range(4):
        if vocabulary.find(text) is not None:
            break
        name, found = split_heading(text)
        if found:
            text, unit = name, unit or found
            continue
        if len(text) > 1 and text.endswith("%"):
            text, unit = text[:-1].rstrip(), unit or "%"
            continue
        match = re.search(r"[(\[]([^()\[\]]*)[)\]]\s*$", text)
        inside = match[1].strip() if match else ""
        if match and _basis(inside):
            text, basis = text[: match.start()].strip(), _basis(inside)
            continue
        if match and CLOCK_HEADING.fullmatch(inside):
            text, unit = text[: match.start()].strip(), unit or CLOCK
            continue
        parts = re.split(r"[,;，、]", inside)
        if match and len(parts) > 1:
            kinds = [(looks_like_unit(p), _basis(p.strip()), p.strip()) for p in parts]
            if all(u or b or p in ("质量分数", "mass fraction", "by mass") for u, b, p in kinds):
                unit = unit or next((normalise(p) for u, _, p in kinds if u), "")
                basis = basis or next((b for _, b, _ in kinds if b), "")
                text = text[: match.start()].strip()
                continue
        for mark in (",", " ", "_", "-"):
            head, found_mark, tail = text.rpartition(mark)
            if found_mark and _basis(tail.strip()) and head.strip():
                text, basis = head.strip(" ,_-"), _basis(tail.strip())
                break
        else:
            break
    return text.strip(" ,;/:"), unit, basis


#: The basis of the analysis sample as it is weighed; no basis that is kept.
AIR_DRIED = re.compile(r"空干基|空气干燥基|分析基|风干基|air[- ]?dr(?:y|ied)", re.I)


def _basis(text: str) -> str:
    return vocabulary.basis(text) or ("air_dried" if AIR_DRIED.fullmatch(text.strip()) else "")


#: Unit of times of day and durations written with a colon.
CLOCK = "h:min"
CLOCK_HEADING = re.compile(r"(?:h{1,2}|时|小时)\s*:\s*(?:min|m{1,2}|分|分钟)", re.I)


def _quantity(text: str) -> Term | None:
    for body in (text, _SUFFIX.sub("", text)):
        found = vocabulary.find(body) if body else None
        if found is not None:
            return found
    match = _WRAPPED.match(text)
    if match:
        return vocabulary.find(match[1])
    return None


def about_what(text: str) -> tuple[str, str] | None:
    """Which of uncertainty and detection limit a heading is about, and of what: ``"u(SiO2)"``, ``"SiO2 LOD"``."""
    for kind, words in _KINDS:
        if re.fullmatch(words, text, re.I):
            return kind, ""
        match = re.fullmatch(rf"(?:{words})\s*[(\[]\s*(.+?)\s*[)\]]", text, re.I)
        if match:
            return kind, match[1]
        match = re.fullmatch(
            rf"(.+?)(?:[\s_\-]+|(?<=[\u4e00-\u9fff0-9a-zA-Z%)])(?=[±\u4e00-\u9fff])|(?<=[\u4e00-\u9fff])(?=[a-zA-Zσ]))[(\[]?(?:{words})[)\]]?",
            text,
            re.I,
        )
        if match:
            return kind, match[1].rstrip(" 的")
        match = re.fullmatch(rf"(?:{words})[\s_]+(.+)", text, re.I)
        if match:
            return kind, match[1]
    return None


def _aged(column: Column) -> Column:
    """``compressive_strength_28d`` as ``compressive_strength`` at the age ``28 d``."""
    match = _AGED.fullmatch(column.name)
    if match is None:
        return column
    try:
        base = vocabulary.term(match[1])
    except UnknownNameError:
        return column
    if column.name in vocabulary.names():
        return column
    return replace(column, name=base.name, term=base, age=f"{match[2]} {match[3]}")


def known(heading: str) -> bool:
    """True for a heading that is a field or quantity of the vocabulary."""
    return parse(heading).role in ("field", "quantity", "sigma", "relative_sigma", "lod")


def in_technique(column: Column, technique: str, *, oxides: bool) -> Column:
    """A quantity as it is meant in a sheet of a technique: ``Pb`` is ``metal:Pb`` among metals.

    Parameters
    ----------
    column : Column
    technique : str
        Code of the sheet's technique, or empty.
    oxides : bool
        The table holds oxides, so that an element is part of a chemical analysis.
    """
    if technique == "QPA":
        return _phase(column)
    if technique == "leaching" and column.role in ("quantity", "sigma", "relative_sigma", "lod", "unknown"):
        name = leachate(column)
        return replace(column, name=name, term=vocabulary.term(name), role=_known_role(column)) if name else column
    if column.term is None or column.role == "unknown":
        return column
    symbol = vocabulary.element(column.name)
    if symbol != column.name or not symbol:
        return column
    unit = column.unit
    if technique == "metals" or (
        not technique and not oxides and unit in ("mg/kg", "ppm", "ug/g", "ug/kg", "ppb", "g/t")
    ):
        return replace(column, name=f"metal:{symbol}", term=vocabulary.term(f"metal:{symbol}"))
    return column


def _known_role(column: Column) -> str:
    return "quantity" if column.role == "unknown" else column.role


_ANIONS = {"F": "fluoride", "CN": "cyanide", "CN-": "cyanide", "氰化物": "cyanide", "cyanide": "cyanide",
           "总氰化物": "cyanide", "F-": "fluoride", "SO4": "SO4", "SO42-": "SO4", "硫酸盐": "SO4", "sulfate": "SO4",
           "Cl": "Cl", "NO3": "NO3", "DOC": "DOC", "TDS": "TDS"}  # fmt: skip


def leachate(column: Column) -> str:
    """The leachate quantity of a heading in a leaching sheet, or an empty string."""
    if column.name.startswith("leachate_"):
        return column.name
    if column.name in ("pH",):
        return "leachate_pH"
    return _leachate(column.name if column.name else clean(column.heading))


def _leachate(text: str) -> str:
    body = re.sub(r"^(?:leachate|leached|浸出液?)[\s_]*", "", text, flags=re.I)
    if body in _ANIONS:
        return f"leachate_{_ANIONS[body]}"
    symbol = vocabulary.element(body)
    return f"leachate_{symbol}" if symbol else ""


def _phase(column: Column) -> Column:
    if column.role not in ("quantity", "unknown", "sigma", "lod", "relative_sigma"):
        return column
    if column.role == "quantity" and column.name in ("oxide_sum", "LOI", "moisture", "density"):
        return column
    inner = column.name
    role = column.role
    if role == "unknown":
        kind, mark, rest = inner.partition(":")
        if mark and kind in ("lod", "standard", "expanded", "relative"):
            inner, role = rest, {"lod": "lod", "relative": "relative_sigma"}.get(kind, "sigma")
        else:
            role = "quantity"
    elif column.role == "quantity":
        inner = "amorphous" if column.name == "glass" else split_heading(clean(column.heading))[0]
    elif column.name == "":
        return column
    name = f"phase:{vocabulary.phase(inner)}"
    return replace(column, role=role, name=name, term=vocabulary.term(name))


def nearest(heading: str) -> Message:
    """`` Did you mean 'SiO2'?`` for an unknown heading, or nothing."""
    found = nearest_name(split_heading(clean(heading))[0], vocabulary.words())
    return say("sheet.did_you_mean", near=found) if found else Message()


def technique_of(texts: Iterable[str]) -> str:
    """Code of the technique that a sheet's name or title speaks of, or an empty string."""
    for text in texts:
        body = clean(text)
        if not body:
            continue
        try:
            return vocabulary.technique(body).code
        except UnknownNameError:
            pass
        found = vocabulary.technique_in(body)
        if found:
            return found
    return ""
