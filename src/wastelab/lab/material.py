"""From measurements to a `Material`: one sample with its uncertainty, or the mean of many with their spread.

The standard uncertainty of a sample is that of its mean (`contents.average`); that of a class or a heap is the standard
deviation between its samples, because that is what a recipe meets. Everything is on the dry basis. Leachates come along
for the judgement of the waste itself, see `leachates`; they are no components.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, select

from ..chemistry import WASTE_CLASSES, Composition, Material, Quantity
from ..chemistry.material import LEACHATE, UNITS, unit_of
from ..errors import CompositionError, LabError, MissingDataError, suggest
from ..instruments import vocabulary
from ..provenance import Evidence, Source
from . import contents as c
from . import filters as f
from . import frames as fr
from . import schema as s
from .leachates import leachates
from .portions import history_of
from .spread import Component, component_of, covariance_of, some, weighted
from .store import Store

if TYPE_CHECKING:
    import pandas as pd

#: What a material has besides its oxides, where it was measured.
QUANTITIES = frozenset(UNITS) - {"process_CO2", "price", "gwp"}
#: Elements that analyses report beside oxides.
_BESIDE_OXIDES = frozenset(("Cl", "F", "Br", "I"))
#: Formulas that are known under another name.
_RENAMED = {"CO2": "carbonate_CO2", "H2O": "bound_water"}
_PHASE = "phase:"
_LOST, _PARTLY = c.FLAGS.index("not_convertible"), c.FLAGS.index("partly_not_convertible")
_ELEMENT = re.compile(r"^[A-Z][a-z]?$")


@dataclass(frozen=True)
class MaterialSpread:
    """The mean of several samples and how they scatter.

    Attributes
    ----------
    material : Material
    samples : pandas.DataFrame
        One row a sample, one column a component, dry basis, in the units of `chemistry.material.unit_of`.
    covariance : pandas.DataFrame
        Covariance of the contents of the composition between the samples [wt%^2]; positive semidefinite.
    n : int
        Number of samples.
    """

    material: Material
    samples: pd.DataFrame
    covariance: pd.DataFrame
    n: int


def material(store: Store, query: str | Sequence[str] | None = None, **options: Any) -> Material:
    """A material from what was measured.

    Parameters
    ----------
    store : Store
    query : str or sequence of str, optional
        Code of a sample (``"RM-1"``), a waste class (``"red_mud"``), a heap (``"source:H1"``), or several codes.
    **options
        See `material_spread`.

    Returns
    -------
    Material
        Kind ``"sample"`` or ``"mean"``, every value with its source.

    Raises
    ------
    MissingDataError
        If no composition was measured, or none can be brought to the dry basis; says what to measure.
    UnknownNameError
        If the sample, class or heap does not exist.
    """
    return _Maker(store, query, options).spread(covariance=False).material


def material_spread(
    store: Store,
    query: str | Sequence[str] | None = None,
    *,
    codes: f.Codes = None,
    waste_class: str | None = None,
    source: f.Codes = None,
    collected_from: str | None = None,
    collected_to: str | None = None,
    date_from: str | None = None,
    date_to: str | None = None,
    technique: f.Codes = "XRF",
    assume_basis: str | None = None,
    weights: Mapping[str, float] | None = None,
    status: str | Sequence[str] | None = None,
    verified_only: bool = False,
    viewer: str | None = None,
    id: str | None = None,
) -> MaterialSpread:
    """Mean and spread of the samples of a class or heap.

    Parameters
    ----------
    store : Store
    query : str or sequence of str, optional
        See `material`.
    codes, waste_class, source, collected_from, collected_to
        Samples; see `query.samples`. With a class or heap, portions of one sample (split, dried, ground) count as one
        sample, and what was calcined, washed, leached, blended or sieved, and reference materials, are left out.
    date_from, date_to : str, optional
        First and last date of measurement.
    technique : str or sequence of str
        Where oxides are taken from; everything else comes from whatever technique measured it.
    assume_basis : str, optional
        Basis to assume where none is stated.
    weights : mapping of str to float, optional
        Weight of each sample by code, e.g. tonnes of the part of the heap that it stands for; equal by default. Every
        sample needs one; those of weight zero are left out.
    status, verified_only, viewer
        See `query.measurements`.
    id : str, optional
        Of the material; ``"lab:"`` and the query by default.

    Returns
    -------
    MaterialSpread
    """
    options = {k: v for k, v in locals().items() if k not in ("store", "query")}
    return _Maker(store, query, options).spread()


_OPTIONS: dict[str, Any] = {
    "codes": None, "waste_class": None, "source": None, "collected_from": None, "collected_to": None,
    "date_from": None, "date_to": None, "technique": "XRF", "assume_basis": None, "weights": None, "status": None,
    "verified_only": False, "viewer": None, "id": None,
}  # fmt: skip


class _Maker:
    """Collects what a material is made of."""

    def __init__(self, store: Store, query: str | Sequence[str] | None, options: Mapping[str, Any]) -> None:
        for name in options:
            if name not in _OPTIONS:
                raise LabError(f"material: there is no option {name!r}.{suggest(name, _OPTIONS)}")
        self.store = store
        self.options = {**_OPTIONS, **options}
        self.single = ""
        self.label = self._resolve(query)
        self.notes: list[str] = []
        self.leachates: dict[str, Quantity] = {}
        if self.options["assume_basis"]:
            c.choose("assume_basis", self.options["assume_basis"], c.TARGETS[:3])

    def _resolve(self, query: str | Sequence[str] | None) -> str:
        """Turn the query into filters; returns what to call the result."""
        o = self.options
        if query is not None:
            if isinstance(query, str):
                text = query.strip().removeprefix("lab:")
                if text.startswith("source:"):
                    o["source"] = text.removeprefix("source:")
                elif text in WASTE_CLASSES:
                    o["waste_class"] = text
                elif (named := vocabulary.waste_class(text)) and not self._is_code(text):
                    o["waste_class"] = named
                else:
                    o["codes"] = text
            else:
                o["codes"] = list(query)
        codes = f.listed(o["codes"])
        if codes is None and o["waste_class"] is None and o["source"] is None:
            raise LabError(
                'Say what the material is made of: a sample code, a class ("red_mud"), a heap ("source:H1"), or codes=…'
            )
        if codes is not None:
            if not codes:
                raise LabError("The list of samples is empty; give at least one code.")
            o["codes"] = codes
            if len(codes) == 1:
                self.single = codes[0]
            return codes[0] if len(codes) == 1 else "+".join(codes) if len(codes) < 4 else f"{len(codes)} samples"
        if o["waste_class"] is not None:
            o["waste_class"] = f.waste_class(o["waste_class"])
        parts = [o["waste_class"] or "", *(f"source:{x}" for x in f.listed(o["source"]) or ())]
        return " ".join(p for p in parts if p)

    def _is_code(self, text: str) -> bool:
        with self.store.read() as conn:
            return conn.execute(select(s.sample.c.id).where(s.sample.c.code == text)).first() is not None

    def spread(self, *, covariance: bool = True) -> MaterialSpread:
        """The material, its samples, and their covariance."""
        o = self.options
        with self.store.read() as conn:
            where = f.sample_conditions(
                conn, waste_class=o["waste_class"], source=o["source"], codes=o["codes"],
                collected_from=o["collected_from"], collected_to=o["collected_to"], viewer=o["viewer"],
            )  # fmt: skip
            m = s.measurement
            measured = [
                f.with_status(o["status"], o["verified_only"]),
                *f.window(conn, m.c.measured_at, o["date_from"], o["date_to"], "date"),
                *f.visible(conn, o["viewer"], m),
            ]
            common: dict[str, Any] = {
                "measured": measured,
                "basis": "dry",
                "assume": o["assume_basis"] or "",
                "everyone": True,
            }
            oxides = c.read(
                conn, where, lambda n, u: "wt%" if c.is_oxide(n, u) else "", techniques=f.techniques(o["technique"]),
                **common,
            )  # fmt: skip
            others = c.read(conn, where, _other, techniques=None, **common)
            rows = conn.execute(select(s.sample).where(*where).order_by(s.sample.c.id)).mappings().all()
            group, names = self._groups(conn, rows)
            codes = [row["code"] for row in rows]
            group, names, weights, left = weighted(self.options["weights"], codes, group, names)
            if left:
                self.notes.append(f"Left out by a weight of zero: {len(left)} ({some(left)}).")
            tables = [self._table(obs, group, len(names)) for obs in (oxides, others)]
            facts = self._facts(conn, [*oxides.measurement.tolist(), *others.measurement.tolist()])
            lab = self.store.meta(conn).get("name", "")
            keys = [row["id"] for row, n in zip(rows, group, strict=True) if n >= 0]
            leached = self._leached(conn, keys, measured)
            self.leachates = leachates(conn, keys, measured, lab) if leached else {}
        return self._assemble(rows, names, group, weights, (oxides, others), tables, facts, lab, leached, covariance)

    # -- samples
    def _groups(self, conn: Connection, rows: Sequence[Mapping[Any, Any]]) -> tuple[Any, list[str]]:
        """Number of the sample that each row counts as (-1: left out), and their codes."""
        if not rows:
            raise MissingDataError(f"There is no sample of {self.label}{self._window()}; register and measure one.")
        if self.options["codes"] is not None:
            return np.arange(len(rows)), [row["code"] for row in rows]
        steps = history_of(conn, rows)
        roots: dict[int, int] = {}
        names: list[str] = []
        group = np.full(len(rows), -1)
        left = []
        for n, row in enumerate(rows):
            root, changed = steps(int(row["id"]))
            if changed or row["reference_material_id"] is not None:
                left.append(row["code"])
                continue
            if root not in roots:
                roots[root] = len(names)
                names.append(row["code"])
            group[n] = roots[root]
        if left:
            self.notes.append(f"Left out as treated or as reference material: {len(left)} ({some(left)}).")
        if not names:
            raise MissingDataError(f"Every sample of {self.label} was treated (calcined, washed …); name codes to use.")
        return group, names

    def _window(self) -> str:
        o = self.options
        given = [f"{k} {o[k]}" for k in ("collected_from", "collected_to", "date_from", "date_to") if o[k]]
        return f" ({', '.join(given)})" if given else ""

    def _table(self, obs: c.Observations, group: Any, size: int) -> c.Means:
        kept = group[obs.sample] >= 0
        chosen = obs.take(kept)
        return c.average(chosen, censored="half", rows=group[chosen.sample], size=size)

    # -- where it comes from
    def _facts(self, conn: Connection, keys: Sequence[int]) -> dict[int, tuple[str, str, str, str, str]]:
        """Technique, method, date, status and uid of measurements."""
        m = s.measurement
        out: dict[int, tuple[str, str, str, str, str]] = {}
        wanted = sorted(set(keys))
        for start in range(0, len(wanted), fr.CHUNK):
            query = select(m.c.id, m.c.technique, m.c.method, m.c.measured_at, m.c.status, m.c.uid)
            part = query.where(f.is_one_of(m.c.id, wanted[start : start + fr.CHUNK]))
            out.update((row[0], row[1:]) for row in f.fetch(conn, part))
        return out

    def _leached(self, conn: Connection, keys: Sequence[int], measured: Sequence[f.Condition]) -> str:
        """Which leaching results there are, by method."""
        m, v, q = s.measurement, s.value, s.quantity
        found: dict[str, set[str]] = {}
        for start in range(0, len(keys), fr.CHUNK):
            query = (
                select(m.c.method, q.c.name)
                .select_from(m.join(v, v.c.measurement_id == m.c.id).join(q, q.c.id == v.c.quantity_id))
                .where(f.is_one_of(m.c.sample_id, keys[start : start + fr.CHUNK]), *measured)
                .where(q.c.name.startswith(LEACHATE, autoescape=True))
                .distinct()
            )
            for method, name in f.fetch(conn, query):
                found.setdefault(method or "no method stated", set()).add(name)
        if not found:
            return ""
        told = "; ".join(f"{', '.join(sorted(names))} by {method}" for method, names in sorted(found.items()))
        return f"Leaching was tested and is judged by itself: {told}."

    # -- putting it together
    def _assemble(
        self, rows: Any, names: list[str], group: Any, weights: Any, both: tuple[c.Observations, c.Observations],
        tables: list[c.Means], facts: dict[int, tuple[str, str, str, str, str]], lab: str, leached: str,
        covariance: bool,
    ) -> MaterialSpread:  # fmt: skip
        import pandas as pd

        parts: dict[str, Component] = {}
        columns: dict[str, Any] = {}
        dropped: dict[str, str] = {}
        for obs, means in zip(both, tables, strict=True):
            for j, name in enumerate(obs.columns):
                chosen = (obs.column == j) & (group[obs.sample] >= 0)
                if not chosen.any():
                    continue
                if _ELEMENT.match(name) and name not in _BESIDE_OXIDES:
                    dropped[name] = "an element; its oxide counts"
                    continue
                if np.isnan(means.value[:, j]).all():
                    dropped[name] = _why(means.flag[:, j])
                    continue
                part = component_of(means, j, weights)
                part.measurements = np.unique(obs.measurement[chosen & (obs.state != c.UNCONVERTIBLE)]).tolist()
                if (means.flag[:, j] == _PARTLY).any():
                    dropped[f"some results of {name}"] = _why(np.array([_LOST]))
                parts[name] = part
                columns[name] = means.value[:, j]
        for old, new in _RENAMED.items():
            if old in parts:
                part, column = parts.pop(old), columns.pop(old)
                if new not in parts:
                    parts[new], columns[new] = part, column
        content = [n for n in parts if c.is_oxide(n, "wt%") and n not in UNITS]
        if not [n for n in content if n != c.LOI]:
            raise self._missing(dropped)
        if dropped:
            self.notes.append("Not used: " + "; ".join(f"{n} ({why})" for n, why in sorted(dropped.items())) + ".")
        if leached:
            self.notes.append(leached)
        made = self._material(rows, names, parts, content, facts, lab)
        frame = pd.DataFrame(columns, index=fr.index(names, "code"))
        order = list(made.composition)
        return MaterialSpread(
            made,
            frame,
            covariance_of(frame[order], weights) if covariance else pd.DataFrame(),
            len(names),
        )

    def _missing(self, dropped: Mapping[str, str]) -> MissingDataError:
        what = self.single or self.label
        oxides = {n: why for n, why in dropped.items() if c.is_oxide(n, "wt%") and n not in UNITS and n != c.LOI}
        technique = "/".join(f.techniques(self.options["technique"]) or ["XRF"])
        if not oxides:
            return MissingDataError(
                f"{what}: no composition was measured{self._window()}. Measure it by {technique} (oxides in wt%) and "
                "upload the result; `lab.measurements` lists what there is."
            )
        listed = ", ".join(f"{n}: {why}" for n, why in sorted(oxides.items()))
        return MissingDataError(
            f"{what}: a composition was measured, but none of it can be used on the dry basis ({listed}). Results on "
            "the ignited basis need the loss on ignition (LOI), as-received ones the moisture; where the basis was not "
            'stated, say it: assume_basis="dry".'
        )

    def _material(
        self, rows: Any, names: list[str], parts: Mapping[str, Component], content: Sequence[str],
        facts: Mapping[int, tuple[str, str, str, str, str]], lab: str,
    ) -> Material:  # fmt: skip
        classes = sorted({row["waste_class"] for row in rows})
        if len(classes) > 1:
            raise LabError(
                f"{self.label}: the samples are of several classes ({', '.join(classes)}); a material is of one. "
                "Say which by waste_class=…, or name the samples."
            )
        ident = self.options["id"] or f"lab:{self.label}"
        kind = "sample" if self.single else "mean"
        label = f"sample {self.single}" if self.single else ""
        source = {n: self._source(n, p, facts, lab, label, len(names)) for n, p in parts.items()}
        moisture = parts.get(c.MOISTURE)
        order = {n: i for i, n in enumerate(_order(content))}
        contents = {n: parts[n].value for n in sorted(content, key=order.__getitem__)}
        quantities: dict[str, Quantity] = dict(self.leachates)
        phases: dict[str, Quantity] = {}
        for name, part in parts.items():
            if name in contents:
                continue
            unit = "wt%" if name.startswith(_PHASE) else unit_of(name)
            q = Quantity(
                part.value, unit, source[name], part.sigma, lod=part.lod, censored=part.lod is not None,
                method=self._methods(part, facts),
            )  # fmt: skip
            if name.startswith(_PHASE):
                phases[name.removeprefix(_PHASE)] = q
            else:
                quantities[name] = q
        row = rows[0] if self.single else {"name": "", "name_zh": ""}
        try:
            return Material(
                id=ident,
                name=row["name"] or (self.single or f"{self.label}, mean of {len(names)} samples"),
                name_zh=row["name_zh"],
                waste_class=classes[0],
                kind=kind,
                composition=Composition(
                    contents,
                    "dry",
                    {n: sigma for n in contents if (sigma := parts[n].sigma)},
                    {n: lod for n in contents if (lod := parts[n].lod) is not None},
                    moisture.value if moisture else None,
                    (moisture.sigma or 0.0) if moisture else 0.0,
                ),
                quantities=quantities,
                oxide_sources={n: source[n] for n in contents},
                note=" ".join(self.notes),
                phases=phases,
            )
        except CompositionError as exc:
            raise CompositionError(
                f"{ident}: {exc} Look at `lab.values` of these samples and retract what is wrong."
            ) from None

    def _source(
        self, name: str, part: Component, facts: Mapping[int, tuple[str, str, str, str, str]], lab: str, label: str,
        total: int,
    ) -> Source:  # fmt: skip
        told = [facts[k] for k in part.measurements if k in facts]
        techniques = ", ".join(sorted({t[0] for t in told}))
        methods = self._methods(part, facts)
        days = sorted(t[2][:10] for t in told if t[2])
        when = "" if not days else f", {days[0]}" if days[0] == days[-1] else f", {days[0]} to {days[-1]}"
        who = label or f"mean of {part.samples} of {total} samples of {self.label}"
        number = f"{len(told)} result{'s' if len(told) != 1 else ''}"
        notes = []
        if any(t[3] != "verified" for t in told):
            notes.append("not all verified" if any(t[3] == "verified" for t in told) else "not yet verified")
        if self.options["assume_basis"]:
            notes.append(f"basis {self.options['assume_basis']} assumed where none was stated")
        text = f"laboratory {lab}: {who}, {techniques}{f' ({methods})' if methods else ''}, {number}{when}"
        return Source(text, Evidence.PRIMARY, note="; ".join(notes))

    @staticmethod
    def _methods(part: Component, facts: Mapping[int, tuple[str, str, str, str, str]]) -> str:
        return ", ".join(sorted({facts[k][1] for k in part.measurements if k in facts and facts[k][1]}))


def _other(name: str, unit: str) -> str:
    """Unit in which a quantity of a material that is no oxide is wanted, or an empty text."""
    if name in QUANTITIES or name.startswith("metal:"):
        return unit_of(name)
    return "wt%" if name.startswith(_PHASE) else ""


def _order(names: Sequence[str]) -> list[str]:
    from .composition import ORDER

    place = {n: i for i, n in enumerate(ORDER)}
    return sorted(names, key=lambda n: (n == c.LOI, place.get(n, len(place)), n))


def _why(flags: Any) -> str:
    """Why a component has no value."""
    found = {c.FLAGS[k] for k in flags.tolist()} - {"not_measured"}
    if "not_convertible" in found:
        return "its basis is not stated, or moisture or LOI is missing"
    if "below_detection" in found:
        return "not detected, without a detection limit"
    return "above the range of the method"
