# SPDX-License-Identifier: MPL-2.0
"""Hundreds of idle and dripping connections at once: honest mail goes on, they take no threads,
and nothing of them is left over. How fast it goes on is for `make bench`."""

import resource

import pytest

from harness.crowd import Crowd
from hostile import Ward, wait_until

IDLE, SLOW, HONEST = 500, 200, 30
TURNS = 3  # octets of each slow one, at least


@pytest.fixture
def descriptors():
    """Room for both ends' sockets; the gate inherits it."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < 4096:
        pytest.skip("too few descriptors on this machine")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 4096), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_honest_mail_goes_on_beside_a_crowd(start_gate, sink, descriptors):
    del descriptors
    ward = Ward(start_gate, sink, {"limits.greeting": "5m", "limits.command": "5m",
                                   "limits.workers": 8})
    with Crowd(ward.gate.ports["inbound"], IDLE, SLOW) as crowd:
        for _ in range(HONEST):
            ward.send_honest()
        wait_until(lambda: crowd.octets >= TURNS * SLOW, "they do not drip", ward.gate)
        ward.send_honest()
        numbers = ward.gate.metrics()
        assert numbers["gatepost_connections"] >= IDLE + SLOW
        assert numbers["gatepost_workers"] <= 8
        assert crowd.lost == 0
    # So many ends at once can fill the queue of the workers: who comes then hears 421.
    wait_until(lambda: ward.gate.metrics()["gatepost_connections"] == 0, "the crowd is still there",
               ward.gate)
    ward.check()


def test_a_crowd_over_its_limits_leaves_room_for_others(start_gate, sink, descriptors):
    """One address takes what it may; who comes from another one, and who is there, goes on."""
    del descriptors
    ward = Ward(start_gate, sink, {"limits.greeting": "5m", "limits.command": "5m",
                                   "limits.address_connections": 50,
                                   "listeners[0].proxy_networks": ["127.0.0.1"]})
    with Crowd(ward.gate.ports["inbound"], 50, 0):
        refused = [ward.client() for _ in range(100)]
        for client in refused:
            assert client.reply().code == "421"
            client.expect_closed()
            client.close()
        honest = ward.client("submission")
        honest.send(b"PROXY TCP4 198.51.100.9 203.0.113.1 40000 587\r\n")
        assert honest.reply().code == "220"
        honest.expect("EHLO honest.test", "250")
        honest.expect("STARTTLS", "220")
        honest.start_tls()
        honest.expect("EHLO honest.test", "250")
        assert honest.auth_plain("alice@example.com", "correct horse").code == "235"
        honest.expect("QUIT", "221")
        honest.close()
    ward.check()
