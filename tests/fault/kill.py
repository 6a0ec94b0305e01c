#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Kill the gate, or the server behind it, by SIGKILL under load, and look for what clients heard
250 for: all of it must be there, octet for octet, once; and nothing else may be there.

usage: kill.py --build build [--rounds N] [-v]
ROUNDS=200 in the environment for a long run. The last line sums up: a round counts as one.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)  # crypt
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
# pylint: disable=wrong-import-position
from harness import config as cfg, gate, keys  # noqa: E402
from harness.client import Client, ClientError, dot_stuff  # noqa: E402
from harness.dialog import generated  # noqa: E402
from harness.maildir import Maildir  # noqa: E402
from harness.net import free_ports  # noqa: E402

ROUNDS = 6
CLIENTS_EACH_WAY = 3
SIZES = (500, 5000, 60000, 400000)  # the last two are over limits.memory
BEFORE_S, AFTER_S = (0.02, 0.4), 0.25
CLIENT_LIMIT_S = 20
HERE = os.path.dirname(os.path.abspath(__file__))


class LostError(Exception):
    pass


class Sink:
    """sink.py as a process, at the same port in each of its lives."""

    def __init__(self, folder):
        self.box = Maildir(os.path.join(folder, "sink"))
        for part in ("new", "tmp"):
            os.makedirs(os.path.join(self.box.path, part))
        self.port = free_ports(1)[0]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "sink.py"), str(self.port), self.box.path],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n":
            raise LostError("the sink does not start")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Load:
    """Clients that send one message after the other, and never one again."""

    def __init__(self, ports):
        self.ports = ports
        self.lock = threading.Lock()
        self.is_over = threading.Event()
        self.number = 0
        self.sent = {}  # content: [listener, code or None]
        self.threads = [threading.Thread(target=self.run, args=(listener,), daemon=True)
                        for listener in ("submissions", "inbound")
                        for _ in range(CLIENTS_EACH_WAY)]
        for thread in self.threads:
            thread.start()

    def make(self, listener):
        with self.lock:
            self.number += 1
            content = generated(random.choice(SIZES)).replace(
                b"Subject: Large", b"Subject: %s %d" % (os.urandom(8).hex().encode(), self.number))
            self.sent[content] = [listener, None]
        return content

    def run(self, listener):
        while not self.is_over.is_set():
            try:
                client = Client(self.ports[listener], limit_s=CLIENT_LIMIT_S)
            except OSError:
                time.sleep(0.01)
                continue
            try:
                self.talk(client, listener)
            except (ClientError, OSError):
                pass
            finally:
                client.close()

    def talk(self, client, listener):
        if listener == "submissions":
            client.start_tls()
        client.reply()
        client.expect("EHLO client.test", "250")
        if listener == "submissions":
            client.auth_plain("alice@example.com", "correct horse")
        while not self.is_over.is_set():
            client.expect("MAIL FROM:<alice@example.com>", "250")
            client.expect("RCPT TO:<bob@example.net>", "250")
            client.expect("DATA", "354")
            content = self.make(listener)
            client.send(dot_stuff(content))
            self.sent[content][1] = client.reply().code

    def end(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join(2 * CLIENT_LIMIT_S)
            if thread.is_alive():
                raise LostError("a client still waits for its reply")


class Round:
    def __init__(self, running, sink, box):
        self.gate, self.sink, self.box = running, sink, box

    def run(self, victim):
        """How many messages were acknowledged."""
        load = Load(self.gate.ports)
        time.sleep(random.uniform(*BEFORE_S))
        victim.kill()
        victim.start()
        time.sleep(AFTER_S)
        load.end()
        try:
            return self.check(load.sent)
        finally:
            for place in (self.sink.box, self.box):
                for name in place.names():
                    os.unlink(os.path.join(place.path, "new", name))

    def check(self, sent):
        acknowledged = 0
        places = {"submissions": self.sink.box, "inbound": self.box}
        for listener, place in places.items():
            there = place.messages()
            for content, (way, code) in sent.items():
                found = sum(1 for data in there if data.endswith(content))
                if way != listener:
                    continue
                if code == "250":
                    acknowledged += 1
                    if found != 1:
                        raise LostError(f"heard 250 at {way}, and it is there {found} times")
                elif found > 1:
                    raise LostError(f"sent once at {way}, and it is there {found} times")
            ours = tuple(sent)
            for data in there:
                if not data.endswith(ours):
                    raise LostError(f"there is what nobody sent: {data[:200]!r}...")
        return acknowledged


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS", ROUNDS)))
    parser.add_argument("-v", "--verbose", action="store_true")
    args = parser.parse_args()
    passed = failed = acknowledged = 0
    with tempfile.TemporaryDirectory(prefix="gatepost-kill-") as folder:
        os.chmod(folder, 0o755)
        sink = Sink(folder)
        running = gate.Gate(args.build, keys.Keys(os.path.join(folder, "keys"),
                                                  gate.owner_of_tests()),
                            cfg.smtp_upstream([f"127.0.0.1:{sink.port}"]))
        box = Maildir(os.path.join(running.folder, "Maildir"))
        for path, value in {
                "limits.memory": "16K", "inbound.upstream": "box", "log.level": "info",
                "upstreams[1]": dict({"name": "box"}, **cfg.maildir_upstream(box.path))}.items():
            running.set(path, value)
        sink.start()
        running.start()
        try:
            for number in range(args.rounds):
                victim = random.choice((running, sink)) if number > 1 else (running, sink)[number]
                try:
                    count = Round(running, sink, box).run(victim)
                    running.check_sanitizers()
                    passed += 1
                    acknowledged += count
                    if args.verbose:
                        print(f"  ok       {type(victim).__name__} killed, {count} acknowledged",
                              flush=True)
                except (LostError, gate.GateError) as error:
                    failed += 1
                    print(f"  FAIL     round {number}, {type(victim).__name__} killed: {error}\n"
                          f"{running.tail(20)}", flush=True)
            running.stop()
        finally:
            running.kill()
            running.remove()
            sink.kill()
    if acknowledged == 0:
        failed += 1
        print("  FAIL     no message was acknowledged at all")
    print(f"  messages {acknowledged} acknowledged")
    print(f"kill: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
