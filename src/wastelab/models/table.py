"""A table of tests, read once and checked: features, target, and what must not be torn apart in validation.

Takes a laboratory's `training_table`, any DataFrame, an xarray Dataset, or a CSV or Excel file. What is missing stays
missing; what is wrong is an error that names row, column and value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ModelError, UnknownNameError, suggest
from .cells import measured, reads_as_numbers, row_of
from .cells import numbers as _numbers
from .columns import factor, split_unit
from .dates import times_of
from .design import FloatArray, IntArray
from .frames import folded, frame_of, listed, table_of, target_column, usual_age, usual_column
from .frames import frame_of as _frame
from .frames import target_column as _target_column
from .frames import usual_age as _usual_age
from .own_table import read_features, read_results
from .results import check_results, check_unit, has_known_units, is_input, is_result

__all__ = [
    "MIX_COLUMNS", "SOURCE_COLUMNS", "TIME_COLUMNS", "TrainingData", "_frame", "_numbers", "_target_column",
    "_usual_age", "mix_keys", "read_features", "read_results", "read_table", "table_of", "usual_column",
]  # fmt: skip

if TYPE_CHECKING:
    import pandas as pd

#: Columns that name a mix, a source (laboratory, study, heap) or a time, where a caller names none; case, width, spaces
#: and punctuation do not count.
MIX_COLUMNS = ("group_mix", "mix_id", "mix", "mix_code", "配比编号", "配比", "配合比编号", "配合比")
SOURCE_COLUMNS = (
    "group_source", "source", "laboratory", "lab", "reference", "study", "study_number", "来源", "厂家", "实验室",
    "试验室", "检测单位", "检测机构", "检验单位", "试验单位", "实验单位", "实验室名称", "检测单位名称", "生产厂家",
    "生产单位", "数据来源", "文献", "参考文献", "lab_name", "lab_id", "laboratory_name", "name_of_laboratory",
    "testing_laboratory", "test_lab", "data_source",
)  # fmt: skip
TIME_COLUMNS = (
    "group_month", "time", "date", "cast_at", "measured_at", "日期", "成型日期", "浇筑日期", "制作日期", "制样日期",
    "试验日期", "检测日期", "检验日期", "测试日期", "casting_date", "cast_date", "date_cast",
    "date_of_casting", "test_date", "testing_date", "date_tested", "date_of_test", "date_of_testing",
)  # fmt: skip
#: Columns that number or name rows, or are results: never features unless asked for.
_NOT_FEATURES = frozenset({
    "row", "row_no", "item", "index", "sample_id", "sample", "specimen", "mix_no", "mix_name", "mix_mark", "year",
    "measurements", "y_sd", "y_n", "technique", "method", "basis", "group_operator", "author", "country", "name", "id",
})  # fmt: skip
#: Levels of a text column beyond which it must be asked for: it is more likely a name.
MAX_LEVELS = 20


@dataclass(frozen=True)
class TrainingData:
    """Tests to fit a property model to.

    Attributes
    ----------
    features : pandas.DataFrame, shape (n_rows, n_columns)
        float64 columns, and text columns (dtype ``str``) that are categories; NaN or "" where missing.
    target : ndarray, shape (n_rows,)
        Mean result of each row, without NaN.
    name, unit : str
        Of the target, the name without unit.
    mix : ndarray of int, shape (n_rows,)
        Rows of one mix have one number, whatever their age.
    mix_names : tuple of str
        By number.
    source : ndarray of int or None
        Laboratory, study or heap of each row; None where the table says nothing of it.
    source_names : tuple of str
    time : ndarray or None
        Sortable time of each row.
    y_sd, y_n : ndarray, shape (n_rows,)
        Standard deviation (NaN of one value) and number of the specimens behind each row.
    age : str
        Column of the age [d], or empty.
    units : mapping of str to str
        Of the feature columns, as far as known.
    rows : tuple of str
        What a person calls each row.
    mix_from : str
        Where `mix` comes from: a column, or that equal features were taken as one mix.
    licence, origin : str
        Of the data, for the card.
    notices : tuple of str
        What was set aside in reading.
    """

    features: pd.DataFrame
    target: FloatArray
    name: str
    unit: str
    mix: IntArray
    mix_names: tuple[str, ...]
    source: IntArray | None
    source_names: tuple[str, ...]
    time: Any
    y_sd: FloatArray
    y_n: FloatArray
    age: str
    units: Mapping[str, str]
    rows: tuple[str, ...]
    mix_from: str = ""
    licence: str = ""
    origin: str = ""
    notices: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.target)

    @property
    def n_mixes(self) -> int:
        """Number of different mixes."""
        return len(np.unique(self.mix))

    @property
    def n_sources(self) -> int:
        """Number of different sources; 0 where none are known."""
        return 0 if self.source is None else len(np.unique(self.source))

    @property
    def sha256(self) -> str:
        """Hash of all that a model is fitted to and validated by."""
        table = self.features.copy()
        table["\ttarget"] = self.target
        table["\tmix"] = self.mix
        table["\tsource"] = -1 if self.source is None else self.source
        table["\tsd"], table["\tn"] = self.y_sd, self.y_n
        text = f"{self.name} [{self.unit}]\n" + table.to_csv(index=False, lineterminator="\n")
        return hashlib.sha256(text.encode()).hexdigest()

    def take(self, index: ArrayLike) -> TrainingData:
        """Some of the rows (numbers or a mask)."""
        at = np.asarray(index)
        at = np.flatnonzero(at) if at.dtype == bool else at
        return replace(
            self, features=self.features.iloc[at].reset_index(drop=True), target=self.target[at], mix=self.mix[at],
            source=None if self.source is None else self.source[at],
            time=None if self.time is None else self.time[at],
            y_sd=self.y_sd[at], y_n=self.y_n[at], rows=tuple(self.rows[i] for i in at),
        )  # fmt: skip


def read_table(
    data: Any,
    target: str | None = None,
    *,
    features: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    mix: str | ArrayLike | None = None,
    source: str | ArrayLike | None = None,
    time: str | ArrayLike | None = None,
    age: str | None = None,
    sd: str | None = None,
    n: str | None = None,
    unit: str | None = None,
    units: Mapping[str, str] | None = None,
    licence: str = "",
    origin: str = "",
) -> TrainingData:
    """Read and check a table of tests.

    Parameters
    ----------
    data : pandas.DataFrame, xarray.Dataset, or path of a .csv, .tsv, .xlsx, .ods or .parquet file
        One row a mix and age. A laboratory's `training_table` says itself what its columns are.
    target : str, optional
        Column of the property; a name without its unit will do (``"compressive_strength"``).
    features : sequence of str, optional
        By default every number but the target, groups and what names or counts rows, and text columns of few levels.
    drop : sequence of str
        Columns that are none.
    mix, source, time : str or array_like, shape (n_rows,), optional
        Column, or values: what is one mix; laboratory, study or heap; when. Where no column of a usual name is found,
        rows that differ in nothing but age are one mix, and sources and times are not known.
    age : str, optional
        Column of the age; one of a usual name by default. ``""`` if there is none.
    sd, n : str, optional
        Columns of standard deviation and number of specimens; ``y_sd`` and ``y_n`` by default if there.
    unit : str, optional
        Of the target, where its name does not end in one.
    units : mapping of str to str, optional
        Of features, where their names do not end in one.
    licence, origin : str
        Of the data; shown on the card.

    Returns
    -------
    TrainingData

    Raises
    ------
    ModelError
        Infinite or unreadable numbers, words under a heading with a unit, results below zero of what cannot be, dates
        that do not exist, the target or another result among the features, no usable row, several ages without an age.
    UnknownNameError
        If a column does not exist.
    UnitError
        If a unit is not known, the age is not a time, or the target cannot be in its unit.

    Notes
    -----
    Cells may carry a unit ("5 %", "20 ℃", "28 d"): they are brought to the unit of the heading. Decimal commas are read
    where the whole column has them. Columns that are results of tests by their names (another age of the target,
    another strength, slump, setting time ...) are features only where `features` names them; what is said of a raw
    material or planned ("cement_strength_class") is an input.
    """
    frame, place, attrs = frame_of(data)
    units = dict(units or {})
    name = target_column(frame, target or attrs.get("target"), place)
    for column in [
        *(features or ()),
        *drop,
        *units,
        *(c for c in (mix, source, time, age, sd, n) if isinstance(c, str)),
    ]:
        if column and column not in frame.columns:
            raise UnknownNameError(
                f"{place}: there is no column '{column}'.{suggest(column, frame.columns)} {listed(frame)}"
            )
    stem, ends = split_unit(name)
    y, said = measured(frame, name, place, unit or str(attrs.get("unit", "")) or ends)
    notices: list[str] = []
    empty = np.isnan(y)
    if empty.any():
        notices.append(f"{int(empty.sum())} rows have no {stem} and were left out")
        frame, y = frame.loc[~empty].reset_index(names="__row__"), y[~empty]
    else:
        frame = frame.reset_index(drop=True)
        frame["__row__"] = np.arange(len(frame))
    if not len(frame):
        raise ModelError(f"{place}: no row has a value of '{name}'. Give a table with at least one test.")
    if not said and has_known_units(stem):
        notices.append(f"the unit of '{name}' is not known: name it in the heading, or give unit=")
    labels = _row_names(frame, place)
    check_unit(stem, said, name)
    check_results(y, stem, name, [f"{place}, {label}" for label in labels])
    kept = ~empty

    of_mix, mix_values = _given(frame, mix, MIX_COLUMNS, kept, "mix", place)
    of_source, source_values = _given(frame, source, SOURCE_COLUMNS, kept, "source", place)
    of_time, time_values = _given(frame, time, TIME_COLUMNS, kept, "time", place)
    age_column = usual_age(frame) if age is None else age
    sd_column = sd or ("y_sd" if "y_sd" in frame.columns else "")
    n_column = n or ("y_n" if "y_n" in frame.columns else "")
    taken = {name, of_mix, of_source, of_time, sd_column, n_column, "__row__", *drop}
    columns = _feature_columns(frame, features or attrs.get("features"), taken, stem, said, age_column, notices, place)
    table, known = _features(frame, columns, place, units)
    age_column = _age(table, known, age_column, labels, place)
    _refuse_target_copies(table, y, name, place)

    if mix_values is None:
        mix_codes, mix_names = _same_features(table.drop(columns=[age_column] if age_column else []))
        mix_from = "rows that differ in nothing but age" if age_column else "rows of equal features"
    else:
        mix_codes, mix_names = _codes(mix_values)
        mix_from = of_mix or "given by the caller"
    sources = None if source_values is None else _codes(source_values)
    if not age_column:
        _refuse_hidden_ages(y, mix_codes, name, place)
    return TrainingData(
        features=table, target=y, name=stem, unit=said, mix=mix_codes, mix_names=mix_names,
        source=None if sources is None else sources[0], source_names=() if sources is None else sources[1],
        time=None if time_values is None else times_of(time_values, frame, of_time or "time", place),
        y_sd=_numbers(frame, sd_column, place) if sd_column else np.full(len(y), np.nan),
        y_n=np.nan_to_num(_numbers(frame, n_column, place), nan=1.0) if n_column else np.ones(len(y)),
        age=age_column, units=known, rows=labels, mix_from=mix_from, licence=licence or str(attrs.get("licence", "")),
        origin=origin or str(attrs.get("origin") or attrs.get("lab") or place), notices=tuple(notices),
    )  # fmt: skip


def _row_names(frame: pd.DataFrame, place: str) -> tuple[str, ...]:
    code = next((c for c in ("mix", "mix_id", "mix_name", "sample", "配比编号") if c in frame.columns), None)
    if code is None:
        return tuple(f"row {row_of(frame, i)}" for i in range(len(frame)))
    return tuple(f"row {row_of(frame, i)} ({frame[code].iloc[i]})" for i in range(len(frame)))


def _given(frame: pd.DataFrame, asked: Any, usual: Sequence[str], kept: Any, what: str, place: str) -> tuple[str, Any]:
    """Column name and values of a group: as asked for, or from a column of a usual name."""
    if asked is None:
        asked = usual_column(frame, usual) or None
    if asked is None:
        return "", None
    if isinstance(asked, str):
        values = frame[asked] if asked else None
    else:
        array = np.asarray(asked)
        if array.shape != (len(kept),):
            raise ModelError(
                f"{place}: {what} has shape {array.shape}; expected one value for each of the {len(kept)} rows."
            )
        asked, values = "", array[kept]
    if values is None:
        return "", None
    import pandas as pd

    blank = np.flatnonzero(pd.isna(pd.Series(values)).to_numpy() | (pd.Series(values).astype("str") == "").to_numpy())
    if len(blank) == len(frame):
        return str(asked), None
    if len(blank):
        raise ModelError(
            f"{place}, row {row_of(frame, blank[0])}: no {what} is stated, but other rows have one. Fill the column "
            f"in (of merged cells only the first is filled), or take it out of the table (or {what}='')."
        )
    return str(asked), values


def _feature_columns(
    frame: pd.DataFrame, asked: Any, taken: set[str], stem: str, unit: str, age: str, notices: list[str], place: str
) -> list[str]:
    import pandas as pd

    if asked is not None:
        columns = [str(c) for c in asked if c in frame.columns and c not in taken - {""}]
        missing = [str(c) for c in asked if c not in frame.columns]
        if missing:
            raise UnknownNameError(
                f"{place}: there is no column '{missing[0]}'.{suggest(missing[0], frame.columns)} {listed(frame)}"
            )
        target = [c for c in asked if split_unit(str(c))[0] == stem]
        if target:
            raise ModelError(
                f"{place}: '{target[0]}' is the target (or carries its name) and cannot be a feature: a model would "
                f"predict the result from itself. Leave it out."
            )
        return columns if not age or age in columns else [*columns, age]
    columns, numbers = [], []
    named = {folded(c) for c in (*MIX_COLUMNS, *SOURCE_COLUMNS, *TIME_COLUMNS)}
    usual = {c for c in frame.columns if folded(c) in named and not split_unit(c)[1]}
    for column in frame.columns:
        if column in taken or column.lower() in _NOT_FEATURES or column.startswith("group_"):
            continue
        if column in usual:
            continue
        if pd.api.types.is_datetime64_any_dtype(frame[column].dtype):
            notices.append(f"column '{column}' holds dates and is not a feature")
            continue
        is_number = pd.api.types.is_numeric_dtype(frame[column].dtype) or reads_as_numbers(frame[column])
        numbers += [column] if is_number else []
        if is_number or frame[column].nunique() <= MAX_LEVELS or split_unit(column)[1]:
            columns.append(column)
        else:
            notices.append(f"text column '{column}' has more than {MAX_LEVELS} levels and is not a feature")
    _refuse_results(numbers, stem, unit, place)
    if not columns:
        raise ModelError(f"{place}: no column is left as a feature. Name them: features=[...].")
    return columns


def _refuse_results(columns: Sequence[str], stem: str, unit: str, place: str) -> None:
    """Refuse columns that hold results of tests, of the target or of another property."""
    same = [c for c in columns if _another_result(c, stem, unit)]
    found = [c for c in columns if c in same or (is_result(c) and folded(c) != folded(stem))]
    if not found:
        return
    if same:
        raise ModelError(
            f"{place}: column '{same[0]}' looks like a result of the target '{stem}', and a result cannot be a "
            f"feature. Leave it out (drop={found}) or name the features."
        )
    raise ModelError(
        f"{place}: column '{found[0]}' is the result of a test by its name and cannot be a feature unless asked for: "
        f"nobody knows it before the mix is made. Leave it out (drop={found}), model the properties together "
        f"(PropertyModels), or ask for it by naming all features."
    )


def _another_result(column: str, stem: str, unit: str) -> bool:
    """Whether a column carries the name of the target, or is in its unit and shares a word with it."""
    if is_input(column):
        return False
    if stem in column:
        return True
    other, ends = split_unit(column)
    return bool(unit) and ends == unit and not set(other.lower().split("_")).isdisjoint(stem.lower().split("_"))


def _features(
    frame: pd.DataFrame, columns: Sequence[str], place: str, units: Mapping[str, str]
) -> tuple[pd.DataFrame, dict[str, str]]:
    import pandas as pd

    out: dict[str, Any] = {}
    known: dict[str, str] = {}
    for column in columns:
        raw = frame[column]
        said = units.get(column) or split_unit(column)[1]
        if said or pd.api.types.is_numeric_dtype(raw.dtype) or raw.isna().all() or reads_as_numbers(raw):
            out[column], unit = measured(frame, column, place, said)
            if unit:
                factor(unit, unit, what=column)
                known[column] = unit
        else:
            out[column] = raw.fillna("").astype("str").str.strip().array
    table = pd.DataFrame(out, columns=list(columns))
    for column in columns:
        if not pd.api.types.is_float_dtype(table[column].dtype):
            table[column] = table[column].astype("str")
    return table, known


def _age(table: pd.DataFrame, known: dict[str, str], column: str, labels: Sequence[str], place: str) -> str:
    """Check the age and bring it to days; returns its column or ""."""
    if not column or column not in table.columns:
        return ""
    import pandas as pd

    if not pd.api.types.is_float_dtype(table[column].dtype):
        raise ModelError(
            f"{place}, {labels[0]}, column '{column}': '{table[column].iloc[0]}' is not an age. Write numbers and name "
            f"the unit in the heading ('age_d', '龄期(d)')."
        )
    unit = known.get(column) or ("d" if column == "age_days" else "")
    if not unit:
        raise ModelError(
            f"{place}: the unit of the age column '{column}' is not known. Name it age_d or age_h ('龄期(d)'), "
            f"or give units={{'{column}': 'd'}}."
        )
    values = table[column].to_numpy(dtype=np.float64) * factor(unit, "d", what=column)
    table[column] = values
    known[column] = "d"
    if np.isnan(values).all():
        del known[column]
        table.drop(columns=[column], inplace=True)
        return ""
    bad = np.flatnonzero(~(values > 0))
    if len(bad):
        raise ModelError(
            f"{place}, {labels[bad[0]]}, column '{column}': age {values[bad[0]]:g} d. Every row needs an age above 0 "
            f"where rows of several ages are in one table; fill it in or leave the row out."
        )
    return column


def _refuse_target_copies(table: pd.DataFrame, y: FloatArray, name: str, place: str) -> None:
    """A feature that is the target under another name or unit."""
    import pandas as pd

    if len(y) < 8 or float(np.std(y)) == 0.0:
        return
    for column in table.columns:
        if not pd.api.types.is_float_dtype(table[column].dtype):
            continue
        x = table[column].to_numpy()
        there = ~np.isnan(x)
        if there.sum() < 8 or np.std(x[there]) == 0 or np.std(y[there]) == 0 or len(np.unique(y[there])) < 6:
            continue
        if abs(float(np.corrcoef(x[there], y[there])[0, 1])) > 0.999999:
            raise ModelError(
                f"{place}: column '{column}' is the target '{name}' in other words (they are proportional in all "
                f"{int(there.sum())} rows): a model would predict the result from itself. Leave it out."
            )


def _refuse_hidden_ages(y: FloatArray, mix: IntArray, name: str, place: str) -> None:
    """Rows of one mix that differ as much as ages do, in a table without age."""
    if np.any(y <= 0):
        return
    _, code, counts = np.unique(mix, return_inverse=True, return_counts=True)
    repeated = counts[code] > 1
    if repeated.sum() < 6 or (counts > 1).mean() < 0.3:
        return
    logs = np.log(y)
    mean = np.bincount(code, logs) / counts
    within = float(np.sqrt(np.sum((logs - mean[code])[repeated] ** 2) / max(repeated.sum() - (counts > 1).sum(), 1)))
    if within > 0.3:
        raise ModelError(
            f"{place}: rows of the same mix differ in '{name}' by a factor of {np.exp(within):.2f} (one standard "
            f"deviation) and there is no age column. Tests at several ages need one: name it age_d, or age='COLUMN'."
        )


def mix_keys(table: pd.DataFrame) -> list[str]:
    """One text for each row, equal for equal features (numbers to six digits)."""
    return [
        "|".join(f"{v:.6g}" if isinstance(v, float) else str(v) for v in row) for row in table.itertuples(index=False)
    ]


def _same_features(table: pd.DataFrame) -> tuple[IntArray, tuple[str, ...]]:
    """Rows of equal features (numbers to six digits) are one mix."""
    import pandas as pd

    codes, _ = pd.factorize(pd.Series(mix_keys(table), dtype="str"))
    return codes.astype(np.int64), tuple(f"mix {i + 1}" for i in range(int(codes.max()) + 1))


def _codes(values: Any) -> tuple[IntArray, tuple[str, ...]]:
    import pandas as pd

    codes, names = pd.factorize(pd.Series(np.asarray(values)).astype("str"))
    return codes.astype(np.int64), tuple(map(str, names))
