"""Files of diffraction laboratories that are recognised in order to refuse them well: Stoe RAW and CIF."""

from __future__ import annotations

import re

from ...errors import UnknownFormatError
from ...i18n import say
from ..base import Reader, Reading, Source, failure

_CIF = re.compile(rb"^data_\S*\s*$", re.M | re.I)
_CIF_TAGS = re.compile(
    rb"^\s*_(?:cell_|atom_site|symmetry_|space_group|chemical_|pd_|publ_|journal_|audit_)\w*", re.M | re.I
)


def sniff_stoe(source: Source) -> int:
    """Certain by the magic number ``RAW_1.``."""
    return 100 if source.data.startswith(b"RAW_1.") else 0


def read_stoe(source: Source) -> list[Reading]:
    """Refuse it, saying what to export.

    Raises
    ------
    UnknownFormatError
    """
    version = source.data[:8].decode("latin-1")
    raise failure(source.name, say("sheet.stoe_raw", version=version), kind=UnknownFormatError)


def sniff_cif(source: Source) -> int:
    """A data block with tags of the CIF dictionaries."""
    head = source.head
    if b"\0" in head:
        return 0
    return 90 if _CIF.search(head) and _CIF_TAGS.search(head) else 0


def read_cif(source: Source) -> list[Reading]:
    """Refuse it, saying whether it is a structure or a pattern.

    Raises
    ------
    UnknownFormatError
    """
    if re.search(rb"^\s*_pd_(?:meas|proc)_", source.data, re.M | re.I):
        raise failure(source.name, say("sheet.powder_cif"), kind=UnknownFormatError)
    raise failure(source.name, say("sheet.structure_cif"), kind=UnknownFormatError)


READERS = (
    Reader("stoe_raw", "Stoe RAW (recognised, not read)", (".raw",), sniff_stoe, read_stoe, ()),
    Reader("cif", "CIF crystal structure (recognised, not a measurement)", (".cif",), sniff_cif, read_cif, ()),
)
