"""A leachate is what its method makes of a waste: without a known method it cannot be stored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from ..drafts import Context, Draft, Finding, Gate
from .facts import technique

#: Other names of methods of the vocabulary.
_ALIASES = {
    "EPA1311": "TCLP",
    "USEPA1311": "TCLP",
    "EPAMETHOD1311": "TCLP",
    "硫酸硝酸法": "HJT299",
    "醋酸缓冲溶液法": "HJT300",
    "水平振荡法": "HJ557",
    "翻转法": "GB50861",
}


@cache
def _plain(text: str) -> str:
    return re.sub(r"[^0-9A-Z\u4e00-\u9fff]", "", text.upper())


@cache
def _method(code: str, text: str) -> str:
    """The vocabulary's method that a text names, edition and spelling aside, or an empty text."""
    kind = technique(code)
    if kind is None:
        return ""
    written = _plain(text)
    for alias, method in _ALIASES.items():
        if written.startswith(alias):
            written = method + written[len(alias) :]
    return max((m for m in kind.methods if _plain(m) in written), key=len, default="")


def known_method(code: str, text: str) -> bool:
    """Whether a text names a method that the vocabulary has for a technique, edition and spelling aside."""
    return bool(_method(code, text))


def canonical_method(code: str, text: str) -> str:
    """The method as the vocabulary writes it where the technique needs one (``"HJT299-2007"`` gives ``"HJ/T 299"``).

    What the vocabulary does not know, and methods of other techniques, stay as they are written.
    """
    kind = technique(code)
    if kind is None or not kind.needs_method:
        return text
    return _method(code, text) or text


def check(draft: Draft, context: Context) -> Iterator[Finding]:
    """Refuse results whose technique needs a method that is not given."""
    code = draft.record["technique"]
    kind = technique(code)
    if kind is None or not kind.needs_method or not draft.values:
        return
    method = str(draft.record.get("method") or "").strip()
    if method and known_method(code, method):
        return
    key = "gate.method_unknown" if method else "gate.method_missing"
    yield draft.finding(
        "leaching_method", "refuse", key, "gate.remedy_method", method=method, technique=kind.title,
        technique_zh=kind.title_zh, known=", ".join(kind.methods),
    )  # fmt: skip


GATES = (Gate("leaching_method", check, True, "Leaching result without its method", "浸出结果未注明方法"),)
