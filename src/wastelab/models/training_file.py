"""The tests of a model as a CSV file that a person can open, and that gives the same numbers back to the last bit."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ModelError
from .table import TrainingData

#: Columns before the features, by position; brackets keep them apart from names of features.
_FIXED = ("[row]", "[mix]", "[source]", "[time]", "[target]", "[sd]", "[specimens]")
_AGAIN = "Fetch or save the model again."


def describe(data: TrainingData) -> dict[str, Any]:
    """What the CSV file does not say of itself, for JSON."""
    import pandas as pd

    time = None if data.time is None else np.asarray(data.time).dtype.kind
    return {
        "rows": len(data), "name": data.name, "unit": data.unit, "age": data.age, "units": dict(data.units),
        "texts": [c for c in data.features.columns if not pd.api.types.is_float_dtype(data.features[c].dtype)],
        "columns": list(map(str, data.features.columns)), "mix_names": list(data.mix_names),
        "source_names": None if data.source is None else list(data.source_names), "time": time,
        "mix_from": data.mix_from, "licence": data.licence, "origin": data.origin, "notices": list(data.notices),
    }  # fmt: skip


def write_training(data: TrainingData) -> bytes:
    """The tests as UTF-8 CSV; a number is written so that reading gives the same one, a gap is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = [*_FIXED[:4], f"[target] {data.name} {data.unit}".rstrip(), *_FIXED[5:]]
    writer.writerow([*head, *data.features.columns])
    columns = [data.features[c].tolist() for c in data.features.columns]
    for i in range(len(data)):
        writer.writerow(
            [
                data.rows[i],
                data.mix_names[data.mix[i]],
                "" if data.source is None else data.source_names[data.source[i]],
                "" if data.time is None else _cell(np.asarray(data.time)[i].item()),
                *map(_cell, (float(data.target[i]), float(data.y_sd[i]), float(data.y_n[i]))),
                *(_cell(column[i]) for column in columns),
            ]
        )
    return out.getvalue().encode()


def read_training(content: bytes, described: Mapping[str, Any], place: str) -> TrainingData:
    """The tests from the file and what `describe` said.

    Raises
    ------
    ModelError
        If the two do not fit together.
    """
    import pandas as pd

    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8"), newline="")))[1:]
        names, width = described["columns"], len(_FIXED) + len(described["columns"])
        if len(rows) != described["rows"] or any(len(row) != width for row in rows):
            raise ModelError(f"{place}: has not the {described['rows']} rows of {width} columns described. {_AGAIN}")
        cells = list(zip(*rows, strict=True)) if rows else [()] * width
        texts = set(described["texts"])
        features = pd.DataFrame(
            {
                name: pd.Series(list(column), dtype="str") if name in texts else _floats(column)
                for name, column in zip(names, cells[len(_FIXED) :], strict=True)
            },
            columns=names,
        )
        mix = {name: i for i, name in enumerate(described["mix_names"])}
        source = None if described["source_names"] is None else {n: i for i, n in enumerate(described["source_names"])}
        return TrainingData(
            features=features, target=_floats(cells[4]), name=described["name"], unit=described["unit"],
            mix=np.array([mix[name] for name in cells[1]], dtype=np.int64), mix_names=tuple(mix),
            source=None if source is None else np.array([source[name] for name in cells[2]], dtype=np.int64),
            source_names=() if source is None else tuple(source), time=_times(cells[3], described["time"]),
            y_sd=_floats(cells[5]), y_n=_floats(cells[6]), age=described["age"], units=dict(described["units"]),
            rows=tuple(cells[0]), mix_from=described["mix_from"], licence=described["licence"],
            origin=described["origin"], notices=tuple(described["notices"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, csv.Error) as exc:
        if isinstance(exc, ModelError):
            raise
        raise ModelError(f"{place}: cannot be read ({type(exc).__name__}: {exc}). {_AGAIN}") from None


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else repr(value)
    return str(value)


def _floats(cells: Any) -> Any:
    return np.array([float(c) if c else np.nan for c in cells], dtype=np.float64)


def _times(cells: Any, kind: str | None) -> Any:
    if kind is None:
        return None
    if kind in "iu":
        return np.array([int(c) for c in cells], dtype=np.int64)
    return _floats(cells) if kind == "f" else np.array(cells, dtype=str)
