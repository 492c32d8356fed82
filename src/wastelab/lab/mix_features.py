"""What was known of a mix before it was made: recipe, chemistry and fineness of its components, curing.

Only measurements of the component samples themselves and the cards of reference materials are looked at, never a
measurement of the mix or a specimen. What one component lacks is not known of the blend: NaN, never a partial sum.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from ..chemistry import WASTE_CLASSES
from ..errors import UnitError, UnknownNameError
from ..reference import material
from ..units import parse
from . import contents as c
from . import filters as f
from . import frames as fr
from . import schema as s
from .composition import ORDER
from .options import age_days
from .register import COMPONENT_ROLES

#: Groups of features by the name they are asked for.
GROUPS = ("recipe", "composition", "particles", "curing")
OXIDES = (*ORDER, c.LOI)
#: Particle properties and their units.
PARTICLES = {"density": "g/cm3", "blaine": "m2/kg", "bet": "m2/g", "d50": "um"}
#: Oxides that activators bring.
ACTIVE = ("Na2O", "K2O", "SiO2")
ROLES = tuple(role for role in COMPONENT_ROLES if role != "binder")
COLUMNS: dict[str, tuple[str, ...]] = {
    "recipe": (
        *(f"fraction_{name}" for name in WASTE_CLASSES), *(f"amount_{role}" for role in ROLES), "water_binder",
    ),
    "composition": (
        *(f"binder_{oxide}" for oxide in OXIDES), "composition_known", *(f"activator_{oxide}" for oxide in ACTIVE),
    ),
    "particles": tuple(f"binder_{name}" for name in PARTICLES),
    "curing": ("curing_temperature", "curing_temperature_max", "curing_humidity", "curing_days"),
}  # fmt: skip

Floats = NDArray[np.float64]
_NAN = float("nan")
_KNOWN = (*OXIDES, *PARTICLES)


@dataclass(frozen=True)
class Part:
    """A component of a mix: of which material, in which role, kg per kg of dry binder."""

    material: int | str
    role: str
    amount: float


@dataclass
class Mixes:
    """Mixes with all that is known of their components.

    Attributes
    ----------
    codes : mapping of int to str
    water_binder : mapping of int to float
        NaN where it was not stated.
    made_at, operator : mapping of int to str
    parts : mapping of int to list of Part
    classes : mapping
        Waste class of each material: a sample by its internal key, a reference material by its id.
    known : mapping
        What is known of each material, in the order of `OXIDES` and `PARTICLES`; NaN where nothing is.
    heaps : mapping of int to str
        Code of the heap of each sample that has one.
    unknown : set of str
        Reference materials that are not there.
    """

    codes: dict[int, str] = field(default_factory=dict)
    water_binder: dict[int, float] = field(default_factory=dict)
    made_at: dict[int, str] = field(default_factory=dict)
    operator: dict[int, str] = field(default_factory=dict)
    parts: dict[int, list[Part]] = field(default_factory=dict)
    classes: dict[int | str, str] = field(default_factory=dict)
    known: dict[int | str, Floats] = field(default_factory=dict)
    heaps: dict[int, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    def sources(self, mix: int) -> list[str]:
        """Codes of the heaps from which a mix was made, sorted."""
        return sorted({self.heaps[p.material] for p in self.parts[mix] if p.material in self.heaps})

    def same_recipe(self) -> dict[int, str]:
        """First code among the mixes that have the same components, amounts and water, for each mix."""
        recipes: dict[object, list[int]] = {}
        for key in self.codes:
            parts = sorted((str(p.material), p.role, f"{p.amount:.6g}") for p in self.parts[key])
            recipes.setdefault((tuple(parts), f"{self.water_binder[key]:.6g}"), []).append(key)
        return {key: min(self.codes[k] for k in keys) for keys in recipes.values() for key in keys}


def load(
    conn: Connection, keys: Sequence[int], measured: Sequence[f.Condition], seen: Sequence[f.Condition] = ()
) -> Mixes:
    """Mixes by internal key.

    Parameters
    ----------
    conn : Connection
    keys : sequence of int
    measured : conditions on measurements of component samples
    seen : conditions on component samples
        Nothing measured is taken from others.
    """
    out = Mixes()
    mix, part, sample = s.mix, s.mix_component, s.sample
    wanted = sorted(set(keys))
    query = select(mix.c.id, mix.c.code, mix.c.water_binder, mix.c.made_at, mix.c.operator)
    lines = select(part.c.mix_id, part.c.sample_id, part.c.material, part.c.role, part.c.fraction)
    for at in range(0, len(wanted), fr.CHUNK):
        some = wanted[at : at + fr.CHUNK]
        for key, code, water, made, operator in f.fetch(conn, query.where(f.is_one_of(mix.c.id, some))):
            out.codes[key], out.made_at[key], out.operator[key] = code, made, operator
            out.water_binder[key], out.parts[key] = _NAN if water is None else water, []
        found = f.fetch(conn, lines.where(f.is_one_of(part.c.mix_id, some)).order_by(part.c.mix_id, part.c.ordinal))
        for key, of, name, role, fraction in found:
            out.parts[key].append(Part(name if of is None else of, role, fraction))
    components = {p.material for parts in out.parts.values() for p in parts}
    samples = sorted(m for m in components if isinstance(m, int))
    rows: list[tuple[Any, ...]] = []
    about = select(sample.c.id, sample.c.waste_class, sample.c.source_id, sample.c.parent_id)
    for at in range(0, len(samples), fr.CHUNK):
        rows += f.fetch(conn, about.where(f.is_one_of(sample.c.id, samples[at : at + fr.CHUNK])))
    out.classes |= {row[0]: row[1] for row in rows}
    labels = f.labels(conn, s.source)
    out.heaps |= {key: labels[heap] for key, heap in f.sources_of(conn, ((r[0], r[2], r[3]) for r in rows)).items()}
    if samples:
        out.known |= _measured(conn, measured, seen)
    for name in sorted(m for m in components if isinstance(m, str)):
        _reference(out, name)
    return out


def _measured(
    conn: Connection, measured: Sequence[f.Condition], seen: Sequence[f.Condition]
) -> dict[int | str, Floats]:
    """What was measured on component samples: dry contents by XRF (LOI by any technique), particles by any."""
    part = s.mix_component
    where = [s.sample.c.id.in_(select(part.c.sample_id).where(part.c.sample_id.is_not(None))), *seen]

    def oxide(name: str, unit: str) -> str:
        return "wt%" if name in OXIDES and c.is_oxide(name, unit) else ""

    def particle(name: str, _: str) -> str:
        return PARTICLES.get(name, "")

    out: dict[int | str, Floats] = {}
    for wanted, techniques in ((oxide, ["XRF"]), (particle, None)):
        obs = c.read(conn, where, wanted, techniques=techniques, measured=measured, basis="dry")
        means = c.average(obs, censored="half").value
        columns = [_KNOWN.index(name) for name in obs.columns]
        for row, key in enumerate(obs.keys):
            out.setdefault(int(key), np.full(len(_KNOWN), _NAN))[columns] = means[row]
    return out


def _reference(out: Mixes, name: str) -> None:
    try:
        card = material(name)
    except UnknownNameError:
        out.unknown.add(name)
        return
    out.classes[name] = card.waste_class
    told = {**card.composition.contents, **{k: q.value for k, q in card.quantities.items() if k in PARTICLES}}
    out.known[name] = np.array([told.get(k, _NAN) for k in _KNOWN], dtype=np.float64)


# -- features
def features(mixes: Mixes, mix: int, curing: str) -> dict[str, float]:
    """All features of a mix under a curing, by column; see `COLUMNS`."""
    parts = [p for p in mixes.parts[mix] if p.amount > 0]
    out = dict.fromkeys(COLUMNS["recipe"], 0.0)
    for p in parts:
        if p.role == "binder":
            out[f"fraction_{mixes.classes.get(p.material, '')}"] = (
                out.get(f"fraction_{mixes.classes.get(p.material, '')}", 0.0) + p.amount
            )
        else:
            out[f"amount_{p.role}"] += p.amount
    if out.pop("fraction_", 0.0):  # of a class that is not known
        out |= dict.fromkeys((f"fraction_{name}" for name in WASTE_CLASSES), _NAN)
    stated = mixes.water_binder[mix]
    out["water_binder"] = stated if stated == stated else out["amount_water"] or _NAN
    return out | _blend(mixes, parts) | dict(zip(COLUMNS["curing"], read_curing(curing)[:4], strict=True))


def _blend(mixes: Mixes, parts: Sequence[Part]) -> dict[str, float]:
    """Composition and particle properties of the dry binder, oxides that the activators bring."""
    nothing = np.full(len(_KNOWN), _NAN)
    binder = [p for p in parts if p.role == "binder"]
    share = np.array([p.amount for p in binder], dtype=np.float64)
    known = np.array([mixes.known.get(p.material, nothing) for p in binder]).reshape(-1, len(_KNOWN))
    total = share.sum() if binder else _NAN
    mean = share @ known / total  # NaN where one of them is
    out = {f"binder_{name}": float(x) for name, x in zip(_KNOWN, mean, strict=True)}
    density = known[:, _KNOWN.index("density")]
    out["binder_density"] = float(total / np.sum(share / np.where(density > 0, density, _NAN)))  # volumes add
    analysed = ~np.isnan(known[:, : len(OXIDES)]).all(axis=1)
    out["composition_known"] = float(share[analysed].sum() / total)
    active = [p for p in parts if p.role == "activator"]
    for oxide in ACTIVE:
        place = _KNOWN.index(oxide)
        out[f"activator_{oxide}"] = float(sum(p.amount * mixes.known.get(p.material, nothing)[place] for p in active))
    return out


def read_curing(text: str) -> tuple[float, float, float, float, bool]:
    """Mean and highest temperature [degC], mean relative humidity [%], duration [d] of a curing, and if it was read.

    Means are weighted with the durations of the stages. What a stage does not tell is not known of the whole.
    """
    if not text:
        return _NAN, _NAN, _NAN, _NAN, True
    try:
        stages = json.loads(text)
    except ValueError:
        return _NAN, _NAN, _NAN, _NAN, False
    stages = [stages] if isinstance(stages, Mapping) else stages
    if not isinstance(stages, list) or not stages or not all(isinstance(x, Mapping) for x in stages):
        return _NAN, _NAN, _NAN, _NAN, False
    sound = True

    def column(name: str, unit: str) -> Floats:
        nonlocal sound
        out = []
        for stage in stages:
            value = stage.get(name)
            number = _NAN
            if value not in (None, ""):
                days = age_days(value) if name == "duration" and isinstance(value, str) else None
                try:
                    number = parse(value, unit, what=name) if days is None else days
                except UnitError:
                    sound = False
            out.append(number)
        return np.array(out, dtype=np.float64)

    temperature, humidity = column("temperature", "degC"), column("humidity", "%")
    days = column("duration", "d")
    weight = days if len(stages) > 1 else np.ones(1)
    total = weight.sum()

    def mean(x: Floats) -> float:
        return float(weight @ x / total) if total > 0 else _NAN

    return mean(temperature), float(temperature.max()), mean(humidity), float(days.sum()), sound
