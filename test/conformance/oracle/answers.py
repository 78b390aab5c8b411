"""Holds one whole answer, result or error, against its operation in AWS's model."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError, fromstring

from botocore.model import OperationModel

from oracle.findings import Answer, Finding
from oracle.shapes import walk_structure

# What any call may fail with, https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/CommonErrors.html
COMMON_CODES = {
    "AccessDenied": 403,
    "InvalidAction": 400,
    "MalformedInput": 400,
    "MissingAction": 400,
    "Throttling": 400,
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
    "ThrottlingException": 400,
    "ValidationError": 400,
}
# EC2's model declares no errors: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
EC2_CODES = {
    "CannotDelete": 400,
    "DependencyViolation": 400,
    "DryRunOperation": 412,
    "FilterLimitExceeded": 400,
    "IncorrectInstanceState": 400,
    "InvalidAction": 400,
    "InvalidGroup.Duplicate": 400,
    "InvalidGroup.NotFound": 400,
    "InvalidGroupId.Malformed": 400,
    "InvalidID": 400,
    "InvalidInstanceID.Malformed": 400,
    "InvalidInstanceID.NotFound": 400,
    "InvalidNetworkInterfaceID.NotFound": 400,
    "InvalidParameterCombination": 400,
    "InvalidParameterValue": 400,
    "InvalidPermission.Duplicate": 400,
    "InvalidPermission.NotFound": 400,
    "InvalidRouteTableID.NotFound": 400,
    "InvalidSubnetID.NotFound": 400,
    "InvalidVpcID.NotFound": 400,
    "MissingAction": 400,
    "MissingParameter": 400,
    "RequestLimitExceeded": 503,
    "UnauthorizedOperation": 403,
    "UnknownParameter": 400,
}


def walk_answer(answer: Answer, operation: OperationModel) -> list[Finding]:
    """Every departure of an answer from what AWS may answer to this operation."""
    try:
        root = fromstring(answer.body)
    except ParseError as error:
        return [Finding("", f"not XML: {error}")]
    if answer.headers.get("content-type", "").split(";")[0] != "text/xml":
        return [Finding("", "the content type is not text/xml")]
    is_ec2 = operation.service_model.protocol == "ec2"
    is_good = answer.status < 300
    problems = _walk_namespace(root, operation, is_ec2, is_good)
    if is_good:
        walked = (_walk_ec2 if is_ec2 else _walk_query)(root, operation)
    else:
        walked = _walk_error(root, answer.status, operation, is_ec2)
    request_id = root.findtext(".//requestId" if is_ec2 and is_good else ".//RequestId")
    request_id = request_id or root.findtext("RequestID")
    found = [*problems, *walked]
    if request_id != answer.headers.get("x-amzn-requestid"):
        found.append(Finding("RequestId", "not that of the header x-amzn-requestid"))
    return found


def _walk_namespace(
    root: Element, operation: OperationModel, is_ec2: bool, is_good: bool
) -> list[Finding]:
    """Strips the namespace off every tag, and finds the elements that aren't in it."""
    wanted = operation.service_model.metadata["xmlNamespace"]
    # EC2 answers with a slash at the end that its model lacks, and with no namespace in errors.
    allowed = {wanted, f"{wanted}/"} if is_ec2 else {wanted}
    if is_ec2 and not is_good:
        allowed = {""}
    found = []
    for element in root.iter():
        namespace, _, tag = element.tag.removeprefix("{").rpartition("}")
        element.tag = tag
        if namespace not in allowed:
            found.append(Finding(tag, f"in the namespace {namespace!r}"))
    return found


def _walk_query(root: Element, operation: OperationModel) -> Iterator[Finding]:
    name = operation.wire_name
    if root.tag != f"{name}Response":
        yield Finding(root.tag, f"instead of {name}Response")
    shape = operation.output_shape
    # Some actions have no result at all.
    wrapper = None if shape is None else shape.serialization["resultWrapper"]
    wrappers = [] if wrapper is None else [wrapper]
    yield from _walk_children(root, [*wrappers, "ResponseMetadata"])
    metadata = root.find("ResponseMetadata")
    if metadata is not None:
        yield from _walk_children(metadata, ["RequestId"])
    result = None if wrapper is None else root.find(wrapper)
    if result is not None:
        yield from walk_structure(result, shape, wrapper)


def _walk_ec2(root: Element, operation: OperationModel) -> Iterator[Finding]:
    if root.tag != f"{operation.wire_name}Response":
        yield Finding(root.tag, f"instead of {operation.wire_name}Response")
    request_id = root.find("requestId")
    if request_id is None:
        yield Finding("requestId", "missing")
    else:
        root.remove(request_id)
    if operation.output_shape is None:
        # EC2 says so all the same. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html
        if [(child.tag, child.text) for child in root] != [("return", "true")]:
            yield Finding(root.tag, "not just that it has succeeded")
    else:
        yield from walk_structure(root, operation.output_shape, root.tag)
    if request_id is not None:
        root.append(request_id)


def _walk_error(
    root: Element, status: int, operation: OperationModel, is_ec2: bool
) -> Iterator[Finding]:
    if root.tag != ("Response" if is_ec2 else "ErrorResponse"):
        yield Finding(root.tag, "not the root of an error")
    yield from _walk_children(root, ["Errors", "RequestID"] if is_ec2 else ["Error", "RequestId"])
    error = root.find("Errors/Error" if is_ec2 else "Error")
    if error is None:
        yield Finding("Error", "missing")
        return
    names = ["Code", "Message"] if is_ec2 else ["Type", "Code", "Message"]
    yield from _walk_children(error, names)
    fault = "Sender" if status < 500 else "Receiver"
    if not is_ec2 and error.findtext("Type") != fault:
        yield Finding("Error.Type", f"{error.findtext('Type')!r} instead of {fault!r}")
    yield from _walk_code(error.findtext("Code") or "", status, operation, is_ec2)


def _walk_children(element: Element, names: list[str]) -> Iterator[Finding]:
    found = [child.tag for child in element]
    for name in names:
        if found.count(name) != 1:
            yield Finding(f"{element.tag}.{name}", f"{found.count(name)} times instead of once")
    for name in sorted(set(found) - set(names)):
        yield Finding(f"{element.tag}.{name}", "AWS puts no such element here")


def _walk_code(
    code: str, status: int, operation: OperationModel, is_ec2: bool
) -> Iterator[Finding]:
    codes = dict(EC2_CODES if is_ec2 else COMMON_CODES)
    for shape in operation.error_shapes:
        declared = shape.metadata.get("error", {})
        codes[shape.error_code] = declared.get("httpStatusCode", 400)
    if code not in codes:
        yield Finding("Error.Code", f"{operation.name} fails with no such code as {code!r}")
    elif codes[code] != status:
        yield Finding("Error.Code", f"{code} comes with status {codes[code]}, not {status}")
