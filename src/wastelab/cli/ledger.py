"""``wastelab ledger``: the waste account (台账): what came in, where it lies, what became of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from ..i18n import pick_language, tr
from ._lab import Basis, Day, WasteClass, lab_options, open_for, pairs, show_table

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def ledger() -> None:
    """The waste account (台账): what came in by batch, where it lies, what became of it.

    \b
    Start with:  wastelab ledger yard N1 kind=shed capacity_t='500 t' --lab mylab
                 wastelab ledger batch RM-26-03 red_mud 2026-03-02 --yard N1 --mass '32.4 t' --moisture '30 %'
                 wastelab ledger use RM-26-03 '2.4 t' 2026-03-20 --product 'clinker trial' --lab mylab

    Masses carry their unit (t, kg, 吨). Nothing is edited: reverse an entry and record it again.
    """


def _movement_options(*names: str) -> Callable[[F], F]:
    """Options of a movement, in the order they are shown."""
    known = {
        "moisture": click.option("--moisture", help="wt% of the wet mass, e.g. '28 %'."),
        "yard_from": click.option("--from", "yard_from", metavar="YARD", help="Yard it leaves (the batch's own)."),
        "yard_to": click.option("--to", "yard_to", metavar="YARD", help="Yard it goes to (the batch's own)."),
        "mix": click.option("--mix", help="Mix it was used for."),
        "specimen": click.option("--specimen", help="Specimen it was used for."),
        "product": click.option("--product", help="What was made of it."),
        "product_quantity": click.option("--quantity", "product_quantity", help="How much of it, e.g. '1200 m3'."),
        "counterparty": click.option("--counterparty", help="Who gave or took it."),
        "mass_sigma": click.option("--mass-sigma", help="Standard uncertainty of the mass, e.g. '20 kg'."),
        "document": click.option("--document", help="Weighbridge ticket or other document."),
        "operator": click.option("--operator", help="Who did it."),
        "note": click.option("--note", help="Anything else."),
    }

    def add(command: F) -> F:
        for name in reversed((*names, "mass_sigma", "document", "operator", "note")):
            command = known[name](command)
        return command

    return add


def _done(uid: str, as_json: bool, lang: str | None, **more: object) -> int:
    if as_json:
        click.echo(json.dumps({"uid": uid, **more}, ensure_ascii=False))
    else:
        click.echo(tr("ledger.recorded", pick_language(lang), uid=uid))
    return 0


def _move(kind: str, batch: str, mass: str, at: str, options: dict[str, Any]) -> int:
    lab_dir, user, as_json, lang = (options.pop(k) for k in ("lab_dir", "user", "as_json", "lang"))
    with open_for(lab_dir, user) as lab:
        uid = lab.ledger.move(kind, batch, mass, at, **options)
    return _done(uid, as_json, lang, kind=kind, batch=batch)


# -- putting in
@ledger.command()
@click.argument("code")
@click.argument("fields", nargs=-1)
@lab_options
def yard(code: str, fields: tuple[str, ...], lab_dir: str, user: str | None, as_json: bool, lang: str | None) -> int:
    """Register a yard under CODE, with FIELDS (field=value).

    \b
    Example:  wastelab ledger yard N1 kind=shed capacity_t='500 t' name_zh=北棚 --lab mylab

    Fields: name, name_zh, kind (heap, shed, silo, tank, laboratory), capacity_t, location, latitude, longitude, note.
    """
    with open_for(lab_dir, user) as lab:
        uid = lab.ledger.add_yard(code, **pairs(fields))
    return _done(uid, as_json, lang, yard=code)


@ledger.command()
@click.argument("code")
@click.argument("waste_class", type=WasteClass())
@click.argument("received_at", metavar="DATE", type=Day())
@click.option("--yard", help="Where it goes, and is taken from unless a movement says otherwise.")
@click.option("--source", help="Source (heap, plant) it came from.")
@click.option("--waste-code", help="National code of the waste.")
@click.option("--producer", help="Who produced it.")
@click.option("--carrier", help="Who brought it.")
@click.option("--contract", help="Number of the contract.")
@click.option("--manifest", help="Number of the manifest.")
@click.option("--sample", "samples", multiple=True, help="Sample taken from it (repeatable).")
@click.option("--mass", help="Mass of the first receipt, recorded with the batch.")
@_movement_options("moisture", "counterparty")
@lab_options
def batch(
    code: str, waste_class: str, received_at: str, samples: tuple[str, ...], mass_sigma: str | None, lab_dir: str,
    user: str | None, as_json: bool, lang: str | None, **options: Any,
) -> int:  # fmt: skip
    """Register a batch under CODE, of WASTE_CLASS, received on DATE; with --mass also its first receipt.

    \b
    Example:  wastelab ledger batch RM-26-03 赤泥 2026-03-02 --yard N1 --mass '32.4 t' --moisture '30 %'
    """
    if mass_sigma is not None:
        raise click.UsageError("--mass-sigma belongs to a movement: use `wastelab ledger receive`.")
    given = {k: v for k, v in options.items() if v is not None}
    with open_for(lab_dir, user) as lab:
        uid = lab.ledger.add_batch(code, waste_class, received_at, samples=samples, **given)
    return _done(uid, as_json, lang, batch=code)


@ledger.command()
@click.argument("batch")
@click.argument("samples", nargs=-1, required=True)
@lab_options
def link(batch: str, samples: tuple[str, ...], lab_dir: str, user: str | None, as_json: bool, lang: str | None) -> int:
    """Say that SAMPLES of the catalogue were taken from BATCH.

    \b
    Example:  wastelab ledger link RM-26-03 RM-XY-03 --lab mylab
    """
    with open_for(lab_dir, user) as lab:
        lab.ledger.link(batch, *samples)
    click.echo(
        json.dumps({"batch": batch, "samples": samples}, ensure_ascii=False)
        if as_json
        else f"{batch}: {', '.join(samples)}"
    )
    return 0


@ledger.command()
@click.argument("batch")
@click.argument("mass")
@click.argument("at", metavar="DATE", type=Day())
@_movement_options("moisture", "yard_to", "counterparty")
@lab_options
def receive(batch: str, mass: str, at: str, **options: Any) -> int:
    """Material of BATCH came in.

    \b
    Example:  wastelab ledger receive RM-26-03 '31.8 t' 2026-03-03 --moisture '30 %' --document WB-0412 --lab mylab
    """
    return _move("received", batch, mass, at, options)


@ledger.command()
@click.argument("batch")
@click.argument("mass")
@click.argument("at", metavar="DATE", type=Day())
@_movement_options("moisture", "yard_from", "yard_to")
@lab_options
def transfer(batch: str, mass: str, at: str, **options: Any) -> int:
    """Material of BATCH went from one yard to another.

    \b
    Example:  wastelab ledger transfer RM-26-03 '10 t' 2026-03-05 --from N1 --to S2 --lab mylab
    """
    return _move("transferred", batch, mass, at, options)


@ledger.command()
@click.argument("batch")
@click.argument("mass")
@click.argument("at", metavar="DATE", type=Day())
@_movement_options("moisture", "yard_from", "mix", "specimen", "product", "product_quantity")
@lab_options
def use(batch: str, mass: str, at: str, **options: Any) -> int:
    """Material of BATCH was used here.

    \b
    Example:  wastelab ledger use RM-26-03 '2.4 t' 2026-03-20 --mix M-07 --product clinker --quantity '6 t'
    """
    return _move("used", batch, mass, at, options)


@ledger.command("return")
@click.argument("batch")
@click.argument("mass")
@click.argument("at", metavar="DATE", type=Day())
@_movement_options("moisture", "yard_from", "yard_to", "counterparty")
@lab_options
def return_(batch: str, mass: str, at: str, **options: Any) -> int:
    """Material of BATCH came back unused (--to YARD) or went back to its producer (--from YARD).

    \b
    Example:  wastelab ledger return RM-26-03 '0.3 t' 2026-03-21 --to N1 --lab mylab
    """
    return _move("returned", batch, mass, at, options)


@ledger.command()
@click.argument("batch")
@click.argument("mass")
@click.argument("at", metavar="DATE", type=Day())
@_movement_options("moisture", "yard_from", "counterparty")
@lab_options
def dispose(batch: str, mass: str, at: str, **options: Any) -> int:
    """Material of BATCH was disposed of.

    \b
    Example:  wastelab ledger dispose RM-26-03 '5 t' 2026-04-02 --counterparty 'Landfill East' --lab mylab
    """
    return _move("disposed", batch, mass, at, options)


@ledger.command()
@click.argument("batch")
@click.argument("mass")
@click.argument("at", metavar="DATE", type=Day())
@_movement_options("moisture", "yard_from", "counterparty")
@lab_options
def sell(batch: str, mass: str, at: str, **options: Any) -> int:
    """Material of BATCH was given to somebody who uses it.

    \b
    Example:  wastelab ledger sell RM-26-03 '10 t' 2026-04-03 --counterparty 'Brick works' --lab mylab
    """
    return _move("sold", batch, mass, at, options)


@ledger.command()
@click.argument("batch")
@click.argument("mass")
@click.argument("at", metavar="DATE", type=Day())
@click.option("--reason", required=True, help="Why; kept in the account.")
@_movement_options("moisture", "yard_from", "yard_to")
@lab_options
def adjust(batch: str, mass: str, at: str, **options: Any) -> int:
    """Correct the book of BATCH to what was found: more (--to YARD) or less (--from YARD) by MASS.

    \b
    Example:  wastelab ledger adjust RM-26-03 '0.4 t' 2026-04-10 --from N1 --moisture '100 %' --reason dried --lab mylab
    """
    return _move("adjusted", batch, mass, at, options)


@ledger.command()
@click.argument("uid")
@click.option("--reason", required=True, help="Why; kept in the account.")
@click.option("--at", type=Day(), help="When it counts (when the movement did, by default).")
@click.option("--operator", default="", help="Who did it.")
@lab_options
def reverse(
    uid: str,
    reason: str,
    at: str | None,
    operator: str,
    lab_dir: str,
    user: str | None,
    as_json: bool,
    lang: str | None,
) -> int:
    """Undo movement UID by an entry that counts against it.

    \b
    Example:  wastelab ledger reverse 01a20e80-cec7-74b7-8b69-57ff94360d2d --reason 'wrong batch' --lab mylab
    """
    with open_for(lab_dir, user) as lab:
        made = lab.ledger.reverse(uid, reason, at=at, operator=operator)
    return _done(made, as_json, lang, reverses=uid)


@ledger.command()
@click.argument("yard")
@click.argument("mass")
@click.argument("at", metavar="DATE", type=Day())
@click.option("--class", "waste_class", type=WasteClass(), help="Only material of this class.")
@click.option("--moisture", help="wt% of the wet mass.")
@click.option("--mass-sigma", help="Standard uncertainty of the mass, e.g. '5 t'.")
@click.option("--method", help="How it was measured: survey, weighing …")
@click.option("--document", help="Report.")
@click.option("--operator", help="Who did it.")
@click.option("--note", help="Anything else.")
@lab_options
def stocktake(
    yard: str, mass: str, at: str, waste_class: str | None, lab_dir: str, user: str | None, as_json: bool,
    lang: str | None, **options: Any,
) -> int:  # fmt: skip
    """Record what was found in YARD beside the book, which stays as it is (see `adjust`).

    \b
    Example:  wastelab ledger stocktake N1 '21.9 t' 2026-04-10 --class red_mud --method survey --lab mylab
    """
    with open_for(lab_dir, user) as lab:
        found = lab.ledger.reconciliation(yard, mass, at, waste_class, **options)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return 0
    language = pick_language(lang)
    percent = found["error_percent"]
    click.echo(tr(
        "ledger.stocktake", language, yard=yard, measured=found["measured_t"], book=found["book_t"],
        error=found["error_t"], percent=tr("ledger.no_percent", language) if percent is None else f"{percent:+.2f} %",
    ))  # fmt: skip
    return 0


# -- asking
@ledger.command()
@click.option("--kind", multiple=True, help="Only this kind of movement (repeatable).")
@click.option("--batch", help="Only this batch.")
@click.option("--class", "waste_class", type=WasteClass(), help="Only this waste class.")
@click.option("--yard", help="Only from or to this yard.")
@click.option("--from", "since", type=Day(), help="On or after this day.")
@click.option("--to", "until", type=Day(), help="On or before this day.")
@click.option("--document", help="Only with this document.")
@click.option("--live", is_flag=True, help="Without reversed entries and their reversals.")
@lab_options
def entries(
    kind: tuple[str, ...], live: bool, lab_dir: str, user: str | None, as_json: bool, lang: str | None, **where: Any
) -> int:
    """List movements by date.

    \b
    Example:  wastelab ledger entries --batch RM-26-03 --from 2026-03-01 --lab mylab
    """
    with open_for(lab_dir, user) as lab:
        table = lab.ledger.entries(kind=kind or None, reversed=False if live else None, **where)
    if not as_json:
        shown = ["uid", "at", "kind", "batch", "mass_t", "moisture", "dry_t", "yard_from", "yard_to", "mix", "product",
                 "counterparty", "document", "reason"]  # fmt: skip
        table = table[shown]
    show_table(table, as_json, key="entries", lang=lang, empty=tr("ledger.nothing", pick_language(lang)))
    return 0


class _Weighed(Basis):
    """How mass is counted: wet as it is received, or dry."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from ..instruments.vocabulary import basis

        return super().convert("wet" if value == "湿基" or basis(str(value)) == "as_received" else value, param, ctx)


