"""OpenAI's official SDKs as readers: they are given recorded exchanges, and asked what they understand."""

from conformance.sdk.node import read_by_node
from conformance.sdk.python import answered, read_by_python, read_by_python_async, read_by_python_helper
from conformance.sdk.reading import can_be_sent, reading

__all__ = [
    "answered",
    "can_be_sent",
    "read_by_node",
    "read_by_python",
    "read_by_python_async",
    "read_by_python_helper",
    "reading",
]
