"""Leachates of a material: what its waste is judged by before it is blended.

A leachate is bound to its method, and a waste that leaches too much in one place is not freed by the mean of the heap:
of several samples the highest counts (GB 5085.3-2007 judges each sample). Only the method that the hazard limits name,
HJ/T 299, is taken; the material's note says which others there are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import Connection, select

from ..chemistry import Quantity
from ..chemistry.material import LEACHATE, unit_of
from ..provenance import Evidence, Source
from . import filters as f
from . import frames as fr
from . import schema as s

METHOD = "HJ/T 299"
_BELOW = s.FLAGS.index("below_detection")


def leachates(conn: Connection, keys: Sequence[int], measured: Sequence[f.Condition], lab: str) -> dict[str, Quantity]:
    """Highest leachate of each element among samples, by `METHOD`.

    Parameters
    ----------
    conn : Connection
    keys : sequence of int
        Internal keys of the samples.
    measured : sequence of conditions
        On measurements: status, window, visibility.
    lab : str
        Name of the laboratory, for the source.

    Returns
    -------
    dict of str to Quantity
        ``leachate_X`` [mg/L]; not detected anywhere is below the highest detection limit. A not-detected result without
        a limit says nothing and is left out.
    """
    m, v, q = s.measurement, s.value, s.quantity
    results: dict[str, dict[int, list[tuple[float | None, float | None, float | None]]]] = {}
    for start in range(0, len(keys), fr.CHUNK):
        query = (
            select(m.c.sample_id, m.c.method, q.c.name, v.c.value, v.c.sigma, v.c.lod, v.c.flag)
            .select_from(m.join(v, v.c.measurement_id == m.c.id).join(q, q.c.id == v.c.quantity_id))
            .where(f.is_one_of(m.c.sample_id, keys[start : start + fr.CHUNK]), *measured)
            .where(q.c.name.startswith(LEACHATE, autoescape=True))
        )
        for sample, method, name, value, sigma, lod, flag in f.fetch(conn, query):
            if not _is_method(method) or (value is None and (flag != _BELOW or lod is None)):
                continue
            results.setdefault(name, {}).setdefault(sample, []).append((value, sigma, lod))
    return {name: _highest(name, by_sample, lab) for name, by_sample in sorted(results.items())}


def _is_method(method: str) -> bool:
    return re.sub(r"\s+", "", METHOD) in re.sub(r"\s+", "", method or "").upper()


def _highest(
    name: str, by_sample: dict[int, list[tuple[float | None, float | None, float | None]]], lab: str
) -> Quantity:
    """The sample that leaches most; of its replicates the mean, one below detection counting as its limit."""
    means: list[tuple[float, float | None]] = []
    limits: list[float] = []
    for rows in by_sample.values():
        found = [value for value, _, _ in rows if value is not None]
        if not found:
            limits.append(max(lod for _, _, lod in rows if lod is not None))
            continue
        numbers = [value if value is not None else float(lod or 0.0) for value, _, lod in rows]
        sigmas = [sigma for _, sigma, _ in rows if sigma is not None]
        mean = sum(numbers) / len(numbers)
        spread = (sum((x - mean) ** 2 for x in numbers) / (len(numbers) - 1)) if len(numbers) > 1 else 0.0
        stated = sum(x * x for x in sigmas) / len(sigmas) if sigmas else 0.0
        variance = spread / len(numbers) + stated
        means.append((mean, variance**0.5 if variance > 0 else None))
    samples = len(by_sample)
    text = f"laboratory {lab}: leaching by {METHOD}, highest of {samples} sample{'s' if samples != 1 else ''}"
    source = Source(text, Evidence.PRIMARY)
    unit = unit_of(name)
    if not means or (limits and max(limits) > max(mean for mean, _ in means)):
        return Quantity.below(max(limits), unit, source, METHOD)
    value, sigma = max(means, key=lambda pair: pair[0])
    return Quantity(value, unit, source, sigma, method=METHOD)
