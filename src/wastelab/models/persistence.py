"""Models as folders of JSON, plain arrays and tables: saved whole, loaded without running code, refused when changed.

``model.json`` says what the model is, ``arrays.npz`` holds its numbers, ``training.csv`` the tests where they may be
kept, ``card.json`` and ``card.md`` what it is good for, ``manifest.json`` the hash of each. A model predicts to the
last bit what it predicted before; scikit-learn's own objects are not stored, so that its version does not matter.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from .card import ModelCard, card_of, is_reason, model_card, package_versions
from .directory import SCHEMA, Files, from_json, read_folder, to_json, write_folder
from .state import DTYPES, PARTS, Arrays, pack, part, unpack
from .table import TrainingData
from .training_file import describe, read_training, write_training

#: Classes that a folder may hold.
KINDS = ("PropertyModel",)
#: What of a model repeats its tests row by row, and goes with them.
_ROWS = ("oof_", "oof_source_")
#: What is kept in files of its own, or belongs to one folder.
_OWN = ("card_", "fingerprint_", "columns_")
_NAME = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")


@dataclass(frozen=True)
class ModelCheck:
    """A saved model whose files are as they were saved.

    Attributes
    ----------
    path : Path
    fingerprint : str
        SHA-256 over the list of files. Whoever wants to know that a folder is the one that somebody else saved compares
        this with what they were told; a folder cannot vouch for itself.
    kind, target, unit : str
    data_sha256 : str
        Of the tests the model was fitted to.
    with_data : bool
        Whether the tests are in the folder.
    n_arrays, n_bytes : int
    versions : mapping of str to str
        Of the packages it was fitted with.
    created : str
        As the caller gave it; empty where none was given.
    files : mapping of str to str
        SHA-256 by file name.
    """

    path: Path
    fingerprint: str
    kind: str
    target: str
    unit: str
    data_sha256: str
    with_data: bool
    n_arrays: int
    n_bytes: int
    versions: Mapping[str, str]
    created: str
    files: Mapping[str, str]

    def report(self) -> str:
        """What a person reads."""
        unit = f" [{self.unit}]" if self.unit else ""
        kept = "with its tests" if self.with_data else "without its tests"
        return "\n".join(
            [
                f"{self.path}: {self.kind} of {self.target}{unit}, {kept}: every file is as it was saved",
                f"  fingerprint {self.fingerprint}",
                f"  data        {self.data_sha256}",
                f"  {self.n_arrays} arrays, {self.n_bytes} bytes in {len(self.files)} files",
            ]
        )

    def __str__(self) -> str:
        return self.report()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "path": str(self.path), "versions": dict(self.versions), "files": dict(self.files)}


def save_model(
    model: Any,
    path: str | Path,
    *,
    with_data: bool = True,
    overwrite: bool = False,
    created: str = "",
    accepted: str = "",
) -> str:
    """Save a fitted model as a folder.

    Parameters
    ----------
    model : PropertyModel
    path : str or Path
        Folder that is made; the ones above it too.
    with_data : bool
        Keep the tests in the folder. Without them the model predicts as before, but cannot be fitted again, show the
        influence of tests, or suggest new ones.
    overwrite : bool
        Replace a model of that name.
    created : str
        When, as ISO text. Left out where it is not given, so that the same model gives the same bytes.
    accepted : str
        Why a model is kept that is no better than a trivial prediction; its card says so after its first line.

    Returns
    -------
    str
        Fingerprint of the folder.

    Raises
    ------
    ModelError
        If the model is not fitted or holds what cannot be stored, is no better than a trivial prediction and nobody
        said why it is kept, there is a model already, or nothing can be written.

    Notes
    -----
    A folder without tests is not anonymous: a Gaussian process predicts from the mixes and results it was fitted to,
    and holds them, scaled, among its numbers; intervals hold results and errors.
    """
    name = type(model).__name__
    if name not in KINDS or part(name) is not type(model):
        raise ModelError(f"A {name} is not a model that can be saved. Models: {', '.join(KINDS)}.")
    data = getattr(model, "data_", None)
    if data is None and getattr(model, "effect_", None) is not None:  # calibrated since it was loaded without tests
        data, with_data = model.columns_, False
    if data is None:
        raise ModelError(
            f"This {name} holds no tests: fit it before it is saved; a model that was loaded without its tests is "
            f"copied as a folder."
        )
    given: dict[str, Any] = {"data": data}
    if not with_data:
        given |= {n: getattr(model, n, None) for n in _ROWS}
    how = "state" if hasattr(model, "to_state") else "attributes"
    tree = (
        model.to_state() if how == "state" else {k: v for k, v in vars(model).items() if k not in _OWN and k[0] != "_"}
    )
    state, arrays = pack({"how": how, "state": tree, "columns": columns_only(data)}, given)
    card = _accepted(model, accepted)
    body: dict[str, Any] = {
        "schema": SCHEMA, "kind": name, "target": data.name, "unit": data.unit,
        "data_sha256": card.content["data"]["sha256"],
        "state": state, "training": describe(data) if with_data else None, "versions": package_versions(),
        "created": created,
        "arrays": {
            n: {"dtype": a.dtype.str, "shape": list(a.shape), "finite": bool(np.isfinite(a).all())}
            for n, a in arrays.items()
        },
    }  # fmt: skip
    content = {
        "model.json": to_json(body), "arrays.npz": _to_npz(arrays), "card.json": to_json(card.to_dict()),
        "card.md": card.markdown("en").encode(), "card.zh.md": card.markdown("zh").encode(),
    }  # fmt: skip
    if with_data:
        content["training.csv"] = write_training(data)
    return write_folder(Path(path), content, overwrite=overwrite)


def load_model(path: str | Path, *, fingerprint: str = "") -> Any:
    """Load a model that `save_model` saved. Nothing in the folder is run.

    Parameters
    ----------
    path : str or Path
        Folder.
    fingerprint : str
        That the folder must have, as whoever saved it says; not compared where it is empty.

    Returns
    -------
    PropertyModel
        Predicts to the last bit what the saved one did. ``data_`` is None where the tests were not kept.

    Raises
    ------
    ModelError
        If any file was changed, added, removed, cut short or replaced by a link, if sizes or numbers are not those
        declared, or if the folder was saved by a version that writes another layout.
    """
    files = read_folder(Path(path))
    if fingerprint and files.fingerprint != fingerprint.strip().lower():
        raise ModelError(
            f"{path}: is a whole model, but another one: its fingerprint is {files.fingerprint}, expected was "
            f"{fingerprint}. Ask whoever gave it to you."
        )
    body, arrays, data = _contents(files)
    place = files.path / "model.json"
    try:
        given: dict[str, Any] = {"data": data, **dict.fromkeys(_ROWS)}
        stored = unpack(body["state"], arrays, given)
        cls = part(body["kind"])
        if stored["how"] == "state":
            model = cls.from_state(*stored["state"])
        else:
            model = cls.__new__(cls)
            vars(model).update(stored["state"])
    except ModelError as exc:
        raise ModelError(f"{place}: {exc}") from exc
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as exc:
        raise ModelError(
            f"{place}: no model can be made of it ({type(exc).__name__}: {exc}). Load it with the version of wastelab "
            f"that saved it ({body['versions'].get('wastelab', 'unknown')})."
        ) from exc
    if data is None:
        model.columns_ = stored["columns"]
    model.card_ = _card(files)
    model.fingerprint_ = files.fingerprint
    return model


def verify_model(path: str | Path) -> ModelCheck:
    """Check a saved model without making it.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    ModelCheck

    Raises
    ------
    ModelError
        As `load_model`.
    """
    files = read_folder(Path(path))
    body, arrays, data = _contents(files)
    return ModelCheck(
        path=files.path, fingerprint=files.fingerprint, kind=body["kind"], target=body["target"], unit=body["unit"],
        data_sha256=body["data_sha256"], with_data=data is not None, n_arrays=len(arrays),
        n_bytes=sum(map(len, files.content.values())), versions=body["versions"], created=body["created"],
        files=files.sha256,
    )  # fmt: skip


def read_card(path: str | Path) -> ModelCard:
    """The card of a saved model, after every hash of its folder was checked.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    ModelCard

    Raises
    ------
    ModelError
        As `load_model`.
    """
    return _card(read_folder(Path(path)))


def columns_only(data: TrainingData) -> TrainingData:
    """What a model must know of its table to read another one: one row that shows columns, units and gaps, no result.

    Parameters
    ----------
    data : TrainingData

    Returns
    -------
    TrainingData
        Of one row: 0 in a column without gaps, NaN in one with gaps, an empty text in one of texts.
    """
    import pandas as pd

    row: dict[str, Any] = {}
    for name in data.features.columns:
        column = data.features[name]
        if not pd.api.types.is_float_dtype(column.dtype):
            row[name] = pd.Series([""], dtype="str")
        else:
            row[name] = [np.nan if column.isna().any() else 0.0]
    nothing = np.full(1, np.nan)
    return TrainingData(
        features=pd.DataFrame(row, columns=list(data.features.columns)), target=nothing, name=data.name,
        unit=data.unit, mix=np.zeros(1, dtype=np.int64), mix_names=("",), source=None, source_names=(), time=None,
        y_sd=nothing, y_n=np.zeros(1), age=data.age, units=dict(data.units), rows=("",), licence=data.licence,
        origin=data.origin,
    )  # fmt: skip


# -- reading and writing
def _accepted(model: Any, reason: str) -> ModelCard:
    """The card to be saved; of a model that is no better than a trivial prediction one that says why it is kept."""
    card, reason = card_of(model), reason.strip()
    if not card.do_not_use or (card.content["accepted"] and not reason):
        return card
    if not is_reason(reason):
        raise ModelError(
            f"{card.labels[0]} Nothing was saved. Test more mixes, or say in a few words why it is kept all the same: "
            f"save(path, accepted='REASON'); the reason stands on the card."
        )
    return model_card(model, accepted=reason, stated={k: v for k, v in card.content["stated"].items() if v})


def _card(files: Files) -> ModelCard:
    place = str(files.path / "card.json")
    return ModelCard.from_dict(from_json(files.content["card.json"], place), place)


def _contents(files: Files) -> tuple[dict[str, Any], Arrays, TrainingData | None]:
    """model.json, arrays and tests, each checked against what is declared."""
    place = str(files.path / "model.json")
    body = from_json(files.content["model.json"], place)
    wanted = {
        "schema": int, "kind": str, "target": str, "unit": str, "data_sha256": str, "state": dict, "versions": dict,
        "created": str, "arrays": dict,
    }  # fmt: skip
    if not isinstance(body, dict) or not all(isinstance(body.get(k), t) for k, t in wanted.items()):
        raise ModelError(f"{place}: does not describe a model. Fetch or save the model again.")
    if body["schema"] != SCHEMA:
        raise ModelError(
            f"{place}: is of version {body['schema']}, this version of wastelab reads {SCHEMA}. Load it with the "
            f"version that saved it ({body['versions'].get('wastelab', 'unknown')}), or fit and save it again."
        )
    if body["kind"] not in KINDS or body["kind"] not in PARTS:
        raise ModelError(f"{place}: holds a {body['kind']!r}; this version of wastelab loads {', '.join(KINDS)}.")
    arrays = _from_npz(files.content["arrays.npz"], body["arrays"], str(files.path / "arrays.npz"))
    if (body.get("training") is None) != ("training.csv" not in files.content):
        raise ModelError(f"{place}: training.csv is not as described. Fetch or save the model again.")
    data = None
    if body.get("training") is not None:
        where = str(files.path / "training.csv")
        data = read_training(files.content["training.csv"], body["training"], where)
    return body, arrays, data


def _to_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """What `numpy.savez` writes, with names in order and no times in it: the same arrays give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.create_system = 3
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, arrays[name], version=(1, 0), allow_pickle=False)
            archive.writestr(entry, buffer.getvalue())
    return out.getvalue()


