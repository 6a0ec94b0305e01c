# SPDX-License-Identifier: MPL-2.0
"""A DNS server whose data and behaviour a test changes while it runs.

    with DnsServer('''
    example.com.       TXT  "v=spf1 -all"
    example.com.    60 MX   10 mail.example.com.
    mail.example.com.  A    192.0.2.1
    ''') as server:
        server.address                                  # "127.0.0.1:12345", UDP and TCP
        server.add("example.com", "TXT", [b"two ", b"strings"])
        server.behave("example.com", "TXT", "servfail")
        server.count("example.com", "TXT")              # queries so far

It answers as a resolver and as an authority at once (AA and, if asked for, RA): CNAMEs are
followed within its data, a name with other types only, or with names below it only, is NODATA,
any other one NXDOMAIN, both with an SOA. "*.example.com" stands for names that do not exist.
Names and values are dnspython's text forms (RFC 1035 5.1): \\DDD for any octet; but a TXT value
given as bytes, or as a list of str or bytes, is taken as it is (a longer string is cut at 255).

Several servers on one port, as authorities need it: DnsServer(address="127.0.0.2", port=p).
"""

import collections
import re
import socket
import struct
import threading
import time
import traceback

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.MX
import dns.rdtypes.ANY.SOA
import dns.rdtypes.ANY.TXT
import dns.rrset

from .net import free_ports

TTL_S = 300
CNAMES_MAX = 16
UDP_PLAIN = 512
IN = dns.rdataclass.IN
CNAME = dns.rdatatype.CNAME
LINE = re.compile(r"^(\S+)\s+(?:(\d+)\s+)?(?:IN\s+)?([A-Z]+[A-Z0-9]*)\s*(.*)$")

ACTIONS = ("servfail", "refused", "nxdomain", "nodata", "formerr", "notimp", "silent", "truncate",
           "garbage", "empty", "slow", "lame", "wrong-id", "wrong-question", "bad-rdata")

Query = collections.namedtuple("Query", "name type transport")


def name_of(text):
    """A name as the keys of the data have it: absolute, lower case, a dns.name.Name."""
    if isinstance(text, dns.name.Name):
        return text.canonicalize()
    if text in ("", "."):
        return dns.name.root
    return dns.name.from_text(text).canonicalize()


def type_of(kind):
    return kind if isinstance(kind, int) else dns.rdatatype.from_text(kind)


