"""Equipment presets: one TOML file each in ``datasets/equipment``, every value with its source and evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ...errors import DatasetError, UnitError, UnknownNameError, ValidityError, suggest
from ...provenance import Evidence, Source, weakest
from ...reference.files import find_files, read_toml
from ...units import parse

KINDS = ("muffle", "flash", "rotary")
#: Unit of every value and the range that is accepted, by name.
VALUES: dict[str, tuple[str, float, float]] = {
    "length": ("m", 0.1, 300), "diameter": ("m", 0.01, 8), "slope": ("", 0.002, 0.12), "speed": ("1/min", 0.02, 60),
    "feed": ("kg/s", 1e-7, 300), "refractory_thickness": ("m", 1e-3, 1), "refractory_conductivity": ("W/m/K", 0.01, 30),
    "shell_emissivity": ("", 0.0, 1), "shell_coefficient": ("W/m**2/K", 0, 100), "ambient": ("kelvin", 220, 330),
    "bed_density": ("kg/m**3", 50, 4000), "bed_conductivity": ("W/m/K", 0.01, 1000), "bed_emissivity": ("", 0.05, 1),
    "wall_emissivity": ("", 0.05, 1), "flame_length": ("m", 0.02, 100), "dust_emissivity": ("", 0, 0.99),
    "excess_air": ("", 0, 10), "primary_air": ("", 0, 1), "false_air": ("", 0, 5), "cooler_efficiency": ("", 0, 0.95),
    "feed_temperature": ("kelvin", 250, 1500), "moisture": ("", 0, 0.8), "chain_length": ("m", 0, 100),
    "chain_area": ("m", 0, 100), "chain_coefficient": ("W/m**2/K", 0, 500), "stages": ("", 0, 8),
    "stage_conductance": ("J/kg/K", 100, 1e6), "stage_loss": ("J/kg/K", 0, 1000), "stage_time": ("s", 0.01, 600),
    "dust_loss": ("", 0, 0.5), "belite_temperature": ("kelvin", 1200, 1520),
    "emissivity": ("", 0.0, 1), "coefficient": ("W/m**2/K", 0, 1000), "sample_mass": ("kg", 1e-6, 1e5),
    "bed_depth": ("m", 1e-5, 2), "crucible": ("", 0, 50), "particle_density": ("kg/m**3", 100, 8000),
    "residence_time": ("s", 0.01, 600), "load": ("", 1e-4, 20), "gas_temperature": ("kelvin", 400, 2400),
    "wall_loss": ("J/kg/K/s", 0, 1e5), "velocity": ("m/s", 0.1, 60), "efficiency": ("", 0.05, 1),
    "air_flow": ("m**3/s", 1e-8, 100),
}  # fmt: skip


@dataclass(frozen=True)
class Preset:
    """An equipment with its numbers in SI units.

    Attributes
    ----------
    id, name, name_zh, kind, note : str
    values : mapping of str to float
    sources : mapping of str to Source
    atmosphere : str
    """

    id: str
    name: str
    name_zh: str
    kind: str
    note: str
    values: Mapping[str, float]
    sources: Mapping[str, Source]
    atmosphere: str

    def __getitem__(self, key: str) -> float:
        if key not in self.values:
            raise DatasetError(f"equipment {self.id!r} has no {key!r}; give it, {key}=...")
        return self.values[key]

    @property
    def evidence(self) -> Evidence:
        """Weakest evidence among the values."""
        return weakest(s.evidence for s in self.sources.values())


def presets() -> dict[str, Preset]:
    """Every preset by id, those of folders in ``WASTELAB_DATA`` first."""
    return dict(_presets())


@cache
def _presets() -> dict[str, Preset]:
    return {p.id: p for p in reversed(list(_read()))}


def _read() -> Iterator[Preset]:
    for file in find_files("datasets", "equipment/*.toml"):
        data = read_toml(file)
        if "values" not in data:
            continue
        for key in ("id", "name", "name_zh", "kind"):
            if not isinstance(data.get(key), str):
                raise DatasetError(f"{file}, {key}: is missing; expected text.")
        if data["kind"] not in KINDS:
            raise DatasetError(f"{file}, kind: {data['kind']!r} is not one of {', '.join(KINDS)}.")
        named = {
            k: Source(str(v.get("text", "")), Evidence(v.get("evidence", "memory")), doi=str(v.get("doi", "")))
            for k, v in data.get("sources", {}).items()
        }
        values, sources = {}, {}
        for key, entry in data["values"].items():
            where = f"{file}, values.{key}"
            if not isinstance(entry, Mapping) or "value" not in entry or entry.get("source") not in named:
                raise DatasetError(f"{where}: found {entry!r}, expected {{ value = ..., source = <one of sources> }}.")
            values[key] = checked(key, entry["value"], where)
            sources[key] = named[entry["source"]]
        yield Preset(
            data["id"], data["name"], data["name_zh"], data["kind"], str(data.get("note", "")), values, sources,
            str(data.get("atmosphere", "air")),
        )  # fmt: skip


def checked(key: str, value: Any, where: str) -> float:
    """A value in SI units, within its range."""
    if key not in VALUES:
        raise UnknownNameError(f"{where}: {key!r} is not known.{suggest(key, VALUES)}")
    unit, low, high = VALUES[key]
    if key == "moisture" and not isinstance(value, str):
        raise UnitError(f"{where} = {value!r} does not say of what it is a share; write '8 %', of the moist mass.")
    if isinstance(value, str):
        number = parse(value, unit, what=where)
    elif unit in ("", "1/min") and not isinstance(value, bool):
        number = float(value)
    else:
        raise ValidityError(f"{where} = {value!r} has no unit; write for example '{value} {unit or '%'}'.")
    if not low <= number <= high:
        raise ValidityError(f"{where} = {value!r} ({number:g} {unit}) is outside {low:g} to {high:g} {unit}.")
    return number


def preset(name: str, kind: str = "", **changes: Any) -> Preset:
    """One preset, with some values changed by the user.

    Parameters
    ----------
    name : str
        ``"rotary_kiln_dry_preheater"``; ``"rotary_kiln"``, ``"muffle"`` and ``"flash"`` stand for the usual ones.
    kind : str, optional
        What it must be.
    **changes : str or number
        Values with unit: ``length="45 m"``.

    Raises
    ------
    UnknownNameError, ValidityError, UnitError
    """
    from dataclasses import replace

    known = _presets()
    usual = {"rotary_kiln": "rotary_kiln_dry_preheater", "rotary": "rotary_kiln_dry_preheater", "muffle": "muffle_lab",
             "flash": "flash_calciner"}  # fmt: skip
    key = usual.get(name, name)
    if key not in known:
        raise UnknownNameError(f"There is no equipment {name!r}.{suggest(name, known)} Presets: {', '.join(known)}.")
    p = known[key]
    if kind and p.kind != kind:
        fit = [k for k, v in known.items() if v.kind == kind]
        raise ValidityError(f"equipment {name!r} is a {p.kind} model, not {kind}; choose one of {', '.join(fit)}.")
    values, sources = dict(p.values), dict(p.sources)
    typed = Source("typed by the user", Evidence.RECIPE)
    for k, v in changes.items():
        if v is not None:
            values[k] = checked(k, v, k)
            sources[k] = typed
    return replace(p, values=values, sources=sources)
