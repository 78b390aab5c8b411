"""Prints, as JSON, which of the sentences given are in none of the documentation of AWS's models."""

import html
import json
import re
import sys
from collections.abc import Iterator

import botocore.session


def main(quotes: str) -> None:
    """`quotes`: for each service a list of sentences, as JSON."""
    loader = botocore.session.get_session().get_component("data_loader")
    strange = []
    for service, sentences in json.loads(quotes).items():
        model = loader.load_service_model(service, "service-2")
        known = "\n".join(_condensed(text) for text in _documentation(model))
        strange += [one for one in sentences if _condensed(one) not in known]
    print(json.dumps(strange))


def _documentation(model: object) -> Iterator[str]:
    if isinstance(model, list):
        for each in model:
            yield from _documentation(each)
    elif isinstance(model, dict):
        for key, each in model.items():
            if key == "documentation" and isinstance(each, str):
                yield each
            else:
                yield from _documentation(each)


def _condensed(text: str) -> str:
    """Without mark-up and white space."""
    return re.sub(r"\s+", "", html.unescape(re.sub(r"<[^>]+>", "", text)))


if __name__ == "__main__":
    main(sys.argv[1])
