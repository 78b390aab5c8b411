"""Good and bad calls of every action of EC2."""

from oracle.caller import Caller, Params
from oracle.calls_ec2_networks import call_ec2_networks

WRONG_VALUE = "InvalidParameterValue"
WRONG_COMBINATION = "InvalidParameterCombination"
NOT_FOUND = "InvalidInstanceID.NotFound"
MALFORMED = "InvalidInstanceID.Malformed"
STRANGER = "i-0dddddddddddddddd"

FILTERS = [
    ("instance-id", ["i-00000000000000001", STRANGER]),
    ("instance-state-name", ["running", "shutting-down", "terminated"]),
    ("network-interface.addresses.private-ip-address", ["10.0.9.1"]),
    ("network-interface.ipv6-addresses.ipv6-address", ["2001:db8::1"]),
    ("private-dns-name", ["ip-10-0-0-*"]),
    ("private-ip-address", ["10.0.0.?"]),
    ("tag-key", ["kubernetes.io/cluster/*"]),
    ("tag:kubernetes.io/cluster/demo", ["owned", "shared"]),
    ("tag:no such tag", ["owned"]),
    ("vpc-id", ["vpc-0123456789abcdef0"]),
    ("vpc-id", []),
]


INTERFACE_FILTERS = [
    ("addresses.private-ip-address", ["10.0.39.*"]),
    ("attachment.instance-id", ["i-00000000000000001"]),
    ("interface-type", ["trunk", "branch"]),
    ("network-interface-id", ["eni-*"]),
    ("tag:vpcresources.k8s.aws/trunk-eni-id", ["eni-*"]),
    ("vpc-id", ["vpc-0123456789abcdef0"]),
]


def _read_interfaces(call: Caller) -> None:
    describe = "describe_network_interfaces"
    interfaces = call(describe)["NetworkInterfaces"]
    ids = [interface["NetworkInterfaceId"] for interface in interfaces]
    call(describe, NetworkInterfaceIds=ids[:2])
    for name, values in INTERFACE_FILTERS:
        call(describe, Filters=[{"Name": name, "Values": values}])
    page = call(describe, MaxResults=5)
    while "NextToken" in page:
        page = call(describe, MaxResults=5, NextToken=page["NextToken"])
    missing = "InvalidNetworkInterfaceID.NotFound"
    call(describe, NetworkInterfaceIds=["eni-0dddddddddddddddd"], error=missing)
    call(describe, MaxResults=4, error=WRONG_VALUE)
    call(describe, NextToken="<nobody's>", error=WRONG_VALUE)
    call(describe, Filters=[{"Name": "colour", "Values": ["red"]}], error=WRONG_VALUE)


# Of these, every filter that AWS documents is taken.
DOCUMENTED_FILTERS = [
    "describe_instances",
    "describe_instance_status",
    "describe_tags",
    "describe_network_interfaces",
    "describe_availability_zones",
    "describe_route_tables",
    "describe_subnets",
    "describe_vpcs",
]
ATTRIBUTES = [
    "instanceType",
    "kernel",
    "ramdisk",
    "userData",
    "disableApiTermination",
    "instanceInitiatedShutdownBehavior",
    "rootDeviceName",
    "blockDeviceMapping",
    "productCodes",
    "sourceDestCheck",
    "groupSet",
    "ebsOptimized",
    "sriovNetSupport",
    "enaSupport",
    "enclaveOptions",
    "disableApiStop",
]


def _read_statuses(call: Caller, ids: list[str]) -> None:
    describe = "describe_instance_status"
    call(describe)
    call(describe, IncludeAllInstances=True)
    call(describe, InstanceIds=ids, IncludeAllInstances=True)
    call(describe, InstanceIds=[STRANGER], error=NOT_FOUND)
    call(describe, InstanceIds=ids[:1], MaxResults=5, error=WRONG_COMBINATION)
    call(describe, InstanceIds=ids[:1] * 101, error=WRONG_VALUE)
    call(describe, Filters=[{"Name": "mood", "Values": ["good"]}], error=WRONG_VALUE)


