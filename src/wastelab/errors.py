"""One tree of errors. Every message says where, what was found, what was expected, and what to do.

Anything a user can cause (a bad file, an unknown material, an impossible recipe) is a
`WastelabError`; the command line prints it and exits with code 2. Anything else is a bug.
"""

from __future__ import annotations

from collections.abc import Mapping


class WastelabError(Exception):
    """Root of all errors a user can cause.

    Parameters
    ----------
    message : str or Message
        What is wrong, with where it stands, what was expected and what to do; a `wastelab.i18n.Message` where there
        is a text in every language.
    """


class UnitError(WastelabError, ValueError):
    """A quantity without a unit where one is needed, or with a unit of the wrong kind."""


class CompositionError(WastelabError, ValueError):
    """A chemical composition that cannot be: negative content, impossible sum, unknown formula or basis."""


class ValidityError(WastelabError, ValueError):
    """A published formula was asked about something outside the range it was published for."""


class MissingDataError(WastelabError, ValueError):
    """A value that was never measured is needed; says what to measure."""


class FractionSumError(WastelabError, ValueError):
    """Fractions of a mix do not sum to one."""


class DatasetError(WastelabError, ValueError):
    """A file or row of a dataset breaks its schema or is physically impossible."""


class UnknownNameError(WastelabError, KeyError):
    """A name (material, standard, grade, route, criterion, property) that does not exist; suggests near ones."""

    def __str__(self) -> str:  # KeyError would print the repr
        return str(self.args[0]) if self.args else ""


class RecipeError(WastelabError, ValueError):
    """A recipe file that cannot be run; names file, line and key."""


class StudyError(WastelabError, ValueError):
    """A study file that is damaged, incomplete or of an unknown version."""


class ModelError(WastelabError, ValueError):
    """Tests that no property model can be fitted to, a model that cannot predict what was asked, or a damaged model."""


class InstrumentError(WastelabError, ValueError):
    """An instrument file that is damaged, truncated, or not what it claims; names the file and the place.

    Parameters
    ----------
    message : str
        In English, with file and place.
    key : str
        Of the text without file and place in the locale files; empty where there is only the English one.
    values : mapping
        For the placeholders of that text.
    file, where : str
        Where they are known apart from the message.
    """

    def __init__(
        self,
        message: object = "",
        *,
        key: str = "",
        values: Mapping[str, str | int | float] | None = None,
        file: str = "",
        where: str = "",
    ) -> None:
        super().__init__(message)
        self.key = key
        self.values = dict(values or {})
        self.file = file
        self.where = where


class UnknownFormatError(InstrumentError):
    """A file whose content no reader knows."""


class SeveralReadingsError(InstrumentError):
    """A file with several scans or samples where one was asked for."""


class LabError(WastelabError):
    """A laboratory store that cannot do what was asked; says why and what to do."""


class UploadError(LabError):
    """An upload that was refused: nothing of it was stored but the raw file in quarantine."""


class IntegrityError(LabError):
    """A stored file or row that does not match its hash or the audit chain."""


def suggest(name: str, known: object) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest of `known` names, or an empty string.

    Parameters
    ----------
    name : str
        What was typed.
    known : iterable of str
        The names that exist.
    """
    found = nearest(name, known)
    return f" Did you mean '{found}'?" if found else ""


def nearest(name: str, known: object) -> str:
    """The nearest of `known` names, or an empty string."""
    import difflib

    found = difflib.get_close_matches(name, [str(k) for k in known], n=1, cutoff=0.5)  # type: ignore[attr-defined]
    return found[0] if found else ""
