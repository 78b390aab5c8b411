"""What the oracle complains of, and the raw answer it complains about."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """One HTTP answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Finding:
    """One departure of an answer from AWS's model: where in it, and what is wrong."""

    path: str
    problem: str
