# SPDX-License-Identifier: MPL-2.0
"""Tables against a real slapd and a real redis-server, and against servers that hang, break off,
or say nonsense; and a gate that asks them."""

import json
import os
import socket
import subprocess
import threading
import time

import pytest

from conftest import BUILD
from harness import config
from harness.client import Client
from harness.gate import Gate
from table_servers import PASSWORD, Redis, Rogue, Slapd

LIMIT_MS = 5000
SHORT = {"timeout": "300ms"}  # where nothing good is to be heard
HANG_MS = 4000  # what that may take on a busy machine


# ---- what is asked ----

class Tool:
    """table_tool as a process: one table."""

    def __init__(self, folder, settings):
        path = os.path.join(str(folder), "tables.conf")
        with open(path, "w", encoding="utf-8") as out:
            out.write(config.to_text({"tables": [settings]}))
        self.log = os.path.join(str(folder), "log")
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [os.path.join(BUILD, "tests/interop/table_tool"), path,
                 f"{settings['type']}:{settings['name']}"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)

    def request(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def ask(self, key, limit_ms=LIMIT_MS):
        key = key if isinstance(key, bytes) else key.encode()
        answer = self.request(f"ask {key.hex()} {limit_ms}")
        answer["values"] = [bytes.fromhex(value) for value in answer["values"]]
        answer["why"] = bytes.fromhex(answer["why"]).decode("utf-8", "replace")
        return answer

    def values(self, key):
        """What was found; None: it is absent."""
        answer = self.ask(key)
        assert answer["result"] in ("found", "absent"), answer
        return answer["values"] if answer["result"] == "found" else None

    def why_down(self, key="alice@example.com", limit_ms=LIMIT_MS):
        answer = self.ask(key, limit_ms)
        assert answer["result"] == "down", answer
        assert answer["ms"] < HANG_MS, answer
        return answer["why"]

    def wait_up(self, key="alice@example.com"):
        deadline = time.monotonic() + 20
        while self.ask(key)["result"] == "down":
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def count(self, event):
        with open(self.log, encoding="utf-8") as log:
            return sum(f"event={event} " in line for line in log)

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(30) == 0


@pytest.fixture
def make_tool(tmp_path):
    started = []

    def make(settings):
        started.append(Tool(tmp_path, settings))
        return started[-1]

    yield make
    for tool in started:
        tool.close()


@pytest.fixture(scope="module")
def slapd(tmp_path_factory, gate_keys):
    folder = tmp_path_factory.mktemp("slapd")
    os.chmod(folder, 0o755)
    server = Slapd(folder, gate_keys).start()
    os.chmod(server.socket, 0o777)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def redis(tmp_path_factory, gate_keys):
    folder = tmp_path_factory.mktemp("redis")
    os.chmod(folder, 0o755)
    server = Redis(folder, gate_keys).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secret")
    for path in (folder, folder.parent, folder.parent.parent):
        os.chmod(path, 0o755)

    def write(text=PASSWORD):
        path = folder / str(abs(hash(text)))
        path.write_text(text + "\nnot this line\n")
        return str(path)

    return write


@pytest.fixture
def rogue():
    started = []

    def make(says=b""):
        started.append(Rogue(says))
        return started[-1]

    yield make
    for one in started:
        one.stop()


HOSTILE = [b"*", b"*)(uid=*", b"alice@example.com)(|(uid=*", b"a\\2a", b"\\", b"(", b")",
           b"alice@example.com\r\nGET x", b"\r\n", b"' OR '1'='1", b'"', b"%s", b"%s%s%n",
           b"alice\xff\xfe", b"\xc3\xbc", b" alice@example.com", b"a" * 1024, b"\x01\x7f"]


# ---- LDAP ----

@pytest.mark.parametrize("way", ["plain", "starttls", "ldaps", "unix socket"])
def test_ldap_finds_values(slapd, secret, make_tool, gate_keys, way):
    more = {"plain": {},
            "starttls": {"tls": "starttls", "ca_file": gate_keys.ca},
            "ldaps": {"uri": f"ldaps://127.0.0.1:{slapd.tls_port}", "ca_file": gate_keys.ca},
            "unix socket": {"uri": f"ldapi://{slapd.socket.replace('/', '%2F')}"}}[way]
    tool = make_tool(slapd.settings(secret(), **more))
    assert sorted(tool.values("alice@example.com")) == [b"*@list.example.com", b"bob@example.com"]
    assert tool.values("carol@example.com") is None
    assert tool.values("bare@example.com") == []
    assert tool.values("o*d(x)\\y@example.com") == [b"odd"]
    why = tool.why_down("lines@example.com")
    assert why == "table ldap:t: the entry is no good: a value with control characters"
    assert tool.values("alice@example.com") is not None and tool.count("table.down") == 0


def test_ldap_keys_are_never_part_of_the_filter(slapd, secret, make_tool):
    tool = make_tool(slapd.settings(secret(), cache_entries=0))
    for key in HOSTILE:
        if key.strip() == key:  # the directory itself makes nothing of blanks around a value
            assert tool.values(key) is None, key
    assert tool.values("alice@example.com")


def test_ldap_is_remembered(slapd, secret, make_tool, rogue):
    relay = rogue()
    relay.says = lambda client: pipe(client, slapd.port)
    tool = make_tool(slapd.settings(secret(), uri=f"ldap://127.0.0.1:{relay.port}"))
    assert tool.values("alice@example.com") and tool.values("carol@example.com") is None
    relay.stop()
    time.sleep(0.1)
    assert tool.values("alice@example.com") and tool.values("carol@example.com") is None
    assert "table ldap:t: " in tool.why_down("dan@example.com")


def pipe(client, port):
    server = socket.create_connection(("127.0.0.1", port))

    def copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass

    threading.Thread(target=copy, args=(server, client), daemon=True).start()
    copy(client, server)
    server.close()


@pytest.mark.parametrize("more, said", [
    ({"password_file": "wrong"}, "bind: Invalid credentials"),
    ({"bind_dn": None, "password_file": None}, "search: No such object"),
    ({"base": "dc=example,dc=org"}, "search: "),
    ({"filter": "((mail=%s)"}, "search: Bad search filter"),
    ({"tls": "starttls", "ca_file": "other"}, "StartTLS: "),
    ({"uri": "ldaps://127.0.0.1:{tls_port}", "ca_file": "other"}, "\"127.0.0.1\" refused: self-"),
    ({"uri": "ldaps://nowhere.invalid:{tls_port}", "ca_file": "other"}, "nowhere.invalid"),
])
def test_ldap_that_is_set_up_wrongly_is_down(slapd, secret, make_tool, gate_keys, more, said):
    more = dict({"password_file": secret()}, **more)
    if more["password_file"] == "wrong":
        more["password_file"] = secret("not it")
    if "ca_file" in more:
        more["ca_file"] = gate_keys.other_certificate
    if "uri" in more:
        more["uri"] = more["uri"].format(tls_port=slapd.tls_port)
    tool = make_tool(slapd.settings(**more))
    assert said in tool.why_down()
    assert tool.count("table.down") == 1


def test_ldap_certificate_must_name_the_host(slapd, secret, make_tool, gate_keys):
    """It is for 127.0.0.1; slapd listens on 127.0.0.2 too."""
    for address, is_good in (("127.0.0.1", True), ("127.0.0.2", False)):
        tool = make_tool(slapd.settings(secret(), uri=f"ldaps://{address}:{slapd.tls_port}",
                                        ca_file=gate_keys.ca))
        assert (tool.ask("alice@example.com")["result"] == "found") == is_good


# An LDAPMessage whose SEQUENCE is longer than what comes; one of 2 GB; one that is none.
HALF = b"\x30\x84\x00\x00\x00\x40\x02\x01\x01"
HUGE = b"\x30\x84\x7f\xff\xff\xff\x02\x01\x01\x64\x84\x7f\xff\xff\xf0"
NONSENSE = b"HTTP/1.1 400 Bad Request\r\n\r\n"
BIND_OK = bytes.fromhex("300c02010161070a010004000400")


def after_bind(says):
    """Take the bind, then say that to the search."""
    def talk(client):
        client.recv(65536)
        client.sendall(BIND_OK)
        client.recv(65536)
        client.sendall(says)
    return talk


def trickle(client):
    client.recv(65536)
    for octet in BIND_OK * 100:
        client.sendall(bytes([octet]))
        time.sleep(0.2)


def close_at_once(client):
    client.close()


@pytest.mark.parametrize("says", [b"", HALF, HUGE, NONSENSE, after_bind(b""), after_bind(HALF),
                                  after_bind(HUGE), after_bind(NONSENSE), trickle, close_at_once],
                         ids=["silent", "half", "huge", "nonsense", "silent later", "half later",
                              "huge later", "nonsense later", "trickle", "close"])
@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
def test_ldap_that_misbehaves_costs_no_more_than_the_timeout(slapd, secret, make_tool, rogue,
                                                            says, tls):
    scheme = "ldaps" if tls == "implicit" else "ldap"
    server = rogue(says)
    tool = make_tool(slapd.settings(secret(), uri=f"{scheme}://127.0.0.1:{server.port}", tls=tls,
                                    **SHORT))
    tool.why_down()
    began = time.monotonic()
    for _ in range(10):
        tool.why_down()
    assert time.monotonic() - began < 1.5  # at once, while it is down
    assert tool.count("table.down") == 1


def test_ldap_that_freezes_and_comes_back(slapd, secret, make_tool):
    tool = make_tool(slapd.settings(secret(), cache_entries=0, timeout="1s"))
    assert tool.values("alice@example.com")
    slapd.freeze()
    try:
        assert tool.why_down()
        assert tool.ask("x")["ms"] < 300
    finally:
        slapd.resume()
    tool.wait_up()
    assert tool.count("table.down") == 1 and tool.count("table.up") == 1


def test_ldap_that_begins_anew_is_not_down(slapd, secret, make_tool):
    tool = make_tool(slapd.settings(secret(), cache_entries=0))
    assert tool.values("alice@example.com")
    slapd.stop()
    slapd.start()
    os.chmod(slapd.socket, 0o777)
    assert tool.values("alice@example.com")  # the old connection is dead, a new one is made
    assert tool.count("table.down") == 0


def test_ldap_asked_by_many_at_once(slapd, secret, make_tool):
    tool = make_tool(slapd.settings(secret()))
    for _ in range(3):
        counts = tool.request(f"parallel 32 {b'nobody'.hex()} {LIMIT_MS}")
        assert (counts["absent"], counts["down"]) == (32, 0)


def test_a_table_that_hangs_holds_many_askers_once(slapd, secret, make_tool, rogue):
    server = rogue()
    tool = make_tool(slapd.settings(secret(), uri=f"ldap://127.0.0.1:{server.port}",
                                    **SHORT))
    counts = tool.request(f"parallel 32 {b'x'.hex()} {LIMIT_MS}")
    assert counts["down"] == 32 and counts["ms"] < HANG_MS
    assert server.connections <= 4  # "connections"
    counts = tool.request(f"parallel 32 {b'x'.hex()} {LIMIT_MS}")
    assert counts["down"] == 32 and counts["ms"] < 1000
    assert server.connections <= 5


# ---- redis ----

@pytest.mark.parametrize("way", ["plain", "implicit", "unix socket", "login", "database"])
def test_redis_finds_strings(redis, secret, make_tool, gate_keys, way):
    more = {"plain": {},
            "implicit": {"server": f"localhost:{redis.tls_port}", "tls": "implicit",
                         "ca_file": gate_keys.ca},
            "unix socket": {"server": redis.socket},
            "login": {"login": "gate", "password_file": secret(PASSWORD + "2")},
            "database": {"database": 0}}[way]
    redis.tell("SET", "gatepost:alice@example.com", "bob@example.com")
    redis.tell("SET", "gatepost:empty", "")
    tool = make_tool(redis.settings(**dict({"password_file": secret()}, **more)))
    assert tool.values("alice@example.com") == [b"bob@example.com"]
    assert tool.values("carol@example.com") is None
    assert tool.values("empty") == [b""]
    redis.tell("SET", "gatepost:carol@example.com", "x")
    assert tool.values("carol@example.com") == [b"x"]  # nothing is remembered
    redis.tell("DEL", "gatepost:carol@example.com")
    assert tool.values("carol@example.com") is None


def test_redis_databases_are_apart(redis, secret, make_tool):
    redis.tell("SET", "gatepost:alice@example.com", "bob@example.com")
    tool = make_tool(redis.settings(secret(), database=3))
    assert tool.values("alice@example.com") is None


def test_redis_finds_sets_and_hashes(redis, secret, make_tool):
    redis.tell("SADD", "gatepost:s", "one", "two")
    redis.tell("HSET", "gatepost", "h", "three")
    tool = make_tool(redis.settings(secret(), form="set"))
    assert sorted(tool.values("s")) == [b"one", b"two"]
    assert tool.values("nothing") is None
    tool = make_tool(redis.settings(secret(), form="hash", hash="gatepost", key=None))
    assert tool.values("h") == [b"three"]
    assert tool.values("s") is None


def test_redis_keys_are_arguments(redis, secret, make_tool):
    tool = make_tool(redis.settings(secret()))
    for number, key in enumerate(HOSTILE):
        assert tool.values(key) is None, key
        redis.tell("SET", b"gatepost:" + key, str(number))
        assert tool.values(key) == [str(number).encode()], key


def test_redis_values_that_are_no_good_are_that_keys_trouble(redis, secret, make_tool):
    tool = make_tool(redis.settings(secret()))
    redis.tell("SADD", "gatepost:set", "x")
    redis.tell("SET", "gatepost:lines", "a\r\nb")
    redis.tell("SET", "gatepost:long", "x" * 4097)
    redis.tell("SET", "gatepost:huge", "x" * 2_000_000)
    redis.tell("SET", "gatepost:good", "x" * 4096)
    for key, said in (("set", "of another type"), ("lines", "control characters"),
                      ("long", "over 4096 octets"), ("huge", "over 1 MiB")):
        assert said in tool.why_down(key)
        assert tool.values("good") == [b"x" * 4096]
    redis.tell("SADD", "gatepost:many", *(str(number) for number in range(1001)))
    many = make_tool(redis.settings(secret(), form="set"))
    many.why_down("many")


@pytest.mark.parametrize("more, said", [
    ({"password_file": "wrong"}, "AUTH: it says: WRONGPASS"),
    ({"password_file": None}, "it says: NOAUTH"),
    ({"database": 999}, "SELECT: it says: ERR DB index"),
    ({"login": "gate", "key": "other:%s", "password_file": "gate"}, "it says: NOPERM"),
    ({"server": "127.0.0.1:{tls_port}", "tls": "implicit", "ca_file": "other"}, ""),
    ({"server": "127.0.0.1:{port}", "tls": "implicit", "ca_file": "other", "timeout": "300ms"},
     "no answer in time"),
    ({"server": "/nonexistent/redis.sock"}, "/nonexistent/redis.sock: connect"),
])
def test_redis_that_is_set_up_wrongly_is_down(redis, secret, make_tool, gate_keys, more, said):
    more = dict({"password_file": "right"}, **more)
    if more["password_file"]:
        more["password_file"] = secret({"right": PASSWORD, "wrong": "not it",
                                        "gate": PASSWORD + "2"}[more["password_file"]])
    if "ca_file" in more:
        more["ca_file"] = gate_keys.other_certificate
    if "server" in more:
        more["server"] = more["server"].format(port=redis.port, tls_port=redis.tls_port)
    tool = make_tool(redis.settings(**more))
    why = tool.why_down()
    assert said in why and PASSWORD not in why
    assert tool.count("table.down") == 1


def no_login(says):
    def talk(client):
        client.recv(65536)
        client.sendall(says)
    return talk


@pytest.mark.parametrize("says", [
    b"", b"$5\r\nab", b"$536870912\r\nx", b"*2147483647\r\n$1\r\nx\r\n", b"*-7\r\n", b"*1001\r\n",
    b"nonsense\r\n", b"$-5\r\n", b"$x\r\n", b"*1\r\n" * 20, b"-LOADING Redis is loading\r\n",
    b"$9999999999999999999\r\nx", b":12\r\n", b"+OK\r\n", close_at_once,
], ids=range(15))
def test_redis_that_misbehaves_costs_no_more_than_the_timeout(redis, make_tool, rogue, says):
    server = rogue(no_login(says) if isinstance(says, bytes) else says)
    tool = make_tool(redis.settings(None, server=f"127.0.0.1:{server.port}", **SHORT))
    tool.why_down()


def test_redis_that_trickles(redis, make_tool, rogue):
    def talk(client):
        client.recv(65536)
        for octet in b"$100\r\n" + b"x" * 100:
            client.sendall(bytes([octet]))
            time.sleep(0.1)
    tool = make_tool(redis.settings(None, server=f"127.0.0.1:{rogue(talk).port}", **SHORT))
    tool.why_down()


def test_redis_that_speaks_unasked_is_not_believed(redis, make_tool, rogue):
    """A second answer behind the first must not be taken for that to the next question."""
    def talk(client):
        client.recv(65536)
        client.sendall(b"$5\r\nfirst\r\n$6\r\nsecond\r\n")
        client.recv(65536)
    server = rogue(talk)
    tool = make_tool(redis.settings(None, server=f"127.0.0.1:{server.port}"))
    assert tool.values("a") == [b"first"]
    assert tool.values("b") == [b"first"]
    assert server.connections == 2


def test_redis_that_freezes_and_comes_back(redis, secret, make_tool):
    tool = make_tool(redis.settings(secret(), timeout="1s"))
    assert tool.values("nobody") is None
    redis.freeze()
    try:
        assert tool.why_down()
    finally:
        redis.resume()
    tool.wait_up()
    assert tool.count("table.down") == 1 and tool.count("table.up") == 1


def test_redis_that_begins_anew_is_not_down(redis, secret, make_tool):
    tool = make_tool(redis.settings(secret()))
    assert tool.values("nobody") is None
    redis.stop()
    redis.start()
    assert tool.values("nobody") is None
    assert tool.count("table.down") == 0


def test_redis_asked_by_many_at_once(redis, secret, make_tool):
    tool = make_tool(redis.settings(secret()))
    for number in range(32):
        redis.tell("SET", f"gatepost:many{number}", "x")
    for _ in range(3):
        counts = tool.request(f"parallel 32 {b'many'.hex()} {LIMIT_MS}")
        assert (counts["found"], counts["down"]) == (32, 0)


# ---- a gate ----

@pytest.fixture
def start_gate_of(gate_keys, sink):
    started = []

    def start(settings, users=None):
        gate = Gate(BUILD, gate_keys, config.smtp_upstream([sink.address]), users)
        for path, value in settings.items():
            gate.set(path, value)
        started.append(gate)
        return gate.start()

    yield start
    for gate in started:
        try:
            gate.stop()
        finally:
            gate.kill()
            gate.remove()


def says_to(gate, login, password, sender):
    client = Client(gate.ports["submissions"])
    client.start_tls()
    client.reply()
    client.command("EHLO client.test")
    assert client.auth_plain(login, password).code == "235"
    reply = client.command(f"MAIL FROM:<{sender}>")
    client.close()
    return reply


def test_a_gate_asks_ldap_what_a_login_may_send_as(slapd, secret, start_gate_of):
    hostile = "*)(uid=*"
    gate = start_gate_of(
        {"tables": [slapd.settings(secret(), name="people")],
         "identity.table": "ldap:people"},
        {"alice@example.com": ("a", ""), hostile: ("b", "x@example.com")})
    assert says_to(gate, "Alice@Example.com", "a", "bob@example.com").code == "250"
    assert says_to(gate, "alice@example.com", "a", "carol@example.com").code == "550"
    assert says_to(gate, hostile, "b", "bob@example.com").code == "550"
    assert says_to(gate, hostile, "b", "x@example.com").code == "250"


def test_a_gate_whose_tables_are_down(slapd, redis, secret, start_gate_of, rogue):
    silent = f"127.0.0.1:{rogue().port}"
    gate = start_gate_of(
        {"tables": [slapd.settings(secret(), name="people", uri=f"ldap://{silent}", **SHORT),
                    redis.settings(None, name="acl", server=silent, **SHORT)],
         "identity.table": "ldap:people", "access.table": "redis:acl",
         "access.on_error": "pass"},
        {"alice@example.com": ("a", "")})
    reply = says_to(gate, "alice@example.com", "a", "bob@example.com")
    assert (reply.code, reply.enhanced) == ("451", "4.3.0")
    gate.wait_for("table.down", {"table": "ldap:people"})
    gate.wait_for("table.down", {"table": "redis:acl"})
    gate.wait_for("link.fail", {"link": "access", "on_error": "pass"})
    assert says_to(gate, "alice@example.com", "a", "alice@example.com").code == "250"


def test_a_gate_lets_in_whom_redis_allows(redis, secret, start_gate_of):
    redis.tell("SET", "gatepost:127.0.0.0/30", "deny go away")
    gate = start_gate_of({"tables": [redis.settings(secret(), name="acl")],
                          "access.table": "redis:acl"})

    def greeting():
        client = Client(gate.ports["submission"])
        reply = client.reply()
        client.close()
        return str(reply)

    assert greeting() == \
        "554 5.7.1 gate.test does not accept connections from 127.0.0.1: go away"
    redis.tell("SET", "gatepost:127.0.0.1", "allow")
    assert greeting().startswith("220 ")
