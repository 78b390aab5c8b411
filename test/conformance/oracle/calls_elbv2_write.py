"""Good and bad calls of every action of ELBv2 that changes something."""

from oracle.caller import Caller, Params
from oracle.calls_elbv2_change import change_elbv2
from oracle.calls_elbv2_read import NO_BALANCER, NO_GROUP, NO_LISTENER

VPC = "vpc-0123456789abcdef0"
INVALID = "ValidationError"
GROUP: Params = {"Protocol": "HTTP", "Port": 80, "VpcId": VPC}
SUBNETS = [f"subnet-{VPC}-eu-west-1a", f"subnet-{VPC}-eu-west-1b"]
TAGS = [{"Key": "k", "Value": "v + w"}]
INSTANCE: Params = {"Id": "i-00000000000000001"}
OTHER: Params = {"Id": "i-00000000000000002", "Port": 30090}


def write_elbv2(call: Caller) -> None:
    group = _create_target_groups(call)
    balancer = _create_load_balancers(call)
    listener = _create_listeners(call, balancer, group)
    _create_rules(call, listener, group)
    _register(call, group)
    _tag(call, balancer, group)
    change_elbv2(call, balancer, listener, group)
    _delete(call, balancer, group)


def _create_target_groups(call: Caller) -> str:
    created = call("create_target_group", Name="new", Tags=TAGS, **GROUP)
    arn: str = created["TargetGroups"][0]["TargetGroupArn"]
    checks: Params = {"HealthCheckIntervalSeconds": 10, "HealthyThresholdCount": 2}
    call("create_target_group", Name="new", **GROUP)
    call("create_target_group", Name="new-tcp", **{**GROUP, "Protocol": "TCP"})
    call("create_target_group", Name="new-udp", **{**GROUP, "Protocol": "UDP"})
    call("create_target_group", Name="new-ip", TargetType="ip", **GROUP, **checks)
    call("create_target_group", Name="new-lambda", TargetType="lambda")
    call("create_target_group", Name="new-alb", TargetType="alb", **{**GROUP, "Protocol": "TCP"})
    call("create_target_group", Name="new-quic", **{**GROUP, "Protocol": "QUIC"})
    call("create_target_group", Name="new-geneve", **{**GROUP, "Protocol": "GENEVE", "Port": 6081})
    duplicate = "DuplicateTargetGroupName"
    call("create_target_group", Name="new", **{**GROUP, "Port": 81}, error=duplicate)
    wrong: list[Params] = [
        {**GROUP},
        {**GROUP, "Name": "bad", "Port": 0},
        {**GROUP, "Name": "bad", "Port": 65_536},
        {**GROUP, "Name": "bad", "Protocol": "SMTP"},
        {**GROUP, "Name": "bad", "TargetType": "toaster"},
        {**GROUP, "Name": "bad", "HealthCheckIntervalSeconds": 4},
        {"Name": "bad", "Port": 80, "VpcId": VPC},
        {"Name": "bad", "Protocol": "HTTP", "VpcId": VPC},
    ]
    for params in wrong:
        call("create_target_group", **params, error=INVALID)
    modify = "modify_target_group_attributes"
    delay: Params = {"Key": "deregistration_delay.timeout_seconds", "Value": "60"}
    call(modify, TargetGroupArn=arn, Attributes=[delay])
    invented: Params = {"Key": "deregistration_delay.colour", "Value": "red"}
    wrong_key = "InvalidConfigurationRequest"
    call(modify, TargetGroupArn=arn, Attributes=[invented], error=wrong_key)
    call(modify, TargetGroupArn=arn, Attributes=[{**delay, "Value": "3601"}], error=INVALID)
    tcp = call("describe_target_groups", Names=["new-tcp"])["TargetGroups"][0]["TargetGroupArn"]
    interval: Params = {
        "Key": "target_health_state.unhealthy.draining_interval_seconds",
        "Value": "360000",
    }
    # It is about connections that are kept.
    kept: Params = {
        "Key": "target_health_state.unhealthy.connection_termination.enabled",
        "Value": "false",
    }
    call(modify, TargetGroupArn=tcp, Attributes=[interval], error=wrong_key)
    call(modify, TargetGroupArn=tcp, Attributes=[kept, interval])
    call(modify, TargetGroupArn=tcp, Attributes=[{**interval, "Value": "360001"}], error=INVALID)
    call(modify, TargetGroupArn=arn, Attributes=[interval], error=wrong_key)
    call(modify, TargetGroupArn=arn, error=INVALID)
    call(modify, TargetGroupArn=NO_GROUP, Attributes=[delay], error="TargetGroupNotFound")
    return arn


def _create_load_balancers(call: Caller) -> str:
    created = call("create_load_balancer", Name="new-lb", Subnets=SUBNETS, Tags=TAGS)
    for kind in ("application", "network", "gateway"):
        call("create_load_balancer", Name=f"new-{kind}", Type=kind, Subnets=SUBNETS)
    call("create_load_balancer", Name="new-lb", Subnets=SUBNETS)
    duplicate = "DuplicateLoadBalancerName"
    network: Params = {"Type": "network", "Subnets": SUBNETS}
    call("create_load_balancer", Name="new-lb", **network, error=duplicate)
    call("create_load_balancer", Name="bad", Subnets=["subnet-0"], error="SubnetNotFound")
    call("create_load_balancer", Name="bad", Type="seesaw", Subnets=SUBNETS, error=INVALID)
    call("create_load_balancer", Subnets=SUBNETS, error=INVALID)
    arn: str = created["LoadBalancers"][0]["LoadBalancerArn"]
    modify = "modify_load_balancer_attributes"
    protection: Params = {"Key": "deletion_protection.enabled", "Value": "false"}
    invented: Params = {"Key": "colour", "Value": "red"}
    call(modify, LoadBalancerArn=arn, Attributes=[protection])
    wrong_key = "InvalidConfigurationRequest"
    call(modify, LoadBalancerArn=arn, Attributes=[invented], error=wrong_key)
    call(modify, LoadBalancerArn=arn, error=INVALID)
    none: Params = {"LoadBalancerArn": NO_BALANCER, "Attributes": [protection]}
    call(modify, **none, error="LoadBalancerNotFound")
    return arn


