"""Calls the simulator by botocore, and keeps what its answers are found to be."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import OperationModel

from oracle.answers import walk_answer
from oracle.findings import Answer, Finding
from oracle.json_shapes import walk_json_answer

# Parameters by their names in the model, and by those on the wire: None leaves one out.
Params = dict[str, Any]
Wire = dict[str, str | None]

FILTER_NAME = re.compile(r"<li>\s*<p>\s*<code>([^<]+)</code>")
NO_RETRIES = Config(retries={"total_max_attempts": 1}, parameter_validation=False)


@dataclass
class Report:
    """Every answer walked, by service and operation, and every finding."""

    good: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[str, Finding]] = field(default_factory=list)


class Caller:
    """One service of the simulator."""

    def __init__(self, service: str, endpoint: str, report: Report) -> None:
        session = botocore.session.get_session()
        self._client = session.create_client(service, endpoint_url=endpoint, config=NO_RETRIES)
        self._client.meta.events.register("before-parse", self._walk)
        self._client.meta.events.register("before-call", self._rewrite)
        self._service = service
        self._report = report
        self._body: Wire = {}

    def __call__(
        self,
        operation: str,
        *,
        error: str | None = None,
        body: Wire | None = None,
        **params: Any,
    ) -> dict[str, Any]:
        """Calls, expecting success or an error code. `body` changes the parameters on the wire; None removes one."""
        self._body = body or {}
        try:
            answer: Params = getattr(self._client, operation)(**params)
            code = None
        except ClientError as refusal:
            answer = {}
            code = refusal.response["Error"]["Code"]
        if code != error:
            problem = f"answers {code} instead of {error} to {params} {body or ''}"
            self._report.findings.append((f"{self._service}:{operation}", Finding("", problem)))
        return answer

    def documented_filters(self, operation: str) -> list[str]:
        """The names that the model's documentation gives, with a key for those of tags."""
        name = self._client.meta.method_to_api_mapping[operation]
        members = self._client.meta.service_model.operation_model(name).input_shape.members
        names = FILTER_NAME.findall(members["Filters"].documentation)
        tag = {"tag", "tag:&lt;key&gt;"}
        return ["tag:Name" if name in tag else name for name in names]

    def _rewrite(self, params: dict[str, Any], **_: Any) -> None:
        # Only those of the query protocol are changed.
        if not isinstance(params["body"], dict):
            return
        params["body"].update(self._body)
        for name in [name for name, value in self._body.items() if value is None]:
            params["body"].pop(name, None)

    def _walk(
        self, operation_model: OperationModel, response_dict: dict[str, Any], **_: Any
    ) -> None:
        status = response_dict["status_code"]
        headers = {name.lower(): value for name, value in response_dict["headers"].items()}
        answer = Answer(status, headers, response_dict["body"])
        name = f"{self._service}:{operation_model.name}"
        (self._report.good if status < 300 else self._report.refused)[name] += 1
        is_json = operation_model.service_model.resolved_protocol == "json"
        walk = walk_json_answer if is_json else walk_answer
        for finding in walk(answer, operation_model):
            self._report.findings.append((name, finding))
