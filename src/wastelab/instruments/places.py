"""Places in a file (``"sheet 'XRF', row 14, column E 'Al2O3 (%)'"``) and quoted reports, in the language of the reader.

Readers name places in English; the forms are few and fixed, so that they are said in another language from here.
"""

from __future__ import annotations

import re

from ..i18n import DEFAULT, Message, say, tr

_QUOTED = r"(?:'(?P<name>.*?)'|\"(?P<other>.*?)\")(?=, |$)"  # a name may hold quotation marks, commas and blanks
#: Forms of one part of a place: the key of its text, and what stands in the placeholders.
_FORMS = tuple(
    (key, re.compile(pattern))
    for key, pattern in (
        ("at_sheet", rf"sheet {_QUOTED}"),
        ("at_data_row", r"row (?P<number>\d+) of the data(?=[ ,]|$)"),
        ("at_row", r"row (?P<number>\d+)(?=[ ,]|$)"),
        ("at_column_heading", rf"column (?P<letters>[A-Z]{{1,3}}) {_QUOTED}"),
        ("at_column", r"column (?P<letters>[A-Z]{1,3}|\d+)(?=[ ,]|$)"),
        ("at_heading", rf"column {_QUOTED}"),
        ("at_line", r"line (?P<number>\d+)(?=[ ,]|$)"),
        ("at_scan", r"scan (?P<number>\d+)(?=[ ,]|$)"),
        ("at_range_of", r"range (?P<number>\d+) of (?P<count>\d+)(?=[ ,]|$)"),
        ("at_range", r"range (?P<number>\d+)(?=[ ,]|$)"),
        ("at_member", rf"member {_QUOTED}"),
        ("at_variable", rf"variable {_QUOTED}"),
        ("at_record", r"record at byte (?P<number>\d+)(?=[ ,]|$)"),
        ("at_byte", r"byte (?P<number>\d+)(?=[ ,]|$)"),
        ("at_result", r"result (?P<number>\d+)(?=[ ,]|$)"),
        ("at_point", r"point (?P<number>\d+)(?=[ ,]|$)"),
        ("at_cube", r"cube (?P<number>\S+?)(?=[ ,]|$)"),
        ("at_tag", r"<(?P<name>\w+)>(?=[ ,]|$)"),
        ("at_axis", rf"(?:positions of )?axis {_QUOTED}"),
        ("at_axis", r"axis (?P<name>\S+?)(?=[ ,]|$)"),
        ("at_run", r"(?P<name>\S+) run(?=[ ,]|$)"),
        ("at_from", r"from line (?P<number>\d+)(?=[ ,]|$)"),
        ("at_header", r"file header(?=[ ,]|$)"),
    )
)
_REST = re.compile(r".+?(?=, |$)", re.S)


def where_text(where: str, lang: str = DEFAULT) -> str:
    """A place as readers name it, in `lang`; parts of an unknown form stay as they are.

    Examples
    --------
    >>> where_text("sheet 'XRF', row 14, column E 'Al2O3 (%)'", "zh")
    '工作表“XRF”,第 14 行,E 列“Al2O3 (%)”'
    """
    if lang == DEFAULT or not where:
        return where
    parts: list[str] = []
    at = 0
    while at < len(where):
        for key, form in _FORMS:
            match = form.match(where, at)
            if match:
                values = {k: v for k, v in match.groupdict().items() if v is not None}
                if "other" in values:
                    values["name"] = values.pop("other")
                parts.append(tr(f"sheet.{key}", lang, **values))
                break
        else:
            match = _REST.match(where, at)
            assert match is not None
            parts.append(match[0])
        at = match.end()
        at += 2 if where.startswith(", ", at) else where.startswith(" ", at)
    return tr("sheet.at_comma", lang).join(parts)


_CUT = re.compile(r"\b(?:cut|truncated|incomplete|shorter than)\b")
_DAMAGED = re.compile(r"\bdamaged\b")


def quotation(detail: str) -> Message:
    """What a reader said in English only, as a quotation; that the file is cut or damaged is said in any language."""
    kind = "quoted_cut" if _CUT.search(detail) else "quoted_damaged" if _DAMAGED.search(detail) else "quoted"
    return say(f"sheet.{kind}", detail=detail)
