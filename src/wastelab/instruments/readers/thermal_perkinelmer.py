"""PerkinElmer Pyris text exports (TGA, STA, DSC): header, method, then numbered stages of one continuous run.

All stages are kept in one reading with a `stage` variable. The header states the total number of points, which is
checked. Pyris prints no units for the columns; it writes minutes, mg, mW and mL/min, which the reading says.
"""

from __future__ import annotations

import re

import numpy as np

from ..base import Completeness, Reader, Reading, Source, Value, Variable
from .thermal_columns import (
    Lines,
    add,
    day_time,
    decode,
    finish,
    head_text,
    leading_number,
    need_rows,
    number_table,
    slug,
)

_STAGE = re.compile(r"^(\d+)\)\s+([A-Z]{2,4}\b.*?)\s*$")
_ROW = re.compile(r"^\t\s*[+-]?[\d.]")
_KNOWN = {
    "time": ("time", "s"),
    "unsubtracted weight": ("mass", "mg"),
    "weight": ("mass", "mg"),
    "baseline weight": ("baseline_mass", "mg"),
    "program temperature": ("program_temperature", "degC"),
    "sample temperature": ("temperature", "degC"),
    "sample purge flow": ("gas_flow_sample", "mL/min"),
    "balance purge flow": ("gas_flow_balance", "mL/min"),
    "gas flow": ("gas_flow", "mL/min"),
    "heat flow": ("heat_flow", "mW"),
    "unsubtracted heat flow": ("heat_flow", "mW"),
    "baseline heat flow": ("baseline_heat_flow", "mW"),
}


def _sniff(source: Source) -> int:
    text = head_text(source)
    if not text.startswith("Filename:\t") or "Method Steps:" not in text:
        return 0
    return 100 if "Total Points in Run:" in text or "Pyris" in text else 60


def _header(lines: Lines, stop: int) -> tuple[dict[str, object], list[str]]:
    meta: dict[str, object] = {}
    steps: list[str] = []
    section = ""
    in_steps = False
    for line in lines.lines[:stop]:
        body = line.strip()
        if body == "Method Steps:":
            in_steps = True
        elif in_steps:
            if body:
                steps.append(body)
        elif "\t" in line.rstrip() and ":" in line:
            key, _, value = line.partition("\t")
            key = key.strip().rstrip(":")
            meta[f"{section}: {key}" if key in meta or (section and key in ("By", "Date")) else key] = (
                value.strip().replace("\t", " ")
            )
        elif body and ":" in body:
            key, _, value = body.partition(":")
            meta[key.strip()] = value.strip()
        elif body:
            section = body
    return meta, steps


def _read(source: Source) -> list[Reading]:
    lines = Lines.of(decode(source, "Total Points in Run", "Method Steps"))
    starts: list[tuple[int, int, str]] = []
    first = None
    for index, line in enumerate(lines.lines):
        match = _STAGE.match(line)
        if match and re.match(r"(?:TGA|DSC|DTA|STA|TG)\b", match[2]):
            first = index if first is None else first
            starts.append((index, int(match[1]), match[2]))
    if first is None:
        raise source.fail("is a Pyris export without any stage of data; it is cut. Export it again.")
    if [n for _, n, _ in starts] != list(range(1, len(starts) + 1)):
        raise source.fail(f"stages are numbered {[n for _, n, _ in starts]}; expected 1, 2, 3 … Export it again.")
    meta, steps = _header(lines, first)
    if len(lines.lines) < first + 4:
        raise source.fail("is cut within its column headings. Export it again.", f"line {first + 1}")
    upper, lower = ([c.strip() for c in lines.lines[first + k].split("\t")[1:]] for k in (1, 2))
    width = max(len(upper), len(lower))
    names = [" ".join(p for p in (*upper[k : k + 1], *lower[k : k + 1]) if p) for k in range(width)]
    if not names or names[0].lower() != "time":
        raise source.fail(f"first column is {names[:1]}; expected 'Time'.", f"line {first + 2}")
    rows, stages = [], []
    bounds = [s for s, _, _ in starts] + [len(lines.lines)]
    after = len(lines.lines)
    for k, (start, number, _) in enumerate(starts):
        for index in range(start + (3 if k == 0 else 1), bounds[k + 1]):
            if _ROW.match(lines.lines[index]) and index < after:
                rows.append(index)
                stages.append(number)
            elif k == len(starts) - 1:
                after = min(after, index)
                break
            elif lines.lines[index].strip():
                raise source.fail(f"{lines.lines[index].strip()[:60]!r} is no row of numbers.", f"line {index + 1}")
    table = number_table(source, lines, rows, names, lambda line: line.split("\t")[1:])
    need_rows(source, len(table.data), "Pyris")
    warnings: list[str] = []
    found = len(table.data)
    total = str(meta.get("Total Points in Run", ""))
    if total.isdigit() and found > int(total):
        raise source.fail(f"states {total} points but holds {found}; the file is damaged. Export it again.")
    declared = total.isdigit() and found == int(total)
    completeness: Completeness = finish(table.cut, declared, warnings)
    if total.isdigit() and found < int(total):
        warnings.append(f"the header states {total} points; {found} are there")
        completeness = "partial"
    variables: dict[str, Variable] = {}
    for k, heading in enumerate(names):
        name, units = _KNOWN.get(heading.lower(), (slug(heading), "unknown"))
        data = table.data[:, k] * 60.0 if name == "time" else table.data[:, k]
        if units == "unknown":
            warnings.append(f"column {heading!r}: its unit is not known")
        add(variables, name, ("time",), data, units, heading)
    add(variables, "stage", ("time",), np.array(stages[:found], dtype=np.int32), "1", "stage of the run")
    weight = leading_number(str(meta.get("Sample Weight", "")))
    values = (
        [Value("sample_mass", weight[0], weight[1], text=str(meta["Sample Weight"]), where="header 'Sample Weight'")]
        if weight
        else []
    )
    measured, problem = day_time(str(meta.get("Data Collected", "")))
    if problem:
        warnings.append(problem)
    tail = [line.strip() for line in lines.lines[after:] if line.strip()]
    profile = dict(part.split("\t", 1) for part in tail if part.count("\t") == 1)
    meta |= {
        "heating program": steps,
        "stages": [title for _, _, title in starts],
        "calibration and profile": tail,
        "units": "not printed by Pyris, which writes minutes, mg, mW, degC and mL/min; time was multiplied by 60",
    }
    return [
        Reading(
            "TG",
            variables,
            values,
            sample=str(meta.get("Sample ID", "")),
            measured_at=measured,
            operator=str(meta.get("Operator ID", "")),
            instrument=" ".join(
                p for p in ("PerkinElmer", profile.get("Firmware Version", ""), str(meta.get("Serial Number", ""))) if p
            ),
            metadata=meta,
            warnings=warnings,
            completeness=completeness,
        )
    ]


READER = Reader("perkinelmer_pyris", "PerkinElmer Pyris text export", (".txt",), _sniff, _read, ("TG",))
