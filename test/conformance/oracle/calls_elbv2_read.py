"""Good and bad calls of every Describe action of ELBv2."""

from oracle.caller import Caller, Params

ELB = "arn:aws:elasticloadbalancing:eu-west-1:123456789012"
NO_GROUP = f"{ELB}:targetgroup/none/0123456789abcdef"
NO_BALANCER = f"{ELB}:loadbalancer/app/none/0123456789abcdef"
NO_LISTENER = f"{ELB}:listener/app/none/0123456789abcdef/0123456789abcdef"
NO_RULE = f"{ELB}:listener-rule/app/none/0123456789abcdef/0123456789abcdef/0123456789abcdef"


def read_elbv2(call: Caller) -> None:
    balancers = call("describe_load_balancers")["LoadBalancers"]
    groups = call("describe_target_groups")["TargetGroups"]
    balancer_arns = [balancer["LoadBalancerArn"] for balancer in balancers]
    group_arns = [group["TargetGroupArn"] for group in groups]
    _read_load_balancers(call, balancer_arns)
    _read_target_groups(call, group_arns, balancer_arns)
    _read_health(call, group_arns)
    _read_listeners(call, balancer_arns)
    _read_limits(call)
    _read_tags(call, balancer_arns, group_arns)


def _read_load_balancers(call: Caller, arns: list[str]) -> None:
    for arn in arns:
        call("describe_load_balancers", LoadBalancerArns=[arn])
    call("describe_load_balancers", LoadBalancerArns=arns[:20])
    call("describe_load_balancers", Names=["alb-lb", "nlb-lb"])
    page = call("describe_load_balancers", PageSize=2)
    while "NextMarker" in page:
        page = call("describe_load_balancers", PageSize=2, Marker=page["NextMarker"])
    invalid = "ValidationError"
    call("describe_load_balancers", PageSize=0, error=invalid)
    call("describe_load_balancers", PageSize=401, error=invalid)
    call("describe_load_balancers", body={"PageSize": "many"}, error=invalid)
    call("describe_load_balancers", Marker="<nobody's>", error=invalid)
    call("describe_load_balancers", LoadBalancerArns=[arns[0]] * 21, error=invalid)
    call("describe_load_balancers", Names=["none"], error="LoadBalancerNotFound")
    call(
        "describe_load_balancers",
        LoadBalancerArns=[NO_BALANCER],
        error="LoadBalancerNotFound",
    )
    attributes = "describe_load_balancer_attributes"
    for arn in arns:
        call(attributes, LoadBalancerArn=arn)
    call(attributes, error=invalid)
    call(attributes, LoadBalancerArn=NO_BALANCER, error="LoadBalancerNotFound")
    call("describe_load_balancers", body={"Action": "Invent"}, error="InvalidAction")
    call("describe_load_balancers", body={"Action": "toString"}, error="InvalidAction")
    call("describe_load_balancers", body={"Action": None}, error="MissingAction")
    call("describe_load_balancers", body={"Names.x": "a"}, error="MalformedInput")


def _read_target_groups(call: Caller, arns: list[str], balancer_arns: list[str]) -> None:
    for arn in arns:
        call("describe_target_groups", TargetGroupArns=[arn])
        call("describe_target_group_attributes", TargetGroupArn=arn)
    for arn in balancer_arns:
        call("describe_target_groups", LoadBalancerArn=arn)
    call("describe_target_groups", Names=["alb", "nlb"])
    page = call("describe_target_groups", PageSize=3)
    while "NextMarker" in page:
        page = call("describe_target_groups", PageSize=3, Marker=page["NextMarker"])
    not_found = "TargetGroupNotFound"
    call("describe_target_groups", TargetGroupArns=[NO_GROUP], error=not_found)
    call("describe_target_groups", Names=["none"], error=not_found)
    call("describe_target_groups", TargetGroupArns=["none"], error="ValidationError")
    call(
        "describe_target_groups",
        LoadBalancerArn=NO_BALANCER,
        error="LoadBalancerNotFound",
    )
    invalid = "ValidationError"
    call("describe_target_groups", TargetGroupArns=[arns[0]] * 21, error=invalid)
    call("describe_target_groups", Names=["a"], TargetGroupArns=arns[:1], error=invalid)
    call("describe_target_groups", PageSize=-1, error=invalid)
    call("describe_target_group_attributes", error=invalid)
    call("describe_target_group_attributes", TargetGroupArn=NO_GROUP, error=not_found)


