"""Spreadsheets to fill in and upload: one kind per group of techniques, in English or Chinese.

Row 1 says what the sheet is, row 2 heads the columns with their units, row 3 is an example that is not read. Drop-downs
are fed from a sheet of options; there are no macros. Headings come from the vocabulary, texts from ``[template]`` in
the locale files, so a new kind is one entry of `_KINDS`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ..errors import LabError, UnknownNameError, suggest
from ..i18n import languages, tr
from ..instruments import vocabulary

#: Version of the layout, printed in row 1.
VERSION = 1
_CLASSES = ("coal_gangue", "fly_ash", "fgd_gypsum", "smelting_slag", "tailings", "red_mud", "raw")
_BASES = {"en": ("as_received", "dry", "ignited"), "zh": ("收到基", "干基", "灼烧基")}
_UNSEEN = {"en": ("ND", "trace"), "zh": ("未检出", "痕量")}
_DATES = ("measured_at", "collected_at", "cast_at", "received_at")
_ROLES = ("binder", "activator", "aggregate", "water", "admixture", "fuel")
#: Fields that are numbers, with the unit in their heading.
_FIELD_UNITS = {"age": "d", "mass": "kg", "coverage": "", "replicate": "", "share": "%", "water_binder": ""}
#: Fields that are text, with the unit in their heading.
_TEXT_UNITS = {"dimensions": "mm"}
#: Fields whose headings stand in the texts of registers.
_REGISTER_FIELDS = frozenset((
    "sample_name", "mix_name", "received_at", "collected_by", "location", "component", "role", "share", "water_binder",
    "dimensions", "curing",
))  # fmt: skip
_COMMON = ("measured_at", "operator", "instrument", "method", "basis")
#: Columns of registers with a prompt of their own.
_PROMPTS = frozenset((
    "sample", "mix", "specimen", "source", "parent", "process", "component", "share", "water_binder", "dimensions",
    "curing",
))  # fmt: skip
#: Headings shorter or clearer than the titles of the vocabulary.
_SHORT = {
    "LOI": ("LOI", "烧失量"),
    "oxide_sum": ("total", "合计"),
    "blaine": ("Blaine surface", "勃氏比表面积"),
    "d50": ("d50", "d50"),
}
#: Phases in the order of the sheet, with their Chinese names of the vocabulary.
_PHASES = {
    "quartz": "石英",
    "hematite": "赤铁矿",
    "goethite": "针铁矿",
    "gibbsite": "三水铝石",
    "boehmite": "一水软铝石",
    "diaspore": "一水硬铝石",
    "kaolinite": "高岭石",
    "illite": "伊利石",
    "muscovite": "白云母",
    "calcite": "方解石",
    "dolomite": "白云石",
    "gypsum": "石膏",
    "anhydrite": "硬石膏",
    "mullite": "莫来石",
    "perovskite": "钙钛矿",
    "cancrinite": "钙霞石",
    "katoite": "加藤石",
    "gehlenite": "钙铝黄长石",
    "portlandite": "氢氧钙石",
    "amorphous": "非晶相",
}
_METALS = ("Cu", "Pb", "Zn", "Cd", "Cr", "Ni", "As", "Hg", "Mn", "Ba", "Co", "V", "Sb", "Be", "Se", "Tl")
_LEACHED = ("Cu", "Zn", "Cd", "Pb", "Cr", "Hg", "Be", "Ba", "Ni", "Ag", "As", "Se")


@dataclass(frozen=True)
class Kind:
    """One kind of template.

    Attributes
    ----------
    technique : str
        Whose methods the drop-down offers; empty if the sheet holds several techniques.
    columns : mapping of str to object
        Example by name: fields and quantities of the vocabulary, ``phase:X``, ``metal:X``, ``leachate:X``, ``U:X`` (the
        expanded uncertainty of X).
    required : frozenset of str
    limits : bool
        Whether there is a row for detection limits.
    help : int
        Number of instructions of its own, for a sheet that registers things and holds no results; else 0.
    """

    technique: str
    columns: Mapping[str, object]
    required: frozenset[str]
    limits: bool = False
    help: int = 0


def _fields(*names: str, **examples: object) -> dict[str, object]:
    shown = {"measured_at": date(2026, 3, 2), "operator": "Li Wei", "waste_class": "red_mud", "basis": "dry"} | examples
    return {n: shown.get(n, "") for n in names}


_SAMPLE = frozenset({"sample"})
_KINDS: dict[str, Kind] = {
    "xrf": Kind("XRF", {
        **_fields("sample", "waste_class", *_COMMON, method="GB/T 176-2017", instrument="XRF-1"),
        "SiO2": 18.4, "Al2O3": 20.6, "Fe2O3": 28.3, "CaO": 12.7, "MgO": 1.1, "SO3": 0.5, "Na2O": 6.4, "K2O": 0.6,
        "TiO2": 3.9, "P2O5": 0.2, "MnO": 0.1, "Cl": "<0.01", "LOI": 6.8, "oxide_sum": 99.6, "note": "",
    }, _SAMPLE),
    "metals": Kind("metals", {
        **_fields("sample", "waste_class", *_COMMON, method="HJ 781", instrument="ICP-1"),
        **{f"metal:{m}": "" for m in _METALS},
        "metal:Cu": 52, "metal:Pb": 61.5, "metal:Zn": 88, "metal:Cd": "<0.5", "note": "",
    }, _SAMPLE, True),
    "leaching": Kind("leaching", {
        **_fields("sample", "waste_class", "measured_at", "operator", "method", method="HJ/T 299"), "leachate_pH": 11.6,
        **{f"leachate:{m}": "" for m in _LEACHED},
        "leachate:Cu": 0.05, "leachate:Zn": 0.11, "leachate:Cd": "<0.01", "leachate_CrVI": "<0.004",
        "leachate_fluoride": 6.2, "leachate_cyanide": "", "note": "",
    }, frozenset({"sample", "method"}), True),
    "radionuclides": Kind("radionuclides", {
        **_fields("sample", "waste_class", *_COMMON, method="GB 6566-2010", instrument="HPGe-1"),
        "Ra226": 210.0, "U:Ra226": 12.0, "Th232": 340.0, "U:Th232": 18.0, "K40": 160.0, "U:K40": 20.0, "coverage": 2,
        "I_Ra": 1.1, "I_gamma": 1.9, "note": "",
    }, _SAMPLE, True),
    "phases": Kind("QPA", {
        **_fields("sample", "waste_class", *_COMMON, method="Rietveld", instrument=""),
        **{f"phase:{p}": "" for p in _PHASES},
        "phase:quartz": 4.1, "phase:hematite": 24.5, "phase:amorphous": 71.4, "note": "",
    }, _SAMPLE),
    "physical": Kind("", {
        **_fields("sample", "waste_class", "measured_at", "operator"),
        "density": 2.87, "blaine": 640.0, "bet": 14.2, "d10": 0.8, "d50": 6.1, "d90": 42.0, "residue_45um": 8.5,
        "residue_80um": "", "moisture": 24.0, "LOI": 6.8, "free_CaO": "", "glass": "", "pH": 11.4,
        "calorific_value": "", "activity_index": "", "note": "",
    }, _SAMPLE),
    "strength": Kind("strength", {
        **_fields("mix", "specimen", "age", "cast_at", "measured_at", "operator", "instrument", "method", age=28,
                  cast_at=date(2026, 2, 2), method="GB/T 17671", instrument="PRESS-1"),
        "compressive_strength": 42.5, "flexural_strength": 7.1, "failure_load": "", "specimen_mass": "",
        "specimen_length": "", "specimen_width": "", "specimen_height": "", "replicate": 1, "note": "",
    }, frozenset({"mix", "age"})),
    "fresh": Kind("", {
        **_fields("mix", "measured_at", "operator", "instrument"),
        "flow": 182, "slump": "", "consistency_water": 28.4, "water_requirement_ratio": 98, "initial_setting": 145,
        "final_setting": 210, "note": "",
    }, frozenset({"mix"})),
    "samples": Kind("", _fields(
        "sample", "sample_name", "waste_class", "source", "parent", "process", "collected_at", "received_at",
        "collected_by", "mass", "location", "note",
        collected_at=date(2026, 2, 20), received_at=date(2026, 2, 23), source="Pond 3", mass=5,
        process="dried 105 degC", parent="RM-001",
    ), frozenset({"sample", "waste_class"}), help=3),
    "mixes": Kind("", _fields(
        "mix", "mix_name", "component", "role", "share", "water_binder", "cast_at", "note",
        component="raw/limestone", role="binder", share=30, water_binder=0.4, cast_at=date(2026, 2, 2),
    ), frozenset({"mix", "component", "share"}), help=4),
    "specimens": Kind("", _fields(
        "specimen", "mix", "dimensions", "cast_at", "curing", "note",
        mix="M-01", dimensions="40x40x160", cast_at=date(2026, 2, 2), curing="20 degC, 95 %, 27 d",
    ), frozenset({"specimen", "mix"}), help=3),
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One column as it is written.

    Attributes
    ----------
    name : str
        Field or quantity.
    heading : str
    sort : {"text", "date", "choice", "method", "number"}
    unit : str
    required : bool
    example : object
    """

    name: str
    heading: str
    sort: str
    unit: str
    required: bool
    example: Any


