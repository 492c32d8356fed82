"""Models that come with wastelab: folders in ``datasets/models/``, each with its card and the licence of its data.

Only where data may be passed on is there a model. Folders in ``WASTELAB_DATA`` add a laboratory's own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..errors import DatasetError, UnknownNameError, suggest
from ..reference.files import find_files

if TYPE_CHECKING:
    from .property_model import PropertyModel


def shipped_models() -> dict[str, dict[str, Any]]:
    """Models by name: target, unit, folder.

    Raises
    ------
    DatasetError
        If a ``model.json`` cannot be read.
    """
    out: dict[str, dict[str, Any]] = {}
    for file in find_files("datasets", "models/*/model.json"):
        try:
            body = json.loads(file.read_text(encoding="utf-8"))
            about = {"target": body["target"], "unit": body["unit"], "path": str(file.parent)}
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise DatasetError(f"{file}: is no saved model ({exc}). Save it again with wastelab fit --out.") from None
        out.setdefault(file.parent.name, about)
    return out


def shipped_model(name: str) -> PropertyModel:
    """A model that comes with wastelab, checked file by file as any saved model is.

    Parameters
    ----------
    name : str
        See `shipped_models`.

    Returns
    -------
    PropertyModel
        ``card()`` says what it was fitted to, how well it does on unseen mixes, and where it is valid.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    ModelError
        If a file was changed.
    """
    from .persistence import load_model

    known = shipped_models()
    if name not in known:
        raise UnknownNameError(
            f"There is no shipped model {name!r}.{suggest(name, known)} Models: {', '.join(known) or 'none'}. For your "
            f"own tests fit one: wastelab.PropertyModel(target).fit(table)."
        )
    model: PropertyModel = load_model(known[name]["path"])
    return model
