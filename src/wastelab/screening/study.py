"""The stored result of a screening: everything needed to read it, doubt it and repeat it.

A `Study` holds the Pareto set, the counts of the search, a short list with verdicts and uncertainty, and the
provenance (recipe text, hashes, versions). It is one netCDF-4 file that xarray and any HDF5 tool open. It
holds no wall-clock times, so the same inputs give the same values.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..chemistry.criterion import MASS, Criterion, form_value
from ..chemistry.material import PHASE
from ..errors import StudyError
from ..provenance import weakest
from ..routes.base import POTENTIAL
from .assemblage import Phases, is_phase
from .program import Program, material_components
from .search import Result

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

FORMAT = 1
#: Monte Carlo draws behind the uncertainty of the short list, and their seed.
DRAWS, SEED = 500, 20240601
#: Draws over the thermochemical data, where phases come from equilibrium.
DATA_DRAWS = 300
FloatArray = NDArray[np.float64]


class Study:
    """A screening result.

    Made by `wastelab.screen`, or read back with `Study.load`.

    Attributes
    ----------
    dataset : xarray.Dataset
        dims ``mix`` (Pareto set), ``short`` (short list), ``material``, ``variable``, ``criterion``,
        ``requirement``, ``sample``; see each variable's ``long_name`` and ``units``.
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self.dataset = dataset
        self._info: dict[str, Any] = json.loads(dataset.attrs["info"])

    # ---------------------------------------------------------------- what it is
    @property
    def info(self) -> dict[str, Any]:
        """Provenance, statements, verdicts and counts as plain data (see docs/studies.md for the keys)."""
        return self._info

    @property
    def name(self) -> str:
        """Name of the recipe."""
        return str(self._info["name"])

    @property
    def complete(self) -> bool:
        """False if the search was interrupted: the front is then that of the searched part only."""
        return bool(self._info["counts"]["complete"])

    @property
    def counts(self) -> dict[str, Any]:
        """``candidates``, ``blends``, ``process_points``, ``feasible``, ``discarded``, ``searched``, ``complete``."""
        return dict(self._info["counts"])

    @property
    def objectives(self) -> dict[str, str]:
        """Objective symbol to ``"min"`` or ``"max"``."""
        return dict(self._info["objectives"])

    # ---------------------------------------------------------------- tables
    @property
    def pareto(self) -> pd.DataFrame:
        """The Pareto set: fractions [kg/kg dry], process variables, then every criterion the route computes."""
        return self._table("mix", "")

    @property
    def short_list(self) -> pd.DataFrame:
        """The short list (best by each objective, balanced, spread, and the recipe's top list)."""
        return self._table("short", "short_")

    @property
    def short_sigma(self) -> pd.DataFrame:
        """Standard uncertainty of each criterion of the short list, from the spread of the materials."""
        import pandas as pd

        ds = self.dataset
        return pd.DataFrame(
            ds["short_sigma"].values, columns=list(ds["criterion"].values), index=list(ds["short"].values)
        )

    @property
    def requirements(self) -> pd.DataFrame:
        """Each requirement and how many candidates it discarded (first requirement that failed)."""
        import pandas as pd

        table = pd.DataFrame(self._info["requirements"])
        table["discarded"] = self.dataset["discarded"].values
        return table

    @property
    def materials(self) -> pd.DataFrame:
        """The materials of the recipe with id, class and evidence."""
        import pandas as pd

        return pd.DataFrame(self._info["materials"]).set_index("key")

    @property
    def verdicts(self) -> pd.DataFrame:
        """Verdicts of the short list: one row per mix and limit."""
        import pandas as pd

        return pd.DataFrame(self._info["verdicts"])

    def _table(self, dim: str, prefix: str) -> pd.DataFrame:
        import pandas as pd

        ds = self.dataset
        parts = [
            pd.DataFrame(ds[f"{prefix}fraction"].values, columns=list(ds["material"].values)),
            pd.DataFrame(ds[f"{prefix}process"].values, columns=list(ds["variable"].values)),
            pd.DataFrame(ds[f"{prefix}value"].values, columns=list(ds["criterion"].values)),
        ]
        table = pd.concat(parts, axis=1)
        table.index = pd.Index(list(ds[dim].values), name=dim)
        return table

    # ---------------------------------------------------------------- store
    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the study as one netCDF-4 file, all of it or nothing (temporary file, then rename).

        Raises
        ------
        StudyError
            If the folder cannot be written.
        """
        file = Path(path)
        temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise StudyError(f"{file.parent}: the folder cannot be made ({exc}).") from None
        try:
            self.dataset.to_netcdf(temporary, engine="h5netcdf")
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
            temporary.replace(file)
        except OSError as exc:
            raise StudyError(f"{file}: the study cannot be written ({exc}).") from None
        finally:
            temporary.unlink(missing_ok=True)
        return file

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Study:
        """Read a study file.

        Raises
        ------
        StudyError
            If the file is missing, damaged, no study, or of a newer format.
        """
        import xarray as xr

        file = Path(path)
        if file.is_dir():
            file = file / "study.nc"
        if not file.is_file():
            raise StudyError(f"{file}: there is no such study file.")
        try:
            with xr.open_dataset(file, engine="h5netcdf") as opened:
                dataset = opened.load()
            version = int(dataset.attrs["wastelab_study"])
            json.loads(dataset.attrs["info"])
        except Exception as exc:  # h5py, xarray and json fail in many ways on a damaged file
            raise StudyError(f"{file}: not a readable wastelab study ({type(exc).__name__}: {exc}).") from None
        if version > FORMAT:
            raise StudyError(f"{file}: study format {version} is newer than this wastelab knows ({FORMAT}).")
        return cls(dataset)

    def report(self, out: str | os.PathLike[str], *, lang: str | None = None) -> dict[str, Path]:
        """Write ``report.html`` (self-contained), PNG figures and CSV tables into a folder.

        Parameters
        ----------
        out : path
            Folder; created if needed.
        lang : {"en", "zh"}, optional

        Returns
        -------
        dict of str to Path
            What was written.
        """
        from .report import write_report

        return write_report(self, Path(out), lang=lang)

    def __repr__(self) -> str:
        c = self.counts
        state = "" if self.complete else ", PARTIAL"
        return (
            f"<wastelab.Study {self.name!r}: {self.dataset.sizes['mix']:,} Pareto mixes of {c['feasible']:,} feasible "
            f"of {c['candidates']:,} candidates{state}>"
        )


# ------------------------------------------------------------------------------------------ building


def mix_components(fractions: FloatArray, components: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Components of blends: a material that is absent from a blend cannot make it unknown.

    Parameters
    ----------
    fractions : ndarray, shape (n, d)
        Dry mass fractions [kg/kg].
    components : mapping of str to ndarray, shape (d,)
        Components of each material; NaN where not known.

    Returns
    -------
    dict of str to ndarray, shape (n,)
    """
    out = {}
    for name, values in components.items():
        known = np.nan_to_num(values)
        total = fractions @ known
        lacking = np.isnan(values)
        if lacking.any():
            total = np.where((fractions[:, lacking] > 0).any(axis=1), np.nan, total)
        out[name] = total
    return out


