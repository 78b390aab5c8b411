"""Calls every action of the simulator at the URL given, and prints what its answers were found to be, as JSON."""

import json
import sys
from dataclasses import asdict

from oracle.caller import Caller, Report
from oracle.calls_autoscaling import call_autoscaling
from oracle.calls_ec2 import call_ec2
from oracle.calls_elb import call_elb
from oracle.calls_elbv2_read import read_elbv2
from oracle.calls_elbv2_write import write_elbv2
from oracle.calls_sts import call_sts
from oracle.calls_tagging import call_tagging


def main(endpoint: str) -> None:
    report = Report()
    read_elbv2(Caller("elbv2", endpoint, report))
    write_elbv2(Caller("elbv2", endpoint, report))
    call_elb(Caller("elb", endpoint, report))
    call_autoscaling(Caller("autoscaling", endpoint, report))
    call_ec2(Caller("ec2", endpoint, report))
    call_sts(Caller("sts", endpoint, report))
    call_tagging(Caller("resourcegroupstaggingapi", endpoint, report))
    findings = [{"call": call, **asdict(finding)} for call, finding in report.findings]
    print(json.dumps({"good": report.good, "refused": report.refused, "findings": findings}))


if __name__ == "__main__":
    main(sys.argv[1])