def _read_health(call: Caller, arns: list[str]) -> None:
    for arn in arns:
        listed = call("describe_target_health", TargetGroupArn=arn)
        targets = [row["Target"] for row in listed["TargetHealthDescriptions"]]
        for target in targets:
            call("describe_target_health", TargetGroupArn=arn, Targets=[target])
            wrong_port = {"Id": target["Id"], "Port": 9}
            call("describe_target_health", TargetGroupArn=arn, Targets=[wrong_port])
    first = arns[0]
    stranger: Params = {"Id": "i-0dddddddddddddddd"}
    call("describe_target_health", TargetGroupArn=first, Targets=[stranger])
    call("describe_target_health", TargetGroupArn=first, Include=["AnomalyDetection"])
    call("describe_target_health", TargetGroupArn=first, Include=["All"])
    # What SDKs make of an empty list.
    call("describe_target_health", TargetGroupArn=first, body={"Targets": ""})
    invalid = "ValidationError"
    call("describe_target_health", error=invalid)
    for target in ({"Id": "banana"}, {"Port": 80}, {"Id": "i-0000000000000001a", "Port": 0}):
        call("describe_target_health", TargetGroupArn=first, Targets=[target], error=invalid)
    call("describe_target_health", TargetGroupArn=NO_GROUP, error="TargetGroupNotFound")


def _read_listeners(call: Caller, balancer_arns: list[str]) -> None:
    for arn in balancer_arns:
        listeners = call("describe_listeners", LoadBalancerArn=arn)["Listeners"]
        for listener in listeners:
            call("describe_listeners", ListenerArns=[listener["ListenerArn"]])
            call("describe_listener_attributes", ListenerArn=listener["ListenerArn"])
            rules = call("describe_rules", ListenerArn=listener["ListenerArn"])["Rules"]
            for rule in rules:
                call("describe_rules", RuleArns=[rule["RuleArn"]])
            call("describe_rules", ListenerArn=listener["ListenerArn"], PageSize=1)
    invalid = "ValidationError"
    call("describe_listeners", error=invalid)
    call("describe_listener_attributes", error=invalid)
    call("describe_listener_attributes", ListenerArn=NO_LISTENER, error="ListenerNotFound")
    call("describe_rules", error=invalid)
    call("describe_listeners", LoadBalancerArn=balancer_arns[0], PageSize=500, error=invalid)
    call("describe_listeners", LoadBalancerArn=NO_BALANCER, error="LoadBalancerNotFound")
    call("describe_listeners", ListenerArns=[NO_LISTENER], error="ListenerNotFound")
    call("describe_rules", ListenerArn=NO_LISTENER, error="ListenerNotFound")
    call("describe_rules", RuleArns=[NO_RULE], error="RuleNotFound")


def _read_limits(call: Caller) -> None:
    page = call("describe_account_limits", PageSize=7)
    while "NextMarker" in page:
        page = call("describe_account_limits", PageSize=7, Marker=page["NextMarker"])
    call("describe_account_limits", PageSize=500, error="ValidationError")


def _read_tags(call: Caller, balancer_arns: list[str], group_arns: list[str]) -> None:
    for arn in [*balancer_arns, *group_arns]:
        call("describe_tags", ResourceArns=[arn])
    call("describe_tags", ResourceArns=[balancer_arns[0], *group_arns[:19]])
    for arn in balancer_arns[:1]:
        listener = call("describe_listeners", LoadBalancerArn=arn)["Listeners"][0]
        rules = call("describe_rules", ListenerArn=listener["ListenerArn"])["Rules"]
        arns = [listener["ListenerArn"], *(rule["RuleArn"] for rule in rules)]
        call("describe_tags", ResourceArns=arns)
    invalid = "ValidationError"
    call("describe_tags", error=invalid)
    call("describe_tags", ResourceArns=[group_arns[0]] * 21, error=invalid)
    call("describe_tags", ResourceArns=["arn:of:nothing"], error=invalid)
    call("describe_tags", ResourceArns=[NO_GROUP], error="TargetGroupNotFound")
    call("describe_tags", ResourceArns=[NO_BALANCER], error="LoadBalancerNotFound")
    call("describe_tags", ResourceArns=[NO_LISTENER], error="ListenerNotFound")
    call("describe_tags", ResourceArns=[NO_RULE], error="RuleNotFound")