def evaluate(criterion: Criterion, mixes: Mapping[str, FloatArray]) -> FloatArray:
    """Value of a criterion for mixes, NaN where an input is missing or a validity condition fails."""
    value = np.array(criterion.evaluate(mixes), dtype=np.float64)
    for condition in criterion.validity:
        form = form_value(condition.form, mixes)
        bad = (form <= 0) if condition.strict else (form < -1e-9)
        value = np.where(bad | np.isnan(form), np.nan, value)
    return value


def build_study(program: Program, result: Result) -> Study:
    """Assemble a `Study` from a search result."""
    import xarray as xr

    from .. import __version__

    if program.phase_search is not None:  # a cache of its own: the last digit must not depend on what was met before
        fresh = Phases(program.phase_search.phases.assemblage, program.space.points)
        program = replace(program, phase_search=replace(program.phase_search, phases=fresh))
    recipe, route, space = program.recipe, program.route, program.space
    keys = list(space.materials)
    variables = list(space.points[0]) if space.points else []
    symbols = list(route.criteria)
    fraction = result.blends / space.m
    process = _process(program, result.point)
    value = criterion_values(program, fraction, result.point)

    labels, picks = _short_list(program, result)
    short_fraction = np.array([p[0] for p in picks], dtype=np.float64).reshape(len(picks), len(keys)) / space.m
    short_point = np.array([p[1] for p in picks], dtype=np.int64)
    short_value = criterion_values(program, short_fraction, short_point)
    short_sigma = propagate(program, short_fraction, short_point)
    short_data_sigma, phase_warnings = _phase_spread(program, labels, short_fraction, short_point)
    short_sigma = np.where(short_data_sigma > 0, np.hypot(short_sigma, short_data_sigma), short_sigma)
    verdicts = _verdicts(program, labels, short_fraction, short_value, short_sigma)

    counts = {
        "candidates": result.total,
        "blends": space.blends,
        "process_points": len(space.points),
        "feasible": result.feasible,
        "discarded": int(result.pruned_by.sum()),
        "searched": result.searched,
        "segments": result.segments,
        "pareto": len(result.blends),
        "complete": result.complete,
    }
    info = {
        "name": recipe.name,
        "name_zh": recipe.name_zh,
        "purpose": recipe.purpose,
        "trust": recipe.trust,
        "recipe_file": recipe.path.name,
        "recipe_sha256": recipe.sha256,
        "route": route.name,
        "route_title": route.title,
        "route_title_zh": route.title_zh,
        "product": route.product,
        "product_basis": route.product_basis,
        "step": 1.0 / space.m,
        "objectives": dict(recipe.objectives),
        "resolution": dict(zip(program.objectives, program.resolution, strict=True)),
        "windows": dict(recipe.require),
        "top_by": program.top_by,
        "standards": list(recipe.standards),
        "parameters": dict(space.parameters),
        "process_units": {v.name: v.unit for v in route.variables if v.name in variables},
        "counts": counts,
        "requirements": [
            {
                "label": r.label,
                "label_zh": r.label_zh,
                "kind": r.kind,
                "symbol": r.symbol,
                "partial": r.partial,
                "missing": "; ".join(r.missing),
            }
            for r in program.requirements
        ],
        "not_computed": list(program.skipped_limits),
        "needs": [
            {"property": n.property, "text": n.text, "text_zh": n.text_zh, "method": n.method} for n in route.needs
        ],
        "statements": list(route.all_statements),
        "statements_zh": list(route.all_statements_zh),
        "notes": list(program.notes),
        "materials": [
            _material_info(k, recipe.materials[k].use, m) for k, m in zip(keys, program.materials, strict=True)
        ],
        "criteria": {s: _criterion_info(route.criteria[s]) for s in symbols},
        "waste_leaching": _waste_leaching(program),
        "evidence": str(weakest(m.evidence for m in program.materials)),
        "verdicts": verdicts,
        "uncertainty": {"draws": DRAWS, "seed": SEED},
        "phase_warnings": phase_warnings,
        "versions": {"wastelab": __version__, "numpy": np.__version__},
    }
    n = len(fraction)
    width = max(4, len(str(n)))
    ds = xr.Dataset(
        {
            "fraction": (("mix", "material"), fraction.reshape(n, len(keys))),
            "process": (("mix", "variable"), process),
            "value": (("mix", "criterion"), value),
            "short_fraction": (("short", "material"), short_fraction),
            "short_process": (("short", "variable"), _process(program, short_point)),
            "short_value": (("short", "criterion"), short_value),
            "short_sigma": (("short", "criterion"), short_sigma),
            "short_data_sigma": (("short", "criterion"), short_data_sigma),
            "discarded": (("requirement",), result.pruned_by.astype(np.int64)),
            "sample_fraction": (("sample", "material"), result.sample / space.m),
        },
        coords={
            "mix": [f"P{i + 1:0{width}d}" for i in range(n)],
            "short": labels,
            "material": keys,
            "variable": np.array(variables, dtype=object if variables else "U1"),
            "criterion": symbols,
            "requirement": np.array([r.label for r in program.requirements], dtype=object),
        },
        attrs={
            "title": recipe.name,
            "wastelab_study": FORMAT,
            "Conventions": "CF-1.11",
            "recipe": recipe.text,
            "info": json.dumps(info, ensure_ascii=False, default=_plain),
        },
    )
    for name, units, text in (
        ("fraction", "kg/kg", "dry mass fraction of each material in the Pareto set"),
        ("process", "see info.process_units", "process variables of the Pareto set"),
        ("value", "see info.criteria", "criteria of the Pareto set"),
        ("short_fraction", "kg/kg", "dry mass fraction of each material in the short list"),
        ("short_process", "see info.process_units", "process variables of the short list"),
        ("short_value", "see info.criteria", "criteria of the short list"),
        ("short_sigma", "see info.criteria", "standard uncertainty of the criteria of the short list"),
        ("short_data_sigma", "see info.criteria", "part of it that comes from the thermochemical data"),
        ("discarded", "1", "candidates discarded, by the first requirement that failed"),
        ("sample_fraction", "kg/kg", "feasible candidates of a coarser lattice, for pictures"),
    ):
        ds[name].attrs.update(units=units, long_name=text)
    return Study(ds)


