"""What a model says about itself or its data in words: a key, the values of its placeholders, and the English text.

The key is that of the text in the locale files, so that a card or the command line can say it in another language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..i18n import DEFAULT, Message, tr


@dataclass(frozen=True)
class Notice:
    """One sentence to a person.

    Attributes
    ----------
    key : str
        ``"area.name"`` of the text.
    english : str
        The text with its placeholders.
    values : mapping of str to str, int or float
    """

    key: str
    english: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.english.format(**self.values)

    def text(self, lang: str = DEFAULT) -> str:
        """The text in a language; English where the locale files have none."""
        try:
            return str(self) if lang == DEFAULT else tr(self.key, lang, **self.values)
        except KeyError:
            return str(self)

    @property
    def message(self) -> Message:
        """For `wastelab.i18n`: the same in the languages of the locale files."""
        return Message(self.key, self.values)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"key": self.key, "values": dict(self.values), "text": str(self)}
