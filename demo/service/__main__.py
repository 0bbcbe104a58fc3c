"""`python -m demo.service PORT VERSION`: serve until SIGTERM, then answer what was begun, and end with 0."""

import argparse
import os
import signal
import threading

from demo.service.store import TIERS, Store
from demo.service.web import Service

DRAIN_SECONDS = 6  # more than a statement may take
POLL_SECONDS = 0.1  # how soon it notices that it is to end
ENDING = {signal.SIGTERM, signal.SIGINT}


def main() -> None:
    """Serve on loopback. The only line printed is the address."""
    parser = argparse.ArgumentParser(prog="python -m demo.service", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("version", choices=sorted(TIERS))
    wanted = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # before any thread is there to receive one
    store = Store(os.environ["LOYALTY_DATABASE"], version=wanted.version)
    service = Service(wanted.port, store=store)
    store.warm()
    threading.Thread(target=service.serve_forever, args=[POLL_SECONDS], daemon=True).start()
    print(f"http://127.0.0.1:{service.server_port}", flush=True)
    signal.sigwait(ENDING)
    service.shutdown()
    service.server_close()
    service.drain(seconds=DRAIN_SECONDS)
    store.close()


if __name__ == "__main__":
    main()
