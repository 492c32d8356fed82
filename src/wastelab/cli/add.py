"""``wastelab add`` and ``wastelab change``: register people, instruments, sources, samples, mixes, specimens."""

from __future__ import annotations

import json
from typing import Any

import click

from ..errors import LabError
from ..i18n import pick_language, say
from ._lab import day, lab_options, open_for, pairs
from ._words import words

#: Fields that hold dates.
_DATES = {"collected_at", "received_at", "disposed_at", "calibrated_at", "valid_until", "made_at", "cast_at", "started"}
_KINDS = ("person", "instrument", "calibration", "reference_material", "source", "sample", "mix", "specimen")

#: Of a measurement, what `approve` and `retract` decide.
_DECIDED = {"status", "checked_by", "checked_at", "flags"}


@click.command()
@click.argument("kind", type=click.Choice(_KINDS))
@click.argument("label")
@click.argument("fields", nargs=-1)
@click.option("--reason", default="", help="Why, for the audit trail.")
@lab_options
def add(
    kind: str, label: str, fields: tuple[str, ...], reason: str, lab_dir: str, user: str | None, as_json: bool,
    lang: str | None,
) -> int:  # fmt: skip
    """Register a KIND under a code or name LABEL, with FIELDS (field=value; JSON for structured ones).

    \b
    Example:  wastelab add source HEAP-1 name_zh=赤泥堆场 waste_class=red_mud latitude=36.1 longitude=113.2
    Example:  wastelab add sample RM-XY-03 waste_class=red_mud source=HEAP-1 collected_at=2026-03-01
    Example:  wastelab add sample RM-XY-03-D parent=RM-XY-03 process='{"step": "dried", "temperature": "105 degC"}'
    Example:  wastelab add mix M-07 components='RM-XY-03-D=0.3, raw/limestone=0.7' water_binder=0.4
    """
    if "=" in label:
        raise LabError(say("cli.label_equals", label=label, kind=kind))
    given: dict[str, Any] = {k: _value(k, v) for k, v in pairs(fields).items()}
    given["name" if kind == "person" else "certificate" if kind == "calibration" else "code"] = label
    with open_for(lab_dir, user) as lab:
        uid = lab.add(kind, given, reason=reason)
    click.echo(
        json.dumps({"kind": kind, "label": label, "uid": uid}, ensure_ascii=False)
        if as_json
        else f"{words('entity', kind, pick_language(lang))} {label}  {uid}"
    )
    return 0


@click.command()
@click.argument("kind", type=click.Choice((*_KINDS, "measurement")))
@click.argument("label")
@click.argument("fields", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why; kept in the audit trail.")
@lab_options
def change(
    kind: str, label: str, fields: tuple[str, ...], reason: str, lab_dir: str, user: str | None, as_json: bool,
    lang: str | None,
) -> int:  # fmt: skip
    """Change what may be changed of a record; the old value stays in the audit trail.

    \b
    Example:  wastelab change sample RM-XY-03 location='shelf 3' --reason 'moved' --lab mylab
    Example:  wastelab change measurement UID visibility=public --reason 'published' --lab mylab
    """
    given = {k: _value(k, v) for k, v in pairs(fields).items()}
    if kind == "measurement" and given.keys() & _DECIDED:
        raise LabError(say("cli.decided", names=", ".join(sorted(given.keys() & _DECIDED))))
    with open_for(lab_dir, user) as lab:
        lab.change(kind, label, reason=reason, **given)
    click.echo(
        json.dumps({"kind": kind, "label": label}, ensure_ascii=False)
        if as_json
        else f"{words('entity', kind, pick_language(lang))} {label}"
    )
    return 0


def _value(name: str, text: str) -> Any:
    if name == "components" and not text.lstrip().startswith("["):
        return [_component(part) for part in text.split(",") if part.strip()]
    if name in _DATES:
        return day(text)
    if text[:1] in "[{":
        try:
            return json.loads(text)
        except json.JSONDecodeError as exc:
            raise click.UsageError(f"{name}={text!r} is not valid JSON ({exc.msg}).") from None
    return text


def _component(text: str) -> dict[str, Any]:
    name, equals, share = text.rpartition("=")
    try:
        number = float(share.strip().removesuffix("%")) / (100.0 if share.strip().endswith("%") else 1.0)
    except ValueError:
        equals = ""
    if not equals or not name.strip():
        raise click.UsageError(
            f"component {text.strip()!r} is not SAMPLE=FRACTION, e.g. RM-XY-03=0.3 or raw/limestone=70%."
        )
    key = "material" if "/" in name else "sample"
    return {key: name.strip(), "fraction": number}
