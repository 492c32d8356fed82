"""Public tables of tests that may be passed on: ``datasets/training/<name>/`` with a ``dataset.toml`` beside the table.

Folders in ``WASTELAB_DATA`` add to them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DatasetError, UnknownNameError, suggest
from ..provenance import Evidence
from .files import find_files, read_toml

if TYPE_CHECKING:
    import pandas as pd

_NEEDED = ("id", "title", "file", "target", "licence", "citation", "evidence")


def training_sets() -> dict[str, dict[str, Any]]:
    """What each set says of itself, by id: title, target, licence, citation, evidence, columns, known traps.

    Raises
    ------
    DatasetError
        If a ``dataset.toml`` lacks a key; names file and key.
    """
    out: dict[str, dict[str, Any]] = {}
    for file in find_files("datasets", "training/*/dataset.toml"):
        about = read_toml(file)
        for key in _NEEDED:
            if not isinstance(about.get(key), str) or not about[key]:
                raise DatasetError(f"{file}: key '{key}' is missing; expected a text.")
        if about["evidence"] not in list(Evidence):
            raise DatasetError(f"{file}: evidence = {about['evidence']!r}; expected one of {', '.join(Evidence)}.")
        out.setdefault(about["id"], about | {"path": str(file.parent / about["file"])})
    return out


def training_set(name: str) -> pd.DataFrame:
    """A public table of tests.

    Parameters
    ----------
    name : str
        See `training_sets`.

    Returns
    -------
    pandas.DataFrame
        One row a test; ``attrs`` say target, licence, origin (citation), evidence and known traps.

    Raises
    ------
    UnknownNameError
        If there is no such set.
    DatasetError
        If its files are damaged.
    """
    import pandas as pd

    known = training_sets()
    if name not in known:
        raise UnknownNameError(f"There is no training set {name!r}.{suggest(name, known)} Sets: {', '.join(known)}.")
    about = known[name]
    file = Path(about["path"])
    try:
        frame = pd.read_csv(file, encoding="utf-8")
    except (OSError, ValueError) as exc:
        raise DatasetError(f"{file}: cannot be read as CSV ({exc}).") from None
    for column in (about["target"], *about.get("columns", ())):
        if column not in frame.columns:
            raise DatasetError(f"{file}: column '{column}' is named in dataset.toml and is not there.")
    frame.attrs.update(
        target=about["target"], licence=about["licence"], origin=about["citation"], evidence=about["evidence"],
        traps=dict(about.get("traps", {})), title=about["title"], title_zh=about.get("title_zh", ""),
    )  # fmt: skip
    return frame
