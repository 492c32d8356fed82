"""Why a test is suggested, and what was left out, in words: keys of the locale files beside the English texts.

A reason is a few notices one after the other. Tables hold it in English, and in ``attrs["said"]`` as plain keys and
values, from which `in_language` writes it in another language.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..i18n import DEFAULT
from .notices import Notice

if TYPE_CHECKING:
    import pandas as pd

#: A reason: notices that are read one after the other.
Said = tuple[Notice, ...]

#: English texts of the notices, by key.
TEXTS: Mapping[str, str] = {
    # why a candidate
    "suggest.middle": "nearest to the middle of the candidates",
    "suggest.farthest": "farthest from what is tested or suggested before ({distance} of the ranges)",
    "suggest.lowers": (
        "lowers the mean variance over the candidates by {share} %, its own prediction being {lower} to {upper}"
    ),
    "suggest.predicted": "predicted {mean} ({lower} to {upper})",
    "suggest.beside": " at {others}",
    "suggest.chance_kept": "; {chance} % chance to keep the limits and beat the best so far",
    "suggest.chance_best": "; {chance} % chance to beat the best so far ({best})",
    "suggest.chance_within": "; {chance} % chance to lie within {low} to {high}",
    "suggest.chance_front": "; {chance} % chance that no test so far is better in everything",
    "suggest.little_known": "; little is known around it",
    "suggest.adds_nothing": "; adds nothing to the tests before it",
    "suggest.outside": "; outside the domain of the model",
    # what a gain is
    "suggest.gain_fill": "distance to the nearest mix tested or suggested before [share of the ranges]",
    "suggest.gain_learn": "share of the mean variance over the candidates that the test removes",
    "suggest.gain_property": "expected improvement of the property on the best so far, beyond the tests before it here",
    "suggest.gain_of": "expected improvement of {of} on the best so far, beyond the tests before it here",
    "suggest.gain_cost": ", per unit of {cost}",
    "suggest.gain_front": (
        "expected growth of the hypervolume [share of the box between the worst and the best value of each objective]"
    ),
    # what was left out, and other things to know
    "suggest.averaged": "uncertainty was averaged over {n} of {all} candidates, drawn with the seed",
    "suggest.no_tests": "no tests were given to compare with: improvement is on the best prediction",
    "suggest.no_gain": "no candidate is expected to improve on the best so far; these come nearest to it",
    "suggest.window_met": (
        "a test so far is within the window already; these are the most likely to lie within it too"
    ),
    "suggest.fewer": "{n} tests were asked for, {left} candidates are left: all are returned",
    "suggest.no_model": (
        "there is no model yet: the candidates are covered evenly, whatever was asked for ('{strategy}')"
    ),
    "suggest.few_results": (
        "{n} results are too few for a model: the candidates are covered evenly, whatever was asked for ('{strategy}')"
    ),
    "suggest.repeated": "{n} candidates repeat an earlier one and count once",
    "suggest.tested": "{n} candidates were tested before",
    "suggest.beyond": "{n} candidates are beyond the limits of {name}",
    "suggest.beyond_unknown": " ({n_unknown} of them because it is not known)",
    "suggest.refused": "{n} candidates are outside the domain of the model and are left out",
    "suggest.all_outside": "all candidates are outside the domain of the model: predictions are extrapolations",
    "suggest.elsewhere": "{n} of {all} tests were not made at {conditions}: nothing is compared with them",
    # first tests of a new laboratory
    "suggest.later": "later ({value} d)",
    "suggest.earlier": "earlier ({value} d)",
    "suggest.more": "more {name} ({value})",
    "suggest.less": "less {name} ({value})",
    "suggest.and": ", ",
    "suggest.than_tests": " than the tests before it",
    "suggest.than_most": " than most candidates",
    "suggest.near_middle": "near the middle of the candidates",
}


def said(name: str, /, **values: str | int | float) -> Said:
    """A reason of one notice.

    Parameters
    ----------
    name : str
        Key without ``"suggest."``.
    **values
        Of its placeholders.
    """
    key = f"suggest.{name}"
    return (Notice(key, TEXTS[key], values),)


def words(reason: Iterable[Notice], lang: str = DEFAULT) -> str:
    """A reason as one text."""
    return "".join(notice.text(lang) for notice in reason)


def keep(table: pd.DataFrame, *, why: Sequence[Said], notes: Sequence[Said] = (), gain: Said = ()) -> None:
    """Put reasons into a table: in English, and as plain keys and values in ``attrs["said"]``."""
    table["why"] = [words(reason) for reason in why]
    table.attrs["said"] = {
        "why": [_plain(reason) for reason in why], "notes": [_plain(note) for note in notes], "gain": _plain(gain),
    }  # fmt: skip


def in_language(table: pd.DataFrame, lang: str) -> pd.DataFrame:
    """A table of suggested or of first tests with its reasons and notes in a language.

    Parameters
    ----------
    table : pandas.DataFrame
        From `wastelab.models.suggest.suggest` or ``first_tests``.
    lang : str
        ``"en"``, ``"zh"`` …

    Returns
    -------
    pandas.DataFrame
        A copy with ``why``, and ``attrs["notes"]`` and ``attrs["gain"]`` where it has them; a table without
        ``attrs["said"]`` as it is.
    """
    told: Mapping[str, Any] | None = table.attrs.get("said")
    if told is None:
        return table
    out = table.copy()
    out["why"] = [words(_notices(reason), lang) for reason in told["why"]]
    if "notes" in table.attrs:
        out.attrs["notes"] = [words(_notices(note), lang) for note in told["notes"]]
        out.attrs["gain"] = words(_notices(told["gain"]), lang)
    return out


def _plain(reason: Said) -> list[list[Any]]:
    return [[notice.key, dict(notice.values)] for notice in reason]


def _notices(plain: Iterable[Sequence[Any]]) -> Said:
    return tuple(Notice(key, TEXTS[key], values) for key, values in plain)
