# SPDX-License-Identifier: MPL-2.0
"""DANE towards upstream servers: real signed zones, served by NSD, say whom the gate may trust."""

import hashlib
import signal
import subprocess

import pytest

from harness import config
from harness.upstream import ScriptedUpstream
from signed_zone import ZONE, SignedZone
from test_clients import LOGIN, MESSAGE
from test_upstreams import session_with

NAME = f"mta.{ZONE}"


def openssl(*words, data=None):
    return subprocess.run(["openssl", *words], input=data, stdout=subprocess.PIPE, check=True,
                          timeout=30).stdout


def tlsa(usage, selector, matching, certificate):
    """The record's text for a certificate in a PEM file."""
    if selector == 0:
        octets = openssl("x509", "-in", certificate, "-outform", "DER")
    else:
        key = openssl("x509", "-in", certificate, "-pubkey", "-noout")
        octets = openssl("pkey", "-pubin", "-outform", "DER", data=key)
    if matching:
        octets = hashlib.new({1: "sha256", 2: "sha512"}[matching], octets).digest()
    return f"{usage} {selector} {matching} {octets.hex()}"


@pytest.fixture(scope="module")
def folder_of_chain(tmp_path_factory):
    """A server's certificate for NAME, and its authority's behind it: ca.pem, chain.pem."""
    folder = tmp_path_factory.mktemp("chain")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    (folder / "ext").write_text(f"subjectAltName=DNS:{NAME}\nbasicConstraints=CA:FALSE\n")
    openssl("req", "-x509", *new_key, "-days", "30", "-subj", "/CN=Authority", "-addext",
            "basicConstraints=critical,CA:TRUE", "-keyout", f"{folder}/ca.key", "-out",
            f"{folder}/ca.pem")
    openssl("req", "-new", *new_key, "-subj", "/CN=server", "-keyout", f"{folder}/server.key", "-out",
            f"{folder}/server.csr")
    openssl("x509", "-req", "-in", f"{folder}/server.csr", "-CA", f"{folder}/ca.pem", "-CAkey",
            f"{folder}/ca.key", "-set_serial", "7", "-days", "30", "-extfile", f"{folder}/ext", "-out",
            f"{folder}/server.pem")
    (folder / "chain.pem").write_bytes((folder / "server.pem").read_bytes() +
                                       (folder / "ca.pem").read_bytes())
    return folder


@pytest.fixture
def scene(tmp_path, start_gate, gate_keys):
    """scene(records, ...): a gate behind which an upstream with these TLSA records stands."""
    ending = []

    def make(records, certificate=None, starttls=True, name=NAME, **zone):
        server = ScriptedUpstream(gate_keys, starttls=starttls, certificate=certificate)
        ending.append(server)
        owner = f"_{server.port}._tcp.{name}. IN TLSA "
        signed = SignedZone(tmp_path, "\n".join(owner + record for record in records), **zone)
        ending.append(signed)
        group = dict(config.smtp_upstream([server.address]), tls="dane", tls_name=name)
        return start_gate(group, signed.settings), server

    yield make
    for one in ending:
        one.stop()


def arrives(gate):
    with session_with(gate) as session:
        try:
            session.sendmail(LOGIN, ["carol@example.net"], MESSAGE)
            return True
        except Exception as error:  # pylint: disable=broad-except
            assert getattr(error, "smtp_code", None) == 451, error
            return False


def reason(gate):
    return gate.wait_for("upstream.fail").fields["error"]


@pytest.mark.parametrize("selector, matching", [(0, 0), (0, 1), (1, 1), (1, 2), (1, 0)])
def test_the_server_with_the_record_gets_mail(scene, gate_keys, selector, matching):
    """Its certificate is made out to another name, by an authority that nobody trusts."""
    gate, server = scene([tlsa(3, selector, matching, gate_keys.other_certificate)],
                         certificate=(gate_keys.other_certificate, gate_keys.other_key))
    assert arrives(gate)
    assert server.tls_connections == 1
    assert MESSAGE in server.messages[0].data
    assert "server_tls" in gate.wait_for("msg.done").fields


def test_one_record_of_several_is_enough(scene, gate_keys):
    """As while a certificate is being changed."""
    gate, _ = scene([tlsa(3, 1, 1, gate_keys.gate_certificate), tlsa(1, 1, 1, gate_keys.ca),
                     tlsa(3, 1, 1, gate_keys.upstream_certificate)])
    assert arrives(gate)


