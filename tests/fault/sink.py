#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A mail server that may be killed at any moment: 250 is said when the message is a file in FOLDER.

usage: sink.py PORT FOLDER
"""

import itertools
import os
import re
import socket
import sys
import threading

CHUNK = 65536
numbers = itertools.count()


def store(folder, content):
    name = f"{os.getpid()}.{next(numbers)}"
    with open(os.path.join(folder, "tmp", name), "wb") as file:
        file.write(content)
    os.rename(os.path.join(folder, "tmp", name), os.path.join(folder, "new", name))


class Session:
    def __init__(self, sock, folder):
        self.sock, self.folder, self.buffer = sock, folder, b""

    def fill(self):
        data = self.sock.recv(CHUNK)
        if not data:
            raise EOFError
        self.buffer += data

    def line(self):
        while b"\r\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def content(self):
        """Until CRLF.CRLF; what the end of the connection cuts off is thrown away."""
        wire = b"\r\n"
        while b"\r\n.\r\n" not in wire:
            if not self.buffer:
                self.fill()
            wire, self.buffer = wire + self.buffer, b""
        wire, _, self.buffer = wire.partition(b"\r\n.\r\n")
        return re.sub(rb"(?m)^\.", b"", wire[2:] + b"\r\n")

    def say(self, text):
        self.sock.sendall(text + b"\r\n")

    def run(self):
        try:
            self.say(b"220 sink.test")
            while True:
                verb = self.line()[:4].upper()
                if verb == b"EHLO":
                    self.say(b"250-sink.test\r\n250 8BITMIME")
                elif verb == b"DATA":
                    self.say(b"354 go on")
                    store(self.folder, self.content())
                    self.say(b"250 2.0.0 stored")
                elif verb == b"QUIT":
                    self.say(b"221 bye")
                    return
                else:
                    self.say(b"250 2.0.0 ok")
        except (OSError, EOFError):
            pass
        finally:
            self.sock.close()


def main():
    port, folder = int(sys.argv[1]), sys.argv[2]
    server = socket.create_server(("127.0.0.1", port), backlog=64)
    print("ready", flush=True)
    while True:
        sock, _ = server.accept()
        threading.Thread(target=Session(sock, folder).run, daemon=True).start()


if __name__ == "__main__":
    main()
