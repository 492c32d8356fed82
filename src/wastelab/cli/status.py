"""``wastelab approve`` and ``wastelab retract``: the status of a measurement."""

from __future__ import annotations

import json

import click

from ..i18n import pick_language
from ._lab import lab_options, open_for


@click.command()
@click.argument("uids", nargs=-1, required=True)
@click.option("--by", required=True, help="Who checked it (a registered reviewer, manager or admin, if any are).")
@click.option("--reason", default="", help="Needed where the operator checks the own result.")
@lab_options
def approve(
    uids: tuple[str, ...], by: str, reason: str, lab_dir: str, user: str | None, as_json: bool, lang: str | None
) -> int:
    """Mark measurements as verified by a second person.

    \b
    Example:  wastelab approve 01a20e65-1488-7f90-a3c0-c32915247a4e --by "Wang Fang" --lab mylab
    """
    return _set(uids, "verified", by, reason, lab_dir, user, as_json, lang)


@click.command()
@click.argument("uids", nargs=-1, required=True)
@click.option("--by", required=True, help="Who retracts it.")
@click.option("--reason", required=True, help="Why; kept with the measurement.")
@lab_options
def retract(
    uids: tuple[str, ...], by: str, reason: str, lab_dir: str, user: str | None, as_json: bool, lang: str | None
) -> int:
    """Retract measurements: they stay readable, but nothing uses them any more.

    \b
    Example:  wastelab retract 01a20e65-1488-7f90-a3c0-c32915247a4e --by "Wang Fang" --reason "wrong crucible"
    """
    return _set(uids, "retracted", by, reason, lab_dir, user, as_json, lang)


def _set(
    uids: tuple[str, ...], status: str, by: str, reason: str, lab_dir: str, user: str | None, as_json: bool,
    lang: str | None,
) -> int:  # fmt: skip
    from ._words import words

    with open_for(lab_dir, user) as lab:
        for uid in uids:
            lab.set_status(uid, status, by=by, reason=reason)
    click.echo(
        json.dumps({"status": status, "measurements": list(uids)})
        if as_json
        else "\n".join(f"{words('status', status, pick_language(lang))}  {u}" for u in uids)
    )
    return 0
