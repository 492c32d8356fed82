"""Words of a kinetic fit in the languages of `wastelab.i18n`."""

from __future__ import annotations

from ...i18n import DEFAULT, tr


def word(key: str, lang: str = DEFAULT, /, **values: object) -> str:
    """Text of a key of the area ``fit``."""
    return tr(f"fit.{key}", lang, **values)


def method_name(method: str, lang: str = DEFAULT) -> str:
    """Name of an isoconversional method as printed."""
    return word(f"method_{method}", lang)


def setting(key: str, value: object, lang: str = DEFAULT) -> str:
    """``"baseline horizontal"``: a setting and its value; values without a text stand as they are."""
    try:
        shown = word(f"value_{value}", lang) if isinstance(value, str | bool) else _plain(value)
    except KeyError:
        shown = str(value)
    return f"{word(f'setting_{key}', lang)} {shown}"


def _plain(value: object) -> str:
    return ", ".join(f"{v:g}" for v in value) if isinstance(value, list) else str(value)
