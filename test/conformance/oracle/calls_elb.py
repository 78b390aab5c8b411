"""Good and bad calls of every action of the classic ELB."""

from oracle.caller import Caller, Params

VPC = "vpc-0123456789abcdef0"
INVALID = "ValidationError"
NOT_FOUND = "LoadBalancerNotFound"
HTTP: Params = {
    "Protocol": "HTTP",
    "LoadBalancerPort": 80,
    "InstanceProtocol": "HTTP",
    "InstancePort": 30080,
}
CHECK: Params = {
    "Target": "HTTP:30080/",
    "Interval": 10,
    "Timeout": 5,
    "UnhealthyThreshold": 2,
    "HealthyThreshold": 3,
}
ATTRIBUTES: list[Params] = [
    {"CrossZoneLoadBalancing": {"Enabled": True}},
    {"AccessLog": {"Enabled": True, "S3BucketName": "logs", "EmitInterval": 60}},
    {"AccessLog": {"Enabled": False}},
]
INSTANCE: Params = {"InstanceId": "i-00000000000000001"}
STRANGER: Params = {"InstanceId": "i-0dddddddddddddddd"}


def call_elb(call: Caller) -> None:
    rows = call("describe_load_balancers")["LoadBalancerDescriptions"]
    names = [row["LoadBalancerName"] for row in rows]
    _read(call, names)
    call("describe_account_limits")
    call("describe_account_limits", PageSize=500, error=INVALID)
    _create(call)
    _register(call)
    _change(call)
    call("delete_load_balancer", LoadBalancerName="new")
    call("delete_load_balancer", LoadBalancerName="new")
    call("delete_load_balancer", error=INVALID)


def _change_networks(call: Caller) -> None:
    new: Params = {"LoadBalancerName": "new"}
    attach, detach = "attach_load_balancer_to_subnets", "detach_load_balancer_from_subnets"
    subnets = [f"subnet-{VPC}-eu-west-1b"]
    refused = "InvalidConfigurationRequest"
    for action in (attach, detach):
        call(action, **new, Subnets=subnets)
        call("describe_load_balancers", LoadBalancerNames=["new"])
        call(action, **new, error=INVALID)
        call(action, LoadBalancerName="none", Subnets=subnets, error=NOT_FOUND)
    call(detach, **new, Subnets=[f"subnet-{VPC}-eu-west-1a"], error=refused)
    elsewhere = ["subnet-vpc-0fedcba9876543210-eu-west-1a"]
    call(attach, **new, Subnets=elsewhere, error=refused)
    row = call("describe_load_balancers", LoadBalancerNames=["new"])["LoadBalancerDescriptions"][0]
    apply = "apply_security_groups_to_load_balancer"
    call(apply, **new, SecurityGroups=row["SecurityGroups"])
    call(apply, **new, SecurityGroups=["sg-0"], error="InvalidSecurityGroup")
    call(apply, **new, error=INVALID)


def _change_listeners(call: Caller) -> None:
    new: Params = {"LoadBalancerName": "new"}
    create, delete = "create_load_balancer_listeners", "delete_load_balancer_listeners"
    second: Params = {**HTTP, "LoadBalancerPort": 8080}
    call(create, **new, Listeners=[second])
    call(create, **new, Listeners=[second])
    call(create, **new, Listeners=[{**second, "InstancePort": 1}], error="DuplicateListener")
    call(create, **new, error=INVALID)
    call("describe_load_balancers", LoadBalancerNames=["new"])
    call(delete, **new, LoadBalancerPorts=[8080, 9090])
    call(delete, **new, error=INVALID)
    call(delete, LoadBalancerName="none", LoadBalancerPorts=[80], error=NOT_FOUND)


def _read(call: Caller, names: list[str]) -> None:
    for name in names:
        call("describe_load_balancers", LoadBalancerNames=[name])
        call("describe_tags", LoadBalancerNames=[name])
        call("describe_load_balancer_attributes", LoadBalancerName=name)
        call("describe_instance_health", LoadBalancerName=name)
        for number in range(1, 9):
            instance = {"InstanceId": f"i-{number:017}"}
            call("describe_instance_health", LoadBalancerName=name, Instances=[instance])
    call("describe_load_balancers", body={"LoadBalancerNames": ""})
    call("describe_tags", LoadBalancerNames=names[:20])
    page = call("describe_load_balancers", PageSize=1)
    while page.get("NextMarker"):
        page = call("describe_load_balancers", PageSize=1, Marker=page["NextMarker"])
    call("describe_load_balancers", PageSize=0, error=INVALID)
    call("describe_load_balancers", PageSize=401, error=INVALID)
    call("describe_load_balancers", Marker="nobody's", error=INVALID)
    call("describe_load_balancers", LoadBalancerNames=["none"], error=NOT_FOUND)
    call("describe_load_balancers", body={"Action": "Invent"}, error="InvalidAction")
    call("describe_load_balancers", body={"Action": None}, error="MissingAction")
    call("describe_tags", LoadBalancerNames=["none"], error=NOT_FOUND)
    call("describe_tags", LoadBalancerNames=[names[0]] * 21, error=INVALID)
    call("describe_tags", error=INVALID)
    call("describe_load_balancer_attributes", LoadBalancerName="none", error=NOT_FOUND)
    call("describe_load_balancer_attributes", error=INVALID)
    call("describe_instance_health", LoadBalancerName="none", error=NOT_FOUND)
    call("describe_instance_health", error=INVALID)
    asked: Params = {"LoadBalancerName": names[0], "Instances": [STRANGER]}
    call("describe_instance_health", **asked, error="InvalidInstance")


