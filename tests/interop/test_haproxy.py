# SPDX-License-Identifier: MPL-2.0
"""HAProxy in front of the gate: it names the client by both versions of the PROXY protocol, and
its health checks leave no trace in the log."""

import re
import shutil
import smtplib
import ssl
import subprocess
import time

import pytest

from harness import config
from harness.client import insecure_context
from harness.net import free_ports
from peers import wait_for_port

HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/bin") or "haproxy"
LOGIN, PASSWORD = "alice@example.com", "correct horse"
MESSAGE = b"From: alice@example.com\r\nTo: bob@example.net\r\nSubject: x\r\n\r\nHi\r\n"
CLIENT = "127.0.0.9"  # HAProxy itself connects from 127.0.0.1
CHECKS_S = 1.5

CONFIGURATION = """\
global
    log stderr local0 err
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend front
    bind 127.0.0.1:{front}
    default_backend gates
backend gates
    {options}
    server gate 127.0.0.1:{gate} {server}
"""


class HAProxy:
    def __init__(self, folder, gate_port, server, options=""):
        self.port, = free_ports(1)
        path = folder / "haproxy.cfg"
        path.write_text(CONFIGURATION.format(front=self.port, gate=gate_port, server=server,
                                             options=options))
        self.process = subprocess.Popen([HAPROXY, "-db", "-f", str(path)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def wait(self):
        """Until it listens: by a connection, which the gate sees too."""
        wait_for_port(self.port, self.process, "haproxy")
        return self

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture
def start_haproxy(tmp_path):
    started = []

    def start(*args):
        started.append(HAProxy(tmp_path, *args))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def proxied_gate(start_gate, sink):
    networks = ["127.0.0.1/32"]
    return start_gate(config.smtp_upstream([sink.address]), {
        "listeners[0].proxy_networks": networks, "listeners[1].proxy_networks": networks})


def submit(port, is_implicit):
    source = (CLIENT, 0)
    if is_implicit:
        client = smtplib.SMTP_SSL("127.0.0.1", port, timeout=30, context=insecure_context(),
                                  source_address=source)
    else:
        client = smtplib.SMTP("127.0.0.1", port, timeout=30, source_address=source)
        client.starttls(context=insecure_context())
    with client:
        client.login(LOGIN, PASSWORD)
        client.sendmail(LOGIN, ["bob@example.net"], MESSAGE)


@pytest.mark.parametrize("server", ["send-proxy", "send-proxy-v2",
                                    "send-proxy-v2 proxy-v2-options unique-id,crc32c"])
@pytest.mark.parametrize("listener", ["submission", "submissions"])
def test_the_client_behind_haproxy_is_named(start_haproxy, proxied_gate, sink, listener, server):
    haproxy = start_haproxy(proxied_gate.ports[listener], server,
                            "unique-id-format %[uuid()]" if "unique-id" in server else "").wait()
    submit(haproxy.port, listener == "submissions")
    assert re.search(rb"(?m)^Received: from .*\(\[127\.0\.0\.9\]\)", sink.accepted()[0].data)
    assert proxied_gate.wait_for("msg.done", {"client": CLIENT, "result": "delivered"})
    assert proxied_gate.wait_for("session.end", {"client": CLIENT, "via": "127.0.0.1"})


@pytest.mark.parametrize("server", [
    "send-proxy check inter 200ms", "send-proxy check check-send-proxy inter 200ms",
    "send-proxy-v2 check check-send-proxy inter 200ms"])
@pytest.mark.parametrize("listener,options", [
    ("submission", ""), ("submission", "option smtpchk EHLO check.test"), ("submissions", "")])
def test_health_checks_pass_in_silence(start_haproxy, proxied_gate, listener, options, server):
    if options and "check-send-proxy" not in server:
        pytest.skip("a check that talks must send the header too")
    haproxy = start_haproxy(proxied_gate.ports[listener], server, options)
    time.sleep(CHECKS_S)
    seen = [event for event in proxied_gate.events("session.end")]
    assert len(seen) >= 3, "no checks came"
    loud = [event.line for event in proxied_gate.events()
            if event.fields["level"] != "debug" and not event.name.startswith("gate.")]
    assert not loud
    submit(haproxy.port, listener == "submissions")  # so the checks found the gate healthy


def test_without_the_header_nobody_is_served(start_haproxy, proxied_gate):
    haproxy = start_haproxy(proxied_gate.ports["submissions"], "").wait()
    with pytest.raises((ssl.SSLError, OSError, smtplib.SMTPException)):
        submit(haproxy.port, True)
    assert proxied_gate.wait_for("session.proxy_refused", {"reason": "there is no header"})
