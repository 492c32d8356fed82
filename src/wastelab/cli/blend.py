"""``wastelab blend``: composition, moduli and indices of a blend."""

from __future__ import annotations

import json

import click

from ..errors import FractionSumError, MissingDataError, ValidityError
from ..i18n import pick_language, tr
from ..units import parse
from ._lab import Basis


@click.command()
@click.argument("parts", nargs=-1, required=True)
@click.option("--basis", type=Basis(["dry", "ignited"]), default="dry", help="Basis of the contents shown.")
@click.option("--wet", is_flag=True, help="The shares are as received (moist), not dry.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Language of the table.")
def blend(parts: tuple[str, ...], basis: str, wet: bool, as_json: bool, lang: str | None) -> int:
    """Blend PARTS (material=share) and show what results.

    \b
    Example:  wastelab blend red_mud/bayer-diasporic=30% raw/limestone=70% --basis ignited
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from ..chemistry import INDICES, MODULI, bogue, sulfoaluminate
    from ..chemistry.moduli import value_of
    from ..reference import material
    from ..simulate import blend as mix_materials
    from ..simulate import dry_fractions

    language = pick_language(lang)
    mix = {}
    for part in parts:
        name, equals, share = part.rpartition("=")
        if not equals:
            raise click.UsageError(f"{part!r} is not material=share, e.g. raw/limestone=70%.")
        try:
            fraction = float(share)
        except ValueError:
            fraction = parse(share, "kg/kg", what=name)
        found = material(name)
        if found in mix:
            raise FractionSumError(f"{name} is named twice; add its shares.")
        mix[found] = fraction
    if wet:
        total = sum(mix.values())
        if abs(total - 1.0) > 1e-9:
            raise FractionSumError(f"The fractions sum to {total:.9g}, expected 1.")
        mix = dry_fractions(mix)
    result = mix_materials(mix)
    shown = result.composition.to_basis(basis)
    ignited = result.composition.to_basis("ignited") if "LOI" in result.composition else None
    values: dict[str, float] = {}
    notes: list[str] = []
    for symbol, criterion in {**MODULI, **INDICES}.items():
        try:
            source = (result.calcined() if basis == "ignited" else result) if symbol in INDICES else shown
            values[symbol] = float(value_of(criterion, source))
        except (MissingDataError, ValidityError):
            continue
    for label, calculation in (("Bogue", bogue), ("sulfoaluminate", sulfoaluminate)):
        try:
            if ignited is not None:
                values.update({f"{label}: {k}": v for k, v in calculation(ignited).items()})
        except (MissingDataError, ValidityError) as exc:
            notes.append(f"{label}: {exc}")
    if as_json:
        click.echo(
            json.dumps(
                {
                    "basis": basis,
                    "dry_fractions": {m.id: x for m, x in mix.items()},
                    "contents": dict(shown.contents),
                    "sigma": dict(shown.sigma),
                    "values": values,
                    "notes": notes,
                    "evidence": str(result.evidence),
                },
                ensure_ascii=False,
            )
        )
        return 0
    out = Console(highlight=False, width=110)
    table = Table(box=box.SIMPLE, title=f"wt% ({basis})", title_justify="left")
    for head in ("", "wt%", "±"):
        table.add_column(head, justify="right")
    for name, value in shown.contents.items():
        table.add_row(name, f"{value:.3f}", f"{shown.sigma.get(name, 0.0):.2g}" if shown.sigma.get(name) else "")
    out.print(table)
    table = Table(box=box.SIMPLE)
    table.add_column("", justify="right")
    table.add_column("", justify="right")
    for name, value in values.items():
        table.add_row(name, f"{value:.4g}")
    out.print(table)
    for note in notes:
        out.print(f"- {note}", markup=False)
    out.print(tr("screen.evidence", language, level=tr(f"screen.level_{result.evidence}", language)))
    return 0
