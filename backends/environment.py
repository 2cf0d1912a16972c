"""What the environment says to clients: proxies, certificates, settings of OpenAI's SDKs.

Clients that are run here, as examples, talk to a relay on this machine. Settings for other servers (a proxy, or a
certificate file that does not exist) must not reach these clients; otherwise their failure would look like a fault of
the server.
"""

from __future__ import annotations

import os
import re

_OF_CLIENTS = re.compile(
    r"\w+_proxy|ssl_cert_\w+|sslkeylogfile|openai_\w+|curl_\w+|node_(options|extra_ca_certs)", re.I
)


def for_clients() -> dict[str, str]:
    """The environment of a client that is run here: this process's own without it."""
    kept = {name: value for name, value in os.environ.items() if not _OF_CLIENTS.fullmatch(name)}
    return kept | {"NO_PROXY": "*", "no_proxy": "*"}  # Nor a proxy that the operating system is set to.
