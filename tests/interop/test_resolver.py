# SPDX-License-Identifier: MPL-2.0
"""The resolver against a real DNS server that behaves, and misbehaves, as it is told."""

import json
import os
import subprocess
import time

import pytest

from conftest import BUILD
from harness.dns import DnsServer

LIMIT_MS = 15000


class Tool:
    """dns_tool as a process: one cache for all that is asked of it."""

    def __init__(self, servers, *options):
        words = [os.path.join(BUILD, "tests/interop/dns_tool"), *options]
        for server in servers:
            words += ["-s", server.address]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def query(self, name, kind, limit_ms=LIMIT_MS):
        answer = self.ask(f"query {name} {kind} {limit_ms}")
        answer["data"] = [bytes.fromhex(record["hex"]) for record in answer["records"]]
        return answer

    def each(self, name, kind="TXT", limit_ms=LIMIT_MS):
        answers = self.ask(f"each {name} {kind} {limit_ms}")
        for answer in answers:
            answer["data"] = [bytes.fromhex(record["hex"]) for record in answer["records"]]
        return {answer["server"]: answer for answer in answers}

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(30) == 0


@pytest.fixture
def tool(dns_server):
    one = Tool([dns_server], "-p", str(dns_server.port))
    yield one
    one.close()


def test_every_type_is_found(dns_server, tool):
    dns_server.load("""
        example.com. 60 A     192.0.2.1
        example.com.    AAAA  2001:db8::1
        example.com.    MX    10 Mail.Example.com.
        example.com.    MX    0 .
        example.com.    NS    ns.example.com.
        example.com.    TXT   "v=spf1" " -all"
        example.com.    SOA   ns.example.com. h.example.com. 1 2 3 4 5
        _25._tcp.example.com. TLSA 3 1 1 00ff
        1.2.0.192.in-addr.arpa. PTR example.com.
    """)
    assert tool.query("example.com", "A")["data"] == [bytes([192, 0, 2, 1])]
    assert tool.query("example.com", "A")["ttl"] == pytest.approx(60, abs=10)
    assert tool.query("example.com", "AAAA")["data"][0][:4] == b"\x20\x01\x0d\xb8"
    mx = tool.query("example.com", "MX")
    assert sorted(zip((r["preference"] for r in mx["records"]), mx["data"])) == \
        [(0, b"."), (10, b"mail.example.com")]
    assert tool.query("example.com", "NS")["data"] == [b"ns.example.com"]
    assert tool.query("EXAMPLE.com.", "TXT")["data"] == [b"v=spf1 -all"]
    assert tool.query("example.com", "SOA")["data"] == [
        b"\2ns\7example\3com\0\1h\7example\3com\0" +
        b"".join(n.to_bytes(4, "big") for n in (1, 2, 3, 4, 5))]
    assert tool.query("_25._tcp.example.com", "TLSA")["data"] == [b"\3\1\1\0\xff"]
    assert tool.query("1.2.0.192.in-addr.arpa", "PTR")["data"] == [b"example.com"]


def test_txt_of_any_octets_and_many_strings(dns_server, tool):
    key = b"v=DKIM1; p=" + bytes(range(256)) * 8
    dns_server.add("k.example.com", "TXT", [key[i:i + 100] for i in range(0, len(key), 100)])
    dns_server.add("many.example.com", "TXT", *[b"%d " % i * 50 for i in range(60)])
    dns_server.add("long.example.com", "TXT", b"x" * 16384)
    dns_server.add("longer.example.com", "TXT", b"x" * 16385)
    dns_server.add("empty.example.com", "TXT", [b"", b""])
    assert tool.query("k.example.com", "TXT")["data"] == [key]
    many = tool.query("many.example.com", "TXT")
    assert sorted(many["data"]) == sorted(b"%d " % i * 50 for i in range(60))
    assert dns_server.count("many.example.com", "TXT", "tcp") == 1
    assert tool.query("long.example.com", "TXT")["data"] == [b"x" * 16384]
    longer = tool.query("longer.example.com", "TXT")
    assert (longer["status"], longer["why"]) == ("tempfail", "a TXT record is too long")
    assert tool.query("empty.example.com", "TXT")["data"] == [b""]


