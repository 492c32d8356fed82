"""XML of strangers: parsed without entities or document types, and flattened to ``a/b/c`` keys.

Used by the readers of PANalytical, Bruker and Rigaku files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from ...i18n import say
from ..base import Source

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_DEPTH = 60


def parse(data: bytes, source: Source, where: str = "") -> Element:
    """The root element, with namespaces removed from every tag and attribute.

    Raises
    ------
    InstrumentError
        If the XML is not well formed (a cut file never is), declares entities, or is nested too deeply.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except ParseError as exc:
        raise source.fail(say("sheet.xml_damaged", detail=str(exc)), where) from None
    except DefusedXmlException:
        raise source.fail(say("sheet.xml_entities"), where) from None
    except (ValueError, LookupError) as exc:
        raise source.fail(say("sheet.xml_encoding", detail=str(exc)), where) from None
    stack = [(root, 1)]
    while stack:
        element, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise source.fail(say("sheet.xml_deep", most=MAX_DEPTH), where)
        if isinstance(element.tag, str):
            element.tag = local(element.tag)
        if any("}" in key for key in element.attrib):
            named = {local(key): value for key, value in element.attrib.items()}
            element.attrib.clear()
            element.attrib.update(named)
        stack.extend((child, depth + 1) for child in element)
    return root


def local(tag: str) -> str:
    """A tag without its namespace."""
    return tag.rsplit("}", 1)[-1]


def text(element: Element | None, path: str) -> str:
    """Text of the first element at `path`, stripped; empty if there is none."""
    found = element.find(path) if element is not None else None
    return (found.text or "").strip() if found is not None else ""


def flatten(element: Element, skip: Collection[str] = (), prefix: str = "") -> dict[str, str]:
    """Every text and attribute below an element as ``{"a/b[2]/c": text, "a/b/@unit": text}``.

    Parameters
    ----------
    element : Element
        Its own tag is not part of the keys.
    skip : collection of str
        Tags that are left out with all they hold.
    prefix : str
        Put before each key.
    """
    return dict(_walk(element, frozenset(skip), prefix))


def _walk(element: Element, skip: frozenset[str], prefix: str) -> Iterator[tuple[str, str]]:
    many = Counter(child.tag for child in element)
    seen: Counter[str] = Counter()
    for child in element:
        if not isinstance(child.tag, str) or child.tag in skip:
            continue
        seen[child.tag] += 1
        key = prefix + (child.tag if many[child.tag] == 1 else f"{child.tag}[{seen[child.tag]}]")
        for name, value in child.attrib.items():
            if value.strip():
                yield f"{key}/@{name}", value.strip()
        body = (child.text or "").strip()
        if body:
            yield key, body
        yield from _walk(child, skip, key + "/")
