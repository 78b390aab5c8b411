"""Calls operations that the simulator at the URL given is to refuse, and prints what the refusals were found to be."""

import json
import sys
from dataclasses import asdict

from oracle.caller import Caller, Report


def main(endpoint: str, expected: str) -> None:
    """`expected`: for each service a list of operations, each with the error's code, as JSON."""
    report = Report()
    for service, calls in json.loads(expected).items():
        call = Caller(service, endpoint, report)
        for operation, error in calls:
            call(operation, error=error)
    findings = [{"call": call, **asdict(finding)} for call, finding in report.findings]
    print(json.dumps({"good": report.good, "refused": report.refused, "findings": findings}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
