# SPDX-License-Identifier: MPL-2.0
"""What the tests of hostile clients share: sessions up to a stage, an honest message, and the
question whether anything is left over of those who are gone."""

import os
import time

from harness import config
from harness.client import Client

LIMIT_S = 60  # guards against hanging; measures nothing
LOGIN, PASSWORD = "alice@example.com", "correct horse"
HEADER = b"From: alice@example.com\r\nTo: bob@example.net\r\nSubject: x\r\n\r\n"

# Short, so that who is silent is gone soon; many from one address, since all tests are.
SETTINGS = {
    "limits.greeting": "3s", "limits.command": "3s", "limits.data": "3s",
    "limits.address_connections": 5000, "limits.network_connections": 5000,
    "upstreams[0].idle": "1h", "upstreams[0].max_idle": 1,
    "metrics.listen": lambda gate: f"127.0.0.1:{gate.ports['metrics']}",
}


class Ward:
    """A gate and its upstream, with what there was before anybody hostile came."""

    def __init__(self, start_gate, sink, settings=None):
        self.sink = sink
        self.gate = start_gate(config.smtp_upstream([sink.address]),
                               {**SETTINGS, **(settings or {})})
        self.sent = 0
        self.send_honest()
        self.descriptors = self.count_descriptors()

    def send_honest(self):
        """One message that must go through as if nobody else were there."""
        self.sent += 1
        subject = b"Subject: honest %d\r\n" % self.sent
        client = self.client("submissions")
        client.start_tls()
        assert client.reply().code == "220"
        client.expect("EHLO honest.test", "250")
        reply = client.auth_plain(LOGIN, PASSWORD)
        assert reply.code == "235", str(reply)
        client.expect("MAIL FROM:<alice@example.com>", "250")
        client.expect("RCPT TO:<bob@example.net>", "250")
        client.expect("DATA", "354")
        client.send(subject + HEADER + b"Hi\r\n.\r\n")
        assert client.reply().code == "250"
        client.expect("QUIT", "221")
        client.close()
        assert [m for m in self.sink.accepted() if subject in m.data]

    def client(self, listener="inbound"):
        return Client(self.gate.ports[listener], limit_s=LIMIT_S)

    def at(self, stage):
        """A client in clear at the inbound listener whose session is at that stage of STAGES."""
        client = self.client()
        for at, words, code in SCRIPT:
            if words:
                client.send(words)
            if code:
                assert client.reply().code == code
            if at == stage:
                return client
        raise AssertionError(f"there is no stage {stage}")

    def count_descriptors(self):
        return len(os.listdir(f"/proc/{self.gate.serving_pid}/fd"))

    def hostile_messages(self):
        """What the upstream has accepted besides the honest ones."""
        return [m for m in self.sink.accepted() if b"Subject: honest " not in m.data]

    def rss_kb(self):
        with open(f"/proc/{self.gate.serving_pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def check(self):
        """Honest mail goes through; no session, no descriptor, no worker is left behind."""
        self.send_honest()
        wait_until(lambda: self.gate.metrics()["gatepost_connections"] == 0,
                   "sessions are left over", self.gate)
        wait_until(lambda: self.count_descriptors() <= self.descriptors,
                   "descriptors are left over", self.gate)
        numbers = self.gate.metrics()
        begun = sum(n for name, n in numbers.items() if name.startswith("gatepost_sessions_total"))
        ended = sum(n for name, n in numbers.items()
                    if name.startswith("gatepost_session_ends_total"))
        assert begun == ended
        assert not self.sink.problems


SCRIPT = [  # what the client says, and the code of the reply that it waits for
    ("connected", b"", None),
    ("greeted", b"", "220"),
    ("half a command", b"EHL", None),
    ("EHLO", b"O hostile.test\r\n", "250"),
    ("MAIL", b"MAIL FROM:<mallory@example.org>\r\n", "250"),
    ("RCPT", b"RCPT TO:<bob@example.net>\r\n", "250"),
    ("DATA", b"DATA\r\n", "354"),
    ("half a header", b"From: mallory@example.org\r\nSubj", None),
    ("half a body", b"ect: x\r\n\r\nThe beginning\r\n", None),
    ("before the dot's end", b"and the end\r\n.\r", None),
    ("dot", b"\n", None),
]
STAGES = [stage for stage, _, _ in SCRIPT]


def wait_until(condition, what, gate):
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, f"{what}\n{gate.tail()}"
        time.sleep(0.05)