def _phase_spread(
    program: Program, labels: list[str], fraction: FloatArray, point: NDArray[np.int64]
) -> tuple[FloatArray, dict[str, list[str]]]:
    """Standard uncertainty from the thermochemical data, shape (n, criteria), and what to know of each assemblage."""
    symbols = list(program.route.criteria)
    sigma = np.zeros((len(fraction), len(symbols)))
    warnings: dict[str, list[str]] = {}
    if program.phase_search is None:
        return sigma, warnings
    phases = program.phase_search.phases
    for i, (row, p) in enumerate(zip(fraction, point, strict=True)):
        mixed = mix_components(row[None, :], program.points[p].components)
        warnings[labels[i]] = phases.warnings(mixed, int(p))[0]
        (drawn,) = phases.spread(mixed, int(p), DATA_DRAWS, SEED)
        for j, symbol in enumerate(symbols):
            criterion = program.route.criteria[symbol]
            if is_phase(criterion):
                values = np.asarray(criterion.evaluate(drawn))
                spread = float(np.std(values, ddof=1))
                sigma[i, j] = spread if spread > 1e-9 * float(np.max(np.abs(values))) else 0.0
    return sigma, warnings


def criterion_values(program: Program, fraction: FloatArray, point: NDArray[np.int64]) -> FloatArray:
    """Every criterion of the route for given blends and process points, shape (n, criteria)."""
    symbols = list(program.route.criteria)
    out = np.full((len(fraction), len(symbols)), np.nan)
    for p in np.unique(point):
        rows = point == p
        mixes = program.mixes(fraction[rows], int(p))
        for j, symbol in enumerate(symbols):
            criterion = program.route.criteria[symbol]
            if symbol.startswith(POTENTIAL):  # a cross-check: outside its conditions something is negative, and shows
                out[rows, j] = criterion.evaluate(mixes)
            else:
                out[rows, j] = evaluate(criterion, mixes)
    return out


