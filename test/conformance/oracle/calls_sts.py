"""Good and bad calls of every action of the Security Token Service."""

from oracle.caller import Caller


def call_sts(call: Caller) -> None:
    call("get_caller_identity")
    call("get_caller_identity", body={"Action": "Invent"}, error="InvalidAction")
