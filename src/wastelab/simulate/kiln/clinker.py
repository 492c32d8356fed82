"""Rates of the two stages in which clinker forms, from ``datasets/equipment/clinker.toml``."""

from __future__ import annotations

from typing import Any

from ...errors import DatasetError
from ...provenance import Evidence, Source
from ...reference.files import find_files, read_toml
from .chemistry import ClinkerStages


def stages(burning_K: float, belite_K: float, atmosphere: Any, suppress: tuple[str, ...]) -> ClinkerStages:
    """The stages for a burning temperature.

    Raises
    ------
    DatasetError
        If the file of the rates is missing or incomplete.
    """
    files = find_files("datasets", "equipment/clinker.toml")
    if not files:
        raise DatasetError("datasets/equipment/clinker.toml was not found; install wastelab again.")
    data = read_toml(files[0])
    try:
        rows = [data["belite"], data["alite"]]
        A = (float(rows[0]["A_1_s"]), float(rows[1]["A_1_s"]))
        Ea = (float(rows[0]["Ea_kJ_mol"]) * 1e3, float(rows[1]["Ea_kJ_mol"]) * 1e3)
        models = (str(rows[0]["model"]), str(rows[1]["model"]))
        source = Source(f"{rows[0]['source']}; {rows[1]['source']}", Evidence(rows[1]["evidence"]))
    except (KeyError, TypeError, ValueError) as exc:
        raise DatasetError(
            f"{files[0]}: needs belite and alite, each with A_1_s, Ea_kJ_mol, model, source, evidence."
        ) from exc
    return ClinkerStages(burning_K, min(belite_K, burning_K), atmosphere, suppress, A, Ea, models, source)
