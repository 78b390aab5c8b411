"""Good and bad calls of the actions of ELBv2 that change what is there already."""

from oracle.caller import Caller, Params
from oracle.calls_elbv2_read import NO_BALANCER, NO_GROUP, NO_LISTENER, NO_RULE

VPC = "vpc-0123456789abcdef0"
INVALID = "ValidationError"
WRONG = "InvalidConfigurationRequest"
SUBNETS = [f"subnet-{VPC}-eu-west-1{letter}" for letter in "abc"]


def change_elbv2(call: Caller, balancer: str, listener: str, group: str) -> None:
    _change_load_balancer(call, balancer)
    _change_network(call)
    _change_listener(call, listener, group)
    _change_rules(call, listener, group)
    _change_group(call, group)
    keys: Params = {"TagKeys": ["a", "none"]}
    call("remove_tags", ResourceArns=[balancer, listener, group], **keys)
    call("remove_tags", ResourceArns=[balancer], error=INVALID)
    call("remove_tags", **keys, error=INVALID)
    call("remove_tags", ResourceArns=[NO_LISTENER], **keys, error="ListenerNotFound")
    call("describe_listener_certificates", ListenerArn=listener)
    call("describe_listener_certificates", ListenerArn=NO_LISTENER, error="ListenerNotFound")
    call("describe_capacity_reservation", LoadBalancerArn=balancer)
    missing = "LoadBalancerNotFound"
    call("describe_capacity_reservation", LoadBalancerArn=NO_BALANCER, error=missing)
    call("delete_listener", ListenerArn=NO_LISTENER, error="ListenerNotFound")


def _change_load_balancer(call: Caller, arn: str) -> None:
    groups = call("describe_load_balancers", LoadBalancerArns=[arn])["LoadBalancers"][0]
    of: Params = {"LoadBalancerArn": arn}
    call("set_subnets", **of, Subnets=SUBNETS)
    mapping: Params = {"SubnetId": SUBNETS[0], "PrivateIPv4Address": "10.0.0.9"}
    call("set_subnets", **of, SubnetMappings=[mapping, {"SubnetId": SUBNETS[1]}])
    call("describe_load_balancers", LoadBalancerArns=[arn])
    call("set_subnets", **of, Subnets=SUBNETS, SubnetMappings=[mapping], error=INVALID)
    call("set_subnets", **of, Subnets=SUBNETS[:1] * 2, error=WRONG)
    call("set_subnets", **of, Subnets=["subnet-0"], error="SubnetNotFound")
    elsewhere = "subnet-vpc-0fedcba9876543210-eu-west-1a"
    call("set_subnets", **of, Subnets=[elsewhere], error="InvalidSubnet")
    call("set_subnets", LoadBalancerArn=NO_BALANCER, Subnets=SUBNETS, error="LoadBalancerNotFound")
    call("set_security_groups", **of, SecurityGroups=groups["SecurityGroups"])
    stray = ["sg-0dddddddddddddddd"]
    call("set_security_groups", **of, SecurityGroups=stray, error="InvalidSecurityGroup")
    call("set_security_groups", **of, error=INVALID)
    call("set_ip_address_type", **of, IpAddressType="dualstack")
    call("set_ip_address_type", **of, IpAddressType="ipv5", error=INVALID)
    call("set_ip_address_type", **of, error=INVALID)


def _change_network(call: Caller) -> None:
    security = call("describe_load_balancers", Names=["new-lb"])["LoadBalancers"][0]
    plain = call("describe_load_balancers", Names=["new-network"])["LoadBalancers"][0]
    groups: Params = {"SecurityGroups": security["SecurityGroups"]}
    call("set_security_groups", LoadBalancerArn=plain["LoadBalancerArn"], **groups, error=WRONG)
    elastic: Params = {"SubnetId": SUBNETS[0], "AllocationId": "eipalloc-00000000000000001"}
    new: Params = {"Type": "network", "Scheme": "internal", "SubnetMappings": [elastic]}
    call("create_load_balancer", Name="mapped", **new, **groups)
    stray = ["sg-0dddddddddddddddd"]
    bad: Params = {"Name": "bad", "Subnets": SUBNETS}
    call("create_load_balancer", **bad, SecurityGroups=stray, error="InvalidSecurityGroup")
    call("create_load_balancer", **bad, Scheme="outward", error=INVALID)
    call("create_load_balancer", **bad, IpAddressType="ipv5", error=INVALID)