def test_names_with_odd_octets(dns_server, tool):
    dns_server.add(r"a\.b\032c\255\\.example.com", "TXT", "odd")
    dns_server.add("1.2.0.192.in-addr.arpa", "PTR", r"X\.y\000\(z.example.com.")
    assert tool.query(r"A\046b\032c\255\092.example.com", "TXT")["data"] == [b"odd"]
    ptr = tool.query("1.2.0.192.in-addr.arpa", "PTR")["data"]
    assert ptr == [rb"x\046y\000\040z.example.com"]
    # What comes out can be asked for.
    dns_server.add(r"X\.y\000\(z.example.com", "A", "192.0.2.3")
    assert tool.query(ptr[0].decode(), "A")["status"] == "found"


def test_impossible_names_are_not_asked_for(dns_server, tool):
    for name in ("a..b", ".a", "x" * 64 + ".com", "a\\", "a\\99", ".".join(["abcdefg"] * 33)):
        assert tool.query(name, "A")["status"] == "nxdomain"
    assert dns_server.count() == 0


def test_nodata_and_nxdomain(dns_server, tool):
    dns_server.load("""
        example.com. SOA ns.example.com. h.example.com. 1 2 3 4 77
        a.b.example.com. A 192.0.2.1
    """)
    for name, status in (("a.b.example.com", "nodata"), ("b.example.com", "nodata"),
                         ("c.example.com", "nxdomain")):
        answer = tool.query(name, "TXT")
        assert (answer["status"], answer["records"]) == (status, [])
        assert answer["ttl"] == pytest.approx(77, abs=10)


def test_aliases(dns_server, tool):
    dns_server.load("""
        www.example.com.  CNAME a.example.com.
        a.example.com. 30 CNAME b.example.com.
        b.example.com.    TXT "end"
        dead.example.com. CNAME nowhere.example.com.
        self.example.com. CNAME self.example.com.
    """)
    answer = tool.query("www.example.com", "TXT")
    assert (answer["status"], answer["alias"], answer["data"]) == ("found", True, [b"end"])
    assert answer["ttl"] <= 30
    assert tool.query("www.example.com", "CNAME")["data"] == [b"a.example.com"]
    assert not tool.query("www.example.com", "CNAME")["alias"]
    answer = tool.query("www.example.com", "A")
    assert (answer["status"], answer["alias"]) == ("nodata", True)
    answer = tool.query("dead.example.com", "A")
    assert (answer["status"], answer["alias"]) == ("nxdomain", True)
    assert tool.query("self.example.com", "A")["status"] == "tempfail"


@pytest.mark.parametrize("action", ["servfail", "refused", "formerr", "notimp", "garbage",
                                    "empty", "wrong-id", "wrong-question", "bad-rdata"])
def test_a_failing_server_is_a_temporary_failure(dns_server, tool, action):
    dns_server.add("example.com", "TXT", b"there")
    dns_server.behave("example.com", "TXT", action)
    answer = tool.query("example.com", "TXT")
    assert (answer["status"], answer["records"]) == ("tempfail", [])
    assert answer["why"]
    assert 1 <= dns_server.count("example.com") <= 12
    # Mail that comes in a burst does not make the failing server work again for each message.
    before = dns_server.count()
    assert tool.query("example.com", "TXT")["status"] == "tempfail"
    # (To libunbound a wrong id is silence, and it is still trying.)
    assert dns_server.count() <= before + (2 if action == "wrong-id" else 0)
    # Others are not harmed by it.
    dns_server.add("example.org", "TXT", b"there")
    assert tool.query("example.org", "TXT")["data"] == [b"there"]


def test_a_silent_server_costs_no_more_than_the_deadline(dns_server, tool):
    dns_server.add("example.com", "TXT", b"there")
    dns_server.behave("example.com", "TXT", "silent")
    answer = tool.query("example.com", "TXT", 300)
    assert (answer["status"], answer["why"]) == ("tempfail", "timed out")
    assert 300 <= answer["ms"] < LIMIT_MS  # libunbound itself would say SERVFAIL, later


def test_the_resolvers_own_time_limit(dns_server):
    dns_server.behave(None, None, "silent")
    tool = Tool([dns_server], "-t", "200")
    answer = tool.query("example.com", "TXT", LIMIT_MS)
    assert (answer["status"], answer["why"]) == ("tempfail", "timed out")
    assert 200 <= answer["ms"] < LIMIT_MS
    tool.close()


