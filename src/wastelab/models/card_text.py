"""A model card as a person reads it: the same blocks as text for a terminal and as Markdown, in English or Chinese."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..i18n import tr

#: ("title", text), ("loud", text), ("head", text), ("list", [text]), ("facts", [(name, value)]),
#: ("table", (heads, rows)).
Block = tuple[str, Any]
#: Where a line may end: behind a space, behind a Chinese character, but not before its punctuation.
_TOKENS = re.compile(r"\s+|(?:[^\s\u2e80-\uffff]+|[\u2e80-\uffff])[)\uff00-\uffef\u3001\u3002\u201d]*")
_WORDS = re.compile(r"[A-Za-z][A-Za-z -]*[A-Za-z]")


def said(notice: Mapping[str, Any], lang: str) -> str:
    """A notice in a language; its English text where there is none in the locale files."""
    values = {k: word(v, lang) if isinstance(v, str) else v for k, v in notice["values"].items()}
    try:
        return tr(str(notice["key"]), lang, **values) if values else tr(str(notice["key"]), lang)
    except (KeyError, ValueError):
        return str(notice.get("text") or notice["key"])


def word(text: str, lang: str) -> str:
    """A word that models use in their results, in a language, numbers after it kept; itself where it is a name."""
    start = _WORDS.match(text)
    for known in (text, start.group() if start else ""):
        try:
            return tr(f"model_word.{known}", lang) + text[len(known) :] if known else text
        except KeyError:
            continue
    return text


def number(value: Any, digits: int = 3, *, sign: bool = False) -> str:
    """Digits that count; a dash for what is not known."""
    if value is None or value != value:
        return "–"
    return f"{value:+.{digits}g}" if sign else f"{value:.{digits}g}"


def percent(value: Any) -> str:
    """A share as percent."""
    return "–" if value is None or value != value else f"{100 * value:.0f} %"


def findings(found: Sequence[Mapping[str, Any]], lang: str) -> str:
    """What an audit found, severe ones first, as text for a terminal."""
    lines = []
    for f in found:
        lines.append(f"- {tr('model_card.severity_' + f['severity'], lang)} [{f['check']}] {said(f['message'], lang)}")
        if f["rows"]:
            more = f" … ({len(f['rows'])})" if len(f["rows"]) > 8 else ""
            lines.append(f"    {tr('model_card.rows', lang)}: {', '.join(f['rows'][:8])}{more}")
        lines.append(f"    -> {said(f['advice'], lang)}")
    return "\n".join(lines or [tr("model_card.audit_clean", lang)]) + "\n"


def blocks(card: Mapping[str, Any], lang: str, *, short: bool = False) -> list[Block]:
    """What a card says, in order; if short, only what it predicts and how well."""

    def t(key: str, **values: object) -> str:
        return tr(f"model_card.{key}", lang, **values)

    unit = f" [{card['unit']}]" if card["unit"] else ""
    out: list[Block] = [("title", t("title", target=word(card["target"], lang) + unit))]
    out += [("loud", said(label, lang)) for label in card["labels"]]
    out += _what(card, lang, t)
    out += _scores(card, lang, t)
    if short:
        return out
    out += _intervals(card, lang, t)
    out += _domain(card, lang, t)
    out += _local(card, t)
    out += _features(card, lang, t)
    if card["audit"] is not None:
        out.append(("head", t("audit")))
        found = [
            f"{t('severity_' + f['severity'])}: {said(f['message'], lang)} {said(f['advice'], lang)}"
            for f in card["audit"]
        ]
        out.append(("list", found or [t("audit_clean")]))
    out += [("head", t("limits")), ("list", [said(limit, lang) for limit in card["limits"]])]
    out.append(("head", t("made")))
    settings = ", ".join(f"{k}={v}" for k, v in card["parameters"].items() if v not in (None, ""))
    versions = ", ".join(f"{k} {v}" for k, v in card["versions"].items())
    out.append(("facts", [(t("versions"), versions), (t("settings"), settings)]))
    return out


def _what(card: Mapping[str, Any], lang: str, t: Callable[..., str]) -> list[Block]:
    data, stated = card["data"], card["stated"]
    unit = f" {card['unit']}" if card["unit"] else ""
    ages = data["ages_d"]
    facts = [
        (t("property"), word(card["target"], lang) + (f" [{card['unit']}]" if card["unit"] else "")),
        (t("method"), stated["method"] or t("not_stated")),
        (t("tests"), t("counts", rows=data["rows"], mixes=data["mixes"])
         + (t("counts_sources", n=data["sources"]) if data["sources"] else t("sources_unknown"))),
        (t("mixes_from"), word(data["mix_from"], lang) or t("not_stated")),
        (t("values"), f"{number(data['target']['low'], 4)}–{number(data['target']['high'], 4)}{unit}"),
        (t("ages"), t("no_age") if not ages else f"{ages[0]:g} d" if len(ages) == 1
         else f"{ages[0]:g}–{ages[-1]:g} d ({t('n_ages', n=len(ages))})"),
        (t("years"), stated["years"] or "–".join(dict.fromkeys(data["years"])) or t("not_stated")),
        (t("origin"), data["origin"] or t("not_stated")),
        (t("citation"), stated["citation"] or t("not_stated")),
        (t("evidence"), t("level_" + stated["evidence"]) if stated["evidence"] else t("not_stated")),
        (t("licence"), data["licence"] or t("no_licence")),
        (t("hash"), data["sha256"]),
    ]  # fmt: skip
    if stated["note"]:
        facts.append((t("note"), stated["note"]))
    members = card["learner"]["members"]
    facts.append((t("learner"), ", ".join(f"{word(m['name'], lang)} {percent(m['weight'])}" for m in members)))
    out: list[Block] = [("head", t("what")), ("facts", facts)]
    if data["notices"]:
        out.append(("list", [n if isinstance(n, str) else said(n, lang) for n in data["notices"]]))
    return out


def _scores(card: Mapping[str, Any], lang: str, t: Callable[..., str]) -> list[Block]:
    scores = card["scores"]
    if not scores:
        return [("head", t("scores")), ("list", [t("never_validated")])]
    unit = f" [{card['unit']}]" if card["unit"] else ""
    heads = [
        t("split"),
        f"RMSE{unit}",
        f"MAE{unit}",
        t("bias"),
        "R2",
        t("covered"),
        t("width"),
        t("trivial"),
        t("folds"),
    ]
    rows = []
    for i, s in enumerate(scores["every"]):
        e = s["errors"]
        best = min(s["baselines"], key=lambda b: b["rmse"])
        rows.append([
            word(s["label"], lang) + (f" ({t('headline')})" if i == 0 else ""),
            f"{number(e['rmse'])} ± {number(s['rmse_se'], 2)}", number(e["mae"]), number(e["bias"], 2, sign=True),
            "–" if e["r2"] is None else f"{e['r2']:.3f}", percent(e["coverage"]), number(e["width"]),
            f"{number(best['rmse'])} ({word(best['label'], lang)})", str(len(s["fold_rmse"])),
        ])  # fmt: skip
    out: list[Block] = [("head", t("scores")), ("table", (heads, rows))]
    out.append(("list", [f"{word(s['label'], lang)}: {word(s['meaning'], lang)}" for s in scores["every"]]))
    head = scores["every"][0]
    parts = [*head["by_age"], *head["by_level"]]
    if parts:
        heads = [t("part", split=word(head["label"], lang)), t("n_tests"), f"RMSE{unit}", f"MAE{unit}", t("bias"),
                 t("covered"), t("width")]  # fmt: skip
        rows = [
            [word(e["label"], lang), str(e["n_rows"]), number(e["rmse"]), number(e["mae"]),
             number(e["bias"], 2, sign=True), percent(e["coverage"]), number(e["width"])]
            for e in parts
        ]  # fmt: skip
        out.append(("table", (heads, rows)))
    loud = {label["key"] for label in card["labels"]}
    quiet = [said(n, lang) for n in scores["notices"] if n["key"] not in loud]
    if quiet:
        out.append(("list", quiet))
    return out


def _intervals(card: Mapping[str, Any], lang: str, t: Callable[..., str]) -> list[Block]:
    unit = f" [{card['unit']}]" if card["unit"] else ""
    out: list[Block] = [("head", t("intervals"))]
    for kind, found in (card["intervals"] or {}).items():
        title = word(f"new {kind}", lang)
        groups = t("groups", n=found["groups"], effective=number(found["effective_groups"]))
        facts = [(title, f"{groups}; {t('scale')}: {word('scale ' + str(found['scale']), lang)}")]
        if not found["coverage_90"]:
            facts.append((t("highest_level"), percent(found["highest_level"])))
        out.append(("facts", facts))
        if found.get("notices"):
            out.append(("list", [said(n, lang) for n in found["notices"]]))
        if found["coverage_90"]:
            heads = [t("part_of", split=title), t("n_tests"), t("covered"), t("width") + unit, t("median_width") + unit]
            heads.append(t("interval_score") + unit)
            rows = [
                [word(name, lang), str(int(v["rows"])), percent(v["coverage"]), number(v["mean_width"]),
                 number(v["median_width"]), number(v["interval_score"])]
                for name, v in found["coverage_90"].items()
            ]  # fmt: skip
            out.append(("table", (heads, rows)))
    return out if len(out) > 1 else [*out, ("list", [t("none")])]


def _domain(card: Mapping[str, Any], lang: str, t: Callable[..., str]) -> list[Block]:
    rows = []
    for name, column in card["data"]["columns"].items():
        gaps = f"{column['missing']}" if column["missing"] else ""
        if "levels" in column:
            rows.append([name, "", ", ".join(column["levels"]), gaps])
        else:
            rows.append([name, column["unit"], f"{number(column['low'], 4)}–{number(column['high'], 4)}", gaps])
    out: list[Block] = [("head", t("domain"))]
    out.append(("table", ([t("column"), t("unit"), t("range"), t("gaps")], rows)))
    found = card["domain"]
    if found:
        rule = t("domain_rule", limit=number(found["distance_limit"]), percentile=number(found["percentile"]))
        pairs = [" + ".join(pair) for pair in found["never_together"]]
        out.append(("list", [rule, *([t("never_together", pairs=", ".join(pairs))] if pairs else [])]))
    return out


def _local(card: Mapping[str, Any], t: Callable[..., str]) -> list[Block]:
    local = card["local"]
    if not local:
        said_of = [t("local_none")]
    else:
        said_of = [t("local_known", n=local["tests"], sources=local["sources"], share=percent(local["learnable"]))]
    if card["local_tests"]:
        said_of.append(t("local_tests", n=card["local_tests"]))
    return [("head", t("local")), ("list", said_of)]


def _features(card: Mapping[str, Any], lang: str, t: Callable[..., str]) -> list[Block]:
    direction = {1: t("rises"), -1: t("falls"), 0: ""}
    rows = []
    for f in card["features"]:
        if f["kind"] == "input":
            continue
        source = f["source"] + (f", doi:{f['doi']}" if f["doi"] else "")
        level = f" [{t('level_' + f['evidence'])}]" if f["evidence"] else ""
        rows.append([f["name"], f["unit"], direction.get(f["monotone"], ""), f["formula"], source + level])
    taken = [f["name"] for f in card["features"] if f["kind"] == "input"]
    out: list[Block] = [("head", t("features"))]
    if rows:
        out.append(("table", ([t(name) for name in ("feature", "unit", "monotone", "formula", "source")], rows)))
    if taken:
        out.append(("facts", [(t("as_in_table"), ", ".join(taken))]))
    return out


# -- as text and as Markdown
def to_text(content: Sequence[Block], width: int | None = None) -> str:
    """For a terminal of a width; without one nothing is broken. A Chinese character is as wide as two letters."""
    lines: list[str] = []
    for kind, value in content:
        if kind == "title":
            lines += [value, "=" * min(_width(value), 100)]
        elif kind == "loud":
            lines += _hanging("!!! ", value, width)
        elif kind == "head":
            lines += ["", value]
        elif kind == "list":
            lines += [line for text in value for line in _hanging("  * ", text, width)]
        elif kind == "facts":
            wide = max((_width(name) for name, _ in value), default=0)
            for name, text in value:
                lines += _hanging(f"  {_padded(name, wide)}  ", text, width)
        else:
            heads, rows = value
            lines += _columns(heads, rows, width)
    return "\n".join(lines) + "\n"


def _columns(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Columns side by side, under broken headings if need be; where they have no place, each row in sentences."""
    of_cells = [max((_width(str(row[j])) for row in rows), default=0) for j in range(len(heads))]
    broken = [[head] for head in heads]
    wide_of = [max(_width(head), w) for head, w in zip(heads, of_cells, strict=True)]
    if width is not None and _beside(wide_of) > width:
        broken = [_hanging("", head, max(w, 8)) for head, w in zip(heads, of_cells, strict=True)]
        wide_of = [max(w, *map(_width, head)) for head, w in zip(broken, of_cells, strict=True)]
    if width is not None and _beside(wide_of) > width:
        lines = [f"  {heads[0]}"]
        for row in rows:
            known = [f"{head} {cell}" for head, cell in zip(heads[1:], row[1:], strict=True) if cell]
            lines += [f"  - {row[0]}", *_hanging("      ", "; ".join(known), width)]
        return lines
    deep = max(map(len, broken))
    above = [[head[i] if i < len(head) else "" for head in broken] for i in range(deep)]
    return [
        "  " + "  ".join(_padded(str(c), w) for c, w in zip(row, wide_of, strict=True)).rstrip()
        for row in [*above, *rows]
    ]


