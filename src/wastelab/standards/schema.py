"""Reading the standards: one TOML file each under ``datasets/standards``."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import DatasetError, UnknownNameError, suggest
from ..provenance import Evidence, Source
from ..reference.files import find_files, read_toml
from .limits import NUMERIC_OPS, RULE_OPS, Grade, Limit, Standard

STATUSES = ("in_force", "superseded", "withdrawn", "check")
_TOP = {
    "schema", "id", "title", "title_zh", "edition", "status", "status_note", "topic", "licence", "note", "common",
    "grades",
}  # fmt: skip
_LIMIT = {
    "property", "label", "label_zh", "op", "value", "value2", "unit", "method", "leaching", "decimals", "when",
    "materials", "products", "refers_to", "clause", "note", "source", "evidence", "doi",
}  # fmt: skip


def _canonical(name: str) -> str:
    """Spelling-tolerant key: ``GB6566-2010``, ``gb_6566_2010`` and ``GB 6566-2010`` are the same."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


@cache
def _index() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in find_files("datasets", "standards/*.toml"):
        found.setdefault(_canonical(file.stem), file)
    return found


def list_standards() -> list[str]:
    """Ids of all standards."""
    return sorted(_load(file).id for file in _index().values())


def load_standard(name: str) -> Standard:
    """A standard by id, tolerant of spelling (``"GB6566-2010"``).

    Raises
    ------
    UnknownNameError
        If there is none; suggests a near one.
    DatasetError
        If its file is broken.
    """
    file = _index().get(_canonical(name))
    if file is None:
        known = list_standards()
        raise UnknownNameError(
            f"There is no standard {name!r}.{suggest(name, known)} `wastelab judge --list` lists them."
        )
    return _load(file)


def load_grade(reference: str) -> Grade:
    """A grade by ``"standard/grade"``; the standard may be given alone if it has one grade.

    Raises
    ------
    UnknownNameError
    """
    known = _index()
    # a standard's own id may hold a slash (GB/T 1596-2017/cement_admixture): split at the last one
    head, _, tail = reference.rpartition("/")
    if head and _canonical(head) in known:
        standard = load_standard(head)
        if tail not in standard.grades:
            raise UnknownNameError(
                f"{standard.id} has no grade {tail!r}.{suggest(tail, standard.grades)} "
                f"Grades: {', '.join(standard.grades)}."
            )
        return standard.grades[tail]
    if _canonical(reference) in known:
        standard = load_standard(reference)
        if len(standard.grades) == 1:
            return next(iter(standard.grades.values()))
        raise UnknownNameError(
            f"{standard.id} has several grades; write '{standard.id}/{next(iter(standard.grades))}'. "
            f"Grades: {', '.join(standard.grades)}."
        )
    names = list_standards()
    raise UnknownNameError(
        f"There is no standard {reference!r}.{suggest(head or reference, names)} Write 'standard/grade', e.g. "
        "'GB 6566-2010/main_structure'; `wastelab judge --list` lists them."
    )


@cache
def _load(file: Path) -> Standard:
    standard = standard_from_data(read_toml(file), file)
    if _canonical(standard.id) != _canonical(file.stem):
        raise DatasetError(f"{file}, id: found {standard.id!r}; the file must be named after its id.")
    return standard


