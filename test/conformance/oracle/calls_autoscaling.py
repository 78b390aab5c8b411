"""Good and bad calls of every action of Auto Scaling."""

from oracle.caller import Caller, Params
from oracle.calls_autoscaling_refresh import call_groups, call_refreshes

INVALID = "ValidationError"
STRANGER = "i-0dddddddddddddddd"
# A UUID that nobody has handed out.
TOKEN = "00000000-0000-4000-8000-000000000000"


def call_autoscaling(call: Caller) -> None:
    groups = call("describe_auto_scaling_groups")["AutoScalingGroups"]
    names = [group["AutoScalingGroupName"] for group in groups]
    _groups(call, names)
    _instances(call)
    _hooks(call, names)
    _members(call)
    _pools(call, names)
    _change_tags(call)
    _tags(call)
    _terminate(call)
    _actions(call)
    _activities(call)
    call_groups(call)
    call_refreshes(call)


def _groups(call: Caller, names: list[str]) -> None:
    describe = "describe_auto_scaling_groups"
    for name in names:
        call(describe, AutoScalingGroupNames=[name])
    call(describe, AutoScalingGroupNames=["none"])
    call(describe, IncludeInstances=False)
    for name, values in (("tag-key", ["a + b"]), ("tag-value", ["é"]), ("tag:a + b", ["é"])):
        call(describe, Filters=[{"Name": name, "Values": values}])
    page = call(describe, MaxRecords=1)
    while "NextToken" in page:
        page = call(describe, MaxRecords=1, NextToken=page["NextToken"])
    call(describe, MaxRecords=0, error=INVALID)
    call(describe, MaxRecords=101, error=INVALID)
    call(describe, NextToken="nobody's", error="InvalidNextToken")
    call(describe, AutoScalingGroupNames=["none"] * 51, error=INVALID)
    call(describe, Filters=[{"Name": "mood", "Values": ["good"]}], error=INVALID)
    call(describe, body={"Action": "Invent"}, error="InvalidAction")
    call(describe, body={"Action": None}, error="MissingAction")


def _instances(call: Caller) -> None:
    describe = "describe_auto_scaling_instances"
    rows = call(describe)["AutoScalingInstances"]
    for row in rows:
        call(describe, InstanceIds=[row["InstanceId"]])
    call(describe, InstanceIds=[STRANGER])
    page = call(describe, MaxRecords=1)
    while "NextToken" in page:
        page = call(describe, MaxRecords=1, NextToken=page["NextToken"])
    call(describe, MaxRecords=51, error=INVALID)
    call(describe, NextToken="nobody's", error="InvalidNextToken")
    call(describe, InstanceIds=[STRANGER] * 51, error=INVALID)


