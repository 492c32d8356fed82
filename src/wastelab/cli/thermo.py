"""``wastelab thermo``: data of a phase with their sources, and what the set implies against what is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ..errors import UnknownNameError, suggest
from ..i18n import pick_language, tr
from ._results import console, phase_title, print_json, table

if TYPE_CHECKING:
    from ..reference.thermochemistry import Phase, Thermochemistry

#: Temperatures at which functions are shown [degC].
_AT = (25.0, 200.0, 400.0, 600.0, 800.0, 1000.0, 1200.0, 1400.0)


@click.command()
@click.argument("phase", required=False)
@click.option("--check", is_flag=True, help="What the set implies against what is known; exit code 1 if a row fails.")
@click.option("--phases", "tables", multiple=True, type=click.Path(path_type=Path), help="Phases of your own (CSV).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Language of the tables.")
def thermo(phase: str | None, check: bool, tables: tuple[Path, ...], as_json: bool, lang: str | None) -> int:
    """Thermochemical data of PHASE (a name, a symbol as C4A3S, or a formula); without it, list the phases.

    \b
    Example:  wastelab thermo yeelimite
    Example:  wastelab thermo --check
    """
    from ..reference.thermochemistry import thermochemistry

    language = pick_language(lang)
    data = thermochemistry(*tables)
    if check:
        if phase is not None:
            raise click.UsageError("--check is of the whole set; leave PHASE out.")
        return _check(data, as_json, language)
    if phase is None:
        return _list(data, as_json, language)
    found = _find(data, phase)
    if as_json:
        print_json({"phases": [_body(p) for p in found]})
        return 0
    for p in found:
        _show(p, language)
    return 0


def _find(data: Thermochemistry, name: str) -> list[Phase]:
    """Phases that a name, symbol, formula or gas means."""
    from ..reference.phase_names import name_of, phase_groups

    if name in data:
        return [data[name]]
    if f"{name}(g)" in data and name not in {p.formula for p in data.values() if p.state != "gas"}:
        return [data[f"{name}(g)"]]
    groups = phase_groups()
    out, known = [], set()
    for p in data.values():
        entry = name_of(p.name)
        names = {entry.symbol, entry.name_zh, entry.group, groups.get(entry.group, entry).symbol, p.formula}
        known |= {p.name, *names}
        if name in names:
            out.append(p)
    if not out:
        raise UnknownNameError(
            f"There is no phase {name!r} in the set.{suggest(name, known)} `wastelab thermo` lists them."
        )
    return out


def _body(p: Phase) -> dict[str, Any]:
    celsius = [t for t in _AT if p.T_min - 1e-6 <= t + 273.15 <= p.T_max]
    kelvin = np.array(celsius) + 273.15
    return {
        "phase": p.name, "formula": p.formula, "state": p.state, "name": phase_title(p.name, "en"),
        "name_zh": phase_title(p.name, "zh"), "molar_mass_g_mol": p.molar_mass, "dHf298_kJ_mol": p.dHf298 / 1e3,
        "S298_J_molK": p.S298, "range_degC": [p.T_min - 273.15, p.T_max - 273.15],
        "sigma_G_kJ_mol": None if p.sigma_G is None else p.sigma_G / 1e3, "sigma_rule": p.sigma_rule, "weak": p.weak,
        "source": p.source.text, "doi": p.source.doi, "evidence": str(p.source.evidence),
        "adjustments": [
            {"dH_kJ_mol": a.dH, "dS_J_molK": a.dS, "reason": a.reason, "source": str(a.source)} for a in p.adjustments
        ],
        "functions": {
            "temperature_degC": celsius, "Cp_J_molK": p.heat_capacity(kelvin), "H_kJ_mol": p.enthalpy(kelvin) / 1e3,
            "S_J_molK": p.entropy(kelvin), "G_kJ_mol": p.gibbs(kelvin) / 1e3,
        },
    }  # fmt: skip


def _show(p: Phase, lang: str) -> None:
    out, body = console(), _body(p)
    title = phase_title(p.name, lang)
    out.print(f"[bold]{p.name}[/bold]  {p.formula}  {title if title != p.name else ''}  ({p.state})")
    sigma = "" if p.sigma_G is None else f" ± {p.sigma_G / 1e3:.3g}"
    low, high = body["range_degC"]
    out.print(
        f"dHf298 {p.dHf298 / 1e3:.3f} kJ/mol, S298 {p.S298:.3f} J/(mol K), G{sigma or ' ± ?'} kJ/mol, "
        f"{low:.0f} .. {high:.0f} °C",
        markup=False,
    )
    functions = body["functions"]
    columns = ["Cp_J_molK", "H_kJ_mol", "S_J_molK", "G_kJ_mol"]
    rows = [
        [f"{t:g}", *(f"{float(functions[c][k]):.2f}" for c in columns)]
        for k, t in enumerate(functions["temperature_degC"])
    ]
    table(out, "", ["°C", "Cp [J/(mol K)]", "H [kJ/mol]", "S [J/(mol K)]", "G [kJ/mol]"], rows, left=0)
    out.print(f"{tr('calcination.source', lang)}: {p.source}", markup=False)
    for a in p.adjustments:
        said = {"dh": f"{a.dH:+g}", "ds": f"{a.dS:+g}", "reason": a.reason, "source": str(a.source)}
        out.print(tr("calcination.adjusted", lang, **said), markup=False)
    if p.weak:
        out.print(f"! {tr('calcination.weak', lang, text=p.weak)}", markup=False)


def _list(data: Thermochemistry, as_json: bool, lang: str) -> int:
    from ..reference.phase_names import name_of

    if as_json:
        print_json(
            {
                "phases": [
                    {
                        "phase": p.name, "symbol": name_of(p.name).symbol, "formula": p.formula, "state": p.state,
                        "name": phase_title(p.name, "en"), "name_zh": phase_title(p.name, "zh"),
                        "range_degC": [p.T_min - 273.15, p.T_max - 273.15],
                        "sigma_G_kJ_mol": None if p.sigma_G is None else p.sigma_G / 1e3,
                        "evidence": str(p.source.evidence), "weak": p.weak, "adjusted": bool(p.adjustments),
                    }
                    for p in data.values()
                ]
            }
        )  # fmt: skip
        return 0
    rows = [
        [
            p.name, p.formula, phase_title(p.name, lang), f"{p.T_min - 273.15:.0f}..{p.T_max - 273.15:.0f}",
            "?" if p.sigma_G is None else f"{p.sigma_G / 1e3:.2g}",
            str(p.source.evidence) + (" *" if p.adjustments else "") + (" !" if p.weak else ""),
        ]
        for p in data.values()
    ]  # fmt: skip
    heads = [tr(f"calcination.{k}", lang) for k in ("phase", "formula", "name", "range", "sigma", "level")]
    out = console()
    table(out, "", heads, rows, left=3, last_left=True)
    out.print(tr("calcination.marks", lang), markup=False)
    return 0


def _check(data: Thermochemistry, as_json: bool, lang: str) -> int:
    from ..reference.thermo_report import consistency

    frame = consistency(data).reset_index()
    held = int(frame["ok"].sum())
    if as_json:
        checks = [{**{str(k): v for k, v in row.items()}, "ok": bool(row["ok"])} for row in frame.to_dict("records")]
        print_json({"checks": checks, "ok": held, "all": len(checks)})
        return 0 if held == len(frame) else 1
    rows = []
    for row in frame.to_dict("records"):
        digits = {"T": 0, "log pO2": 2}.get(str(row["quantity"]), 1)
        rows.append(
            [
                str(row["reaction"]), str(row["condition"]), str(row["quantity"]),
                f"{row['computed']:.{digits}f} ± {row['sigma']:.{digits}f} {row['unit']}".rstrip(),
                f"{row['low']:g}..{row['high']:g}", tr("calcination.yes" if row["ok"] else "calcination.no", lang),
                str(row["evidence"]),
            ]
        )  # fmt: skip
    heads = [
        tr(f"calcination.{k}", lang) for k in ("check", "range", "quantity", "computed", "known", "holds", "level")
    ]
    heads[1] = ""
    out = console()
    table(out, "", heads, rows, left=3, last_left=True)
    out.print(tr("calcination.all_hold", lang, count=held, all=len(frame)))
    return 0 if held == len(frame) else 1
