"""Files of diffraction laboratories that are recognised in order to refuse them well: Stoe RAW and CIF."""

from __future__ import annotations

import re

from ...errors import UnknownFormatError
from ..base import Reader, Reading, Source

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
    raise UnknownFormatError(
        f"{source.name}: is Stoe RAW ({source.data[:8].decode('latin-1')}), not Bruker RAW, although the extension is "
        "the same. It is not read: in WinXPOW export the pattern as text with two columns (2θ, intensity), .xy or .xye."
    )


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
        raise UnknownFormatError(
            f"{source.name}: is a powder CIF (it has _pd_ data), which is not read; export the pattern as .xy or .xye."
        )
    raise UnknownFormatError(
        f"{source.name}: is a CIF, the description of a crystal structure and not a measurement. "
        "Use it as a reference phase; upload the measured pattern (.xrdml, .raw, .xy …) instead."
    )


READERS = (
    Reader("stoe_raw", "Stoe RAW (recognised, not read)", (".raw",), sniff_stoe, read_stoe, ()),
    Reader("cif", "CIF crystal structure (recognised, not a measurement)", (".cif",), sniff_cif, read_cif, ()),
)