def template_kinds() -> tuple[str, ...]:
    """Names of the kinds of template."""
    return tuple(_KINDS)


def columns(kind: str, lang: str = "en") -> list[Column]:
    """The columns of a kind of template.

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    """
    layout = _kind(kind)
    return [_column(name, example, layout, lang) for name, example in layout.columns.items()]


def _kind(kind: str) -> Kind:
    if kind not in _KINDS:
        raise UnknownNameError(f"There is no template {kind!r}.{suggest(kind, _KINDS)} Templates: {', '.join(_KINDS)}.")
    return _KINDS[kind]


def _column(name: str, example: object, layout: Kind, lang: str) -> Column:
    heading, unit = _heading(name, lang)
    if layout.help:
        unit = _TEXT_UNITS.get(name, unit)
    required = name in layout.required
    sort = "number"
    if name in _DATES:
        sort = "date"
    elif name in ("waste_class", "basis", "role"):
        sort = "choice"
        names, words = _choices(name, lang)
        example = dict(zip(names, words, strict=True)).get(str(example), "")
    elif name == "method" and layout.technique and vocabulary.technique(layout.technique).methods:
        sort = "method"
    elif name not in _FIELD_UNITS and _is_field(name):
        sort = "text"
    if name == "operator" and lang == "zh":
        example = "李伟"
    return Column(name, f"{heading}{'*' if required else ''}", sort, unit, required, example)


