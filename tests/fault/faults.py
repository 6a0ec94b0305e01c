# SPDX-License-Identifier: MPL-2.0
"""A gate under the shim (shim.c), two messages that go all its ways, and what must be true of them."""

import mmap
import os
import re
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
# pylint: disable=wrong-import-position
from harness import config as cfg  # noqa: E402
from harness.client import Client, ClientError, dot_stuff  # noqa: E402
from harness.dialog import generated  # noqa: E402
from harness.dns import DnsServer  # noqa: E402
from harness.gate import Gate, GateError  # noqa: E402
from harness.maildir import Maildir  # noqa: E402
from harness.upstream import ScriptedUpstream  # noqa: E402

# In the order of enum kind in shim.c.
KINDS = ("memory", "read", "write", "disk", "send", "sync", "connect", "accept", "open", "mmap", "socket",
         "rename")
OUT_OF_MEMORY = 70  # EX_SOFTWARE: how the gate ends then
START_LIMIT_S = 30
SETTLE_LIMIT_S = 10
END_LIMIT_S = 1  # for an end that follows a broken connection
MESSAGE_OCTETS = 80000
ZONE = """
example.com.                  TXT  "v=spf1 ip4:127.0.0.1 -all"
_dmarc.example.com.           TXT  "v=DMARC1; p=reject"
client.test.                  TXT  "v=spf1 ip4:127.0.0.1 -all"
"""


class FaultError(Exception):
    pass


