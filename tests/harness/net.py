# SPDX-License-Identifier: MPL-2.0
"""Ports for tests. Everything is on loopback."""

import collections
import random
import socket


# Below the range that the kernel takes for outgoing connections (ip_local_port_range), and for
# sockets bound to port 0: nobody else's test can be given one of these in the meantime.
FIRST, LAST = 10000, 29999


# A port that was given out is also held as an abstract unix socket, so that no other process of
# the tests is given it before its user has bound it. The last ones are enough.
_held = collections.deque(maxlen=64)


def _reserve(port):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        sock.bind(f"\0gatepost-test-port-{port}")
    except OSError:
        sock.close()
        return False
    _held.append(sock)
    return True


def _is_free(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_ports(count):
    """Ports that were free a moment ago, none twice; drawn by chance below."""
    ports = []
    for _ in range(1000):
        port = random.SystemRandom().randint(FIRST, LAST)
        if port not in ports and _is_free(port) and _reserve(port):
            ports.append(port)
        if len(ports) == count:
            return ports
    raise RuntimeError(f"no {count} free ports between {FIRST} and {LAST}")


class DeadPort:
    """A port where every connection is refused, for as long as this object lives."""

    def __init__(self):
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._sock.bind(("127.0.0.1", 0))
        self.port = self._sock.getsockname()[1]

    def close(self):
        self._sock.close()