def test_a_late_answer_still_reaches_the_cache(dns_server, tool):
    dns_server.add("example.com", "TXT", b"late")
    tool.query("example.org", "TXT")  # the server is known now, and fast
    dns_server.behave("example.com", None, "slow", 150)
    assert tool.query("example.com", "TXT", 20)["why"] == "timed out"
    time.sleep(1)
    before = dns_server.count("example.com")
    assert tool.query("example.com", "TXT", 20)["data"] == [b"late"]
    assert dns_server.count("example.com") == before


def test_truncation_leads_to_tcp(dns_server, tool):
    dns_server.add("example.com", "TXT", b"there")
    dns_server.behave("example.com", "TXT", "truncate")
    assert tool.query("example.com", "TXT")["data"] == [b"there"]
    assert dns_server.count("example.com", "TXT", "tcp") == 1


def test_the_cache(dns_server, tool):
    dns_server.load("""
        example.com.     TXT "kept"
        short.example.com. 1 TXT "not long"
        www.example.com. CNAME example.com.
    """)
    for _ in range(3):
        assert tool.query("Example.com", "TXT")["data"] == [b"kept"]
        assert tool.query("www.example.com", "TXT")["data"] == [b"kept"]
        assert tool.query("none.example.com", "TXT")["status"] == "nxdomain"
        assert tool.query("example.com", "A")["status"] == "nodata"
    for name, kind in (("example.com", "TXT"), ("www.example.com", "TXT"),
                       ("none.example.com", "TXT"), ("example.com", "A")):
        assert dns_server.count(name, kind) == 1, name
    assert tool.query("short.example.com", "TXT")["data"] == [b"not long"]
    dns_server.set("short.example.com", "TXT", b"new")
    time.sleep(2.5)
    assert tool.query("short.example.com", "TXT")["data"] == [b"new"]
    assert tool.ask("share") == {"same": True}


def test_special_names_are_asked_for(dns_server, tool):
    names = ["x.test", "x.invalid", "x.home.arpa", "1.0.0.10.in-addr.arpa",
             "1.0.0.127.in-addr.arpa", "1.0.16.172.in-addr.arpa", "1.0.31.172.in-addr.arpa",
             "1.0.168.192.in-addr.arpa", "1.2.0.192.in-addr.arpa", "1.1.254.169.in-addr.arpa",
             "1.1.64.100.in-addr.arpa", "1.1.127.100.in-addr.arpa", "1.113.0.203.in-addr.arpa",
             "1." + "0." * 31 + "ip6.arpa", "1.0.0.d.f.ip6.arpa", "1.8.e.f.ip6.arpa",
             "1.8.b.d.0.1.0.0.2.ip6.arpa", "255.255.255.255.in-addr.arpa"]
    for name in names:
        dns_server.add(name, "PTR", "host.example.com.")
        assert tool.query(name, "PTR")["data"] == [b"host.example.com"], name
    for name in ("localhost", "x.onion"):
        dns_server.add(name, "A", "192.0.2.66")
        assert b"\xc0\x00\x02\x42" not in tool.query(name, "A")["data"]
        assert dns_server.count(name) == 0


def test_one_of_two_servers_is_dead(dns_server):
    with DnsServer() as dead:
        dead.behave(None, None, "silent")
        dns_server.add("*.example.com", "TXT", b"there")
        tool = Tool([dead, dns_server])
        for number in range(20):
            assert tool.query(f"{number}.example.com", "TXT")["data"] == [b"there"]
        tool.close()
        dead.stop()
        tool = Tool([dead, dns_server])
        for number in range(20, 40):
            assert tool.query(f"{number}.example.com", "TXT")["data"] == [b"there"]
        tool.close()


def test_servers_that_come_back_are_used_again(dns_server, tool):
    dns_server.add("*.example.com", "TXT", b"there")
    assert tool.query("a.example.com", "TXT")["status"] == "found"
    dns_server.stop()
    for number in range(10):
        assert tool.query(f"{number}.example.com", "TXT", 200)["status"] == "tempfail"
    dns_server.start()
    deadline = time.monotonic() + 30
    number = 10
    while tool.query(f"{number}.example.com", "TXT", 1000)["status"] != "found":
        assert time.monotonic() < deadline
        number += 1
        time.sleep(0.2)