def _beside(wide_of: Sequence[int]) -> int:
    """Width of a line of columns."""
    return 2 + sum(wide_of) + 2 * (len(wide_of) - 1)


def _hanging(start: str, text: str, width: int | None) -> list[str]:
    """A text behind its start, broken at a width below itself; words are left whole."""
    indent = _width(start)
    if width is None or indent + _width(text) <= width:
        return [start + text]
    lines, line = [], ""
    for token in _TOKENS.findall(text):
        if line and indent + _width((line + token).rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += token if line else token.lstrip()
    return (
        [start + lines[0], *(" " * indent + one for one in [*lines[1:], line.rstrip()] if one)]
        if lines
        else [start + line]
    )


def to_markdown(content: Sequence[Block]) -> str:
    """As Markdown; nothing of the content is taken for markup."""
    lines: list[str] = []
    for kind, value in content:
        if kind == "title":
            lines += [f"# {_safe(value)}", ""]
        elif kind == "loud":
            lines += [f"> **{_safe(value)}**", ""]
        elif kind == "head":
            lines += [f"## {_safe(value)}", ""]
        elif kind == "list":
            lines += [*(f"- {_safe(text)}" for text in value), ""]
        else:
            heads, rows = (["", ""], value) if kind == "facts" else value
            lines.append("| " + " | ".join(map(_safe, heads)) + " |")
            lines.append("|" + "---|" * len(heads))
            lines += ["| " + " | ".join(_safe(str(cell)) for cell in row) + " |" for row in rows]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _safe(text: str) -> str:
    for mark in "\\`*<>|":
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.replace("](", "]\\(").split())


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _padded(text: str, wide: int) -> str:
    return text + " " * (wide - _width(text))
