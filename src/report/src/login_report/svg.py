# SPDX-License-Identifier: Apache-2.0
"""A drawing of matplotlib's made fit to stand in a page beside others: own ids, colours of the page, words for it."""

import re
from collections.abc import Mapping
from xml.etree import ElementTree

_SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
_METADATA = f"{{{_SVG}}}metadata"
_DEFS, _STYLE = f"{{{_SVG}}}defs", f"{{{_SVG}}}style"


def inlined(drawing: str, name: str, title: str, alt: str, colours: Mapping[str, str]) -> str:
    """Return the svg element of `drawing` as text. Its ids begin with `name`; nothing in it leads elsewhere.

    `colours` are those in it by the name of the variable that replaces each, --chart-NAME; alone it keeps them.
    """
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(drawing)  # noqa: S314  (we have just drawn it)
    for metadata in root.findall(_METADATA):
        root.remove(metadata)
    for defs in root.iter(_DEFS):
        for rule in defs.findall(_STYLE):  # would hold for the whole page
            defs.remove(rule)
    for each in root.iter():
        _attributes(each, name, {colour: f"var(--chart-{word}, {colour})" for word, colour in colours.items()})
    for size in ("width", "height"):  # the page decides; viewBox keeps the shape
        root.attrib.pop(size, None)
    root.attrib |= {"role": "img", "aria-labelledby": f"{name}-title {name}-alt"}
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")
    for place, (tag, text) in enumerate((("title", title), ("desc", alt))):
        words = ElementTree.Element(f"{{{_SVG}}}{tag}", {"id": f"{name}-{'alt' if tag == 'desc' else tag}"})
        words.text = text
        root.insert(place, words)
    return ElementTree.tostring(root, encoding="unicode")


def _attributes(element: ElementTree.Element, name: str, variables: Mapping[str, str]) -> None:
    if "id" in element.attrib:
        element.set("id", f"{name}-{element.get('id')}")
    if _HREF in element.attrib:
        element.set("href", f"#{name}-{element.attrib.pop(_HREF).removeprefix('#')}")
    for attribute in ("style", "clip-path"):
        text = element.get(attribute)
        if text:
            text = re.sub(r"url\(#", f"url(#{name}-", text)
            for colour, variable in variables.items():
                text = text.replace(colour, variable)
            element.set(attribute, text)
