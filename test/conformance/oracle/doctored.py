"""Shows that the oracle sees: good answers, and the same with one fault each, with what it says of them, as JSON."""

import json

import botocore.session
from botocore.model import OperationModel

from oracle.answers import walk_answer
from oracle.findings import Answer
from oracle.json_shapes import walk_json_answer

ELBV2 = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"
EC2 = "http://ec2.amazonaws.com/doc/2016-11-15/"
HEALTH = f"""<DescribeTargetHealthResponse xmlns="{ELBV2}"><DescribeTargetHealthResult>
<TargetHealthDescriptions><member><Target><Id>i-1</Id><Port>80</Port></Target>
<TargetHealth><State>draining</State><Reason>Target.DeregistrationInProgress</Reason></TargetHealth>
</member></TargetHealthDescriptions></DescribeTargetHealthResult>
<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DescribeTargetHealthResponse>"""
REFUSAL = f"""<ErrorResponse xmlns="{ELBV2}"><Error><Type>Sender</Type>
<Code>TargetGroupNotFound</Code><Message>m</Message></Error><RequestId>r</RequestId></ErrorResponse>"""
BALANCERS = f"""<DescribeLoadBalancersResponse xmlns="{ELBV2}"><DescribeLoadBalancersResult>
<LoadBalancers><member><Type>network</Type><CreatedTime>2026-01-01T00:00:00.000Z</CreatedTime></member>
</LoadBalancers></DescribeLoadBalancersResult>
<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DescribeLoadBalancersResponse>"""
RULES = f"""<DescribeRulesResponse xmlns="{ELBV2}"><DescribeRulesResult><Rules><member>
<Actions><member><Type>forward</Type><Order>1</Order></member></Actions><IsDefault>true</IsDefault>
</member></Rules></DescribeRulesResult>
<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DescribeRulesResponse>"""
INSTANCES = f"""<DescribeInstancesResponse xmlns="{EC2}"><requestId>r</requestId><reservationSet><item>
<instancesSet><item><instanceState><code>16</code><name>running</name></instanceState></item></instancesSet>
</item></reservationSet></DescribeInstancesResponse>"""
RESOURCES = json.dumps(
    {
        "PaginationToken": "",
        "ResourceTagMappingList": [
            {"ResourceARN": "arn:aws:ec2:eu-west-1:1:vpc/v", "Tags": [{"Key": "k", "Value": "v"}]}
        ],
    }
)
TAGGING_REFUSAL = json.dumps({"__type": "InvalidParameterException", "message": "m"})
EC2_REFUSAL = """<Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code><Message>m</Message>
</Error></Errors><RequestID>r</RequestID></Response>"""

# Each line: service, operation, status, a good answer, and what becomes of one text in it.
FAULTS: list[tuple[str, str, int, str, dict[str, tuple[str, str]]]] = [
    (
        "elbv2",
        "DescribeTargetHealth",
        200,
        HEALTH,
        {
            "a misspelt element": ("Reason>", "ReasonCode>"),
            "an unknown state": ("draining", "leaving"),
            "a reason that is none": (".DeregistrationInProgress", ".Leaving"),
            "a port that is no number": ("80", "http"),
            "a port out of bounds": ("80", "65536"),
            "an element too many": ("<Port>80</Port>", "<Port>80</Port><Port>81</Port>"),
            "a missing id": ("<Id>i-1</Id>", ""),
            "EC2's list element": ("member>", "item>"),
            "no result": ("DescribeTargetHealthResult>", "Result>"),
            "the classic API's namespace": ("2015-12-01", "2012-06-01"),
            "another request's id": ("<RequestId>r", "<RequestId>s"),
            "broken XML": ("</Target>", ""),
        },
    ),
    (
        "elbv2",
        "DescribeTargetHealth",
        400,
        REFUSAL,
        {
            "an error of another action": ("TargetGroupNotFound", "RuleNotFound"),
            "an error that none has": ("TargetGroupNotFound", "TargetGroupLost"),
            "an error with the status of another": ("TargetGroupNotFound", "HealthUnavailable"),
            "a fault of the wrong side": ("Sender", "Receiver"),
            "an error without a code": ("<Code>TargetGroupNotFound</Code>", ""),
        },
    ),
    (
        "elbv2",
        "DescribeLoadBalancers",
        200,
        BALANCERS,
        {
            "a type that is none": ("network", "net"),
            "a time without its day": ("2026-01-01T", ""),
            "a list of texts for one of structures": ("<Type>network</Type>", "network"),
        },
    ),
    (
        "elbv2",
        "DescribeRules",
        200,
        RULES,
        {
            "a boolean in capitals": ("<IsDefault>true", "<IsDefault>True"),
            "a missing member that is required": ("<Type>forward</Type>", ""),
        },
    ),
    (
        "ec2",
        "DescribeInstances",
        200,
        INSTANCES,
        {
            "the query protocol's list element": ("item>", "member>"),
            "a member by its name instead of its location": ("reservationSet", "Reservations"),
            "a state that is none": ("running", "awake"),
            "no request id": ("<requestId>r</requestId>", ""),
        },
    ),
    (
        "ec2",
        "DescribeInstances",
        400,
        EC2_REFUSAL,
        {
            "a code that EC2 doesn't document": (".NotFound", ".Lost"),
            "an error in the query protocol's form": ("Response>", "ErrorResponse>"),
        },
    ),
    (
        "resourcegroupstaggingapi",
        "GetResources",
        200,
        RESOURCES,
        {
            "a misspelt member": ("Tags", "TagSet"),
            "a number for a text": ('"v"}', "1}"),
            "a tag without its value": (', "Value": "v"', ""),
            "a structure for a list": ('[{"Key": "k", "Value": "v"}]', "{}"),
            "an empty key": ('"k"', '""'),
            "broken JSON": ("]}", "]"),
        },
    ),
    (
        "resourcegroupstaggingapi",
        "GetResources",
        400,
        TAGGING_REFUSAL,
        {
            "an error that the tagging API lacks": ("InvalidParameter", "Invalid"),
            "an error without a message": ("message", "msg"),
        },
    ),
]


def problems(text: str, status: int, operation: OperationModel) -> list[str]:
    is_json = operation.service_model.resolved_protocol == "json"
    content_type = "application/x-amz-json-1.1" if is_json else "text/xml"
    headers = {"content-type": content_type, "x-amzn-requestid": "r"}
    walk = walk_json_answer if is_json else walk_answer
    found = walk(Answer(status, headers, text.encode()), operation)
    return [f"{one.path}: {one.problem}" for one in found]


def main() -> None:
    session = botocore.session.get_session()
    good: dict[str, list[str]] = {}
    doctored: dict[str, list[str]] = {}
    for service, name, status, body, faults in FAULTS:
        operation = session.get_service_model(service).operation_model(name)
        good[f"{service}:{name} {status}"] = problems(body, status, operation)
        for fault, (text, instead) in faults.items():
            doctored[fault] = problems(body.replace(text, instead), status, operation)
    print(json.dumps({"good": good, "doctored": doctored}))


if __name__ == "__main__":
    main()