def _change_listener(call: Caller, arn: str, group: str) -> None:
    of: Params = {"ListenerArn": arn}
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    certificate = "arn:aws:acm:eu-west-1:123456789012:certificate/0123"
    tls: Params = {
        "Protocol": "HTTPS",
        "Certificates": [{"CertificateArn": certificate}],
        "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
    }
    call("modify_listener", **of, **tls)
    call("describe_listener_certificates", **of)
    call("modify_listener", **of, Protocol="HTTP", Port=80, DefaultActions=forward)
    call("modify_listener", **of, Port=81, error="DuplicateListener")
    call("modify_listener", **of, Protocol="SMTP", error=INVALID)
    stray = [{"Type": "forward", "TargetGroupArn": NO_GROUP}]
    call("modify_listener", **of, DefaultActions=stray, error="TargetGroupNotFound")
    call("modify_listener", ListenerArn=NO_LISTENER, Port=90, error="ListenerNotFound")
    modify = "modify_listener_attributes"
    server: Params = {"Key": "routing.http.response.server.enabled", "Value": "false"}
    call(modify, **of, Attributes=[server])
    call(modify, **of, Attributes=[{"Key": "colour", "Value": "red"}], error=WRONG)
    call(modify, **of, error=INVALID)
    call(modify, ListenerArn=NO_LISTENER, Attributes=[server], error="ListenerNotFound")


def _change_rules(call: Caller, listener: str, group: str) -> None:
    rules = call("describe_rules", ListenerArn=listener)["Rules"]
    first, second, default = (rule["RuleArn"] for rule in (rules[0], rules[1], rules[-1]))
    swapped: Params = {
        "RulePriorities": [
            {"RuleArn": first, "Priority": 2},
            {"RuleArn": second, "Priority": 1},
        ]
    }
    call("set_rule_priorities", **swapped)
    taken = [{"RuleArn": first, "Priority": 1}]
    call("set_rule_priorities", RulePriorities=taken, error="PriorityInUse")
    fixed = [{"RuleArn": default, "Priority": 9}]
    call("set_rule_priorities", RulePriorities=fixed, error="OperationNotPermitted")
    lost = [{"RuleArn": NO_RULE, "Priority": 9}]
    call("set_rule_priorities", RulePriorities=lost, error="RuleNotFound")
    call("set_rule_priorities", error=INVALID)
    hosts = [{"Field": "host-header", "Values": ["b.example"]}]
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    call("modify_rule", RuleArn=first, Conditions=hosts, Actions=forward)
    call("modify_rule", RuleArn=default, Actions=forward, error="OperationNotPermitted")
    call("modify_rule", RuleArn=NO_RULE, Actions=forward, error="RuleNotFound")
    call("modify_rule", RuleArn=first, Conditions=[{"Field": "mood"}], error=INVALID)
    call("delete_rule", RuleArn=first)
    call("delete_rule", RuleArn=first, error="RuleNotFound")
    call("delete_rule", RuleArn=default, error="OperationNotPermitted")


def _change_group(call: Caller, arn: str) -> None:
    of: Params = {"TargetGroupArn": arn}
    check: Params = {
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "10256",
        "HealthCheckPath": "/healthz",
        "HealthCheckTimeoutSeconds": 6,
        "HealthCheckIntervalSeconds": 10,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 2,
        "Matcher": {"HttpCode": "200-399"},
    }
    call("modify_target_group", **of, **check)
    call("modify_target_group", **of, HealthCheckProtocol="HTTPS")
    call("modify_target_group", **of, HealthCheckProtocol="GRPC", error=INVALID)
    call("modify_target_group", **of, HealthCheckTimeoutSeconds=1, error=INVALID)
    call("modify_target_group", **of, HealthyThresholdCount=11, error=INVALID)
    call("modify_target_group", TargetGroupArn=NO_GROUP, **check, error="TargetGroupNotFound")
