#!/usr/bin/env bash
# On moto a deregistered target is gone at once, from all its ports, and cannot be deregistered again.
#
# Expected, as on AWS: a target that was registered on two ports is two targets. DeregisterTargets with one port makes that one
#   `draining` for the deregistration delay, and leaves the other `healthy`. Deregistering a target that is not registered succeeds.
# Observed: the second registration replaces the first, so that there is one target. Deregistering it makes it `unused` at once,
#   whatever the delay, also when the port is the replaced one. Deregistering it again is refused with InvalidTarget.
# Seen with: moto 5.2.1, boto3 and botocore 1.44.5, on 2026-11-30.
# Why it matters: a test on moto passes for a program that does not wait for connection draining at all, that forgets the port,
#   or that deregisters too much. A program that is right on AWS, and deregisters again after a crash, fails.
# Needs: Python 3.10 or later.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
  'moto[server]==5.2.1' boto3==1.44.5 botocore==1.44.5
env/bin/python -m pip list --disable-pip-version-check | grep -iE '^(moto|boto3|botocore) '

cat >show.py <<'PY'
import logging

import boto3
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()


def client(service):
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-west-1",
        aws_access_key_id="example",
        aws_secret_access_key="example",
    )


ec2, elb = client("ec2"), client("elbv2")
vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]
image = ec2.describe_images()["Images"][0]["ImageId"]
node = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
group = elb.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
balancer = elb.create_load_balancer(Name="web", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
forward = [{"Type": "forward", "TargetGroupArn": group}]
elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=forward)
delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "300"}]
elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=delay)

first, second = {"Id": node, "Port": 30080}, {"Id": node, "Port": 30090}


def health(**asked):
    answer = elb.describe_target_health(TargetGroupArn=group, **asked)
    return [(one["Target"]["Port"], one["TargetHealth"]["State"]) for one in answer["TargetHealthDescriptions"]]


def deregister(target):
    try:
        elb.deregister_targets(TargetGroupArn=group, Targets=[target])
        return "succeeds"
    except ClientError as error:
        return error.response["Error"]["Code"]


elb.register_targets(TargetGroupArn=group, Targets=[first, second])
seen = {
    "registered on ports 30080 and 30090": health(),
    "deregister port 30080": deregister(first),
    "then all targets": health(),
    "then port 30090": health(Targets=[second]),
    "deregister port 30080 again": deregister(first),
}
server.stop()
for what, result in seen.items():
    print(f"{what}: {result}")
assert list(seen.values()) == [[(30090, "healthy")], "succeeds", [], [(30090, "unused")], "InvalidTarget"]
PY
env/bin/python show.py
echo "As described above."
