"""Where a number comes from, and how far it is trusted.

Every number taken from a standard, a paper or a table carries a `Source`; a result is as trusted as
the weakest source that decided it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Evidence(StrEnum):
    """How a value became known, best first."""

    PRIMARY = "primary"  #: read in the standard or the paper itself, or measured by the user
    COMPUTED = "computed"  #: follows from definitions (atomic weights, stoichiometry)
    SECONDARY = "secondary"  #: read where somebody quotes the original (abstract, review, web page, data table)
    MEMORY = "memory"  #: typical value from memory, unverified
    RECIPE = "recipe"  #: typed by the user in a recipe or override, without a source

    @property
    def rank(self) -> int:
        """0 for the best level; larger is weaker."""
        return list(Evidence).index(self)


def weakest(levels: Iterable[Evidence | str]) -> Evidence:
    """Return the weakest of the evidence levels (`PRIMARY` if there is none)."""
    return max((Evidence(level) for level in levels), key=lambda e: e.rank, default=Evidence.PRIMARY)


@dataclass(frozen=True, slots=True)
class Source:
    """A citation and how far it is trusted.

    Attributes
    ----------
    text : str
        Citation a person can follow.
    evidence : Evidence
        How the value was obtained from it.
    edition, doi, licence, note : str
        Empty where not applicable.
    """

    text: str
    evidence: Evidence
    edition: str = ""
    doi: str = ""
    licence: str = ""
    note: str = ""

    def __str__(self) -> str:
        doi = f", doi:{self.doi}" if self.doi else ""
        return f"{self.text}{doi} [{self.evidence}]"