_BY = click.Choice(["waste_class", "waste_code", "yard", "batch", "source", "producer"])


@ledger.command()
@click.option("--at", type=Day(), help="At the end of this day, or at this time (now by default).")
@click.option("--by", multiple=True, type=_BY, default=("waste_class", "yard"), show_default=True, help="Repeatable.")
@lab_options
def balance(
    at: str | None, by: tuple[str, ...], lab_dir: str, user: str | None, as_json: bool, lang: str | None
) -> int:
    """Mass in, out and in stock, wet and dry.

    \b
    Example:  wastelab ledger balance --at 2026-03-31 --by waste_class --lab mylab
    """
    with open_for(lab_dir, user) as lab:
        table = lab.ledger.balance(at, by)
    show_table(table, as_json, key="balance", lang=lang, empty=tr("ledger.nothing", pick_language(lang)))
    return 0


@ledger.command()
@click.option("--at", type=Day(), help="On this day (today by default).")
@click.option("--basis", type=_Weighed(["wet", "dry"]), default="wet", show_default=True)
@click.option("--by", multiple=True, type=_BY, default=("waste_class", "yard"), show_default=True, help="Repeatable.")
@lab_options
def storage(
    at: str | None,
    basis: Literal["wet", "dry"],
    by: tuple[str, ...],
    lab_dir: str,
    user: str | None,
    as_json: bool,
    lang: str | None,
) -> int:
    """Years the stock lasts, age of the oldest, and whether it lies too long.

    \b
    Example:  wastelab ledger storage --basis dry --lab mylab

    Exit code 0: nothing lies longer than the guide; 1: something does; 2: wrong input.
    """
    from ..lab.ledger_storage import storage_guide

    with open_for(lab_dir, user) as lab:
        table = lab.ledger.storage(at, basis=basis, by=by)
    language = pick_language(lang)
    if as_json:
        show_table(table, True, key="storage")
    else:
        show_table(table.drop(columns=["source"]), False, lang=language, empty=tr("ledger.nothing", language))
        guides = {name: guide for name in dict.fromkeys(table["waste_class"]) if (guide := storage_guide(name))}
        for name, guide in guides.items():
            text = guide.text_zh if language == "zh" and guide.text_zh else guide.source.text
            click.echo(tr(
                "ledger.guide", language, waste_class=tr(f"ledger.class_{name}", language), years=guide.years,
                evidence=str(guide.source.evidence), source=text,
            ))  # fmt: skip
        if any(str(guide.source.evidence) == "memory" for guide in guides.values()):
            click.echo(tr("ledger.memory", language))
    return 1 if (table["status"] == "over").any() else 0


