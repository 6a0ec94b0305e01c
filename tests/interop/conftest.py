# SPDX-License-Identifier: MPL-2.0
"""Fixtures of the interop tests: the gate as the dialogs know it, and real mail software."""

import os
import sys
import warnings

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
warnings.filterwarnings("ignore", category=DeprecationWarning)  # crypt, asyncore

# pylint: disable=wrong-import-position
from harness import config, keys as harness_keys  # noqa: E402
from harness.dns import DnsServer  # noqa: E402
from harness.gate import Gate, owner_of_tests  # noqa: E402
from harness.upstream import ScriptedUpstream  # noqa: E402

BUILD = os.environ.get("GATEPOST_BUILD", "build")
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))


def pytest_configure():
    os.chdir(ROOT)


@pytest.fixture(scope="session")
def gate_keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gate-keys")
    # nobody must be able to reach what lies in there.
    for path in (folder, folder.parent, folder.parent.parent):
        os.chmod(path, 0o755)
    return harness_keys.Keys(str(folder / "keys"), owner_of_tests())


@pytest.fixture
def start_gate(gate_keys):
    """start_gate(upstream group, {"path.of.key": value}): a Gate that serves until the test ends,
    and must then end cleanly. A value may be a function of the Gate, which knows its ports."""
    started = []

    def start(upstream, settings=None):
        gate = Gate(BUILD, gate_keys, upstream)
        for path, value in (settings or {}).items():
            gate.set(path, value(gate) if callable(value) else value)
        started.append(gate)
        return gate.start()

    yield start
    for gate in started:
        try:
            gate.stop()
        finally:
            gate.kill()
            gate.remove()


@pytest.fixture
def sink(gate_keys):
    """A server that takes everything and keeps it octet for octet."""
    server = ScriptedUpstream(gate_keys)
    yield server
    server.stop()
    assert not server.problems


@pytest.fixture
def dns_server():
    """An empty DNS server. A gate that shall ask it: start_gate(upstream, dns_server.settings)."""
    with DnsServer() as server:
        yield server


@pytest.fixture
def gate(start_gate, sink):
    return start_gate(config.smtp_upstream([sink.address]))
