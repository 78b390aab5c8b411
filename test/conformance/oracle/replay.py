"""Sends the calls that are read from stdin, each to a simulator of its own, and prints what was answered, as JSON."""

import json
import sys
from dataclasses import asdict
from datetime import datetime
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.model import OperationModel

from oracle.answers import walk_answer
from oracle.caller import NO_RETRIES, Params
from oracle.findings import Answer, Finding


class Replayer:
    """One service. Its client is made once, which takes most of the time, and each call is sent elsewhere."""

    def __init__(self, service: str) -> None:
        session = botocore.session.get_session()
        self._client: BaseClient = session.create_client(
            service, endpoint_url="http://127.0.0.1", config=NO_RETRIES
        )
        self._client.meta.events.register("before-call", self._redirect)
        self._client.meta.events.register("before-parse", self._walk)
        self._endpoint = ""
        self._findings: list[Finding] = []

    def __call__(self, endpoint: str, action: str, params: Params) -> Params:
        self._endpoint = endpoint
        self._findings = []
        try:
            answer: Params = getattr(self._client, xform_name(action))(**params)
            result: Params = {key: one for key, one in answer.items() if key != "ResponseMetadata"}
        except ClientError as refusal:
            error = refusal.response["Error"]
            status = refusal.response["ResponseMetadata"]["HTTPStatusCode"]
            return {"error": {"code": error["Code"], "status": status, "message": error["Message"]}}
        return {"result": result, "findings": [asdict(finding) for finding in self._findings]}

    def _redirect(self, params: dict[str, Any], **_: Any) -> None:
        params["url"] = self._endpoint

    def _walk(
        self, operation_model: OperationModel, response_dict: dict[str, Any], **_: Any
    ) -> None:
        if response_dict["status_code"] < 300:
            headers = {name.lower(): value for name, value in response_dict["headers"].items()}
            answer = Answer(response_dict["status_code"], headers, response_dict["body"])
            self._findings = walk_answer(answer, operation_model)


def main() -> None:
    calls = json.load(sys.stdin)
    services = {call["service"] for call in calls}
    replayers = {service: Replayer(service) for service in services}
    answers = [
        replayers[call["service"]](call["endpoint"], call["action"], call["input"])
        for call in calls
    ]
    print(json.dumps(answers, default=_text))


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{value!r} is in no example")


if __name__ == "__main__":
    main()
