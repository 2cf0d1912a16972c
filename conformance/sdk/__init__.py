"""OpenAI's official SDKs as readers of recorded exchanges, and what they understand of them."""

from conformance.sdk.node import read_by_node
from conformance.sdk.python import answered, read_by_python, read_by_python_async, read_by_python_helper
from conformance.sdk.reading import assert_reads_alike, can_be_sent, reading

__all__ = [
    "answered",
    "assert_reads_alike",
    "can_be_sent",
    "read_by_node",
    "read_by_python",
    "read_by_python_async",
    "read_by_python_helper",
    "reading",
]
