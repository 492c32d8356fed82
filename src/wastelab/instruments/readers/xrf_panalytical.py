"""PANalytical SuperQ and Omnian result exports (.csv): one sample with its elements, or a table of samples.

A standardless analysis is often normalised to 100 % from a much smaller measured sum. That sum is kept and a warning
says so: a loss on ignition cannot be added to a normalised analysis.
"""

from __future__ import annotations

import re
from typing import Any

from ...i18n import said_by, say
from .. import vocabulary
from ..base import Completeness, Reader, Reading, Source, Value
from ..sheets import letter
from ..text import decimal_mark, parse_cell
from ._csv import rows_of
from ._sheet_values import converted

_WORDS = ("PANalytical", "Sample name", "Quantification of sample", "Results quantitative")


def _sniff(source: Source) -> int:
    head = source.head[:2048].replace(b"\x00", b"")
    if b"PANalytical" not in head or head.lstrip().startswith((b"<", b"PK")):
        return 0
    if b"Quantification of sample" in head or b"Results quantitative" in head:
        return 95
    return 85 if b"Sample name" in head and b"Seq." in head else 0


def _read(source: Source) -> list[Reading]:
    rows, ends = rows_of(source, _WORDS)
    cells = [c for row in rows for c in row if re.fullmatch(r"[+-]?\d[\d.,]*\s*%?", c)]
    try:
        decimal = decimal_mark([c.rstrip(" %") for c in cells])
    except ValueError as exc:
        raise source.fail(said_by(exc) + say("sheet.one_mark")) from None
    for i, row in enumerate(rows):
        folded = [vocabulary.fold(c) for c in row]
        if "conc" in folded and ("element" in folded or "compound" in folded):
            return [_one_sample(source, rows, i, decimal, ends)]
        if "seq" in folded and any(c.startswith("samplename") for c in folded):
            return _table(source, rows, i, decimal, ends)
    raise source.fail(say("sheet.heading_lacks", names="Element, Conc. / Seq., Sample name"))


def _pairs(rows: list[list[str]]) -> dict[str, str]:
    out = {}
    for row in rows:
        filled = [c for c in row if c]
        if filled and filled[0].endswith(":"):
            out[filled[0].rstrip(":")] = ", ".join(filled[1:])
        elif filled:
            out[f"line {len(out) + 1}"] = ", ".join(filled)
    return out


def _share(text: str, decimal: str) -> float | None:
    try:
        return parse_cell(text, decimal).value
    except ValueError:
        return None


def _value(source: Source, name: str, cell: str, unit: str, decimal: str, where: str) -> Value | None:
    symbol = vocabulary.find(name)
    if symbol is None:
        raise source.fail(say("sheet.no_element", cell=name), where)
    try:
        found = parse_cell(cell, decimal)
    except ValueError as exc:
        raise source.fail(said_by(exc) + say("sheet.expect_concentration"), where) from None
    if found.missing:
        return None
    printed = found.unit or unit
    if printed not in ("%", "ppm", "wt%", "ppb"):
        raise source.fail(say("sheet.no_share_unit", cell=printed), where)
    number = converted(source, found.value, printed, symbol, where)
    limit = converted(source, found.lod, printed, symbol, where)
    text = "" if printed in ("%", "wt%") and not found.flag else f"{cell} {printed}"
    return Value(symbol.name, number, symbol.unit, lod=limit, flag=found.flag, text=text, where=where)


def _one_sample(source: Source, rows: list[list[str]], head: int, decimal: str, ends: bool) -> Reading:
    folded = [vocabulary.fold(c) for c in rows[head]]
    at_name = next(i for i, c in enumerate(folded) if c in ("element", "compound"))
    at_conc = folded.index("conc")
    if head + 1 >= len(rows) or len(rows[head + 1]) <= at_conc:
        raise source.fail(say("sheet.cut"), f"row {head + 2}")
    unit = rows[head + 1][at_conc].strip("()[] ")
    metadata: dict[str, Any] = _pairs(rows[:head])
    sample = ""
    for row in rows[:head]:
        match = re.match(r"Quantification of sample\s+(.*)$", row[0] if row else "")
        if match:
            sample = match[1].strip()
    values: list[Value] = []
    numbers: list[int] = []
    short = False
    for i, row in enumerate(rows[head + 2 :], head + 2):
        if not any(row):
            continue
        if len(row) <= max(at_name, at_conc):
            if i == len(rows) - 1 and not ends:
                short = True
                continue
            raise source.fail(say("sheet.too_few_cells"), f"row {i + 1}")
        found = _value(
            source, row[at_name], row[at_conc], unit, decimal, f"row {i + 1}, column {letter(at_conc)} 'Conc.'"
        )
        if found is not None:
            values.append(found)
        if at_name and row[at_name - 1].isdigit():
            numbers.append(int(row[at_name - 1]))
    if not values:
        raise source.fail(say("sheet.no_result_cut"))
    if numbers and numbers != list(range(1, len(numbers) + 1)):
        raise source.fail(say("sheet.line_missing"))
    warnings = _normalised(metadata, values, decimal)
    if not ends:
        warnings.append("the last line has no line end: if the file was cut there, its last number may be short")
    return Reading(
        "XRF", values=tuple(values), sample=sample, instrument=_instrument(rows),
        method=metadata.get("Results database", ""), metadata=metadata | _printed_date(rows),
        warnings=(*warnings, *_date_warning(rows)),
        completeness="partial" if short else "unverified",
    )  # fmt: skip