def propagate(
    program: Program, fraction: FloatArray, point: NDArray[np.int64], *, draws: int = DRAWS, seed: int = SEED
) -> FloatArray:
    """Standard uncertainty of every criterion from the materials' standard uncertainties (Monte Carlo).

    Components vary independently and normally, cut at zero; a material whose value carries no uncertainty
    contributes none, so the result is a lower bound where some are missing. NaN where the value is unknown.
    """
    symbols = list(program.route.criteria)
    raw = material_components(program.recipe, program.materials)
    known = [
        {**m.sigma(), **{f"{PHASE}{k}": q.sigma for k, q in m.phases.items() if q.sigma}} for m in program.materials
    ]
    sigma = {name: np.array([k.get(name, 0.0) for k in known], dtype=np.float64) for name in raw}
    varied = [name for name, s in sigma.items() if np.any(s > 0)]
    rng = np.random.default_rng(seed)
    noise = {name: rng.standard_normal((draws, len(program.materials))) for name in varied}
    values = np.full((draws, len(fraction), len(symbols)), np.nan)
    drawn = {name: np.broadcast_to(value, (draws, len(value))) for name, value in raw.items()}
    for name in varied:
        moved = raw[name] + sigma[name] * noise[name]
        drawn[name] = moved if name == "LOI" else np.where(raw[name] >= 0, np.maximum(moved, 0.0), moved)
    flat = {
        name: np.ascontiguousarray(value).ravel() for name, value in drawn.items()
    }  # draws are materials of their own
    for p in np.unique(point):
        rows = point == p
        product = program.route.product_components(flat, program.space.points[p], program.space.parameters)
        mixes = {}
        for name, value in product.items():
            table = np.broadcast_to(value, (flat[MASS].size,)).reshape(draws, -1)
            total = np.nan_to_num(table) @ fraction[rows].T
            lacking = np.isnan(table[0])
            if lacking.any():
                total[:, (fraction[rows][:, lacking] > 0).any(axis=1)] = np.nan
            mixes[name] = total
        if program.phase_search is not None:
            mixes = program.phase_search.phases.extend(mixes, int(p))
        for j, symbol in enumerate(symbols):
            values[:, rows, j] = program.route.criteria[symbol].evaluate(mixes)
    with np.errstate(invalid="ignore"):
        spread: FloatArray = values.std(axis=0, ddof=1)
        noise_floor = 1e-9 * np.abs(values).max(axis=0)
    return np.where(spread < noise_floor, 0.0, spread)


def _process(program: Program, point: NDArray[np.int64]) -> FloatArray:
    points = program.space.points
    names = list(points[0]) if points else []
    grid = np.array([[p[n] for n in names] for p in points], dtype=np.float64).reshape(len(points), len(names))
    return grid[point].reshape(len(point), len(names))