def _octets(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def _txt(value):
    strings = value if isinstance(value, (list, tuple)) else [value]
    cut = []
    for string in map(_octets, strings):
        cut += [string[i:i + 255] for i in range(0, len(string), 255)] or [b""]
    return cut


def rdata_of(kind, value):
    """A value of a type: its text form, or for TXT (and SPF) bytes or a list, for MX a pair."""
    kind = type_of(kind)
    if isinstance(value, dns.rdata.Rdata):
        return value
    if kind in (dns.rdatatype.TXT, dns.rdatatype.SPF) and not (
            isinstance(value, str) and value.startswith('"')):
        # Made as a TXT and read again: dnspython's constructors differ in their habits.
        wire = b"".join(bytes([len(string)]) + string for string in _txt(value))
        return dns.rdata.from_wire(IN, kind, wire, 0, len(wire))
    if kind == dns.rdatatype.MX and isinstance(value, (list, tuple)):
        return dns.rdtypes.ANY.MX.MX(IN, kind, int(value[0]), name_of(value[1]))
    return dns.rdata.from_text(IN, kind, str(value), origin=dns.name.root, relativize=False)


class DnsServer:
    """Serves from its construction until stop(); data may be changed from any thread."""

    def __init__(self, zone="", address="127.0.0.1", port=0):
        self.lock = threading.RLock()
        self.data = {}  # name -> {type: [ttl, [rdata]]}
        self.actions = {}  # (name or None, type or None) -> (action, argument)
        self.queries = []
        self.is_authoritative = True
        self.zones = None  # a list of names: everything outside of them is REFUSED
        self.host = address
        self.port = port
        self._listeners = []
        if isinstance(zone, dict):
            self.load_dict(zone)
        else:
            self.load(zone)
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    @property
    def settings(self):
        """For a gate that asks this server, as paths of its configuration."""
        return {"dns.servers": [self.address], "dns.authority_port": self.port}

    # ---- data ----

    def load(self, text):
        """Lines "NAME [TTL] [IN] TYPE VALUE"; ";" and "#" begin comment lines."""
        for line in text.splitlines():
            line = line.strip()
            if not line or line[0] in ";#":
                continue
            found = LINE.match(line)
            if not found:
                raise ValueError(f"not NAME [TTL] TYPE VALUE: {line!r}")
            name, ttl, kind, value = found.groups()
            self.add(name, kind, value, ttl=int(ttl) if ttl else TTL_S)

    def load_dict(self, zone):
        """{"example.com": {"A": "192.0.2.1", "TXT": [...several values...], "MX": [(10, "m")]}}"""
        for name, types in zone.items():
            for kind, values in types.items():
                for value in values if isinstance(values, list) else [values]:
                    self.add(name, kind, value)

    def add(self, name, kind, *values, ttl=TTL_S):
        with self.lock:
            types = self.data.setdefault(name_of(name), {})
            entry = types.setdefault(type_of(kind), [ttl, []])
            entry[0] = ttl
            entry[1] += [rdata_of(kind, value) for value in values]

    def set(self, name, kind, *values, ttl=TTL_S):
        """From now on these and no other records of the name and type."""
        with self.lock:
            self.remove(name, kind)
            self.add(name, kind, *values, ttl=ttl)

    def remove(self, name, kind=None):
        with self.lock:
            types = self.data.get(name_of(name), {})
            if kind is None:
                types.clear()
            else:
                types.pop(type_of(kind), None)
            if not types:
                self.data.pop(name_of(name), None)

    def clear(self):
        with self.lock:
            self.data.clear()
            self.actions.clear()

    # ---- behaviour ----

    def behave(self, name, kind, action, argument=None):
        """Answer queries of name and type (None: of any) so, from now on; "well": as usual.

        servfail refused nxdomain nodata formerr notimp: that answer; silent: none; slow:
        ARGUMENT milliseconds later; truncate: TC over UDP, all over TCP; garbage: octets
        that are no message; empty: a header without anything; lame: no AA and no data;
        wrong-id, wrong-question: the answer to something else; bad-rdata: RDATA that does not
        keep to its type.
        """
        if action not in ACTIONS + ("well",):
            raise ValueError(f"no such behaviour: {action}")
        key = (name_of(name) if name is not None else None,
               type_of(kind) if kind is not None else None)
        with self.lock:
            if action == "well":
                self.actions.pop(key, None)
            else:
                self.actions[key] = (action, argument)

    def _action(self, name, kind):
        for key in ((name, kind), (name, None), (None, kind), (None, None)):
            if key in self.actions:
                return self.actions[key]
        return None, None

    # ---- what was asked ----

    def count(self, name=None, kind=None, transport=None):
        """Queries so far: of that name, that type, over "udp" or "tcp"."""
        with self.lock:
            return sum(1 for query in self.queries
                       if (name is None or query.name == name_of(name)) and
                       (kind is None or query.type == type_of(kind)) and
                       transport in (None, query.transport))

    def forget(self):
        with self.lock:
            self.queries.clear()

    # ---- sockets ----

    def start(self):
        """Serve (again), on the same port."""
        if self._listeners:
            return
        for attempt in range(100):
            port = self.port or free_ports(1)[0]
            try:
                udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
                udp.bind((self.host, port))
                tcp.bind((self.host, port))
                break
            except OSError:
                udp.close()
                tcp.close()
                if attempt == 99:
                    raise
                if self.port:
                    time.sleep(0.05)
        self.port = port
        tcp.listen(64)
        self._listeners = [udp, tcp]
        threading.Thread(target=self._serve_udp, args=(udp,), daemon=True).start()
        threading.Thread(target=self._serve_tcp, args=(tcp,), daemon=True).start()

    def stop(self):
        """Nobody listens on the port any more; data and counts stay."""
        listeners, self._listeners = self._listeners, []
        for sock in listeners:
            try:
                sock.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in it
            except OSError:
                pass
            sock.close()

    def _serve_udp(self, sock):
        while True:
            try:
                wire, peer = sock.recvfrom(65535)
            except OSError:
                return
            if not wire:  # shutdown
                return

            def send(answer, peer=peer):
                try:
                    sock.sendto(answer, peer)
                except OSError:
                    pass
            self._take(wire, "udp", send)

    def _serve_tcp(self, sock):
        while True:
            try:
                conn, _ = sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_connection, args=(conn,), daemon=True).start()

    def _serve_connection(self, conn):
        def send(answer):
            try:
                conn.sendall(struct.pack("!H", len(answer)) + answer)
            except OSError:
                pass
        with conn:
            conn.settimeout(30)
            stream = conn.makefile("rb")
            try:
                while True:
                    length = stream.read(2)
                    if len(length) < 2:
                        return
                    wire = stream.read(struct.unpack("!H", length)[0])
                    self._take(wire, "tcp", send)
            except OSError:
                return

    # ---- answers ----

    def _take(self, wire, transport, send):
        try:
            query = dns.message.from_wire(wire)
            question = query.question[0]
        except (dns.exception.DNSException, IndexError):
            return
        with self.lock:
            name = question.name.canonicalize()
            self.queries.append(Query(name, question.rdtype, transport))
            action, argument = self._action(name, question.rdtype)
            try:
                answer = self._answer(query, question, transport, action)
            except Exception:  # the test's data; the server lives on  # noqa: BLE001
                traceback.print_exc()
                return
        if answer is None:
            return
        if action == "slow":
            timer = threading.Timer(float(argument) / 1000, send, (answer,))
            timer.daemon = True
            timer.start()
        else:
            send(answer)

    def _answer(self, query, question, transport, action):
        """The octets to send, or None."""
        if action == "silent":
            return None
        if action == "garbage":
            return struct.pack("!H", query.id) + b"\xff" * 40
        message = dns.message.make_response(query, recursion_available=True)
        if action == "empty":
            message.question = []
            return message.to_wire()
        if action in ("servfail", "refused", "formerr", "notimp"):
            message.set_rcode(dns.rcode.from_text(action.upper()))
            return message.to_wire()
        if self.is_authoritative and action != "lame":
            message.flags |= dns.flags.AA
        name = question.name.canonicalize()
        if not self._is_served(name):
            message.set_rcode(dns.rcode.REFUSED)
            message.flags &= ~dns.flags.AA
            return message.to_wire()
        if action == "nxdomain":
            self._deny(message, name, dns.rcode.NXDOMAIN)
        elif action == "nodata":
            self._deny(message, name, dns.rcode.NOERROR)
        elif action != "lame":
            self._fill(message, question.name, question.rdtype)
        return self._wire(message, query, transport, action)

    def _wire(self, message, query, transport, action):
        limit = 65535
        if transport == "udp":
            limit = max(query.payload, UDP_PLAIN) if query.edns >= 0 else UDP_PLAIN
        if action == "wrong-id":
            message.id ^= 0x5555
        if action == "wrong-question":
            message.question[0].name = name_of("elsewhere.invalid")
        wire = message.to_wire(max_size=65535)
        if action == "bad-rdata":
            wire = damage(wire)
        if len(wire) > limit or (action == "truncate" and transport == "udp"):
            message.flags |= dns.flags.TC
            message.answer, message.authority, message.additional = [], [], []
            wire = message.to_wire()
        return wire

    def _is_served(self, name):
        return self.zones is None or \
            any(name.is_subdomain(name_of(zone)) for zone in self.zones)

    def _fill(self, message, name, kind):
        """Data for the name, following CNAMEs; the end of a chain decides the status. One that
        leads out of the zones is left to the asker."""
        for _ in range(CNAMES_MAX):
            if not self._is_served(name.canonicalize()):
                return
            types = self._types(name.canonicalize())
            if types is None:
                self._deny(message, name, dns.rcode.NXDOMAIN)
                return
            found = kind if kind in types else CNAME if CNAME in types else None
            if found is None:
                self._deny(message, name, dns.rcode.NOERROR)
                return
            ttl, values = types[found]
            # An RRset each: dnspython shuffles the records within one, and drops twins.
            message.answer += [dns.rrset.from_rdata_list(name, ttl, [one]) for one in values]
            if found == kind:
                return
            name = values[0].target

    def _types(self, name):
        """{type: ...} of the name, {} for an empty non-terminal, None: it does not exist."""
        if name in self.data:
            return self.data[name]
        if any(other.is_subdomain(name) for other in self.data):
            return {}
        while name != dns.name.root:
            name = name.parent()
            wildcard = dns.name.Name((b"*",) + name.labels) if len(name.to_wire()) < 254 else None
            if wildcard in self.data:
                return self.data[wildcard]
            if name in self.data:
                return None
        return None

    def _deny(self, message, name, rcode):
        message.set_rcode(rcode)
        owner, ttl, soa = self._soa(name.canonicalize())
        message.authority.append(dns.rrset.from_rdata_list(owner, ttl, [soa]))

    def _soa(self, name):
        """The SOA of the data above the name, or one for the nearest name that there is."""
        zone = name
        while zone != dns.name.root:
            if dns.rdatatype.SOA in self.data.get(zone, {}):
                ttl, values = self.data[zone][dns.rdatatype.SOA]
                return zone, ttl, values[0]
            zone = zone.parent()
        zone = name if name == dns.name.root else name.parent()
        while zone != dns.name.root and zone not in self.data:
            zone = zone.parent()
        text = f"ns.invalid. hostmaster.invalid. 1 3600 600 86400 {TTL_S}"
        return zone, TTL_S, dns.rdata.from_text(IN, dns.rdatatype.SOA, text)


def skip_name(wire, at):
    while wire[at]:
        if wire[at] >= 0xc0:
            return at + 2
        at += 1 + wire[at]
    return at + 1


def damage(wire):
    """The RDATA of the last answer as octets of 0xff: no string and no name fits."""
    questions, answers = struct.unpack("!HH", wire[4:8])
    at = 12
    for _ in range(questions):
        at = skip_name(wire, at) + 4
    length = 0
    for _ in range(answers):
        at = skip_name(wire, at + length) + 10
        length = struct.unpack("!H", wire[at - 2:at])[0]
    return wire[:at] + b"\xff" * length + wire[at + length:]
