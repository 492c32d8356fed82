"""What an error of the property models advises, in the words of the command line.

The models speak to whoever calls them from Python (``drop=[...]``); at the shell the same advice is an option. Phrases
are replaced in the English text; in another language the advice stands once more in that language behind it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import MissingDataError, ModelError, UnknownNameError, ValidityError
from ..i18n import DEFAULT, pick_language, tr

F = TypeVar("F", bound=Callable[..., Any])
_SPOKEN = (ModelError, MissingDataError, UnknownNameError, ValidityError)


def _dropped(found: re.Match[str]) -> str:
    start = ": " if found[0].startswith(" (") else ""
    return start + " ".join(f"--drop {name}" for name in found[1].split(", "))


#: Phrase of a model, the same at the shell, text of ``[model_hint]`` that says it.
_PHRASES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str], str], ...] = tuple(
    (re.compile(pattern), english, key)
    for pattern, english, key in (
        (r"[Nn]ame it age_d,? or age='COLUMN'", "name it age_d, or give --age COLUMN", "age"),
        (r" \(drop=\[(?=')([^]]*)\](?:, or --drop [^)]*)?\)(?: or name the features)?", _dropped, "drop"),
        (r"drop=\[(?=')([^]]*)\]", _dropped, "drop"),
        (r"drop=\[\.\.\.\]", "--drop COLUMN", "drop_any"),
        (r"drop=\[('[^']*'(?:, '[^']*')+)\]", r"--drop for each of \1", "drop_any"),
        (r"units=\{'([^']*)': '([^']*)'\}(?: \(--units '[^']*'\))?", r"--units '\1=\2'", "units"),
        (r"\(or (mix|source|time)=''\)", r"(or give --\1 '')", "without"),
        (r"(?<![\w-])(mix|source|time|age)=(?:\.\.\.|'COLUMN')", r"--\1 COLUMN", "column"),
        (r"(?<![\w-])target='([^']*)'", r"--target \1", "target"),
        (r"use suggest\(candidates, n, strategy='(\w+)'\)", r"use wastelab suggest-tests --strategy \1", "suggest"),
        (r"strategy='(\w+)'", r"--strategy \1", ""),
        (r"use calibrate\(\)", "use wastelab calibrate", "calibrate"),
        (r"overwrite=True \(--overwrite\)|overwrite=True", "--overwrite", "overwrite"),
        (r"save\(path, accepted='REASON'\)", "--accept-worse REASON", ""),
        (r"wastelab\.PropertyModel\(target\)\.fit\(table\)", "wastelab fit TABLE --target COLUMN --out MODEL", ""),
        (r"\bGive y\.", "Name it with --target COLUMN.", "target_any"),
        (r"features=\[\.\.\.\]", "--drop fewer columns", ""),
        (r"Call fit\(table\) first, or load one: wastelab\.load_model\(path\)", "Fit one: wastelab fit", ""),
    )
)  # fmt: skip


def at_the_shell(text: str, language: str) -> str:
    """A message with its advice as options."""
    hints: list[str] = []
    for pattern, english, key in _PHRASES:
        for found in pattern.finditer(text):
            values = {f"v{i + 1}": v for i, v in enumerate(found.groups("")) if v is not None}
            if key and language != DEFAULT:
                if callable(english):
                    values = {"v1": english(found).removeprefix(": ")}
                hints.append(tr(f"model_hint.{key}", language, **values))
        text = pattern.sub(english, text)
    return "\n".join([text, *dict.fromkeys(hints)])


def speaks_shell(command: F) -> F:
    """A command whose errors advise options and not arguments of Python."""

    @functools.wraps(command)
    def called(*args: Any, **options: Any) -> Any:
        try:
            return command(*args, **options)
        except _SPOKEN as exc:
            first = exc.args[0] if exc.args else ""
            if isinstance(first, str):  # and no message that has its own text in each language
                exc.args = (at_the_shell(first, pick_language(options.get("lang"))), *exc.args[1:])
            raise

    return called  # type: ignore[return-value]
