"""Headings and codes of tables in the words of a language; ``--json`` keeps the codes.

The words stand under ``[column]`` and ``[word]`` of the locale files; what has none is shown as it is.
"""

from __future__ import annotations

import json

from ..i18n import DEFAULT, tr

#: Columns whose values are codes of `wastelab` with words of their own.
_CODED = {
    "status", "state", "entity", "target_kind", "relation", "change", "basis", "completeness", "visibility", "flag",
    "direction", "severity",
}  # fmt: skip


def heading(name: str, lang: str) -> str:
    """The heading of a column."""
    return name if lang == DEFAULT else _known("column", name, lang)


def words(column: str, value: object, lang: str) -> object:
    """A cell as people read it: lists instead of JSON, codes in words."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        return _plain(column, value, lang)
    if type(value).__name__ in ("bool", "bool_"):  # Python's and NumPy's
        return _known("word", "yes" if value else "no", lang) if lang != DEFAULT else value
    if lang == DEFAULT or not isinstance(value, str) or not value:
        return value
    if column in ("waste_class", "kind"):
        found = _known("ledger", f"{'class' if column == 'waste_class' else 'kind'}_{value}", lang)
        return value if found.endswith(f"_{value}") else found
    if column in ("action", "relation"):
        return "".join(_known("word", part, lang) for part in value.split(" "))
    if column == "flags":
        return _gate(value, lang)
    return _known("word", value, lang) if column in _CODED else value


def _known(area: str, name: str, lang: str) -> str:
    try:
        return tr(f"{area}.{name.replace('.', ' ').replace('+', ' ')}", lang)
    except KeyError:
        return name


def _gate(name: str, lang: str) -> str:
    from ..lab.gates import gate

    found = gate(name)
    return (found.title_zh if found and lang == "zh" else "") or _known("word", name, lang)


def _plain(column: str, text: str, lang: str) -> str:
    """Structured text of the catalogue as names and values."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return text
    if column == "flags" and isinstance(found, list):
        return ", ".join(_gate(str(item), lang) if lang != DEFAULT else str(item) for item in found)
    if column == "detail":  # what changed from what to what
        return text
    return _listed(found)


def _listed(found: object) -> str:
    if isinstance(found, dict):
        return ", ".join(f"{k} {_listed(v)}" for k, v in found.items())
    if isinstance(found, list):
        return "; ".join(_listed(item) for item in found)
    return str(found)