def _short_list(program: Program, result: Result) -> tuple[list[str], list[tuple[NDArray[np.int64], int]]]:
    """Best by each objective, the balanced mix, then the mixes farthest from those chosen; plus the top list."""
    labels: list[str] = []
    picks: list[tuple[NDArray[np.int64], int]] = []
    values = result.objectives.astype(np.float64)
    if len(values):
        low, high = values.min(axis=0), values.max(axis=0)
        scaled = (values - low) / np.where(high > low, high - low, 1.0)
        chosen: list[int] = []
        for j, name in enumerate(program.objectives):
            best = int(np.lexsort((scaled.sum(axis=1), values[:, j]))[0])
            if best in chosen:
                labels[chosen.index(best)] += f", {name}"
            else:
                chosen.append(best)
                labels.append(f"best {name}")
        balanced = int(np.argmin((scaled**2).sum(axis=1)))
        if balanced not in chosen:
            chosen.append(balanced)
            labels.append("balanced")
        while len(chosen) < min(5, len(values)):
            distance = np.min(((scaled[:, None, :] - scaled[None, chosen, :]) ** 2).sum(axis=2), axis=1)
            far = int(np.argmax(distance))
            if distance[far] <= 0:
                break
            chosen.append(far)
            labels.append(f"spread {sum(x.startswith('spread') for x in labels) + 1}")
        picks = [(result.blends[i], int(result.point[i])) for i in chosen]
    for i, (blend, p) in enumerate(zip(result.top_blends, result.top_point, strict=True)):
        labels.append(f"top {i + 1} {program.top_by}")
        picks.append((blend, int(p)))
    return labels, picks


def _verdicts(
    program: Program, labels: list[str], fraction: FloatArray, value: FloatArray, sigma: FloatArray
) -> list[dict[str, Any]]:
    """Verdict of every limit for every short-listed mix under the spread of its materials.

    ``nominal`` is the verdict at the stated compositions, which is what the search applied.
    """
    from ..standards import Property, judge

    route = program.route
    symbols = list(route.criteria)
    rows: list[dict[str, Any]] = []
    for i, label in enumerate(labels):
        used = [m for m, x in zip(program.materials, fraction[i], strict=True) if x > 0]
        level = weakest(m.evidence for m in used)
        nominal: dict[str, Property] = {}
        spread: dict[str, Property] = {}
        for j, symbol in enumerate(symbols):
            if symbol in route.potential or not np.isfinite(value[i, j]):
                continue
            unit = route.criteria[symbol].unit
            nominal[symbol] = Property(float(value[i, j]), unit=unit, evidence=level)
            s = float(sigma[i, j]) if np.isfinite(sigma[i, j]) else 0.0
            spread[symbol] = replace(nominal[symbol], sigma=s) if s > 0 else nominal[symbol]
        for standard in program.recipe.standards:
            plain = judge(nominal, standard, materials=used)
            wide = judge(spread, standard, materials=used)
            for verdict, uncertain in zip(plain.verdicts, wide.verdicts, strict=True):
                row = uncertain.to_dict()  # the spread is part of the verdict
                row["nominal"] = str(verdict.status)
                row["mix"] = label
                row["evidence_inputs"] = str(level)
                rows.append(row)
    return rows


def _waste_leaching(program: Program) -> dict[str, str]:
    """Verdict of each waste by its own leachate: dilution does not free a hazardous waste (GB 5085.7)."""
    from ..standards import judge_waste_leaching

    verdicts = judge_waste_leaching(program.materials)
    return {
        key: str(verdicts[m.id].status)
        for key, m in zip(program.space.materials, program.materials, strict=True)
        if m.id in verdicts
    }


def _material_info(key: str, use: str, material: Any) -> dict[str, Any]:
    return {
        "key": key,
        "use": use,
        "id": material.id,
        "name": material.name,
        "name_zh": material.name_zh,
        "waste_class": material.waste_class,
        "kind": material.kind,
        "evidence": str(material.evidence),
        "note": material.note,
        "sha256": hashlib.sha256(
            json.dumps(sorted(material.components().items()), sort_keys=True).encode()
        ).hexdigest(),
    }


def _criterion_info(c: Criterion) -> dict[str, Any]:
    return {
        "name": c.name,
        "name_zh": c.name_zh,
        "unit": c.unit,
        "source": c.source.text,
        "doi": c.source.doi,
        "evidence": str(c.source.evidence),
        "assumptions": list(c.assumptions),
    }


def _plain(x: Any) -> Any:
    if isinstance(x, np.generic):
        return x.item()
    return str(x)