def _hooks(call: Caller, names: list[str]) -> None:
    describe = "describe_lifecycle_hooks"
    for name in names:
        for hook in call(describe, AutoScalingGroupName=name)["LifecycleHooks"]:
            hooks = [hook["LifecycleHookName"], "none"]
            call(describe, AutoScalingGroupName=name, LifecycleHookNames=hooks)
    call(describe, AutoScalingGroupName="none", error=INVALID)
    call(describe, error=INVALID)
    call(describe, AutoScalingGroupName=names[0], LifecycleHookNames=["x"] * 51, error=INVALID)
    put = "put_lifecycle_hook"
    hook: Params = {"AutoScalingGroupName": names[0], "LifecycleHookName": "oracle"}
    terminating: Params = {"LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"}
    call(put, **hook, error=INVALID)
    call(put, **hook, **terminating, HeartbeatTimeout=29, error=INVALID)
    call(put, **hook, **terminating, DefaultResult="MAYBE", error=INVALID)
    call(put, **{**hook, "AutoScalingGroupName": "none"}, **terminating, error=INVALID)
    call(put, **hook, LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING", HeartbeatTimeout=30)
    target = "arn:aws:sns:eu-west-1:123456789012:oracle"
    role = "arn:aws:iam::123456789012:role/oracle"
    call(put, **hook, NotificationTargetARN=target, RoleARN=role, NotificationMetadata="m")
    call(describe, AutoScalingGroupName=names[0])


def _terminate(call: Caller) -> None:
    terminate = "terminate_instance_in_auto_scaling_group"
    one: Params = {"InstanceId": "i-00000000000000001"}
    call(terminate, **one, ShouldDecrementDesiredCapacity=True)
    busy = "ScalingActivityInProgress"
    call(terminate, **one, ShouldDecrementDesiredCapacity=True, error=busy)
    call(terminate, InstanceId=STRANGER, ShouldDecrementDesiredCapacity=False, error=INVALID)
    call(terminate, **one, error=INVALID)
    call(terminate, ShouldDecrementDesiredCapacity=False, error=INVALID)
    many: Params = {"InstanceIds": ["i-00000000000000002"], "ShouldDecrementDesiredCapacity": False}
    call(terminate, **many, error=INVALID)
    call(terminate, **many, AutoScalingGroupName="workers")
    shrunk: Params = {"InstanceId": "i-00000000000000008", "ShouldDecrementDesiredCapacity": True}
    call(terminate, **shrunk, error=INVALID)
    for state in ("describe_auto_scaling_groups", "describe_auto_scaling_instances"):
        call(state)


def _actions(call: Caller) -> None:
    about: Params = {"AutoScalingGroupName": "workers", "LifecycleHookName": "drain"}
    waiting: Params = {**about, "InstanceId": "i-00000000000000001"}
    complete, heartbeat = "complete_lifecycle_action", "record_lifecycle_action_heartbeat"
    done: Params = {"LifecycleActionResult": "CONTINUE"}
    call(heartbeat, **waiting)
    for action, more in ((heartbeat, {}), (complete, done)):
        call(action, **about, **more, InstanceId=STRANGER, error=INVALID)
        call(action, **about, **more, LifecycleActionToken=TOKEN, error=INVALID)
        call(action, **about, **more, LifecycleActionToken="short", error=INVALID)
        call(action, **about, **more, error=INVALID)
        call(action, **{**waiting, **more, "AutoScalingGroupName": "none"}, error=INVALID)
        call(action, **{**waiting, **more, "LifecycleHookName": "none"}, error=INVALID)
        call(action, AutoScalingGroupName="workers", InstanceId=STRANGER, **more, error=INVALID)
    call(complete, **waiting, error=INVALID)
    call(complete, **waiting, LifecycleActionResult="MAYBE", error=INVALID)
    call(complete, **waiting, **done)
    call(complete, **waiting, **done, error=INVALID)
    call("describe_auto_scaling_instances")


def _members(call: Caller) -> None:
    about: Params = {"AutoScalingGroupName": "workers"}
    one: Params = {**about, "InstanceIds": ["i-00000000000000003"]}
    smaller: Params = {"ShouldDecrementDesiredCapacity": True}
    state = "describe_auto_scaling_instances"
    for leave, come_back in (
        ("enter_standby", "exit_standby"),
        ("detach_instances", "attach_instances"),
    ):
        call(come_back, **one, error=INVALID)
        call(leave, **one, **smaller)
        call(state)
        call(come_back, **one)
        call(state)
        call(leave, **one, error=INVALID)
        for action, more in ((leave, smaller), (come_back, {})):
            call(action, **about, **more, error=INVALID)
            call(action, **about, **more, InstanceIds=[STRANGER], error=INVALID)
            call(action, **about, **more, InstanceIds=["x"] * 21, error=INVALID)
            call(action, **{**one, **more, "AutoScalingGroupName": "none"}, error=INVALID)
    resize = "set_desired_capacity"
    call(resize, **about, DesiredCapacity=6)
    call(resize, **about, DesiredCapacity=7, error=INVALID)
    call(resize, AutoScalingGroupName="small", DesiredCapacity=0, error=INVALID)
    call(resize, **about, error=INVALID)
    health = "set_instance_health"
    for status in ("Healthy", "Unhealthy"):
        call(health, InstanceId="i-00000000000000004", HealthStatus=status)
        call(health, InstanceId=STRANGER, HealthStatus=status, error=INVALID)
    call(health, InstanceId="i-00000000000000004", HealthStatus="Sick", error=INVALID)


def _pools(call: Caller, names: list[str]) -> None:
    for describe in ("describe_load_balancer_target_groups", "describe_load_balancers", "describe_traffic_sources"):
        for name in names:
            call(describe, AutoScalingGroupName=name)
        call(describe, AutoScalingGroupName="none", error=INVALID)
        call(describe, AutoScalingGroupName="small", NextToken="nobody's", error="InvalidNextToken")


def _tags(call: Caller) -> None:
    call("describe_tags")
    for name, value in (
        ("auto-scaling-group", "workers"),
        ("key", "a + b"),
        ("value", "é"),
        ("propagate-at-launch", "true"),
    ):
        call("describe_tags", Filters=[{"Name": name, "Values": [value]}])
    call("describe_tags", Filters=[{"Name": "mood", "Values": ["good"]}], error=INVALID)
    call("describe_tags", MaxRecords=101, error=INVALID)


def _change_tags(call: Caller) -> None:
    tag: Params = {"ResourceId": "workers", "ResourceType": "auto-scaling-group", "Key": "new", "Value": "x"}
    for change in ("create_or_update_tags", "delete_tags"):
        call(change, Tags=[{**tag, "PropagateAtLaunch": False}])
        call(change, Tags=[{**tag, "ResourceId": "none"}], error=INVALID)
        call(change, Tags=[{**tag, "ResourceType": "instance"}], error=INVALID)


def _activities(call: Caller) -> None:
    describe = "describe_scaling_activities"
    for activity in call(describe)["Activities"]:
        call(describe, ActivityIds=[activity["ActivityId"]])
    page = call(describe, MaxRecords=1, AutoScalingGroupName="workers")
    while "NextToken" in page:
        page = call(describe, MaxRecords=1, NextToken=page["NextToken"])
    call(describe, MaxRecords=101, error=INVALID)
    call(describe, NextToken="nobody's", error="InvalidNextToken")
    call(describe, AutoScalingGroupName="none", error=INVALID)
