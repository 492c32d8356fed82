"""``wastelab datasets``: what data come with wastelab, and where each value is from."""

from __future__ import annotations

import json
from typing import Any

import click

from ..errors import UnknownNameError, suggest
from ..i18n import pick_language, tr
from ._lab import WasteClass

_COLLECTIONS = ("materials", "factors", "compositions", "published_recipes", "standards", "recipes")


@click.group()
def datasets() -> None:
    """Shipped data: materials, factors, literature analyses, published recipes, standards, recipes."""


@datasets.command("list")
@click.argument("collection", required=False)
@click.option("--waste-class", type=WasteClass(), help="Only materials of this class.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Language.")
def list_(collection: str | None, waste_class: str | None, as_json: bool, lang: str | None) -> int:
    """List the collections, or the entries of COLLECTION.

    \b
    Example:  wastelab datasets list materials --waste-class red_mud
    """
    language = pick_language(lang)
    if collection is None:
        counts = {name: len(_entries(name, None)) for name in _COLLECTIONS}
        if as_json:
            click.echo(json.dumps(counts))
        else:
            for name, number in counts.items():
                click.echo(f"{name:20s} {number:5d}  {tr('datasets.' + name, language)}")
        return 0
    entries = _entries(collection, waste_class)
    if as_json:
        click.echo(json.dumps(entries, ensure_ascii=False))
    else:
        for name, text in entries.items():
            click.echo(f"{name:34s} {text}")
    return 0


@datasets.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Language.")
def show(name: str, as_json: bool, lang: str | None) -> int:
    """Show one entry: a material id, a factor id or category, or a standard.

    \b
    Example:  wastelab datasets show red_mud/bayer-diasporic
    """
    from ..reference import factors, material, materials
    from ..standards import load_standard

    language = pick_language(lang)
    if name in materials():
        found = material(name)
        click.echo(json.dumps(_material_dict(found), ensure_ascii=False) if as_json else card(found, language))
        return 0
    table = factors()
    picked = table[(table["category"] == name) | (table.index == name)] if name != "factors" else table
    if len(picked):
        if as_json:
            click.echo(picked.reset_index().to_json(orient="records", force_ascii=False))
            return 0
        for key, row in picked.iterrows():
            spread = f" ({row['low']:g} .. {row['high']:g})" if row["low"] == row["low"] else ""
            click.echo(
                f"{key}  {row['item']}, {row['quantity']}: {row['value']:g}{spread} {row['unit']}  "
                f"[{row['evidence']}] {row['source']}"
            )
        return 0
    try:
        standard = load_standard(name)
    except UnknownNameError:
        known = [*materials(), *table.index, *sorted(set(table["category"]))]
        raise UnknownNameError(
            f"There is no material, factor or standard {name!r}.{suggest(name, known)} "
            "`wastelab datasets list materials` lists the materials."
        ) from None
    title = standard.title_zh if language == "zh" and standard.title_zh else standard.title
    if as_json:
        grades = {
            g.name: [{"property": x.property, "limit": x.text, "evidence": str(x.source.evidence)} for x in g.limits]
            for g in standard.grades.values()
        }
        click.echo(json.dumps({"id": standard.id, "title": title, "grades": grades}, ensure_ascii=False))
        return 0
    click.echo(f"{standard.id}  {title}  [{standard.status}: {standard.status_note}]\n{standard.note}")
    for grade in standard.grades.values():
        click.echo(f"\n{grade.name}  {grade.description}")
        for limit in grade.limits:
            source = f"[{limit.source.evidence}] {limit.source.text}"
            click.echo(f"  {limit.property}: {limit.text}  {limit.method}  {source}")
    return 0


def _entries(collection: str, waste_class: str | None) -> dict[str, str]:
    from ..reference import compositions, factors, material, materials, published_recipes
    from ..screening import shipped_recipes
    from ..standards import list_standards, load_standard

    if collection == "materials":
        return {i: f"{material(i).name}  [{material(i).evidence}]" for i in materials(waste_class)}
    if collection == "standards":
        return {i: load_standard(i).title for i in list_standards()}
    if collection == "recipes":
        return {k: str(v) for k, v in sorted(shipped_recipes().items())}
    if collection == "factors":
        table = factors()
        return {
            str(i): f"{r['category']}: {r['item']}, {r['quantity']}  [{r['evidence']}]" for i, r in table.iterrows()
        }
    if collection == "compositions":
        table = compositions(usable_only=False)
        return {
            str(i): f"{r['waste_class']}: {r['subtype']}  [{r['evidence']}; {r['use']}]" for i, r in table.iterrows()
        }
    if collection == "published_recipes":
        table = published_recipes()
        return {str(i): f"{r['family']}: {r['product']}  [{r['evidence']}]" for i, r in table.iterrows()}
    raise UnknownNameError(
        f"There is no collection {collection!r}.{suggest(collection, _COLLECTIONS)} "
        f"Collections: {', '.join(_COLLECTIONS)}."
    )


def card(material: Any, lang: str = "en") -> str:
    """Name card of a material as text: every value with its uncertainty and source."""
    name = material.name_zh if lang == "zh" and material.name_zh else material.name
    lines = [
        f"{material.id}  {name}",
        f"{tr('datasets.kind', lang)}: {tr('datasets.kind_' + material.kind, lang)}   "
        f"{tr('datasets.evidence', lang)}: {material.evidence}",
    ]
    if str(material.evidence) == "memory":
        lines.append(f"! {tr('datasets.memory', lang)}")
    if material.note:
        lines.append(material.note)
    closure = material.composition.closure()
    lines.append(closure.message)
    sigma = material.sigma()
    from ..chemistry import unit_of

    for key, value in material.components().items():
        source = material.source(key)
        if source is None:
            continue
        spread = f" ± {sigma[key]:.2g}" if key in sigma else ""
        lines.append(f"  {key:16s} {value:10.4g}{spread:10s} {unit_of(key):8s} [{source.evidence}] {source.text}")
    return "\n".join(lines)


def _material_dict(material: Any) -> dict[str, Any]:
    from ..chemistry import unit_of

    sigma = material.sigma()
    values = {}
    for key, value in material.components().items():
        source = material.source(key)
        if source is not None:
            values[key] = {
                "value": value,
                "unit": unit_of(key),
                "sigma": sigma.get(key),
                "source": source.text,
                "doi": source.doi,
                "evidence": str(source.evidence),
            }
    return {
        "id": material.id,
        "name": material.name,
        "name_zh": material.name_zh,
        "waste_class": material.waste_class,
        "kind": material.kind,
        "evidence": str(material.evidence),
        "note": material.note,
        "values": values,
    }