def test_the_way_is_good_enough_for_requiretls(scene, gate_keys):
    gate, server = scene([tlsa(3, 1, 1, gate_keys.upstream_certificate)])
    server.ehlo.append("REQUIRETLS")
    with session_with(gate) as session:
        session.ehlo()
        assert session.has_extn("requiretls")
        assert session.mail(LOGIN, ["REQUIRETLS"])[0] == 250
    assert any(line.endswith(" REQUIRETLS") for _, line in server.commands)


def test_another_certificate_gets_no_mail(scene, gate_keys):
    gate, server = scene([tlsa(3, 1, 1, gate_keys.other_certificate)])
    assert not arrives(gate)
    assert not server.messages and not any("MAIL" in line for _, line in server.commands)
    assert "certificate" in reason(gate)


def test_an_authority_of_the_record(scene, folder_of_chain):
    chain = folder_of_chain / "chain.pem", folder_of_chain / "server.key"
    gate, _ = scene([tlsa(2, 0, 1, folder_of_chain / "ca.pem")], certificate=tuple(map(str, chain)))
    assert arrives(gate)


def test_an_authority_of_the_record_for_another_name(scene, folder_of_chain):
    chain = folder_of_chain / "chain.pem", folder_of_chain / "server.key"
    gate, server = scene([tlsa(2, 0, 1, folder_of_chain / "ca.pem")],
                         certificate=tuple(map(str, chain)), name=f"other.{ZONE}")
    assert not arrives(gate)
    assert not server.messages
    assert "mismatch" in reason(gate)


def test_without_a_record_there_is_no_mail(scene):
    gate, server = scene([])
    assert not arrives(gate)
    assert not server.messages
    assert "has no TLSA record" in reason(gate)


def test_usages_for_browsers_do_not_count(scene, gate_keys):
    gate, server = scene([tlsa(1, 1, 1, gate_keys.upstream_certificate), tlsa(0, 0, 1, gate_keys.ca)])
    assert not arrives(gate)
    assert not server.messages
    assert "has usage 2 or 3" in reason(gate)


def test_a_record_without_signatures_does_not_count(scene, gate_keys):
    """The anchor says that the zone is signed, and it is not."""
    gate, server = scene([tlsa(3, 1, 1, gate_keys.upstream_certificate)], signed=False)
    assert not arrives(gate)
    assert not server.messages
    assert "DANE: TLSA of" in reason(gate)


def test_a_forged_record_does_not_count(scene, gate_keys):
    gate, server = scene([tlsa(3, 1, 1, gate_keys.upstream_certificate)], break_signatures=True)
    assert not arrives(gate)
    assert not server.messages
    assert "bogus" in reason(gate)


def test_a_zone_outside_of_the_anchor_does_not_count(scene, gate_keys):
    """Answers for which nobody vouches: secure is not what is merely not wrong."""
    gate, server = scene([tlsa(3, 1, 1, gate_keys.upstream_certificate)], signed=False)
    elsewhere = gate.write_file("anchor", "; another one\n\nexample.org. IN DS 1 13 2 " + 64 * "0" + "\n")
    gate.set("dns.trust_anchor", elsewhere)
    gate.write_config()
    gate.signal(signal.SIGHUP)
    gate.wait_for("gate.reloaded")
    assert not arrives(gate)
    assert not server.messages
    assert "is not signed" in reason(gate)


def test_starttls_must_be_offered(scene, gate_keys):
    gate, server = scene([tlsa(3, 1, 1, gate_keys.upstream_certificate)], starttls=False)
    assert not arrives(gate)
    assert not server.messages
    assert "does not offer STARTTLS" in reason(gate)


def complaint(gate):
    status, _, text = gate.command("check-config")
    assert status == 1
    return text


@pytest.mark.parametrize("text, says", [
    ("", "has no DS or DNSKEY record"),
    ("; nothing but words\n", "has no DS or DNSKEY record"),
    ("mail.test. IN DS what is this\n", "is no list of DS or DNSKEY records"),
])
def test_a_trust_anchor_that_is_none(start_gate, sink, text, says):
    gate = start_gate(config.smtp_upstream([sink.address]))
    gate.set("dns.trust_anchor", gate.write_file("anchor", text))
    gate.write_config()
    assert says in complaint(gate)


def test_what_dane_needs_is_asked_for(start_gate, sink, gate_keys):
    gate = start_gate(config.smtp_upstream([sink.address]))
    gate.set("upstreams[0].tls", "dane")
    gate.set("upstreams[0].ca_file", gate_keys.ca)
    gate.write_config()
    text = complaint(gate)
    assert "set dns.trust_anchor" in text
    assert "set tls_name" in text
    assert "has a ca_file" in text
