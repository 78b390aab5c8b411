"""Good and bad calls of EC2's actions about networks, security groups and tags."""

from oracle.caller import Caller, Params

VPC = "vpc-0123456789abcdef0"
WRONG_VALUE = "InvalidParameterValue"
MISSING = "MissingParameter"
NOBODY = "<nobody's>"
NO_GROUP = "sg-0dddddddddddddddd"
TCP: Params = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}
OPEN: Params = {**TCP, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "every <client>"}]}


def call_ec2_networks(call: Caller) -> None:
    _read(call)
    group = _create_group(call)
    _change_rules(call, group)
    _tag(call, group)
    call("delete_security_group", GroupId=group)
    call("delete_security_group", GroupId=group, error="InvalidGroup.NotFound")
    balancer = call("describe_security_groups", GroupNames=["default"])["SecurityGroups"][0]
    call("delete_security_group", GroupId=balancer["GroupId"], error="CannotDelete")


def _read(call: Caller) -> None:
    in_vpc = [{"Name": "vpc-id", "Values": [VPC]}]
    attribute = "describe_vpc_attribute"
    for name in ("enableDnsSupport", "enableDnsHostnames", "enableNetworkAddressUsageMetrics"):
        call(attribute, VpcId=VPC, Attribute=name)
    call(attribute, VpcId="vpc-0", Attribute="enableDnsSupport", error="InvalidVpcID.NotFound")
    call(attribute, VpcId=VPC, Attribute="mood", error=WRONG_VALUE)
    reads: list[tuple[str, str, str, str]] = [
        ("describe_subnets", "SubnetIds", "subnet-0", "InvalidSubnetID.NotFound"),
        ("describe_vpcs", "VpcIds", "vpc-0", "InvalidVpcID.NotFound"),
        ("describe_route_tables", "RouteTableIds", "rtb-0", "InvalidRouteTableID.NotFound"),
        ("describe_security_groups", "GroupIds", NO_GROUP, "InvalidGroup.NotFound"),
    ]
    for action, ids, stranger, not_found in reads:
        answer = call(action, Filters=in_vpc)
        call(action)
        call(action, **{ids: [stranger]}, error=not_found)
        call(action, NextToken=NOBODY, error=WRONG_VALUE)
        call(action, Filters=[{"Name": "mood", "Values": ["good"]}], error=WRONG_VALUE)
        call(action, DryRun=True, error="DryRunOperation")
        (rows,) = [value for value in answer.values() if isinstance(value, list)]
        first = rows[0][ids.removesuffix("s")] if ids.removesuffix("s") in rows[0] else rows[0]["GroupId"]
        call(action, **{ids: [first]})
    zones = call("describe_availability_zones")["AvailabilityZones"]
    call("describe_availability_zones", ZoneNames=[zones[0]["ZoneName"]])
    call("describe_availability_zones", ZoneIds=[zones[0]["ZoneId"]])
    available = [{"Name": "state", "Values": ["available"]}]
    call("describe_availability_zones", Filters=available)
    call("describe_availability_zones", ZoneNames=["mars-1a"], error=WRONG_VALUE)
    zone = [{"Name": "availability-zone", "Values": ["eu-west-1a"]}]
    page = call("describe_subnets", MaxResults=5)
    while "NextToken" in page:
        page = call("describe_subnets", MaxResults=5, NextToken=page["NextToken"])
    call("describe_subnets", Filters=zone)
    call("describe_security_groups", GroupIds=["banana"], error="InvalidGroupId.Malformed")


def _create_group(call: Caller) -> str:
    tags: Params = {"ResourceType": "security-group", "Tags": [{"Key": "k", "Value": "v + w"}]}
    new: Params = {"GroupName": "k8s-elb-new", "Description": "for <new>", "VpcId": VPC}
    group: str = call("create_security_group", **new, TagSpecifications=[tags])["GroupId"]
    call("create_security_group", **new, error="InvalidGroup.Duplicate")
    lost: Params = {**new, "GroupName": "other", "VpcId": "vpc-0"}
    call("create_security_group", **lost, error="InvalidVpcID.NotFound")
    call("create_security_group", **{**new, "GroupName": "sg-other"}, error=WRONG_VALUE)
    call("create_security_group", GroupName="other", VpcId=VPC, error=MISSING)
    return group


def _change_rules(call: Caller, group: str) -> None:
    authorize, revoke = "authorize_security_group_ingress", "revoke_security_group_ingress"
    within: Params = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}
    six: Params = {**TCP, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    ping: Params = {
        "IpProtocol": "icmp",
        "FromPort": 3,
        "ToPort": 4,
        "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
    }
    call(authorize, GroupId=group, IpPermissions=[OPEN, within, six, ping])
    call(authorize, GroupId=group, IpPermissions=[OPEN], error="InvalidPermission.Duplicate")
    call(authorize, GroupId=group, **{**TCP, "FromPort": 81, "ToPort": 81}, CidrIp="10.0.0.0/8")
    call("describe_security_groups", GroupIds=[group])
    for action in (authorize, revoke):
        call(action, GroupId=NO_GROUP, IpPermissions=[OPEN], error="InvalidGroup.NotFound")
        call(action, GroupId=group, error=MISSING)
        call(action, GroupId=group, IpPermissions=[TCP], error=WRONG_VALUE)
        wrong: Params = {**TCP, "IpRanges": [{"CidrIp": "everywhere"}]}
        call(action, GroupId=group, IpPermissions=[wrong], error=WRONG_VALUE)
        stray: Params = {**TCP, "UserIdGroupPairs": [{"GroupId": NO_GROUP}]}
        call(action, GroupId=group, IpPermissions=[stray], error="InvalidGroup.NotFound")
    call(revoke, GroupId=group, IpPermissions=[OPEN, six])
    call(revoke, GroupId=group, IpPermissions=[OPEN], error="InvalidPermission.NotFound")
    call("describe_security_groups", GroupIds=[group])


def _tag(call: Caller, group: str) -> None:
    tags = [{"Key": "kubernetes.io/cluster/demo", "Value": "owned"}]
    things = [group, VPC, "i-00000000000000001", f"subnet-{VPC}-eu-west-1a"]
    for action in ("create_tags", "delete_tags"):
        call(action, Resources=things, Tags=tags)
        call(action, Resources=[NO_GROUP], Tags=tags, error="InvalidGroup.NotFound")
        call(action, Resources=["i-0dddddddddddddddd"], Tags=tags, error="InvalidInstanceID.NotFound")
        call(action, Resources=["banana"], Tags=tags, error="InvalidID")
        call(action, Tags=tags, error=MISSING)
    call("create_tags", Resources=things, error=MISSING)
    call("delete_tags", Resources=[group])
