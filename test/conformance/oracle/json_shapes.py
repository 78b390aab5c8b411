"""Holds one JSON value against the shape that AWS's model gives it, and one answer against its operation."""

import json
from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, OperationModel, Shape, StructureShape

from oracle.findings import Answer, Finding
from oracle.shapes import walk_text

TYPES: dict[str, type | tuple[type, ...]] = {"string": str, "integer": int, "boolean": bool}
# What any call may fail with, https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/CommonErrors.html
COMMON_CODES = {
    "AccessDeniedException": 400,
    "SerializationException": 400,
    "UnknownOperationException": 400,
    "ValidationException": 400,
}


def walk_json_answer(answer: Answer, operation: OperationModel) -> list[Finding]:
    """Every departure of an answer from what AWS may answer to this operation."""
    try:
        value = json.loads(answer.body)
    except ValueError as error:
        return [Finding("", f"not JSON: {error}")]
    found = []
    version = operation.service_model.metadata["jsonVersion"]
    if answer.headers.get("content-type") != f"application/x-amz-json-{version}":
        found.append(Finding("", f"the content type is not application/x-amz-json-{version}"))
    if not answer.headers.get("x-amzn-requestid"):
        found.append(Finding("", "no header x-amzn-requestid"))
    if answer.status < 300:
        return [*found, *walk_json(value, operation.output_shape, operation.name)]
    return [*found, *_walk_error(value, answer.status, operation)]


def walk_json(value: Any, shape: Shape, path: str) -> Iterator[Finding]:
    """Finds whatever a value of this shape may not be."""
    if isinstance(shape, StructureShape):
        yield from _walk_structure(value, shape, path)
    elif isinstance(shape, ListShape):
        if not isinstance(value, list):
            yield Finding(path, f"{value!r} is no list")
            return
        for index, entry in enumerate(value):
            yield from walk_json(entry, shape.member, f"{path}[{index}]")
    elif not isinstance(value, TYPES[shape.type_name]):
        yield Finding(path, f"{value!r} is no {shape.type_name}")
    elif isinstance(value, str):
        yield from walk_text(value, shape, path)


def _walk_structure(value: Any, shape: StructureShape, path: str) -> Iterator[Finding]:
    if not isinstance(value, dict):
        yield Finding(path, f"{value!r} is no structure")
        return
    for name, inner in value.items():
        member = shape.members.get(name)
        if member is None:
            yield Finding(f"{path}.{name}", f"no such member of {shape.name}")
        else:
            yield from walk_json(inner, member, f"{path}.{name}")
    for name in shape.required_members:
        if name not in value:
            yield Finding(f"{path}.{name}", f"required by {shape.name}, but missing")


def _walk_error(value: Any, status: int, operation: OperationModel) -> Iterator[Finding]:
    if not isinstance(value, dict) or sorted(value) != ["__type", "message"]:
        yield Finding("", "not an error's type and message")
        return
    codes = dict(COMMON_CODES)
    for shape in operation.error_shapes:
        # The model has no statuses: https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
        codes[shape.error_code] = 500 if shape.error_code == "InternalServiceException" else 400
    code = value["__type"]
    if code not in codes:
        yield Finding("__type", f"{operation.name} fails with no such code as {code!r}")
    elif codes[code] != status:
        yield Finding("__type", f"{code} comes with status {codes[code]}, not {status}")
