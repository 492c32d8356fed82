"""Any table as a DataFrame: files, datasets, mappings; and its columns by the names that people give them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError, UnknownNameError, suggest
from .columns import split_unit
from .files import read_file
from .results import same_property

if TYPE_CHECKING:
    import pandas as pd

AGE_COLUMNS = ("age_days", "age_d", "age", "age_h", "龄期")


def frame_of(data: Any) -> tuple[pd.DataFrame, str, Mapping[str, Any]]:
    """Any table as DataFrame, what to call it in messages, and what it says of itself."""
    import pandas as pd

    if isinstance(data, str | Path):
        path = Path(data)
        if not path.is_file():
            raise ModelError(f"{path}: there is no such file. Give the path of a .csv, .xlsx or .parquet table.")
        try:
            frame = read_file(path)
        except ModelError:
            raise
        except Exception as exc:
            raise ModelError(
                f"{path}: cannot be read as a table ({exc}). Expected one heading line and one row a test, as .csv "
                f"(UTF-8 or GB18030), .xlsx, .ods or .parquet."
            ) from exc
        frame.columns = [str(c).strip() for c in frame.columns]
        return _checked_columns(frame, str(path)), str(path), {}
    if hasattr(data, "to_dataframe"):
        frame = data.to_dataframe().reset_index()
        return _checked_columns(frame, "table"), "table", dict(data.attrs)
    if isinstance(data, pd.DataFrame):
        return _checked_columns(data.copy(), "table"), "table", {str(k): v for k, v in data.attrs.items()}
    raise ModelError(f"A {type(data).__name__} is no table. Give a pandas.DataFrame, an xarray.Dataset or a file.")


def _checked_columns(frame: pd.DataFrame, place: str) -> pd.DataFrame:
    frame.columns = [str(c) for c in frame.columns]
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise ModelError(f"{place}: column '{twice[0]}' occurs twice. Give every column a name of its own.")
    again = next((c for c in frame.columns if c.endswith(".1") and c[:-2] in frame.columns), None)
    if again is not None and place != "table":
        raise ModelError(f"{place}: column '{again[:-2]}' occurs twice. Give every column a name of its own.")
    return frame


def target_column(frame: pd.DataFrame, target: Any, place: str) -> str:
    if not target:
        raise ModelError(f"{place}: no target. Say which column is the property, e.g. target='compressive_strength'.")
    if target in frame.columns:
        return str(target)
    near = [str(c) for c in frame.columns if split_unit(str(c))[0] == target]
    if len(near) == 1:
        return near[0]
    near = near or [str(c) for c in frame.columns if folded(str(c)) == folded(str(target))]
    near = near or [str(c) for c in frame.columns if same_property(str(target), str(c))]
    if len(near) == 1:
        return near[0]
    if near:
        raise UnknownNameError(
            f"{place}: several columns are named '{target}': {', '.join(near)}. Give the whole name of one."
        )
    raise UnknownNameError(
        f"{place}: there is no column '{target}'.{suggest(str(target), frame.columns)} {listed(frame)}"
    )


def listed(frame: pd.DataFrame) -> str:
    """What columns there are; of many the first."""
    names = [str(c) for c in frame.columns if c != "__row__"]
    more = f" and {len(names) - 40} more" if len(names) > 40 else ""
    sheets = frame.attrs.get("sheets")
    others = f" Other sheets of the file are not looked at: {', '.join(sheets)}." if sheets else ""
    return f"Columns: {', '.join(names[:40])}{more}.{others}"


def folded(name: str) -> str:
    """A heading without its unit, case, width, spaces and punctuation."""
    stem = unicodedata.normalize("NFKC", split_unit(name.strip())[0]).lower()
    return re.sub(r"[\W_]+", "", re.sub(r"[(\[][^()\[\]]*[)\]]\s*$", "", stem) or stem)


def usual_column(frame: pd.DataFrame, usual: Sequence[str]) -> str:
    """The first column of a usual name, whatever its case, width and spaces; "" if there is none."""
    exact = next((c for c in usual if c in frame.columns), "")
    if exact:
        return exact
    here = {folded(str(c)): str(c) for c in reversed(frame.columns) if not split_unit(str(c))[1]}
    return next((here[folded(c)] for c in usual if folded(c) in here), "")


def usual_age(frame: pd.DataFrame) -> str:
    """The age column by its usual names, with any unit at the end."""
    stems = {split_unit(str(c))[0].strip().lower(): str(c) for c in frame.columns}
    named = next((c for c in AGE_COLUMNS if c in frame.columns), "")
    return named or stems.get("age", "") or stems.get("龄期", "")


def table_of(data: Any) -> tuple[pd.DataFrame, str]:
    """Any table as DataFrame, and what to call it in messages; a mapping of single values is one row."""
    frame, place, _ = frame_of(as_table(data))
    return frame, place


def as_table(data: Any) -> Any:
    import pandas as pd

    if isinstance(data, Mapping) and not hasattr(data, "data_vars"):
        scalar = all(np.ndim(v) == 0 for v in data.values())
        cells: dict[str, Any] = {str(k): v for k, v in data.items()}
        return pd.DataFrame([cells]) if scalar else pd.DataFrame(cells)
    return data