@ledger.command()
@click.argument("code")
@click.option("--direction", type=click.Choice(["back", "forward", "both"]), default="both", show_default=True)
@lab_options
def trace(
    code: str,
    direction: Literal["back", "forward", "both"],
    lab_dir: str,
    user: str | None,
    as_json: bool,
    lang: str | None,
) -> int:
    """From a specimen, mix or sample back to heaps, or from a heap, batch or yard forward to products.

    \b
    Example:  wastelab ledger trace M-07 --direction back --lab mylab
    """
    with open_for(lab_dir, user) as lab:
        table = lab.ledger.trace(code, direction)
    shown = table if as_json else table.drop(columns=["uid", "joint"])
    show_table(shown, as_json, key="trace", lang=lang, empty=tr("cli.no_trace", pick_language(lang)))
    return 0


@ledger.command()
@click.argument("target", type=click.Path(path_type=Path))
@lab_options
def export(target: Path, lab_dir: str, user: str | None, as_json: bool, lang: str | None) -> int:
    """Write the account to TARGET: one workbook if it ends in .xlsx, else a folder of CSV files.

    Headings are Chinese unless --lang says otherwise.

    \b
    Example:  wastelab ledger export 台账-2026.xlsx --lab mylab
    """
    language = lang or "zh"
    with open_for(lab_dir, user) as lab:
        if target.suffix.lower() == ".xlsx":
            files = [lab.ledger.to_excel(target, lang=language)]
        else:
            files = lab.ledger.to_csv(target, lang=language)
    click.echo(json.dumps({"files": [str(f) for f in files]}) if as_json else "\n".join(str(f) for f in files))
    return 0