def standard_from_data(data: dict[str, Any], file: Path) -> Standard:
    """Check the data of one standards file and build the `Standard`.

    Raises
    ------
    DatasetError
        Names file, grade, limit and field.
    """

    def fail(where: str, problem: str) -> DatasetError:
        return DatasetError(f"{file}, {where}: {problem}")

    for key in data:
        if key not in _TOP:
            raise fail(key, f"unknown key.{suggest(key, _TOP)}")
    for key in ("schema", "id", "title", "edition", "status", "licence", "grades"):
        if key not in data:
            raise fail(key, "is missing.")
    if data["schema"] != 1:
        raise fail("schema", f"found {data['schema']!r}, expected 1.")
    if data["status"] not in STATUSES:
        raise fail("status", f"found {data['status']!r}, expected one of {', '.join(STATUSES)}.")
    common = data.get("common", [])
    own: dict[str, list[Limit]] = {}
    facts: list[Limit] = []
    for grade, table in data["grades"].items():
        for key in table:
            if key not in ("description", "limits", "facts"):
                raise fail(f"grades.{grade}.{key}", "unknown key; expected description, limits, facts.")
        own[grade] = [
            _limit(data, grade, entry, lambda p, n=n, g=grade: fail(f"grades.{g}, limit {n}", p))
            for n, entry in enumerate(table.get("limits", []), start=1)
        ]
        facts += [
            _limit(data, grade, entry, lambda p, n=n, g=grade: fail(f"grades.{g}, fact {n}", p), fact=True)
            for n, entry in enumerate(table.get("facts", []), start=1)
        ]
    for name in common:
        if name not in own:
            raise fail("common", f"there is no grade {name!r}.{suggest(name, own)}")
    grades = {}
    for grade, limits in own.items():
        shared = [] if grade in common else [x for c in common for x in own[c]]
        ordered = sorted([*shared, *limits], key=lambda x: x.op in NUMERIC_OPS)  # rules first, order kept
        grades[grade] = Grade(data["id"], grade, data["grades"][grade].get("description", ""), tuple(ordered))
    return Standard(
        id=data["id"],
        title=data["title"],
        title_zh=data.get("title_zh", ""),
        edition=data["edition"],
        status=data["status"],
        status_note=data.get("status_note", ""),
        topic=data.get("topic", ""),
        note=data.get("note", ""),
        grades=grades,
        facts=tuple(facts),
    )


def _limit(data: dict[str, Any], grade: str, entry: dict[str, Any], fail: Any, *, fact: bool = False) -> Limit:
    for key in entry:
        if key not in _LIMIT:
            raise fail(f"unknown key '{key}'.{suggest(key, _LIMIT)}")
    for key in ("property", "label", "op", "source", "evidence"):
        if not entry.get(key):
            raise fail(f"'{key}' is missing or empty.")
    op = entry["op"]
    if op not in (*NUMERIC_OPS, *RULE_OPS, "="):
        raise fail(f"op {op!r} is not one of {', '.join((*NUMERIC_OPS, *RULE_OPS))}.")
    if op == "=" and not fact:
        raise fail("op '=' states a fact, not a limit; put it under facts.")
    for key in ("value", "value2"):
        if key in entry and (isinstance(entry[key], bool) or not isinstance(entry[key], int | float)):
            raise fail(f"{key} = {entry[key]!r} is not a number; the unit stands in 'unit'.")
    if op in NUMERIC_OPS and "value" not in entry:
        raise fail(f"op {op!r} needs a value.")
    if op == "range" and not ("value2" in entry and entry["value"] <= entry["value2"]):
        raise fail("a range needs value <= value2.")
    try:
        evidence = Evidence(entry["evidence"])
    except ValueError:
        raise fail(f"evidence {entry['evidence']!r} is not one of {', '.join(Evidence)}.") from None
    decimals = entry.get("decimals")
    if decimals is not None and (not isinstance(decimals, int) or not 0 <= decimals <= 9):
        raise fail(f"decimals = {decimals!r}; expected a whole number from 0 to 9.")
    return Limit(
        standard=data["id"],
        edition=data["edition"],
        grade=grade,
        property=entry["property"],
        label=entry["label"],
        label_zh=entry.get("label_zh", ""),
        op=op,
        value=float(entry["value"]) if "value" in entry else None,
        value2=float(entry["value2"]) if "value2" in entry else None,
        unit=entry.get("unit", ""),
        method=entry.get("method", ""),
        leaching=entry.get("leaching", ""),
        decimals=decimals,
        when=entry.get("when", ""),
        materials=tuple(entry.get("materials", ())),
        products=tuple(entry.get("products", ())),
        refers_to=entry.get("refers_to", ""),
        clause=entry.get("clause", ""),
        note=entry.get("note", ""),
        source=Source(entry["source"], evidence, data["edition"], entry.get("doi", ""), data["licence"]),
    )
