"""Good and bad calls about Auto Scaling groups themselves, and about their instance refreshes."""

from oracle.caller import Caller, Params

INVALID = "ValidationError"
SUBNETS = "subnet-vpc-0123456789abcdef0-eu-west-1a,subnet-vpc-0123456789abcdef0-eu-west-1b"
TEMPLATE: Params = {"LaunchTemplateName": "nodes", "Version": "1"}
IMAGES: Params = {
    "MixedInstancesPolicy": {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": TEMPLATE,
            "Overrides": [{"InstanceType": "m7g.large", "ImageId": "ami-0123456789abcdef0"}],
        },
    },
}


def call_groups(call: Caller) -> None:
    create, update, delete = (f"{verb}_auto_scaling_group" for verb in ("create", "update", "delete"))
    new: Params = {"AutoScalingGroupName": "new", "MinSize": 0, "MaxSize": 2}
    launches: Params = {"LaunchTemplate": TEMPLATE, "VPCZoneIdentifier": SUBNETS}
    retain: Params = {"RetentionTriggers": {"TerminateHookAbandon": "retain"}}
    call(create, **new, error=INVALID)
    call(create, **new, **launches, DesiredCapacity=3, error=INVALID)
    call(create, **new, **launches, InstanceLifecyclePolicy=retain, DefaultInstanceWarmup=30)
    call(create, **new, **launches, error="AlreadyExists")
    call(create, **{**new, "AutoScalingGroupName": "mixed"}, **IMAGES, VPCZoneIdentifier=SUBNETS)
    call(update, AutoScalingGroupName="new", MaxSize=3, HealthCheckGracePeriod=60, **IMAGES)
    call(update, AutoScalingGroupName="new", MinSize=4, error=INVALID)
    call(update, AutoScalingGroupName="none", MinSize=4, error=INVALID)
    call("describe_auto_scaling_groups", AutoScalingGroupNames=["new", "mixed"])
    call(delete, AutoScalingGroupName="mixed")
    call(delete, AutoScalingGroupName="workers", error="ResourceInUse")
    call(delete, AutoScalingGroupName="none", error=INVALID)


def call_refreshes(call: Caller) -> None:
    start, describe = "start_instance_refresh", "describe_instance_refreshes"
    cancel, roll = "cancel_instance_refresh", "rollback_instance_refresh"
    group: Params = {"AutoScalingGroupName": "workers"}
    none: Params = {"AutoScalingGroupName": "none"}
    idle = "ActiveInstanceRefreshNotFound"
    for action in (cancel, roll):
        call(action, **group, error=idle)
        call(action, **none, error=INVALID)
    call(start, **none, error=INVALID)
    call(start, **group, Strategy="Sudden", error=INVALID)
    call(start, **group, Strategy="ReplaceRootVolume", error=INVALID)
    call(start, **group, Preferences={"MinHealthyPercentage": 101}, error=INVALID)
    preferences: Params = {
        "MinHealthyPercentage": 50,
        "MaxHealthyPercentage": 150,
        "InstanceWarmup": 60,
        "CheckpointPercentages": [50, 100],
        "CheckpointDelay": 60,
        "SkipMatching": True,
        "StandbyInstances": "Ignore",
        "BakeTime": 60,
    }
    call(start, **group, Preferences=preferences)
    call(start, **group, error="InstanceRefreshInProgress")
    call(describe, **group)
    call(roll, **group, error="IrreversibleInstanceRefresh")
    call(cancel, **group, WaitForTransitioningInstances=False)
    call(start, **group, DesiredConfiguration={"LaunchTemplate": TEMPLATE})
    call(describe, **group)
    call(roll, **group)
    call(describe, **group)
    call(roll, **group, error=idle)
    call(start, **group, Strategy="ReplaceRootVolume", DesiredConfiguration=IMAGES)
    ids = [one["InstanceRefreshId"] for one in call(describe, **group)["InstanceRefreshes"]]
    call(describe, **group, InstanceRefreshIds=ids)
    page = call(describe, **group, MaxRecords=1)
    while "NextToken" in page:
        page = call(describe, **group, MaxRecords=1, NextToken=page["NextToken"])
    call(describe, **group, MaxRecords=101, error=INVALID)
    call(describe, **group, NextToken="nobody's", error="InvalidNextToken")
    call(describe, **none, error=INVALID)
    call(cancel, **group)
    call("describe_auto_scaling_groups", AutoScalingGroupNames=["workers"])