def _is_field(name: str) -> bool:
    """Whether a column is descriptive, not a quantity."""
    return name in (vocabulary.field(name), vocabulary.register_field(name))


def _choices(name: str, lang: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the choices of a column, and how they are written."""
    if name == "waste_class":
        return _CLASSES, _classes(lang)
    if name == "role":
        return _ROLES, tuple(tr(f"register.role_{r}", lang) for r in _ROLES)
    return _BASES["en"], _BASES[lang]


def _heading(name: str, lang: str) -> tuple[str, str]:
    """Heading with its unit, and the unit."""
    prefix, colon, rest = name.partition(":")
    if not colon and _is_field(name):
        own = name in _REGISTER_FIELDS
        return tr(f"{'register' if own else 'template'}.field_{name}", lang), _FIELD_UNITS.get(name, "")
    if prefix == "U":
        inner = vocabulary.term(rest)
        return f"{tr('template.uncertainty', lang, name=inner.label())} ({inner.unit})", inner.unit
    if prefix == "phase":
        return f"{_PHASES[rest] if lang == 'zh' else rest} (wt%)", "wt%"
    if colon:
        return f"{rest} ({'mg/kg' if prefix == 'metal' else 'mg/L'})", "mg/kg" if prefix == "metal" else "mg/L"
    term = vocabulary.term(name)
    title = _SHORT[name][lang == "zh"] if name in _SHORT else term.label(lang)
    if "_" in title:  # no title in the vocabulary
        title = title.replace("_", " ")
    if lang == "zh" and term.unit == "wt%" and term.title == name and name[0].isupper():
        title = name  # a formula is shorter than its Chinese name and known to all
    return (title, "") if term.unit == "1" else (f"{title} ({term.unit})", term.unit)


def _classes(lang: str) -> tuple[str, ...]:
    return tuple(tr(f"plausibility.class_{c}", "zh") if lang == "zh" else c for c in _CLASSES)


def write_template(kind: str, path: str | Path, *, lang: str = "en", rows: int = 200, overwrite: bool = False) -> Path:
    """Write a spreadsheet to fill in.

    Parameters
    ----------
    kind : str
        One of `template_kinds`.
    path : str or Path
        An ``.xlsx`` file; it appears whole or not at all.
    lang : {"en", "zh"}
    rows : int
        Rows with drop-downs and input messages.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    LabError
        If the file exists, is no ``.xlsx``, or cannot be written.
    """
    layout = _kind(kind)
    if lang not in languages():
        raise LabError(f"lang = {lang!r} is not one of {', '.join(languages())}.")
    if not 1 <= rows <= 100_000:
        raise LabError(f"rows = {rows}: expected 1 to 100000.")
    target = Path(path)
    if target.suffix.lower() != ".xlsx":
        raise LabError(f"{target}: a template is an .xlsx file.")
    if target.exists() and not overwrite:
        raise LabError(f"{target} exists and was left as it is; give another name, or say that it may be overwritten.")
    book = _book(kind, layout, columns(kind, lang), lang, rows)
    try:
        handle, name = tempfile.mkstemp(suffix=".xlsx.tmp", prefix=".", dir=target.parent)
        os.close(handle)
        try:
            book.save(name)
            Path(name).chmod(0o644)
            Path(name).replace(target)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as exc:
        raise LabError(f"{target}: cannot be written ({exc.strerror or exc}).") from None
    return target


def _book(kind: str, layout: Kind, cols: list[Column], lang: str, rows: int) -> Any:
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter

    book = Workbook()
    book.properties.creator = "wastelab"
    sheet = book.active
    area = "register" if kind in ("mixes", "specimens") else "template"
    sheet.title = tr(f"{area}.sheet_{kind}", lang)
    sheet["A1"] = tr(f"register.banner_{kind}" if layout.help else "template.banner", lang, version=VERSION,
                       title=tr(f"{area}.title_{kind}", lang), first=4 + layout.limits)  # fmt: skip
    sheet["A1"].font = Font(bold=True, size=12)
    options = book.create_sheet(tr("template.options", lang))
    ranges = _options(options, layout, lang)
    first, last = 4 + layout.limits, 3 + layout.limits + rows
    grey = Font(italic=True, color="808080")
    for j, column in enumerate(cols, 1):
        head = sheet.cell(2, j, column.heading)
        head.font = Font(bold=True, color="C00000" if column.required else "000000")
        head.fill = PatternFill("solid", fgColor="DDEBF7")
        head.alignment = Alignment(wrap_text=True, vertical="center", horizontal="center")
        example = tr("template.example", lang) if j == 1 else column.example
        cell = sheet.cell(3, j, example if example != "" else None)
        cell.font = grey
        letter = get_column_letter(j)
        sheet.column_dimensions[letter].width = _width(column)
        style = {"date": "yyyy-mm-dd", "number": "General"}.get(column.sort, "@")
        if column.sort == "date":
            cell.number_format = style
        if style != "General":
            for i in range(first, last + 1):
                sheet.cell(i, j).number_format = style
        where = f"{letter}{first}:{letter}{last}"
        sheet.add_data_validation(_validation(column, where, ranges, lang, bool(layout.help)))
    if layout.limits:
        label = sheet.cell(4, 1, tr("template.limit_row", lang))
        label.font = Font(bold=True)
    sheet.row_dimensions[2].height = 32
    sheet.freeze_panes = "B3"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = "2:2"
    _instructions(book.create_sheet(tr("template.instructions", lang), 1), kind, layout, lang)
    return book


def _width(column: Column) -> float:
    """Width that shows heading and example; a Chinese character takes two."""
    heading, _, unit = column.heading.partition(" (")
    whole = _cells(column.heading)
    widest = max(whole if whole <= 15 else max(_cells(heading), _cells(unit) + 1), _cells(str(column.example)))
    return float(min(max(widest + 2, 12 if column.sort == "date" else 9), 30))


def _cells(text: str) -> int:
    return sum(2 if ord(c) > 0x2E7F else 1 for c in text)


def _options(sheet: Any, layout: Kind, lang: str) -> dict[str, str]:
    """Fill the sheet of options; the range of each list by its name."""
    from openpyxl.styles import Font

    kind = vocabulary.techniques().get(layout.technique)
    lists: list[tuple[str, str, tuple[str, ...]]] = [
        ("waste_class", tr("template.field_waste_class", lang), _classes(lang)),
        ("basis", tr("template.field_basis", lang), _BASES[lang]),
        ("unseen", tr("template.word_detected", lang), _UNSEEN[lang]),
    ]
    if layout.help:
        lists = [
            (n, _heading(n, lang)[0], _choices(n, lang)[1]) for n in ("waste_class", "role") if n in layout.columns
        ]
    if kind is not None and kind.methods:
        lists.append(("method", tr("template.field_method", lang), kind.methods))
    out = {}
    for j, (name, title, words) in enumerate(lists):
        letter = "ABCDE"[j]
        sheet[f"{letter}1"] = title
        sheet[f"{letter}1"].font = Font(bold=True)
        for i, word in enumerate(words, 2):
            sheet[f"{letter}{i}"] = word
            sheet[f"{letter}{i}"].number_format = "@"
        sheet.column_dimensions[letter].width = max(_cells(w) for w in (title, *words)) + 3
        out[name] = f"'{sheet.title}'!${letter}$2:${letter}${len(words) + 1}"
    return out


def _validation(column: Column, where: str, ranges: dict[str, str], lang: str, register: bool) -> Any:
    from openpyxl.worksheet.datavalidation import DataValidation

    given: dict[str, Any] = {"allow_blank": True, "showInputMessage": True}
    if column.sort == "choice":
        given |= {"type": "list", "formula1": ranges[column.name], "showErrorMessage": True, "errorStyle": "warning",
                  "error": tr("template.error_choice", lang), "prompt": tr("template.prompt_choice", lang)}  # fmt: skip
    elif column.sort == "method" and "method" in ranges:
        given |= {"type": "list", "formula1": ranges["method"], "showErrorMessage": False,
                  "prompt": tr("template.prompt_method", lang)}  # fmt: skip
    elif column.sort == "date":
        given |= {"type": "date", "operator": "greaterThan", "formula1": "18264", "showErrorMessage": True,
                  "errorStyle": "warning", "error": tr("template.error_date", lang),
                  "prompt": tr("template.prompt_date", lang)}  # fmt: skip
    elif column.sort == "number" and column.unit and column.name not in _FIELD_UNITS:
        given |= {"type": "list", "formula1": ranges["unseen"], "showErrorMessage": False,
                  "prompt": tr("template.prompt_number", lang, unit=column.unit)}  # fmt: skip
        if column.name.startswith("U:"):
            given = {"allow_blank": True, "showInputMessage": True, "prompt": tr("template.prompt_pure", lang)}
    elif column.sort == "number":
        key = "template.prompt_text_age" if column.name == "age" else "template.prompt_pure"
        given |= {"prompt": tr(f"register.prompt_{column.name}" if column.name in _PROMPTS else key, lang)}
    elif register and column.name in _PROMPTS:
        given |= {"prompt": tr(f"register.prompt_{column.name}", lang)}
    else:
        special = column.name in ("sample", "mix", "specimen")
        given |= {"prompt": tr(f"template.prompt_text_{column.name}" if special else "template.prompt_text", lang)}
    validation = DataValidation(promptTitle=column.heading[:32], **given)
    validation.add(where)
    return validation


def _instructions(sheet: Any, kind: str, layout: Kind, lang: str) -> None:
    from openpyxl.styles import Alignment, Font

    sheet["A1"] = sheet.title
    sheet["A1"].font = Font(bold=True, size=12)
    sheet.column_dimensions["A"].width = 110
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    for i, text in enumerate(_help(kind, layout, lang), 3):
        sheet[f"A{i}"] = text
        sheet[f"A{i}"].alignment = Alignment(wrap_text=True, vertical="top")


def _help(kind: str, layout: Kind, lang: str) -> Iterator[str]:
    keys = [f"template.help_{n}" for n in range(1, 13)]
    if layout.help:
        own = [f"register.help_{kind}_{n}" for n in range(1, layout.help + 1)]
        keys = [*own, *(f"register.help_all_{n}" for n in range(1, 5))]
    for n, key in enumerate(keys, 1):
        yield f"{n}. {tr(key, lang)}"