def _from_npz(data: bytes, declared: Mapping[str, Any], place: str) -> Arrays:
    """Arrays exactly as declared; names, sizes and kinds are looked at before a number is read."""
    damaged = f"{place}: damaged ({{}}). Fetch or save the model again."
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        entries = archive.infolist()
        names = [e.filename for e in entries]
        if sorted(names) != sorted(f"{n}.npy" for n in declared):
            raise ModelError(damaged.format("its arrays are not those that model.json lists"))
        if sum(e.file_size for e in entries) > len(data):
            raise ModelError(damaged.format("its arrays claim more bytes than the file has"))
        out: Arrays = {}
        for entry in entries:
            name = entry.filename.removesuffix(".npy")
            if not _NAME.fullmatch(name):
                raise ModelError(damaged.format(f"the name {name!r} is none of an array"))
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
                raise ModelError(damaged.format(f"{name} is packed; models are stored as they are"))
            out[name] = _array(archive.read(entry), declared[name], damaged, name)
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, EOFError, NotImplementedError, RuntimeError) as exc:
        if isinstance(exc, ModelError):
            raise
        raise ModelError(damaged.format(f"{type(exc).__name__}: {exc}")) from None
    return out


def _array(raw: bytes, declared: Mapping[str, Any], damaged: str, name: str) -> NDArray[Any]:
    file = io.BytesIO(raw)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ModelError(damaged.format(f"{name} is of an unknown format"))
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.str not in DTYPES or dtype.str != declared["dtype"] or list(shape) != declared["shape"]:
        raise ModelError(damaged.format(f"{name} is {dtype} {shape}, not as model.json says"))
    if int(np.prod(shape, dtype=object)) * dtype.itemsize != len(raw) - file.tell():
        raise ModelError(damaged.format(f"{name} has another number of bytes than its shape needs"))
    file.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    if declared["finite"] and not bool(np.isfinite(array).all()):
        raise ModelError(damaged.format(f"{name} has NaN or infinite values where there were none"))
    return array
