"""Holds one XML element against the shape that AWS's model gives it."""

import re
from collections import Counter
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from botocore.model import ListShape, Shape, StringShape, StructureShape

from oracle.findings import Finding

SCALAR_FORMS = {
    "integer": re.compile(r"-?\d+"),
    "long": re.compile(r"-?\d+"),
    "boolean": re.compile(r"true|false"),
    "double": re.compile(r"-?\d+(\.\d+)?"),
    "float": re.compile(r"-?\d+(\.\d+)?"),
    "timestamp": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z"),
}


def walk_structure(element: Element, shape: StructureShape, path: str) -> Iterator[Finding]:
    """Finds members that AWS doesn't know, doubled or missing ones, and what is wrong inside."""
    if (element.text or "").strip():
        yield Finding(path, f"a structure holds the text {element.text!r}")
    by_tag = {wire_name(name, member): member for name, member in shape.members.items()}
    counts = Counter(child.tag for child in element)
    for child in element:
        member = by_tag.get(child.tag)
        inner = f"{path}.{child.tag}"
        if member is None:
            yield Finding(inner, f"no such member of {shape.name}")
        elif is_flattened(member):
            yield from walk(child, member.member, inner)
        elif counts[child.tag] > 1:
            yield Finding(inner, f"{counts[child.tag]} times instead of once")
        else:
            yield from walk(child, member, inner)
    for name in shape.required_members:
        tag = wire_name(name, shape.members[name])
        if counts[tag] == 0:
            yield Finding(f"{path}.{tag}", f"required by {shape.name}, but missing")


def walk(element: Element, shape: Shape, path: str) -> Iterator[Finding]:
    """Finds whatever an element of this shape may not be."""
    if element.attrib:
        yield Finding(path, f"has the attributes {sorted(element.attrib)}")
    if isinstance(shape, StructureShape):
        yield from walk_structure(element, shape, path)
    elif isinstance(shape, ListShape):
        yield from _walk_list(element, shape, path)
    else:
        yield from _walk_scalar(element, shape, path)


def wire_name(name: str, shape: Shape) -> str:
    """The element that carries a member: its own name unless the model says otherwise."""
    if is_flattened(shape):
        name = shape.member.serialization.get("name", name)
    return str(shape.serialization.get("name", name))


def is_flattened(shape: Shape) -> bool:
    """Whether a list repeats its own element instead of holding one for each entry."""
    return isinstance(shape, ListShape) and bool(shape.serialization.get("flattened"))


def _walk_list(element: Element, shape: ListShape, path: str) -> Iterator[Finding]:
    if (element.text or "").strip():
        yield Finding(path, f"a list holds the text {element.text!r}")
    tag = shape.member.serialization.get("name", "member")
    for index, child in enumerate(element):
        inner = f"{path}.{child.tag}[{index}]"
        if child.tag == tag:
            yield from walk(child, shape.member, inner)
        else:
            yield Finding(inner, f"entries of {shape.name} are named {tag}")
    # A list's bounds are those of requests: AWS answers with no tag where the model wants one at least.


def _walk_scalar(element: Element, shape: Shape, path: str) -> Iterator[Finding]:
    text = element.text or ""
    if len(element) > 0:
        yield Finding(path, f"a {shape.type_name} holds {element[0].tag}")
    form = SCALAR_FORMS.get(shape.type_name)
    if form is not None and form.fullmatch(text) is None:
        yield Finding(path, f"{text!r} is no {shape.type_name}")
    elif isinstance(shape, StringShape):
        yield from walk_text(text, shape, path)
    elif shape.type_name in ("integer", "long"):
        yield from _outside(int(text), shape, path)


def walk_text(text: str, shape: StringShape, path: str) -> Iterator[Finding]:
    """Finds what a text of this shape may not be: another value, another form, too short or too long."""
    if shape.enum and text not in shape.enum:
        yield Finding(path, f"{text!r} is none of {shape.name}: {shape.enum}")
    pattern = shape.metadata.get("pattern")
    if pattern is not None and re.search(_in_python(pattern), text) is None:
        yield Finding(path, f"{text!r} is not of {shape.name}'s form {pattern}")
    yield from _outside(len(text), shape, path)


def _in_python(pattern: str) -> str:
    """Python has no classes of characters by their Unicode category, and no surrogates."""
    pattern = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")
    for category, alike in ((r"\p{L}", r"\w"), (r"\p{Z}", r"\s"), (r"\p{N}", r"\d")):
        pattern = pattern.replace(category, alike)
    return pattern


def _outside(size: int, shape: Shape, path: str) -> Iterator[Finding]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and size < low) or (high is not None and size > high):
        yield Finding(path, f"{size} is outside {shape.name}'s {low}..{high}")
