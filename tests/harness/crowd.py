# SPDX-License-Identifier: MPL-2.0
"""Clients that cost nothing and take up room: idle ones, and slow ones that send an octet a second
each. For a test and for a bench; loopback only."""

import socket
import threading

OPEN_LIMIT_S = 60
COMMANDS = b"NOOP\r\n"  # what slow ones spell


class Crowd:
    """Connections in clear that have said EHLO. A context manager; begin() starts the dripping."""

    def __init__(self, port, idle, slow):
        self.idle = [self._open(port) for _ in range(idle)]
        self.slow = [self._open(port) for _ in range(slow)]
        self.octets = 0  # that were dripped
        self.lost = 0  # slow ones that the gate has closed
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._drip, daemon=True)

    @staticmethod
    def _open(port):
        sock = socket.create_connection(("127.0.0.1", port), timeout=OPEN_LIMIT_S)
        hear(sock)
        sock.sendall(b"EHLO crowd.test\r\n")
        hear(sock)
        return sock

    def begin(self):
        self._thread.start()
        return self

    def _drip(self):
        """One octet from each a second, spread over it; what they hear is read now and then."""
        turn = 0
        for sock in self.slow:
            sock.setblocking(False)
        while not self._end.is_set():
            octet = COMMANDS[turn % len(COMMANDS):][:1]
            for i, sock in enumerate(self.slow):
                self._say(sock, octet)
                if i % 20 == 19:
                    self._end.wait(20 / len(self.slow))
            if len(self.slow) < 20:
                self._end.wait(1)
            turn += 1

    def _say(self, sock, octet):
        try:
            self.octets += sock.send(octet)
            sock.recv(4096)
        except BlockingIOError:
            pass
        except OSError:
            self.lost += 1

    def close(self):
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        for sock in self.idle + self.slow:
            sock.close()

    def __enter__(self):
        return self.begin()

    def __exit__(self, *_):
        self.close()


def hear(sock):
    """One whole reply."""
    heard = b""
    while not (heard.endswith(b"\r\n") and heard.split(b"\r\n")[-2][3:4] == b" "):
        more = sock.recv(4096)
        if not more:
            raise OSError(f"closed after {heard!r}")
        heard += more
