"""Models of several properties as a folder of model folders.

``models.json`` names the models with their fingerprints and holds what they share; ``models.sha256`` is its hash. Each
model's own folder is that of `wastelab.models.persistence` and loads by itself. Nothing is run in loading.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ModelError
from .directory import from_json, to_json
from .notices import Notice
from .persistence import load_model, save_model
from .residual_bond import ResidualBond
from .sharing import Sharing

if TYPE_CHECKING:
    from .multi import PropertyModels

SCHEMA = 1
BODY, HASH = "models.json", "models.sha256"
_LIMIT = 64 << 20
_AGAIN = "Fetch or save the models again; changed models are never loaded."


def save_models(
    models: PropertyModels,
    path: str | Path,
    *,
    with_data: bool = True,
    overwrite: bool = False,
    created: str = "",
    accepted: str = "",
) -> str:
    """Save fitted models of several properties.

    Parameters
    ----------
    models : PropertyModels
    path : str or Path
        Folder that is made.
    with_data : bool
        Keep the tests. Without them a mix that was among the tests is predicted as a new one; errors of the tests,
        from which properties learn of each other, are kept.
    overwrite : bool
        Replace models of that name; a folder with anything else in it is never replaced.
    created : str
        When, as ISO text.
    accepted : str
        Why models are kept that are no better than a trivial prediction; their cards say so.

    Returns
    -------
    str
        Fingerprint.

    Raises
    ------
    ModelError
        If they are not fitted, one is no better than a trivial prediction and nobody said why it is kept, or something
        is there already.
    """
    fitted = models._fitted()
    place = Path(path)
    _check_place(place, overwrite)
    place.parent.mkdir(parents=True, exist_ok=True)
    work = place.parent / f".{place.name}.{secrets.token_hex(8)}.tmp"
    try:
        work.mkdir()
        folders = {}
        for number, (name, model) in enumerate(fitted.items()):
            folder = f"{number + 1:02d}"
            mark = save_model(model, work / folder, with_data=with_data, created=created, accepted=accepted)
            folders[name] = {"folder": folder, "fingerprint": mark}
        body = to_json({
            "schema": SCHEMA, "kind": "PropertyModels", "models": folders, "order": list(models.order_),
            "parameters": _parameters(models), "bond": models.bond_.to_dict(),
            "sharing": {name: s.to_dict() for name, s in models.sharing_.items()},
            "notices": [{"key": n.key, "english": n.english, "values": dict(n.values)} for n in models.notices_],
        })  # fmt: skip
        fingerprint = hashlib.sha256(body).hexdigest()
        (work / BODY).write_bytes(body)
        (work / HASH).write_text(fingerprint + "\n", encoding="ascii")
        if place.exists():
            old = place.parent / f".{place.name}.{secrets.token_hex(8)}.previous"
            place.rename(old)
            work.rename(place)
            shutil.rmtree(old)
        else:
            work.rename(place)
    except OSError as exc:
        raise ModelError(f"{place}: cannot be written ({exc}). Free some space or give another folder.") from exc
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return fingerprint


def load_models(path: str | Path, *, fingerprint: str = "") -> PropertyModels:
    """Load what `save_models` saved.

    Parameters
    ----------
    path : str or Path
    fingerprint : str
        That the folder must have, as whoever saved it says.

    Returns
    -------
    PropertyModels

    Raises
    ------
    ModelError
        If anything was changed, added or removed, or the folder is of another version.
    """
    from .multi import PropertyModels

    place = Path(path)
    body, found = _read(place)
    if fingerprint and found != fingerprint.strip().lower():
        raise ModelError(
            f"{place}: are whole models, but others: their fingerprint is {found}, expected was {fingerprint}."
        )
    try:
        if body["schema"] != SCHEMA or body["kind"] != "PropertyModels":
            raise ModelError(
                f"{place / BODY}: is of version {body['schema']!r}, kind {body['kind']!r}; this version of wastelab "
                f"reads {SCHEMA}, PropertyModels."
            )
        folders = {name: (str(m["folder"]), str(m["fingerprint"])) for name, m in body["models"].items()}
        _check_entries(place, [folder for folder, _ in folders.values()])
        models = PropertyModels(**body["parameters"])
        models.models_ = {
            name: load_model(place / folder, fingerprint=mark) for name, (folder, mark) in folders.items()
        }
        models.order_ = tuple(body["order"])
        models.sharing_ = {name: Sharing.from_dict(s) for name, s in body["sharing"].items()}
        models.bond_ = ResidualBond.from_dict(body["bond"])
        models.notices_ = tuple(Notice(n["key"], n["english"], n["values"]) for n in body["notices"])
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        if isinstance(exc, ModelError):
            raise
        raise ModelError(f"{place / BODY}: does not describe models ({type(exc).__name__} {exc}). {_AGAIN}") from exc
    if set(models.order_) != set(models.models_) or set(models.bond_.targets) != set(models.models_):
        raise ModelError(f"{place / BODY}: its parts speak of different properties. {_AGAIN}")
    models.gain_ = models.bond_.gain()
    return models


def _parameters(models: PropertyModels) -> dict[str, Any]:
    """Constructor arguments as plain values."""
    out: dict[str, Any] = {}
    for name, value in models.get_params().items():
        plain = dict(value) if isinstance(value, Mapping) else value
        out[name] = list(plain) if isinstance(plain, list | tuple) else plain
    return out


def _check_place(place: Path, overwrite: bool) -> None:
    if not place.exists() and not place.is_symlink():
        return
    if place.is_symlink() or not place.is_dir():
        raise ModelError(f"{place}: is a file or a link; give the name of a new folder.")
    names = {entry.name for entry in place.iterdir()}
    if names and not ({BODY, HASH} <= names and all(n.isdigit() for n in names - {BODY, HASH})):
        raise ModelError(f"{place}: is a folder with other files in it and is left alone; give the name of a new one.")
    if names and not overwrite:
        raise ModelError(f"{place}: there are models already. Give another name, or overwrite=True to replace them.")


def _read(place: Path) -> tuple[Any, str]:
    """models.json whose hash is right, and that hash."""
    for name in (BODY, HASH):
        file = place / name
        if file.is_symlink() or not file.is_file():
            raise ModelError(f"{place}: has no {name}, so that it holds no models of several properties. {_AGAIN}")
    if (place / BODY).stat().st_size > _LIMIT:
        raise ModelError(f"{place / BODY}: is larger than {_LIMIT} bytes. {_AGAIN}")
    data = (place / BODY).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if (place / HASH).read_bytes()[:64] != found.encode():
        raise ModelError(f"{place / BODY}: is not as it was saved. {_AGAIN}")
    return from_json(data, str(place / BODY)), found


def _check_entries(place: Path, folders: list[str]) -> None:
    for entry in place.iterdir():
        if entry.is_symlink() or entry.name not in {BODY, HASH, *folders}:
            raise ModelError(f"{entry}: does not belong to these models. {_AGAIN}")
    wrong = [f for f in folders if not (f.isascii() and f.isdigit())]
    if wrong:
        raise ModelError(f"{place / BODY}: {wrong[0]!r} is no folder of a model. {_AGAIN}")