def _read_attributes(call: Caller, instance_id: str) -> None:
    describe = "describe_instance_attribute"
    for attribute in ATTRIBUTES:
        call(describe, InstanceId=instance_id, Attribute=attribute)
    call(describe, InstanceId=instance_id, Attribute="mood", error=WRONG_VALUE)
    call(describe, InstanceId=STRANGER, Attribute="kernel", error=NOT_FOUND)
    call(describe, InstanceId=instance_id, error="MissingParameter")


def _read_tags(call: Caller) -> None:
    page = call("describe_tags", MaxResults=5)
    while "NextToken" in page:
        page = call("describe_tags", MaxResults=5, NextToken=page["NextToken"])
    call("describe_tags", MaxResults=4, error=WRONG_VALUE)
    call("describe_tags", Filters=[{"Name": "mood", "Values": ["good"]}], error=WRONG_VALUE)


def call_ec2(call: Caller) -> None:
    reservations = call("describe_instances")["Reservations"]
    instances = [one for row in reservations for one in row["Instances"]]
    ids = [instance["InstanceId"] for instance in instances]
    for instance_id in ids:
        call("describe_instances", InstanceIds=[instance_id])
    call("describe_instances", InstanceIds=ids)
    for name, values in FILTERS:
        call("describe_instances", Filters=[{"Name": name, "Values": values}])
    page = call("describe_instances", MaxResults=5)
    while "NextToken" in page:
        page = call("describe_instances", MaxResults=5, NextToken=page["NextToken"])
    _read_interfaces(call)
    _read_statuses(call, ids)
    _read_attributes(call, ids[0])
    _read_tags(call)
    for describe in DOCUMENTED_FILTERS:
        for name in call.documented_filters(describe):
            call(describe, Filters=[{"Name": name, "Values": ["*"]}])
    _refuse(call, ids)
    call_ec2_networks(call)
    _change(call, ids)


def _change(call: Caller, ids: list[str]) -> None:
    running = ids[-1:]
    for change in (
        "stop_instances",
        "start_instances",
        "reboot_instances",
        "terminate_instances",
    ):
        call(change, InstanceIds=[STRANGER], error=NOT_FOUND)
        call(change, InstanceIds=["banana"], error=MALFORMED)
        call(change, error=WRONG_COMBINATION)
    dry = "DryRunOperation"
    for action in (
        "describe_instances",
        "describe_network_interfaces",
        "stop_instances",
        "start_instances",
        "terminate_instances",
    ):
        about: Params = {} if "network" in action else {"InstanceIds": running}
        call(action, **about, DryRun=True, error=dry)
    call("start_instances", InstanceIds=running)
    call("reboot_instances", InstanceIds=running)
    for change in ("stop_instances", "terminate_instances"):
        call(change, InstanceIds=running)
        call(change, InstanceIds=running)
        call("describe_instances", InstanceIds=running)
    for change in ("stop_instances", "start_instances"):
        call(change, InstanceIds=running, error="IncorrectInstanceState")


def _refuse(call: Caller, ids: list[str]) -> None:
    describe = "describe_instances"
    call(describe, InstanceIds=[STRANGER], error=NOT_FOUND)
    call(describe, InstanceIds=[ids[0], STRANGER, "i-0eeeeeeeeeeeeeeee"], error=NOT_FOUND)
    call(describe, InstanceIds=["banana"], error=MALFORMED)
    call(describe, InstanceIds=ids[:1], MaxResults=5, error=WRONG_COMBINATION)
    call(describe, MaxResults=4, error=WRONG_VALUE)
    call(describe, MaxResults=1_001, error=WRONG_VALUE)
    call(describe, NextToken="nobody's", error=WRONG_VALUE)
    call(describe, Filters=[{"Name": "mood", "Values": ["good"]}], error=WRONG_VALUE)
    many = [{"Name": "vpc-id", "Values": [str(number) for number in range(201)]}]
    call(describe, Filters=many, error="FilterLimitExceeded")
    call(describe, body={"Action": "Invent"}, error="InvalidAction")
    call(describe, body={"Action": None}, error="MissingAction")