def _normalised(metadata: dict[str, Any], values: list[Value], decimal: str) -> list[str]:
    warnings = []
    measured = _share(metadata.get("Sum before normalization", metadata.get("Sum before normalisation", "")), decimal)
    target = _share(metadata.get("Normalised to", metadata.get("Normalized to", "")), decimal)
    total = sum(v.value for v in values if v.value is not None)
    if measured is not None:
        metadata["measured_sum"] = measured
    if target is not None:
        metadata["normalised_to"] = target
        if measured is not None and abs(measured - target) > 0.05:
            warnings.append(
                f"normalised to {target:g} % from a measured sum of {measured:g} %: the numbers are shares of what was "
                "seen, and a loss on ignition cannot be added to them"
            )
        if abs(total - target) > 0.5:
            warnings.append(
                f"the results add up to {total:.2f} %, not to the {target:g} % they are said to be normalised to"
            )
    return warnings


def _instrument(rows: list[list[str]]) -> str:
    return next((row[0] for row in rows[:4] if row and "PANalytical" in row[0]), "PANalytical")


def _printed_date(rows: list[list[str]]) -> dict[str, str]:
    first = rows[0][0] if rows and rows[0] else ""
    return {"printed_at": first} if re.match(r"\d{1,4}[/.-]\d", first) else {}


def _date_warning(rows: list[list[str]]) -> list[str]:
    """The date of printing is not that of the measurement, and its order of day and month is not stated."""
    return (
        ["the file states only when it was printed; the date of measurement is not in it"]
        if _printed_date(rows)
        else []
    )


def _table(source: Source, rows: list[list[str]], head: int, decimal: str, ends: bool) -> list[Reading]:
    heading = rows[head]
    data = next((i for i in range(head + 1, len(rows)) if rows[i] and rows[i][0].isdigit()), len(rows))
    units = [" ".join(r[j] for r in rows[head + 1 : data] if j < len(r) and r[j]) for j in range(len(heading))]
    metadata: dict[str, Any] = _pairs(rows[:head]) | _printed_date(rows)
    stated = next((int(v) for k, v in metadata.items() if k.startswith("Number of results") and v.isdigit()), None)
    lines = [(i, r) for i, r in enumerate(rows[data:], data) if any(r)]
    completeness: Completeness = "unverified"
    warnings: list[str] = []
    if stated is not None:
        completeness = (
            "declared" if len(lines) == stated and ends else "partial" if len(lines) != stated else "unverified"
        )
        if len(lines) != stated:
            warnings.append(f"the heading promises {stated} results, the file has {len(lines)}")
    names = [vocabulary.fold(c) for c in heading]
    at_sample = next(j for j, c in enumerate(names) if c.startswith("samplename"))
    seen: dict[str, int] = {}
    readings = []
    for i, row in lines:
        own, fields = list(warnings), {}
        state = completeness
        if len(row) < len(heading):
            if i != len(rows) - 1 or ends:
                raise source.fail(say("sheet.cells_headings", cells=len(row), headings=len(heading)), f"row {i + 1}")
            state = "partial"
            own.append("the last line ends early: the file was cut")
        elif i == len(rows) - 1 and not ends:
            own.append("the last line has no line end: if the file was cut there, its last number may be short")
        values: list[Value] = []
        meta = dict(metadata)
        for j, cell in enumerate(row[: len(heading)]):
            where = f"row {i + 1}, column {letter(j)} {heading[j]!r}"
            if j == at_sample or names[j] == "seq" or not cell:
                continue
            if names[j] == "sum":
                total = _share(cell, decimal)
                meta["measured_sum" if "before" in units[j] else "oxide_sum_printed"] = total
                if total is not None:
                    values.append(Value("oxide_sum", total, "wt%", where=where))
            elif vocabulary.find(heading[j]) is not None and "(" in units[j]:
                unit = units[j][units[j].rindex("(") :].strip("() ")
                found = _value(source, heading[j], cell, unit, decimal, where)
                if found is not None:
                    values.append(found)
            elif _share(cell, decimal) is not None and "(" in units[j]:
                raise source.fail(say("sheet.no_element", cell=heading[j]), where)
            else:
                meta[heading[j]] = cell
        sample = row[at_sample] if at_sample < len(row) else ""
        seen[sample] = seen.get(sample, 0) + 1
        if sum(r[at_sample : at_sample + 1] == [sample] for _, r in lines) > 1:
            fields["replicate"] = str(seen[sample])
            own.append(f"sample {sample!r} stands several times in the file; numbered as replicates")
        if state != "partial" and not any(v.quantity != "oxide_sum" for v in values):
            own.append("the row holds no concentration")
            state = "partial"
        readings.append(
            Reading(
                "XRF", values=tuple(values), sample=sample, instrument=_instrument(rows),
                method=metadata.get("Selected archive", ""), metadata=meta, warnings=(*own, *_date_warning(rows)),
                completeness=state, fields=fields, where=f"row {i + 1}",
            )
        )  # fmt: skip
    return readings


READER = Reader("xrf_panalytical", "PANalytical SuperQ / Omnian results", (".csv", ".txt"), _sniff, _read, ("XRF",))
