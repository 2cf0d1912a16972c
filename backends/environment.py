"""What the environment says to clients: proxies, certificates, settings of OpenAI's SDKs.

Clients that are run here, as examples, talk to a relay on this machine. What is meant for talking to others must not
reach them, or it would look like a fault of the server: a proxy, or a certificate file that does not exist.
"""

from __future__ import annotations

import os
import re

_OF_CLIENTS = re.compile(
    r"\w+_proxy|ssl_cert_\w+|sslkeylogfile|openai_\w+|curl_\w+|node_(options|extra_ca_certs)", re.I
)

AS_GIVEN = dict(os.environ)
"""The environment of this process at its start, for downloads."""


def keep_from_clients() -> None:
    """Take it out of this process's environment, for good: clients run in this process, too, several at a time."""
    for name in [name for name in os.environ if _OF_CLIENTS.fullmatch(name)]:
        del os.environ[name]
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"  # Nor a proxy that the operating system is set to.