def _create_listeners(call: Caller, balancer: str, group: str) -> str:
    front: Params = {"LoadBalancerArn": balancer, "Protocol": "HTTP"}
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    created = call("create_listener", **front, Port=80, DefaultActions=forward)
    weighted: Params = {"TargetGroups": [{"TargetGroupArn": group, "Weight": 3}]}
    fixed: Params = {"StatusCode": "404", "MessageBody": "no", "ContentType": "text/plain"}
    others: list[Params] = [
        {"Type": "forward", "ForwardConfig": weighted},
        {"Type": "fixed-response", "FixedResponseConfig": fixed},
        {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Host": "a.example"}},
        {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_302", "Port": "443"}},
    ]
    for port, action in enumerate(others, 81):
        call("create_listener", **front, Port=port, DefaultActions=[action])
    call("create_listener", **front, Port=80, DefaultActions=forward)
    call("create_listener", **front, Port=81, DefaultActions=forward, error="DuplicateListener")
    call("create_listener", **front, Port=0, DefaultActions=forward, error=INVALID)
    call("create_listener", **front, Port=90, error=INVALID)
    call("create_listener", **front, Port=90, DefaultActions=[{"Type": "drop"}], error=INVALID)
    stray: Params = {
        "Port": 90,
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": NO_GROUP}],
    }
    call("create_listener", **front, **stray, error="TargetGroupNotFound")
    lost: Params = {**front, "LoadBalancerArn": NO_BALANCER, "Port": 90}
    call("create_listener", **lost, DefaultActions=forward, error="LoadBalancerNotFound")
    taken = call("describe_target_groups", Names=["alb"])["TargetGroups"][0]["TargetGroupArn"]
    limit = "TargetGroupAssociationLimit"
    shared = [{"Type": "forward", "TargetGroupArn": taken}]
    call("create_listener", **front, Port=90, DefaultActions=shared, error=limit)
    arn: str = created["Listeners"][0]["ListenerArn"]
    return arn


def _create_rules(call: Caller, listener: str, group: str) -> None:
    actions = [{"Type": "forward", "TargetGroupArn": group}]
    path = [{"Field": "path-pattern", "Values": ["/a/*"]}]
    hosts = [{"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example"]}}]
    rule: Params = {"ListenerArn": listener, "Actions": actions}
    call("create_rule", **rule, Priority=1, Conditions=path)
    call("create_rule", **rule, Priority=2, Conditions=hosts)
    call("create_rule", **rule, Priority=1, Conditions=hosts, error="PriorityInUse")
    call("create_rule", **rule, Priority=0, Conditions=path, error=INVALID)
    call("create_rule", **rule, Priority=3, error=INVALID)
    call("create_rule", **rule, Priority=3, Conditions=[{"Field": "mood"}], error=INVALID)
    call("create_rule", ListenerArn=listener, Priority=3, Conditions=path, error=INVALID)
    lost: Params = {**rule, "ListenerArn": NO_LISTENER}
    call("create_rule", **lost, Priority=3, Conditions=path, error="ListenerNotFound")
    call("describe_rules", ListenerArn=listener)
    call("describe_tags", ResourceArns=[listener])


def _register(call: Caller, group: str) -> None:
    invalid_target = "InvalidTarget"
    for action in ("register_targets", "deregister_targets"):
        call(action, TargetGroupArn=group, Targets=[INSTANCE, OTHER])
        call("describe_target_health", TargetGroupArn=group)
        call(action, TargetGroupArn=group, Targets=[INSTANCE])
        call(action, TargetGroupArn=group, error=INVALID)
        call(action, TargetGroupArn=group, Targets=[{"Id": "banana"}], error=INVALID)
        call(action, TargetGroupArn=NO_GROUP, Targets=[INSTANCE], error="TargetGroupNotFound")
    nobody = [{"Id": "i-0dddddddddddddddd"}]
    call("register_targets", TargetGroupArn=group, Targets=nobody, error=invalid_target)
    call("deregister_targets", TargetGroupArn=group, Targets=nobody)


def _tag(call: Caller, balancer: str, group: str) -> None:
    call("add_tags", ResourceArns=[balancer, group], Tags=TAGS)
    call("add_tags", Tags=TAGS, error=INVALID)
    call("add_tags", ResourceArns=[group], error=INVALID)
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    call("add_tags", ResourceArns=[group], Tags=twice, error="DuplicateTagKeys")
    call("add_tags", ResourceArns=[NO_GROUP], Tags=TAGS, error="TargetGroupNotFound")
    call("add_tags", ResourceArns=[NO_BALANCER], Tags=TAGS, error="LoadBalancerNotFound")


def _delete(call: Caller, balancer: str, group: str) -> None:
    call("delete_target_group", TargetGroupArn=group, error="ResourceInUse")
    listeners = call("describe_listeners", LoadBalancerArn=balancer)["Listeners"]
    call("delete_listener", ListenerArn=listeners[-1]["ListenerArn"])
    call("delete_load_balancer", LoadBalancerArn=balancer)
    call("delete_load_balancer", LoadBalancerArn=balancer)
    call("delete_load_balancer", error=INVALID)
    call("delete_target_group", TargetGroupArn=group)
    call("delete_target_group", TargetGroupArn=group)
    call("delete_target_group", error=INVALID)
