"""Texts shown to people, in the languages of `locale/`: one TOML file per language.

A new language is one new file. A key that a language lacks falls back to English.
"""

from __future__ import annotations

import locale as _locale
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from .errors import nearest

DEFAULT = "en"


@cache
def _catalogue(lang: str) -> dict[str, dict[str, str]]:
    path = resources.files("wastelab") / "locale" / f"{lang}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def languages() -> list[str]:
    """Codes of the languages there is a file for, e.g. ``["en", "zh"]``."""
    folder = resources.files("wastelab") / "locale"
    return sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml"))


def pick_language(lang: str | None = None) -> str:
    """Resolve a language code: the argument, else ``WASTELAB_LANG``, else the system locale, else English."""
    wanted = lang or os.environ.get("WASTELAB_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG")
    if not wanted:
        wanted = _locale.getlocale()[0] or DEFAULT
    code = wanted.split(".")[0].split("_")[0].split("-")[0].lower()
    return code if code in languages() else DEFAULT


def tr(key: str, lang: str = DEFAULT, /, **values: object) -> str:
    """Text for ``"area.name"`` in `lang`, with ``{placeholders}`` filled from `values`.

    Keys joined by ``+`` (``"sheet.no_number+sheet.expect_number"``) give their texts one after the other.

    Raises
    ------
    KeyError
        If no language has the key (a bug, not a user error).
    """
    if "+" in key:
        return "".join(tr(part, lang, **values) for part in key.split("+"))
    area, name = key.split(".", 1)
    text = _catalogue(lang).get(area, {}).get(name)
    if text is None:
        text = _catalogue(DEFAULT)[area][name]
    return text.format(**values) if values else text


@dataclass(frozen=True, slots=True)
class Message:
    """Something said to people, in every language: the key of its text and what its placeholders hold.

    As a string it is English. Two of them are joined with ``+``; an empty one says nothing.

    Attributes
    ----------
    key : str
        ``"area.name"``, or several joined by ``+``; empty for nothing.
    values : mapping of str to str, int or float
        Shared by the texts of all keys.
    """

    key: str = ""
    values: Mapping[str, str | int | float] = field(default_factory=dict)

    def text(self, lang: str = DEFAULT) -> str:
        """The text in `lang`."""
        return tr(self.key, lang, **self.values) if self.key else ""

    def __str__(self) -> str:
        return self.text()

    def __add__(self, other: Message) -> Message:
        return Message("+".join(k for k in (self.key, other.key) if k), {**self.values, **other.values})

    def __bool__(self) -> bool:
        return bool(self.key)


def say(key: str, /, **values: str | int | float) -> Message:
    """A `Message` of the key ``"area.name"``."""
    return Message(key, values)


def said_by(error: BaseException) -> Message:
    """What an error says, where its text is a `Message`; else its English text as a quotation."""
    first = error.args[0] if error.args else ""
    return first if isinstance(first, Message) else say("sheet.quoted", detail=str(error))


def near(name: str, known: object) -> Message:
    """A question whether the nearest of `known` names was meant; empty where none is near."""
    found = nearest(name, known)
    return say("sheet.did_you_mean", near=found) if found else Message()
