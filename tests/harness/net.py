# SPDX-License-Identifier: MPL-2.0
"""Ports for tests. Everything is on loopback."""

import socket


def free_ports(count):
    """Ports that were free a moment ago, none twice."""
    held = []
    for _ in range(count):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.bind(("127.0.0.1", 0))
        held.append(sock)
    ports = [sock.getsockname()[1] for sock in held]
    for sock in held:
        sock.close()
    return ports


class DeadPort:
    """A port where every connection is refused, for as long as this object lives."""

    def __init__(self):
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._sock.bind(("127.0.0.1", 0))
        self.port = self._sock.getsockname()[1]

    def close(self):
        self._sock.close()
