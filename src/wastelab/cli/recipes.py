"""``wastelab recipes``: the shipped recipes."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def recipes(name: str | None, as_json: bool) -> int:
    """List the shipped recipes, or print the text of recipe NAME (copy it and change it).

    \b
    Example:  wastelab recipes red_mud_bye_clinker > my_recipe.toml
    """
    from ..screening import load_recipe, shipped_recipes

    if name is not None:
        click.echo(load_recipe(name).text, nl=False)
        return 0
    found = {stem: load_recipe(path) for stem, path in sorted(shipped_recipes().items())}
    if as_json:
        click.echo(
            json.dumps(
                {k: {"name": r.name, "name_zh": r.name_zh, "route": r.route} for k, r in found.items()},
                ensure_ascii=False,
            )
        )
        return 0
    for stem, recipe in found.items():
        click.echo(f"{stem:32s} {recipe.route:24s} {recipe.name}")
    return 0