class Control:
    """The file that the shim has mapped: struct fault_control."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.write(bytes(8 * (4 + len(KINDS))))
        os.chmod(path, 0o666)
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)
        self.disarm()

    def _get(self, at):
        return struct.unpack_from("<Q", self.map, 8 * at)[0]

    def _set(self, at, value):
        struct.pack_into("<Q", self.map, 8 * at, value)

    def reset(self):
        self.disarm()
        self.map[:] = struct.pack("<Q", len(KINDS)) + bytes(len(self.map) - 8)

    def counts(self):
        return {kind: self._get(4 + at) for at, kind in enumerate(KINDS)}

    def arm(self, kind, nth, calls=1):
        """The nth call from now on fails, and calls - 1 behind it."""
        self.disarm()
        first = self.counts()[kind] + nth
        self._set(1, first)
        self._set(2, first + calls - 1)
        self._set(3, 0)
        self._set(0, KINDS.index(kind))

    def disarm(self):
        self._set(0, len(KINDS))

    def failed(self):
        return self._get(3)


class Sent:
    """A message, and the code that the client heard to its dot (None: it heard none)."""

    def __init__(self, content):
        self.content, self.code, self.reply = content, None, ""


class Rig:
    """Submission goes over TLS, a login and signatures to an SMTP server; inbound mail through
    SPF, DKIM, DMARC into a Maildir. No message fits into the memory that it may take."""

    def __init__(self, build, keys, folder):
        self.up = ScriptedUpstream(keys)
        self.dns = DnsServer(ZONE)
        for name, text in keys.dkim_records().items():
            self.dns.add(name, "TXT", [text[at:at + 200].encode()
                                       for at in range(0, len(text), 200)])
        self.gate = Gate(build, keys, cfg.smtp_upstream([self.up.address]))
        self.box = Maildir(os.path.join(self.gate.folder, "Maildir"))
        self.control = Control(os.path.join(folder, "control"))
        self.gate.options = ["--single-process"]  # so that every call is the gate's own
        self.gate.environment = {
            "LD_PRELOAD": os.path.abspath(os.path.join(build, "tests/fault/shim.so")),
            "GATE_FAULT": self.control.path}
        for path, value in {
                "limits.memory": "16K", "limits.workers": 4, "upstreams[0].max_idle": 0,
                "upstreams[1]": dict({"name": "box"}, **cfg.maildir_upstream(self.box.path)),
                "inbound.upstream": "box",
                "inbound.chain": ["spf", "dkim_verify", "dmarc", "auth_results"],
                "log.level": "info", **self.dns.settings}.items():
            self.gate.set(path, value)
        self.number = 0
        self.signed = None  # a message with signatures, for the inbound way
        self.baseline = None  # descriptors at rest

    def start(self, kind=None, nth=1):
        """With a kind: its Nth call fails on the way. False: the gate has refused to start."""
        self.control.reset()
        del self.gate.lines[:]
        if kind is not None:
            self.control.arm(kind, nth)
        self.gate.start(wait=False)
        self.baseline = None
        try:
            self.gate.wait_for("gate.ready", limit_s=START_LIMIT_S)
        except GateError:
            if kind is None or self.gate.is_running():
                raise
        self.control.disarm()
        return self.gate.is_running()

    def stop(self):
        self.gate.kill()
        self.gate.remove()
        self.up.stop()
        self.dns.stop()

    # ---- messages ----

    def make(self):
        self.number += 1
        return generated(MESSAGE_OCTETS).replace(b"Subject: Large",
                                                 b"Subject: Number %d" % self.number)

    def talk(self, client, sender, sent):
        client.expect(f"MAIL FROM:<{sender}>", "250")
        client.expect("RCPT TO:<bob@example.net>", "250")
        client.expect("DATA", "354")
        client.send(dot_stuff(sent.content))
        reply = client.reply()
        sent.code, sent.reply = reply.code, f"{reply.code} {reply.enhanced}"
        client.line("QUIT")

    def submit(self, sent):
        client = Client(self.gate.ports["submissions"])
        try:
            client.start_tls()
            client.reply()
            client.expect("EHLO client.test", "250")
            reply = client.auth_plain("alice@example.com", "correct horse")
            if reply.code != "235":
                raise ClientError(f"AUTH: {reply}")
            self.talk(client, "alice@example.com", sent)
        finally:
            client.close()

    def arrive(self, sent):
        client = Client(self.gate.ports["inbound"])
        try:
            client.reply()
            client.expect("EHLO client.test", "250")
            self.talk(client, "alice@example.com", sent)
        finally:
            client.close()

    def send(self):
        """Both ways once. What went wrong is in the codes, and in the text that is returned."""
        submitted = Sent(self.make())
        arrived = Sent((self.signed or b"") + self.make())
        trouble = []
        for way, sent in ((self.submit, submitted), (self.arrive, arrived)):
            try:
                way(sent)
            except (ClientError, OSError) as error:
                trouble.append(f"{way.__name__}: {error}")
        return submitted, arrived, "; ".join(trouble)

    def learn_signatures(self):
        """The fields that the gate has signed the last message with."""
        head = self.up.accepted()[-1].data.split(b"\r\n\r\n")[0] + b"\r\n"
        fields = re.findall(rb"(?m)^DKIM-Signature:.*\r\n(?:[ \t].*\r\n)*", head)
        if len(fields) != 2:
            raise FaultError(f"not signed twice: {head!r}")
        self.signed = b"".join(fields)

    # ---- what must be true ----

    def check_claims(self, submitted, arrived):
        """Heard 250: it is there, once and octet for octet. And nothing is there in parts."""
        for name, sent, there in (("server", submitted, [m.data for m in self.up.accepted()]),
                                  ("Maildir", arrived, self.box.messages())):
            whole = [data for data in there if data.endswith(sent.content)]
            if len(whole) != len(there):
                raise FaultError(f"the {name} has a message that nobody has sent: "
                                 f"{[data[:300] for data in there if data not in whole]}")
            if (sent.code or "").startswith("2") and len(whole) != 1:
                raise FaultError(f"the client heard {sent.code}, the {name} has {len(whole)}")
            if len(whole) > 1:
                raise FaultError(f"the {name} has it {len(whole)} times")

    def forget(self, *parts):
        """Empty what was delivered, and other parts of the Maildir."""
        with self.up.changed:
            del self.up.messages[:]
        for part in ("new", *parts):
            for name in self.box.names(part):
                os.unlink(os.path.join(self.box.path, part, name))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.gate.process.pid}/fd"))

    def temporary(self):
        """Files that should be there no longer, and those without a name that are still open."""
        folder = os.path.join(self.gate.folder, "state", "tmp")
        return self.box.names("tmp") + (os.listdir(folder) if os.path.isdir(folder) else [])

    def check_leaks(self):
        deadline = time.monotonic() + SETTLE_LIMIT_S
        while self.descriptors() > self.baseline or self.temporary():
            if time.monotonic() > deadline:
                pid = self.gate.process.pid
                open_now = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in
                            os.listdir(f"/proc/{pid}/fd")]
                raise FaultError(f"leaked: {self.descriptors()} descriptors instead of "
                                 f"{self.baseline} ({open_now}), files {self.temporary()}")
            time.sleep(0.01)

    def honest(self):
        """Without a fault both messages are delivered."""
        submitted, arrived, trouble = self.send()
        if trouble or (submitted.code, arrived.code) != ("250", "250"):
            raise FaultError(f"an honest message was not served afterwards: {submitted.code}, "
                             f"{arrived.code} {trouble}")
        self.check_claims(submitted, arrived)
        self.forget()

    def has_ended(self, trouble):
        """True: by itself, for want of memory. Any other end is an error."""
        if trouble:  # it may be ending
            try:
                self.gate.process.wait(END_LIMIT_S)
            except subprocess.TimeoutExpired:
                pass
        if self.gate.is_running():
            return False
        code = self.gate.wait_exit()
        if code != OUT_OF_MEMORY or not any("out of memory" in line for line in self.gate.lines):
            raise FaultError(f"the gate ended with {code}\n{self.gate.tail()}")
        return True

    def start_at_rest(self):
        """Started, warm, and with the descriptors of that state counted."""
        self.start()
        self.honest()
        self.honest()
        deadline = time.monotonic() + SETTLE_LIMIT_S
        lowest = self.descriptors()
        while time.monotonic() < deadline:
            time.sleep(0.05)
            if self.descriptors() == lowest:
                break
            lowest = self.descriptors()
        self.baseline = lowest
