"""What is in memory as JSON and named arrays, and back: no pickle, and only classes that are listed here.

A tree of dicts, lists, tuples, numbers, texts, arrays, tables and known objects is taken apart by `pack` and put
together again, to the last bit, by `unpack`. An object is stored by the first of: its own ``to_state``,
``to_arrays`` or ``arrays``, ``to_dict``; else by its attributes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError

Arrays = dict[str, NDArray[Any]]
State = tuple[dict[str, Any], Arrays]
_Seen = dict[int, tuple[str, Any]]

#: Classes that a model may consist of, and the module of this package that defines each.
PARTS: dict[str, str] = {
    "Design": "design",
    "Feature": "design",
    "Ratio": "design",
    "TrainingData": "table",
    "Source": "..provenance",
    "Evidence": "..provenance",
    "Message": "..i18n",
    "Notice": "notices",
    "GaussianProcess": "gp",
    "Boosting": "learners",
    "ExtraTrees": "learners",
    "Ridge": "learners",
    "Mean": "learners",
    "Blend": "learners",
    "Trees": "trees",
    "MixFeatures": "builder",
    "ConformalIntervals": "intervals",
    "Domain": "domain",
    "SourceEffect": "local",
    "LocalEffect": "local_effect",
    "Scores": "scores",
    "ProtocolScore": "scores",
    "Errors": "scores",
    "Difference": "comparison",
    "Audit": "audit",
    "Finding": "audit_view",
    "PropertyModel": "property_model",
}  # fmt: skip
#: Kinds of numbers that arrays may hold, as NumPy names them: little-endian floats and integers, booleans, bytes.
DTYPES = ("<f8", "<f4", "<i8", "<i4", "<i2", "|i1", "|u1", "<u2", "<u4", "<u8", "|b1")


@dataclass(frozen=True)
class _Kept:
    arrays: Mapping[str, NDArray[Any]]
    given: Mapping[str, Any]


def pack(tree: Any, given: Mapping[str, Any] | None = None) -> tuple[Any, Arrays]:
    """Take a tree apart into JSON and arrays.

    Parameters
    ----------
    tree : object
    given : mapping of str to object, optional
        Objects that are kept elsewhere: wherever one of them is in the tree, its name is stored.

    Returns
    -------
    json : object
        What `json.dumps` takes, without NaN.
    arrays : dict of str to ndarray
        By name; the name is the path in the tree. An array that is there several times is stored once.

    Raises
    ------
    ModelError
        If something is in it that cannot be stored without running code to load it.
    """
    arrays: Arrays = {}
    seen: _Seen = {id(v): (name, v) for name, v in (given or {}).items() if v is not None}
    return _pack(tree, "", arrays, seen), arrays


def unpack(json: Any, arrays: Mapping[str, NDArray[Any]], given: Mapping[str, Any] | None = None) -> Any:
    """Put together what `pack` took apart.

    Parameters
    ----------
    json : object
    arrays : mapping of str to ndarray
    given : mapping of str to object, optional
        What is kept elsewhere, by name.

    Raises
    ------
    ModelError
        If a class is not one of `PARTS`, an array is missing, or an object refuses its state.
    """
    return _unpack(json, _Kept(arrays, given or {}))


def _unpack(json: Any, kept: _Kept) -> Any:
    if isinstance(json, list):
        return [_unpack(v, kept) for v in json]
    if not isinstance(json, dict):
        return json
    mark = next(iter(json), "") if len(json) == 1 else ""
    if mark in _MARKS:
        try:
            return _MARKS[mark](json[mark], kept)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as exc:
            if isinstance(exc, ModelError):
                raise
            raise ModelError(
                f"a saved model cannot be put together: {mark} {str(json[mark])[:80]}: {type(exc).__name__} {exc}. "
                f"Load it with the version of wastelab that saved it."
            ) from exc
    return {k: _unpack(v, kept) for k, v in json.items()}


def part(name: str) -> Any:
    """A class of `PARTS` by its name.

    Raises
    ------
    ModelError
        If it is not listed.
    """
    if name not in PARTS:
        raise ModelError(
            f"a saved model holds a part {name!r} that this version of wastelab does not know. Load it with the "
            f"version that saved it."
        )
    module = PARTS[name]
    package = __name__.rpartition(".")[0]
    where = module if module.startswith("..") else f".{module}"
    return getattr(import_module(where, package), name)


# -- taking apart
def _pack(value: Any, path: str, arrays: Arrays, seen: _Seen) -> Any:
    if value is None or type(value) in (bool, int, str):
        return value
    if not isinstance(value, np.ndarray) and id(value) in seen:
        return {"$given": seen[id(value)][0]}
    if isinstance(value, np.generic):
        value = value.item()
        return _pack(value, path, arrays, seen)
    if type(value) is float:
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, np.ndarray):
        return _pack_array(value, path, arrays, seen)
    if isinstance(value, list):
        return [_pack(v, _under(path, i), arrays, seen) for i, v in enumerate(value)]
    if type(value) is tuple:
        return {"$tuple": [_pack(v, _under(path, i), arrays, seen) for i, v in enumerate(value)]}
    if isinstance(value, set | frozenset):
        kind = "$frozenset" if isinstance(value, frozenset) else "$set"
        return {kind: [_pack(v, _under(path, i), arrays, seen) for i, v in enumerate(sorted(value))]}
    if isinstance(value, Mapping):
        return _pack_mapping(value, path, arrays, seen)
    if hasattr(value, "iloc") and hasattr(value, "columns"):
        return {"$frame": _pack_frame(value, path, arrays, seen)}
    return _pack_object(value, path, arrays, seen)


def _under(path: str, name: object) -> str:
    clean = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in str(name))
    return f"{path}/{clean}" if path else clean


def _pack_array(value: NDArray[Any], path: str, arrays: Arrays, seen: _Seen) -> Any:
    if value.dtype.kind in "UO":
        texts = value.ravel().tolist()
        if all(isinstance(t, str) for t in texts):
            return {"$texts": {"shape": list(value.shape), "of": texts, "object": value.dtype.kind == "O"}}
    if id(value) in seen:
        return {"$array": seen[id(value)][0]}
    stored = value.astype(value.dtype.newbyteorder("<"), copy=False)
    if stored.dtype.str not in DTYPES:
        raise ModelError(f"{path}: an array of {value.dtype} cannot be stored; use numbers, booleans or texts.")
    name = path or "array"
    while name in arrays:
        name += "_"
    arrays[name] = stored
    seen[id(value)] = (name, value)
    return {"$array": name}


def _pack_mapping(value: Mapping[Any, Any], path: str, arrays: Arrays, seen: _Seen) -> Any:
    if all(type(k) is str and not k.startswith("$") for k in value):
        return {k: _pack(v, _under(path, k), arrays, seen) for k, v in value.items()}
    pairs = [
        [_pack(k, _under(path, f"key{i}"), arrays, seen), _pack(v, _under(path, k), arrays, seen)]
        for i, (k, v) in enumerate(value.items())
    ]
    return {"$map": pairs}


def _pack_frame(frame: Any, path: str, arrays: Arrays, seen: _Seen) -> Any:
    import pandas as pd

    plain = isinstance(frame.index, pd.RangeIndex) and frame.index.start == 0 and frame.index.step == 1
    columns = []
    for number, name in enumerate(frame.columns):
        column = frame.iloc[:, number]
        numeric = pd.api.types.is_numeric_dtype(column.dtype) and column.dtype.kind in "fiub"
        values = column.to_numpy() if numeric else [None if v is None or v != v else v for v in column.tolist()]
        columns.append([str(name), _pack(values, _under(path, name), arrays, seen), str(column.dtype)])
    return {
        "columns": columns,
        "index": None if plain else _pack(frame.index.tolist(), path, arrays, seen),
        "index_name": frame.index.name,
        "rows": len(frame),
        "attrs": _pack(dict(frame.attrs), _under(path, "attrs"), arrays, seen),
    }


def _pack_object(value: Any, path: str, arrays: Arrays, seen: _Seen) -> Any:
    name = type(value).__name__
    if name not in PARTS or part(name) is not type(value):
        raise ModelError(
            f"{path or 'model'}: a {type(value).__module__}.{name} cannot be saved: a model is stored as numbers and "
            f"texts only, of classes that are known when it is loaded."
        )
    if isinstance(value, Enum):
        return {"$part": [name, "value", value.value]}
    if hasattr(value, "to_state"):
        how, state = "state", value.to_state()
    elif hasattr(value, "from_arrays"):
        how, state = "arrays", dict(value.to_arrays() if hasattr(value, "to_arrays") else value.arrays())
    elif hasattr(value, "to_dict") and hasattr(value, "from_dict"):
        how, state = "dict", value.to_dict()
    elif is_dataclass(value):
        how, state = "fields", {f.name: getattr(value, f.name) for f in fields(value)}
    else:
        how, state = "attributes", dict(vars(value))
    return {"$part": [name, how, _pack(state, path, arrays, seen)]}


# -- putting together
def _array(name: str, kept: _Kept) -> NDArray[Any]:
    if name not in kept.arrays:
        raise ModelError(f"a saved model lacks its array {name!r}. Fetch or save the model again.")
    return kept.arrays[name]


def _texts(value: Mapping[str, Any], kept: _Kept) -> NDArray[Any]:
    return np.array(value["of"], dtype=object if value["object"] else np.str_).reshape(value["shape"])


def _frame(value: Mapping[str, Any], kept: _Kept) -> Any:
    import pandas as pd

    index = _unpack(value["index"], kept)
    at = pd.RangeIndex(value["rows"]) if index is None else pd.Index(index)
    columns = {
        number: pd.Series(values, index=at, dtype=dtype)
        for number, (_, values, dtype) in enumerate(_unpack(value["columns"], kept))
    }
    frame = pd.DataFrame(columns, index=at)
    frame.columns = pd.Index([name for name, _, _ in _unpack(value["columns"], kept)])
    frame.index.name = value["index_name"]
    frame.attrs.update(_unpack(value["attrs"], kept))
    return frame


def _part(value: list[Any], kept: _Kept) -> Any:
    name, how, stored = value
    cls = part(name)
    state = _unpack(stored, kept)
    if how == "value":
        return cls(state)
    if how == "state":
        return cls.from_state(*state)
    if how == "arrays":
        return cls.from_arrays(state)
    if how == "dict":
        return cls.from_dict(state)
    if how == "fields":
        return cls(**state)
    if how != "attributes":
        raise ModelError(f"a saved {name} is stored in a way ({how!r}) that this version of wastelab does not know.")
    made = cls.__new__(cls)
    vars(made).update(state)
    return made


_MARKS: dict[str, Callable[[Any, _Kept], Any]] = {
    "$float": lambda v, _: float(v),
    "$array": _array,
    "$given": lambda v, kept: kept.given[v],
    "$texts": _texts,
    "$tuple": lambda v, a: tuple(_unpack(x, a) for x in v),
    "$set": lambda v, a: {_unpack(x, a) for x in v},
    "$frozenset": lambda v, a: frozenset(_unpack(x, a) for x in v),
    "$map": lambda v, a: {_unpack(k, a): _unpack(x, a) for k, x in v},
    "$frame": _frame,
    "$part": _part,
}
