"""Prints src/simulator/api/action-names.ts: the actions of each simulated API, by AWS's own models."""

import textwrap

import botocore.session

# By the names that the simulator has for them.
SERVICES = {
    "ec2": "ec2",
    "classic": "elb",
    "elbv2": "elbv2",
    "autoscaling": "autoscaling",
    "sts": "sts",
    "tagging": "resourcegroupstaggingapi",
}
HEAD = """/**
 * Every action that AWS has, by API, to distinguish actions that are not simulated from names that AWS does not have
 * either. Generated from AWS's models in botocore: `python -m oracle.action_names` in test/conformance.
 */
const ACTION_NAMES = {
"""
FOOT = """};

/** Whether AWS has an action of this name. */
export function isAwsAction(api: keyof typeof ACTION_NAMES, name: string): boolean {
  return ACTION_NAMES[api].trim().split(/\\s+/).includes(name);
}
"""


def main() -> None:
    session = botocore.session.get_session()
    print(HEAD, end="")
    for api, service in SERVICES.items():
        names = " ".join(session.get_service_model(service).operation_names)
        lines = textwrap.fill(names, 116, initial_indent="    ", subsequent_indent="    ")
        print(f"  {api}: `\n{lines}\n  `,")
    print(FOOT, end="")


if __name__ == "__main__":
    main()