def _create(call: Caller) -> None:
    subnets = [f"subnet-{VPC}-eu-west-1a"]
    tags = [{"Key": "k", "Value": "v = w"}]
    new: Params = {"LoadBalancerName": "new", "Subnets": subnets}
    call("create_load_balancer", **new, Listeners=[HTTP], Tags=tags)
    call("create_load_balancer", **new, Listeners=[HTTP])
    other: Params = {**HTTP, "LoadBalancerPort": 81}
    duplicate = "DuplicateLoadBalancerName"
    call("create_load_balancer", **new, Listeners=[other], error=duplicate)
    bad: Params = {"LoadBalancerName": "bad", "Subnets": subnets}
    call("create_load_balancer", **bad, error=INVALID)
    call("create_load_balancer", **bad, Listeners=[{**HTTP, "InstancePort": 0}], error=INVALID)
    call("create_load_balancer", Listeners=[HTTP], Subnets=subnets, error=INVALID)
    lost: Params = {"LoadBalancerName": "bad", "Subnets": ["subnet-0"]}
    call("create_load_balancer", **lost, Listeners=[HTTP], error="SubnetNotFound")


def _register(call: Caller) -> None:
    new: Params = {"LoadBalancerName": "new"}
    register, deregister = (
        "register_instances_with_load_balancer",
        "deregister_instances_from_load_balancer",
    )
    for action in (register, deregister):
        call(action, **new, Instances=[INSTANCE])
        call("describe_instance_health", **new)
        call("describe_load_balancers", LoadBalancerNames=["new"])
        call(action, **new, Instances=[INSTANCE])
        call(action, **new, Instances=[INSTANCE, STRANGER], error="InvalidInstance")
        call(action, **new, error=INVALID)
        call(action, LoadBalancerName="none", Instances=[INSTANCE], error=NOT_FOUND)


def _change(call: Caller) -> None:
    new: Params = {"LoadBalancerName": "new"}
    call("configure_health_check", **new, HealthCheck=CHECK)
    call("configure_health_check", **new, HealthCheck={**CHECK, "Interval": 4}, error=INVALID)
    call("configure_health_check", **new, error=INVALID)
    call("configure_health_check", LoadBalancerName="none", HealthCheck=CHECK, error=NOT_FOUND)
    modify = "modify_load_balancer_attributes"
    draining: Params = {"ConnectionDraining": {"Enabled": True, "Timeout": 60}}
    call(modify, **new, LoadBalancerAttributes=draining)
    idle: Params = {"ConnectionSettings": {"IdleTimeout": 120}}
    call(modify, **new, LoadBalancerAttributes=idle)
    endless: Params = {"ConnectionDraining": {"Enabled": True, "Timeout": 3_601}}
    refused = "InvalidConfigurationRequest"
    call(modify, **new, LoadBalancerAttributes=endless, error=refused)
    call(modify, **new, error=INVALID)
    call(modify, LoadBalancerName="none", LoadBalancerAttributes=idle, error=NOT_FOUND)
    for attribute in ATTRIBUTES:
        call(modify, **new, LoadBalancerAttributes=attribute)
    forever: Params = {"ConnectionSettings": {"IdleTimeout": 4_001}}
    call(modify, **new, LoadBalancerAttributes=forever, error=INVALID)
    _change_networks(call)
    _change_listeners(call)
    tags = [{"Key": "a", "Value": "1"}]
    call("add_tags", LoadBalancerNames=["new"], Tags=tags)
    call("add_tags", LoadBalancerNames=["new"], error=INVALID)
    call("add_tags", LoadBalancerNames=["new"], Tags=tags * 2, error="DuplicateTagKeys")
    call("add_tags", LoadBalancerNames=["none"], Tags=tags, error=NOT_FOUND)
