"""Whether the web process on this machine is ready: `python -m controlplane.readiness PORT` exits with 0 if it is.

For whoever starts one and waits for it, and for the health check of a container.
"""

import socket
import sys
from collections.abc import Sequence

from controlplane.configuration import configuration
from controlplane.embedded.processes import LOOPBACK

PATIENCE_SECONDS = 5.0
READY = b" 200 "


def is_ready(port: int, *, host: str = "localhost") -> bool:
    """Return whether `/readyz` on a port of this machine answers 200. `host` is a name it answers to."""
    question = f"GET /readyz HTTP/1.0\r\nHost: {host}\r\n\r\n"
    try:
        with socket.create_connection((LOOPBACK, port), timeout=PATIENCE_SECONDS) as asked:
            asked.settimeout(PATIENCE_SECONDS)
            asked.sendall(question.encode("ascii"))
            with asked.makefile("rb") as answer:
                return READY in answer.readline(100)
    except OSError:
        return False


def own_host(names: Sequence[str]) -> str:
    """Return a name that an installation with these ALLOWED_HOSTS answers to."""
    name = names[0].lstrip(".") if names else ""
    return "localhost" if name in {"", "*"} else name


if __name__ == "__main__":
    sys.exit(0 if is_ready(int(sys.argv[1]), host=own_host(configuration().allowed_hosts)) else 1)
