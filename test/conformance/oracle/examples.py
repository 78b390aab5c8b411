"""Prints the examples of calls and answers in botocore, of the newest version of each service given, as JSON."""

import json
import sys
from collections.abc import Iterator

import botocore.session


def main(services: list[str]) -> None:
    print(json.dumps([example for service in services for example in _examples(service)]))


def _examples(service: str) -> Iterator[dict[str, object]]:
    loader = botocore.session.get_session().get_component("data_loader")
    for action, examples in loader.load_service_model(service, "examples-1")["examples"].items():
        for index, example in enumerate(examples):
            yield {
                "service": service,
                "action": action,
                "index": index,
                # Either is left out where there is nothing to say.
                "input": example.get("input") or {},
                "output": example.get("output") or {},
            }


if __name__ == "__main__":
    main(sys.argv[1:])