def test_many_at_once(dns_server, tool):
    dns_server.add("*.example.com", "TXT", b"there")
    result = tool.ask(f"parallel 200 example.com TXT {LIMIT_MS}")
    assert result["found"] == 200
    # Again, out of the cache, while the server says nothing.
    dns_server.behave(None, None, "silent")
    before = dns_server.count()
    assert tool.ask(f"parallel 200 example.com TXT {LIMIT_MS}")["found"] == 200
    assert dns_server.count() == before
    # And all given up.
    result = tool.ask("parallel 200 example.org TXT 300")
    assert result["tempfail"] == 200
    assert result["ms"] < LIMIT_MS


@pytest.mark.parametrize("slow_ms", [300, 1500])
def test_a_near_server_may_take_its_time(dns_server, tool, slow_ms):
    """It answers from its cache at once, but has to ask for other names."""
    dns_server.load('*.example.com. TXT "there"\nslow.example.org. TXT "found"')
    dns_server.behave("slow.example.org", "TXT", "slow", slow_ms)
    for number in range(50):
        assert tool.query(f"{number}.example.com", "TXT")["status"] == "found"
    answer = tool.query("slow.example.org", "TXT", 5000)
    assert (answer["why"], answer["data"]) == ("", [b"found"])


def test_silent_names_keep_nobody_else_waiting(dns_server, tool):
    dns_server.add("*.example.com", "TXT", b"there")
    dns_server.behave(None, "A", "silent")
    assert tool.query("first.example.com", "TXT")["status"] == "found"
    assert tool.ask("parallel 500 hostile.example A 1000")["tempfail"] == 500
    for number in range(10):  # while libunbound still works on all of them
        answer = tool.query(f"{number}.example.com", "TXT", 2000)
        assert (answer["status"], answer["why"]) == ("found", "")


# ---- query_each ----

@pytest.fixture
def zone(dns_server):
    """example.com with three servers of its own; (resolver, [ns1, ns2, ns3])."""
    servers = [DnsServer(address=f"127.0.0.{number}", port=dns_server.port)
               for number in (11, 12, 13)]
    for number in (1, 2, 3):
        dns_server.load(f"""
            example.com. NS ns{number}.example.com.
            ns{number}.example.com. A 127.0.0.{10 + number}
        """)
    for server in servers:
        server.zones = ["example.com"]
        server.add("k._domainkey.example.com", "TXT", b"the key")
    yield dns_server, servers
    for server in servers:
        server.stop()


NAME = "k._domainkey.example.com"


def statuses(answers):
    return [answers[server]["status"] for server in sorted(answers)]


def test_each_server_is_asked(zone, tool):
    resolver, servers = zone
    answers = tool.each(NAME)
    assert sorted(answers) == [f"ns{n}.example.com 127.0.0.1{n}" for n in (1, 2, 3)]
    assert all(answer["data"] == [b"the key"] for answer in answers.values())
    # Past the cache, and past the resolver.
    servers[1].set(NAME, "TXT", b"another")
    assert [answers["data"] for _, answers in sorted(tool.each(NAME).items())] == \
        [[b"the key"], [b"another"], [b"the key"]]
    assert [server.count(NAME, "TXT") for server in servers] == [2, 2, 2]
    assert resolver.count(NAME, "TXT") == 0


def test_lag_and_lost_records_show(zone, tool):
    _, servers = zone
    servers[0].remove(NAME)
    servers[2].remove(NAME)
    servers[2].add(NAME, "A", "192.0.2.1")
    assert statuses(tool.each(NAME)) == ["nxdomain", "found", "nodata"]


def test_servers_that_fail_show(zone, tool):
    _, servers = zone
    servers[0].behave(None, None, "servfail")
    servers[1].behave(None, None, "refused")
    servers[2].stop()
    answers = tool.each(NAME, limit_ms=3000)
    assert statuses(answers) == ["tempfail"] * 3
    assert [answer["why"] for _, answer in sorted(answers.items())] == \
        ["SERVFAIL", "REFUSED", "no server there"]


