# SPDX-License-Identifier: MPL-2.0
"""A milter with a script, on loopback: it notes what it hears, and answers what its rules say."""

import socket
import struct
import threading

COMMANDS = "CHMRTLNBE"  # those that want an answer, in the order of a session
HANG_S = 20


def packet(code, data=b""):
    return struct.pack("!I", len(data) + 1) + code.encode("ascii") + data


def strings(*texts):
    return b"".join(text.encode("utf-8") + b"\0" for text in texts)


def reply(text):
    return packet("y", strings(text))


class Hang(Exception):
    """Say nothing more, and do not close."""


class ScriptedMilter:
    """rules: {command: octets, or a list of octets and "close" or "hang"}. A command without a
    rule gets "continue"; several fields or chunks of one message get the same answer."""

    def __init__(self, actions=0x1FF, steps=0x100000, version=6):
        self.options = (version, actions, steps)
        self.rules = {}
        self.heard = []  # (connection, command, data)
        self.connections = 0
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.address = f"inet:{self._sock.getsockname()[1]}@127.0.0.1"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self._stopping.set()
        self._sock.close()

    def commands(self, wanted=COMMANDS):
        with self._lock:
            return "".join(command for _, command, _ in self.heard if command in wanted)

    def data(self, command):
        with self._lock:
            return [data for _, heard, data in self.heard if heard == command]

    def forget(self):
        with self._lock:
            self.heard.clear()

    def _accept(self):
        while not self._stopping.is_set():
            try:
                sock, _ = self._sock.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock, self.connections),
                             daemon=True).start()

    def _serve(self, sock, number):
        with sock:
            try:
                while self._one(sock, number):
                    pass
            except (ConnectionError, OSError):
                pass
            except Hang:
                self._stopping.wait(HANG_S)

    def _one(self, sock, number):
        head = read(sock, 4)
        command, data = split(read(sock, struct.unpack("!I", head)[0]))
        with self._lock:
            self.heard.append((number, command, data))
        if command == "O":
            sock.sendall(packet("O", struct.pack("!III", *self.options)))
        elif command in COMMANDS:
            for answer in as_list(self.rules.get(command, packet("c"))):
                if answer == "close":
                    return False
                if answer == "hang":
                    raise Hang
                sock.sendall(answer)
        return command != "Q"


def as_list(rule):
    return rule if isinstance(rule, list) else [rule]


def split(data):
    return data[:1].decode("ascii"), data[1:]


def read(sock, count):
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            raise ConnectionError
        data += piece
    return data
