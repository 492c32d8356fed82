"""Many curves on one axis: stacked where their axes are the same, interpolated onto a stated grid otherwise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from ..errors import LabError, UnitError, UnknownNameError, suggest
from ..instruments import vocabulary
from ..instruments.units import factor
from . import cache
from . import schema as s

#: Share of its span that an axis may run back by noise; more and it is no axis.
BACKWARD = 0.01


class Stack:
    """Curves that are being brought onto one axis."""

    def __init__(
        self,
        conn: Connection,
        technique: str,
        rows: Sequence[tuple[Any, ...]],
        blocks: Sequence[cache.Block],
        axis: str | None,
        variables: Sequence[str] | None,
    ) -> None:
        self.conn, self.rows, self.blocks = conn, rows, blocks
        self.axis = axis or self._native(technique)
        self.dims = [self._dim(block) for block in blocks]
        self.axis_units = self._units(self.axis)[0]
        self.names = self._names(variables)
        self.units: dict[str, str] = {}
        self.long_names: dict[str, str] = {}
        self.notes: list[str] = []

    def _native(self, technique: str) -> str:
        """The axis that every curve has."""
        common = set.intersection(*({n for n, v in b.variables.items() if v.dims == (n,)} for b in self.blocks))
        usual = vocabulary.technique(technique).curve
        if usual in common or len(common) == 1:
            return usual if usual in common else common.pop()
        found = sorted({n for b in self.blocks for n, v in b.variables.items() if v.dims == (n,)})
        raise LabError(
            f"The {technique} curves have no one axis in common (found: {', '.join(found) or 'none'}); name it: axis=…"
        )

    def _dim(self, block: cache.Block) -> str:
        """Dimension that the axis of a block runs along."""
        v = block.variables.get(self.axis)
        if v is None or len(v.dims) != 1:
            uid = self.rows[int(block.rows[0])][1]
            known = [n for n, x in block.variables.items() if len(x.dims) == 1]
            raise UnknownNameError(
                f"The curve {uid} has no axis {self.axis!r}.{suggest(self.axis, known)} It has {', '.join(known)}."
            )
        return v.dims[0]

    def _units(self, name: str) -> list[str]:
        return [b.variables[name].units for b in self.blocks]

    def _names(self, wanted: Sequence[str] | None) -> list[str]:
        """Variables that every curve has along the axis."""
        common = [
            name for name, v in self.blocks[0].variables.items()
            if name != self.axis and all(
                name in b.variables and b.variables[name].dims == (dim,) and name != dim
                for b, dim in zip(self.blocks, self.dims, strict=True)
            )
        ]  # fmt: skip
        for name in wanted or ():
            if name not in common:
                raise UnknownNameError(
                    f"Not every curve has a variable {name!r} along {self.axis}.{suggest(name, common)} "
                    f"All have {', '.join(common) or 'none'}."
                )
        return list(wanted) if wanted is not None else common

    def on_grid(self, step: float | None, span: tuple[float, float] | None) -> tuple[Any, dict[str, Any], str]:
        """The axis, the variables on it, and what was done."""
        first = self._axis_of(self.blocks[0], 0)
        same = all(
            self.axis in b.shared and np.array_equal(self._axis_of(b, 0), first) for b in self.blocks
        )  # fmt: skip
        if same and step is None:
            keep = slice(None)
            if span is not None:
                inside = np.flatnonzero((first >= span[0]) & (first <= span[1]))
                if len(inside) == 0:
                    raise self._empty(span, float(first.min()), float(first.max()))
                keep = slice(int(inside[0]), int(inside[-1]) + 1)
            data = {name: self._as_they_are(name, keep) for name in self.names}
            return first[keep], data, "; ".join(["all on one axis, stacked as measured", *self.notes])
        if step is None:
            raise LabError(
                f"The axes {self.axis} differ: {self._differences()}. State a common grid: step=… "
                f"[{self.axis_units}], and range=(first, last) if only a part is wanted."
            )
        return self._interpolated(self._grid(step, span))

    def _axis_of(self, block: cache.Block, number: int) -> Any:
        v = block.variables[self.axis]
        data = np.asarray(v.data if self.axis in block.shared else v.data[number])
        if v.units == self.axis_units:
            return data
        return data * _scale(v.units, self.axis_units, self.axis, self.rows[int(block.rows[number])][1])

    def _differences(self) -> str:
        shown = []
        for block in self.blocks[:3]:
            x = self._axis_of(block, 0)
            uid = self.rows[int(block.rows[0])][1]
            step = (x[-1] - x[0]) / (len(x) - 1) if len(x) > 1 else 0.0
            shown.append(f"{uid} from {x[0]:g} to {x[-1]:g} in {len(x)} points (mean step {step:.4g})")
        return "; ".join(shown)

    def _empty(self, span: tuple[float, float], low: float, high: float) -> LabError:
        return LabError(
            f"range = {span[0]:g} to {span[1]:g}: the curves run from {low:g} to {high:g} {self.axis_units}."
        )

    def _grid(self, step: float, span: tuple[float, float] | None) -> Any:
        if not (np.isfinite(step) and step > 0):
            raise LabError(f"step = {step!r}: expected a positive number [{self.axis_units}].")
        if span is None:
            ends = [self._axis_of(b, i) for b in self.blocks for i in _numbers(b, self.axis)]
            low, high = min(float(np.min(x)) for x in ends), max(float(np.max(x)) for x in ends)
            low, high = np.ceil(low / step - 1e-9) * step, np.floor(high / step + 1e-9) * step
        else:
            low, high = float(span[0]), float(span[1])
        number = int(np.floor((high - low) / step + 1e-9)) + 1
        if number < 1:
            raise LabError(f"range = {low:g} to {high:g} with step {step:g} [{self.axis_units}] holds no point.")
        if number * len(self.rows) * len(self.names) > 4e9:
            raise LabError(
                f"step = {step:g}: {number} points for {len(self.rows)} curves do not fit; take a wider one."
            )
        return low + step * np.arange(number)

    def _as_they_are(self, name: str, keep: slice) -> Any:
        """A variable of all curves, on the axis they share."""
        scales = self._common_unit(name)
        if len(self.blocks) == 1 and scales is None:
            block = self.blocks[0]
            data = block.variables[name].data[:, keep]
            return data if np.array_equal(block.rows, np.arange(len(self.rows))) else data[np.argsort(block.rows)]
        kind = np.result_type(*(b.variables[name].data.dtype for b in self.blocks), *([] if scales is None else [1.0]))
        out: Any = None
        for block in self.blocks:
            part = block.variables[name].data[:, keep]
            if out is None:
                out = np.empty((len(self.rows), part.shape[1]), dtype=kind)
            for i, row in enumerate(block.rows):
                scale: Any = 1.0 if scales is None else scales[int(row)]
                out[row] = part[i] if scales is None else part[i] * (scale[keep] if np.ndim(scale) else scale)
        return out

    def _interpolated(self, grid: Any) -> tuple[Any, dict[str, Any], str]:
        data = {name: np.full((len(self.rows), len(grid)), np.nan) for name in self.names}
        scales = {name: self._common_unit(name) for name in self.names}
        averaged = 0
        for block in self.blocks:
            order: Any = None
            for i, row in enumerate(block.rows):
                if order is None or self.axis not in block.shared:
                    x = self._axis_of(block, i).astype(np.float64)
                    order = self._order(x, self.rows[int(row)][1])
                for name in self.names:
                    y = block.variables[name].data[i].astype(np.float64)
                    scale = scales[name]
                    if scale is not None:
                        y = y * scale[int(row)]
                    points, index, counts = order
                    if index is not None:
                        y = np.bincount(index, y, len(points)) / counts
                    data[name][row] = np.interp(grid, points, y, left=np.nan, right=np.nan)
                averaged += order[1] is not None and len(order[0]) < len(order[1])
        done = [f"interpolated linearly onto {len(grid)} points from {grid[0]:g} to {grid[-1]:g}; NaN outside of what "
                "was measured"]  # fmt: skip
        if averaged:
            done.append(f"points at the same {self.axis} averaged in {averaged} curves")
        return grid, data, "; ".join([*done, *self.notes])

    def _order(self, x: Any, uid: str) -> tuple[Any, Any, Any]:
        """Points of an axis in order, and where each original point went; None where nothing changes."""
        if not np.isfinite(x).all():
            raise LabError(f"The {self.axis} of curve {uid} is not finite everywhere; it cannot be an axis.")
        steps = np.diff(x)
        if (steps > 0).all():
            return x, None, None
        if x[-1] < x[0]:
            steps = -steps
        back = -steps[steps < 0].sum()
        if back > BACKWARD * (x.max() - x.min()):
            raise LabError(
                f"The {self.axis} of curve {uid} does not run one way (it goes back by {back:g} {self.axis_units} in "
                "all), so it cannot be an axis; take the curve's own axis, or leave this curve out."
            )
        points, index, counts = np.unique(x, return_inverse=True, return_counts=True)
        return points, index, counts

    def _common_unit(self, name: str) -> dict[int, Any] | None:
        """What each curve of a variable is multiplied by to have one unit; None if nothing is."""
        found = list(dict.fromkeys(self._units(name)))
        first = self.blocks[0].variables[name]
        self.long_names[name] = first.long_name
        if len(found) == 1:
            self.units[name] = found[0]
            return None
        counting = set(found) <= {"counts", "counts/s"}
        unit = "counts/s" if counting else found[0]
        scales: dict[int, Any] = {}
        divided = 0
        for block in self.blocks:
            own = block.variables[name].units
            for i, row in enumerate(block.rows):
                if counting and own == "counts":
                    scales[int(row)] = 1.0 / self._count_time(block, i, int(row))
                    divided += 1
                else:
                    scales[int(row)] = _scale(own, unit, name, self.rows[int(row)][1])
        self.units[name] = unit
        self.notes.append(
            f"{name} of {divided} curves divided by the count time" if counting else f"{name} converted to {unit}"
        )
        return scales

    def _count_time(self, block: cache.Block, number: int, row: int) -> Any:
        """Seconds per point of a curve: an array, or one number."""
        v = block.variables.get("count_time")
        if v is not None and v.units == "s":
            return np.asarray(v.data if "count_time" in block.shared else v.data[number], dtype=np.float64)
        query = select(s.measurement.c.conditions).where(s.measurement.c.id == self.rows[row][7])
        text = self.conn.execute(query).scalar()
        told = json.loads(text) if text else {}
        seconds = told.get("count_time")
        if isinstance(seconds, int | float) and seconds > 0 and told.get("count_time_unit", "s") == "s":
            return float(seconds)
        raise LabError(
            f"Some curves are in counts, others in counts per second, and the count time of {self.rows[row][1]} is not "
            "known, so it cannot be converted; ask for the samples of one kind at a time."
        )


def _numbers(block: cache.Block, axis: str) -> Any:
    return [0] if axis in block.shared else np.arange(len(block.rows))


def _scale(unit: str, wanted: str, name: str, uid: str) -> float:
    try:
        return factor(unit, wanted)
    except UnitError:
        raise LabError(
            f"{name} of curve {uid} is in {unit!r}, of others in {wanted!r}; they cannot be stacked."
        ) from None