def test_silent_garbling_and_lame_servers_show(zone, tool):
    _, servers = zone
    servers[0].behave(None, None, "silent")
    servers[1].behave(None, None, "bad-rdata")
    servers[2].is_authoritative = False
    answers = tool.each(NAME, limit_ms=4000)
    assert [(a["status"], a["why"]) for _, a in sorted(answers.items())] == \
        [("tempfail", "timed out"), ("tempfail", "a broken answer"),
         ("tempfail", "not authoritative")]
    assert all(answer["ms"] < 9000 for answer in answers.values())
    assert 2 <= servers[0].count(NAME) <= 3  # again after 1 s, and after 2 s more


def test_a_server_that_cuts_is_asked_over_tcp(zone, tool):
    _, servers = zone
    servers[0].behave(NAME, "TXT", "truncate")
    servers[1].set(NAME, "TXT", *[b"%d" % i * 200 for i in range(10, 30)])
    answers = sorted(tool.each(NAME).items())
    assert answers[0][1]["data"] == [b"the key"]
    assert len(answers[1][1]["data"]) == 20
    assert servers[0].count(NAME, "TXT", "tcp") == servers[1].count(NAME, "TXT", "tcp") == 1


def test_a_forged_reply_is_not_taken(zone, tool):
    _, servers = zone
    servers[0].behave(None, None, "wrong-id")
    servers[1].behave(None, None, "wrong-question")
    assert statuses(tool.each(NAME, limit_ms=1200)) == ["tempfail", "tempfail", "found"]


def test_a_server_without_address_shows(zone, tool):
    resolver, _ = zone
    resolver.remove("ns2.example.com")
    answers = tool.each(NAME)
    assert answers["ns2.example.com ?"]["status"] == "tempfail"
    assert len(answers) == 3


def test_an_address_that_leads_nowhere_from_here(zone, tool):
    """This machine may have IPv6 or not; the server's IPv4 address counts in any case."""
    resolver, _ = zone
    resolver.add("ns2.example.com", "AAAA", "2001:db8::53")
    answers = tool.each(NAME, limit_ms=1500)
    assert answers["ns2.example.com 127.0.0.12"]["status"] == "found"
    others = set(answers) - {f"ns{n}.example.com 127.0.0.1{n}" for n in (1, 2, 3)}
    assert others <= {"ns2.example.com 2001:db8::53"}


def test_the_zone_may_begin_at_the_name_or_far_above(zone, tool):
    resolver, servers = zone
    resolver.add("sub.example.com", "NS", "ns1.example.com.")
    servers[0].add("sub.example.com", "TXT", b"sub")
    assert list(tool.each("sub.example.com")) == ["ns1.example.com 127.0.0.11"]
    assert len(tool.each("a.b.c.d.example.com")) == 3


def test_nobody_knows_the_servers(dns_server, tool):
    assert tool.each("k.example.org") == {}
    dns_server.behave(None, "NS", "servfail")
    assert tool.each("k.example.net") == {}


def test_an_alias_leads_to_other_servers(zone, tool):
    resolver, servers = zone
    with DnsServer(address="127.0.0.21", port=resolver.port) as provider:
        resolver.load("""
            esp.example.  NS ns.esp.example.
            ns.esp.example. A 127.0.0.21
        """)
        provider.zones = ["esp.example"]
        provider.add("k.esp.example", "TXT", b"the provider's")
        for server in servers:
            server.set(NAME, "CNAME", "k.esp.example.")
            server.remove(NAME, "TXT")
        answers = tool.each(NAME)
        assert list(answers) == ["ns.esp.example 127.0.0.21"]
        assert answers["ns.esp.example 127.0.0.21"]["data"] == [b"the provider's"]
        assert answers["ns.esp.example 127.0.0.21"]["alias"]
        # One of the three has no alias yet.
        servers[1].remove(NAME)
        assert statuses(tool.each(NAME)) == ["found", "nxdomain"]
        # The provider is gone from DNS.
        resolver.remove("ns.esp.example")
        resolver.remove("esp.example")
        servers[1].set(NAME, "CNAME", "k.other.example.")
        answers = tool.each(NAME)
        assert "tempfail" in statuses(answers)


def test_aliases_in_a_ring_end(zone, tool):
    _, servers = zone
    for server in servers:
        server.set(NAME, "CNAME", NAME + ".")
        server.remove(NAME, "TXT")
    assert set(statuses(tool.each(NAME))) == {"tempfail"}
