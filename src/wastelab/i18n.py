"""Texts shown to people, in the languages of `locale/`: one TOML file per language.

A new language is one new file. A key that a language lacks falls back to English.
"""

from __future__ import annotations

import locale as _locale
import os
import tomllib
from functools import cache
from importlib import resources

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

    Raises
    ------
    KeyError
        If no language has the key (a bug, not a user error).
    """
    area, name = key.split(".", 1)
    text = _catalogue(lang).get(area, {}).get(name)
    if text is None:
        text = _catalogue(DEFAULT)[area][name]
    return text.format(**values) if values else text
