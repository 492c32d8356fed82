"""Gates: what every upload is checked for before anything of it is stored.

A finding refuses (the raw file goes to quarantine, nothing else is kept) or warns (stored as draft, with the flag).
Texts are under ``[gate]`` and ``[plausibility]`` in the locale files. A gate is an entry of `GATES`; several of one
module share a check that looks at the data once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..drafts import Context, Draft, Finding, Gate
from . import composition, curves, identity, leaching, physical, replicates, schema, uncertainty
from .facts import Check, facts

_SHARED = (
    *schema.GATES, *composition.GATES, *physical.GATES, *uncertainty.GATES, *leaching.GATES, *replicates.GATES,
    *curves.GATES, *identity.GATES,
)  # fmt: skip
_CHECKS: tuple[Check, ...] = tuple(dict.fromkeys(g.check for g in _SHARED))


def _own(gate: Gate) -> Gate:
    """A gate whose check yields its own findings only."""
    name, shared = gate.name, gate.check

    def check(draft: Draft, context: Context) -> Sequence[Finding]:
        return facts(context).findings(draft, shared, name)

    return replace(gate, check=check)


GATES: tuple[Gate, ...] = tuple(_own(g) for g in _SHARED)


def run(drafts: Sequence[Draft], context: Context) -> list[Finding]:
    """Every gate over every draft. Nothing is changed; `Draft.findings` is the caller's.

    Parameters
    ----------
    drafts : sequence of Draft
    context : Context
        Of the whole file or batch, these drafts included.

    Returns
    -------
    list of Finding
        In the order of the drafts, refusals of a draft first.
    """
    out: list[Finding] = []
    for draft in drafts:
        found = [f for check in _CHECKS for f in check(draft, context)]
        if found:
            found.sort(key=lambda f: f.severity != "refuse")
            out.extend(found)
    return out


def gate(name: str) -> Gate | None:
    """The gate of a name, or None."""
    return next((g for g in GATES if g.name == name), None)


def allowable(name: str) -> bool:
    """Whether ``--allow`` may let a refusal of this gate pass; False for names that are no gate."""
    found = gate(name)
    return found is not None and found.allowable


def describe(lang: str = "en") -> list[tuple[str, str, bool]]:
    """Name, title and whether it may be allowed, of every gate."""
    return [(g.name, g.title_zh if lang == "zh" else g.title, g.allowable) for g in GATES]


__all__ = ["GATES", "allowable", "describe", "gate", "run"]
