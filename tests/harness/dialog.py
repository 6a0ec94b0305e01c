# SPDX-License-Identifier: MPL-2.0
"""A dialog file (.dlg): one conversation with the real binary. docs/TESTING.md has the format."""

import base64
import contextlib
import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import ssl
import threading
import time

from . import config as cfg
from .client import Client, ClientError, dot_stuff, insecure_context, proxy_v1, proxy_v2
from .dns import DnsServer
from .gate import Gate, GateError, is_sanitized
from .maildir import Maildir
from .upstream import DeadUpstream, ScriptedUpstream, unescape

DIALOG_LIMIT_S = 120
SLEEP_MAX_S = 5
METRICS_LIMIT_S = 10
TRACE_LIMIT_S = 5
SAMPLE = b"From: alice@example.com\r\nTo: bob@example.net\r\nSubject: Sample\r\n" \
    b"Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <sample@example.com>\r\n\r\nHello.\r\n"


class DialogError(Exception):
    pass


class Statement:
    def __init__(self, number, word, rest):
        self.number, self.word, self.rest = number, word, rest
        self.lines = []  # of "message", "file", "dns" and others: the "|" lines
        self.body = []  # of "repeat"

    def args(self):
        return shlex.split(self.rest)


def parse(text):
    """(header statements, script statements)."""
    top, stack = [], []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip(" \t\r") if not raw.startswith("|") else raw
        if line.startswith("|"):
            (stack[-1].body if stack else top)[-1].lines.append(line[2:] if line[1:] else "")
            continue
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        statement = Statement(number, word, rest.strip())
        if word == "end":
            if not stack:
                raise DialogError(f"line {number}: end without repeat")
            stack.pop()
            continue
        (stack[-1].body if stack else top).append(statement)
        if word == "repeat":
            stack.append(statement)
    if stack:
        raise DialogError(f"line {stack[-1].number}: repeat without end")
    header = []
    while top and top[0].word in HEADER_WORDS:
        header.append(top.pop(0))
    return header, top


HEADER_WORDS = ("set", "unset", "user", "nouser", "servers", "server", "maildir", "on", "env",
                "dns:", "authority", "file", "sqlite",
                "allow-edits", "allow-problems", "start-fails", "as-root")


class Talk:
    """A client within a dialog, with the messages that it sent and what it heard to them."""

    def __init__(self, client, listener):
        self.client, self.listener = client, listener
        self.last = None  # the last reply
        self.sent = None  # content whose reply is still to come
        self.chunks = b""  # of "chunk", since MAIL, as far as they were taken
        self.chunk = b""  # whose reply is still to come
        self.outcomes = []  # (content, code)


class Dialog:
    def __init__(self, path, build, keys):
        self.path = path
        with open(path, encoding="utf-8") as file:
            self.header, self.script = parse(file.read())
        self.build, self.keys = build, keys
        self.servers = {}
        self.dns_servers = {}  # "dns": the one that the gate asks; authorities by their names
        self.maildir = None
        self.talks, self.current = {}, None
        self.talk_log = []
        self.forbidden = []  # (event, fields) that the whole log must not hold
        self.secrets = []  # texts that the whole log must not hold
        self.start_fails = None
        self.checks_edits = self.checks_problems = True
        self.loop_index = 0
        self.mark = 0
        self.gate = None
        self.killed = {}  # pid: name
        self.has_ended = False

    # ---- set-up ----

    def prepare(self):
        names = ["up"]
        server_options = {}
        for s in self.header:
            if s.word == "servers":
                names = s.args()
            elif s.word == "server":
                name, *options = s.args()
                server_options[name] = options
        for name in names:
            self.servers[name] = self.make_server(server_options.get(name, []))
        upstream = cfg.smtp_upstream(server.address for server in self.servers.values())
        self.gate = Gate(self.build, self.keys, upstream)
        for s in sorted(self.header, key=lambda s: s.word != "dns:"):
            self.prepare_dns(s)
        for s in self.header:
            self.prepare_one(s)

    def prepare_dns(self, s):
        if s.word == "dns:":
            self.dns_servers["dns"] = DnsServer(self.expand("\n".join(s.lines)))
            for path, value in self.dns_servers["dns"].settings.items():
                self.gate.set(path, value)
        elif s.word == "authority":
            name, address = s.args()
            self.dns_servers[name] = DnsServer(self.expand("\n".join(s.lines)), address,
                                               self.dns_servers["dns"].port)

    def make_server(self, options):
        values = dict(option.partition("=")[::2] for option in options)
        unknown = set(values) - {"dead", "starttls", "login", "without", "with", "certificate",
                                 "client-certificate", "lmtp", "unix"}
        if unknown:
            raise DialogError(f"unknown server option {unknown}")
        if "dead" in values:
            return DeadUpstream()
        server = ScriptedUpstream(
            self.keys, starttls="starttls" in values,
            login=tuple(values["login"].split(":", 1)) if "login" in values else None,
            certificate=(self.keys.other_certificate, self.keys.other_key)
            if values.get("certificate") == "other" else None,
            client_ca=self.keys.ca if "client-certificate" in values else None,
            lmtp="lmtp" in values, unix="unix" in values)
        without = values.get("without", "").split(",")
        server.ehlo = [word for word in server.ehlo if word.split(" ")[0] not in without]
        if "with" in values:
            server.ehlo += values["with"].split(",")
        return server

    def prepare_one(self, s):
        if s.word in ("set", "unset"):
            path, _, value = s.rest.partition("=")
            self.gate.set(path.strip(),
                          json.loads(self.expand(value)) if s.word == "set" else None)
        elif s.word == "user":
            self.add_user(s)
        elif s.word == "nouser":
            self.gate.users.pop(s.rest)
        elif s.word == "maildir":
            path = os.path.join(self.gate.folder, "Maildir")
            self.maildir = Maildir(path)
            self.gate.set("upstreams[0]", dict({"name": "mta"}, **cfg.maildir_upstream(path)))
        elif s.word == "on":
            where, action, *argument = s.rest.split(" ", 2)
            name, _, stage = where.rpartition(".")
            stage, _, nth = stage.partition(":")
            self.servers[name or "up"].on(stage, action, argument[0] if argument else "",
                                          int(nth or 0))
        elif s.word == "file":
            self.do_file(s)
        elif s.word == "sqlite":
            self.do_sqlite(s)
        elif s.word == "env":
            name, _, value = s.rest.partition("=")
            self.gate.environment[name] = self.expand(value)
        elif s.word == "start-fails":
            self.start_fails = s.rest
        elif s.word == "allow-edits":
            self.checks_edits = False
        elif s.word == "allow-problems":
            self.checks_problems = False

    def add_user(self, s):
        login, password, *patterns = s.args()
        self.gate.users[login] = (password, patterns[0] if patterns else "")

    # ---- running ----

    def skip_reason(self):
        """Why this dialog cannot be held here, or None."""
        if any(s.word == "as-root" for s in self.header) and \
                (os.geteuid() != 0 or is_sanitized(self.build)):
            return "needs root, and a build without sanitizers"
        return None

    def run(self):
        timer = None
        try:
            self.prepare()
            timer = threading.Timer(DIALOG_LIMIT_S, self.gate.kill)
            timer.daemon = True
            self.gate.start(wait=self.start_fails is None)
            timer.start()
            if self.start_fails is not None:
                code = self.gate.wait_exit(30)
                self.check(code != 0, "the gate started, which it should not")
                self.check(re.search(self.expand(self.start_fails), self.gate.tail()),
                           f"it did not say {self.start_fails!r}:\n{self.gate.tail()}")
                return
            self.play(self.script)
            self.finish()
        finally:
            if timer:
                timer.cancel()
            for talk in self.talks.values():
                talk.client.close()
            for server in [*self.servers.values(), *self.dns_servers.values()]:
                server.stop()
            if self.gate:
                self.gate.kill()
                self.gate.remove()

    def play(self, statements):
        for s in statements:
            handler = getattr(self, "do_" + s.word.rstrip(":").replace("-", "_"), None)
            handler = SIGNS.get(s.word, handler)
            if handler is None:
                handler = self.do_server if s.word in self.servers else \
                    self.do_dns_server if s.word in self.dns_servers else None
            if handler is None:
                raise DialogError(f"{self.path}:{s.number}: unknown statement {s.word!r}")
            try:
                if s.word in SIGNS:
                    handler(self, s)
                else:
                    handler(s)
            except (DialogError, ClientError, GateError, ValueError) as error:
                if str(error).startswith(self.path):
                    raise
                raise DialogError(f"{self.path}:{s.number}: {s.word} {s.rest}\n    {error}") \
                    from error

    def finish(self):
        for talk in self.talks.values():
            talk.client.close()
        if not self.has_ended:
            self.gate.stop()
        self.gate.check_sanitizers()
        for name, fields in self.forbidden:
            self.check(not self.gate.matching(name, fields), f"the log holds {name} {fields}")
        for secret in self.secrets:
            self.check(not any(secret in line for line in self.gate.lines), "it is in the log")
        if self.checks_problems:
            for name, server in self.servers.items():
                self.check(not server.problems, f"{name}: {server.problems}")
        if self.checks_edits:
            self.check_deliveries()

    def check_deliveries(self):
        """250 heard = delivered once and whole; nothing else is ever claimed."""
        heard = {}
        for talk in self.talks.values():
            for content, code in talk.outcomes:
                heard.setdefault(content, []).append(code)
        if self.maildir:
            there = [data.replace(b"\r\n", b"\n") for data in self.maildir.messages()]
        else:
            there = [m.data for server in self.servers.values() for m in server.accepted()]
        for content, codes in heard.items():
            wanted = content.replace(b"\r\n", b"\n") if self.maildir else content
            found = sum(1 for data in there if data.endswith(wanted))
            claimed = sum(1 for code in codes if code.startswith("2"))
            unsure = sum(1 for code in codes if code.startswith("4"))
            self.check(claimed <= found <= claimed + unsure,
                       f"the client heard {codes} but {found} such messages are there whole")

    @staticmethod
    def check(condition, text):
        if not condition:
            raise DialogError(text)

    # ---- texts ----

    def expand(self, text):
        def one(found):
            kind, _, rest = found.group(1).partition(":")
            if kind == "b64":
                return base64.b64encode(unescape(rest)).decode("ascii")
            if kind == "plain":
                login, _, password = rest.partition(":")
                return base64.b64encode(f"\0{login}\0{password}".encode()).decode("ascii")
            if kind == "rep":
                piece, _, count = rest.rpartition(":")
                return piece * int(count)
            if kind == "dkim":  # the public half of a key of the default configuration
                return self.keys.dkim_records()[f"{rest}._domainkey.example.com"]
            if kind == "port":
                return str(self.gate.ports[rest])
            if kind == "server":
                return self.servers[rest].address
            if kind == "dns":
                return self.dns_servers[rest].address
            values = {"dir": self.gate.folder, "keys": self.keys.folder, "i": self.loop_index,
                      "hostname": cfg.HOSTNAME, "build": self.gate.binary}
            return str(values[found.group(1)])
        return re.sub(r"\$\{([^}]*)\}", one, text)

    @property
    def talk(self):
        if self.current is None:
            raise DialogError("no client is connected")
        return self.talks[self.current]

    # ---- clients ----

    def do_connect(self, s):
        """connect LISTENER [as NAME] [through ADDRESS] [TLS options] [plain]"""
        listener, *words = s.args()
        options = self.connect_options(words)
        self.check(words in ([], ["plain"]), f"what is {words}?")
        self.connect(listener, options)
        if listener == "submissions" and not words:
            self.talk.client.start_tls()

    @staticmethod
    def connect_options(words):
        """Takes "as NAME", "through ADDRESS" and what tls_context knows out of words."""
        options = {}
        while words[:1] and words[0] in ("as", "through", "asking", "showing", "ciphers",
                                         "resuming"):
            option = words.pop(0)
            options[option] = words.pop(0)
        return options

    def connect(self, listener, options):
        name = options.get("as", "main")
        client = Client(self.gate.ports[listener], context=self.tls_context(options),
                        server_name=options.get("asking", "gate.test"))
        if "resuming" in options:
            client.session = self.talks[options["resuming"]].client.sock.session
        self.talks[name if name not in self.talks else f"{name}-{len(self.talks)}"] = \
            Talk(client, listener)
        if name in self.talks and self.talks[name].client is not client:
            # A name used again: the older one keeps its outcomes under another name.
            newest = list(self.talks)[-1]
            self.talks[name], self.talks[newest] = self.talks[newest], self.talks[name]
        self.current = name
        if "through" in options:
            client.send(proxy_v2(options["through"]))

    def tls_context(self, options):
        """asking NAME (SNI), showing NAME (a client's certificate), ciphers LIST (of TLS 1.2),
        resuming CLIENT (whose session is offered again, so with the same context)."""
        if "resuming" in options:
            return self.talks[options["resuming"]].client.context
        context = insecure_context()
        if "showing" in options:
            context.load_cert_chain(*self.keys.pair(options["showing"]))
        if "ciphers" in options:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(options["ciphers"])
        return context

    def do_shown(self, s):
        """shown NAME: the gate's certificate is that of the file NAME.pem."""
        with open(self.keys.pair(s.rest)[0], encoding="ascii") as file:
            wanted = ssl.PEM_cert_to_DER_cert(file.read())
        self.check(self.talk.client.sock.getpeercert(True) == wanted, "it is another one")

    def do_resumed(self, s):
        """resumed yes, resumed no: whether the handshake was a short one."""
        self.check(self.talk.client.sock.session_reused == (s.rest == "yes"), "it is not so")

    def do_ready(self, s):
        """ready LISTENER [as NAME] [through ADDRESS] [LOGIN]: greeted, TLS, logged in."""
        listener, *words = s.args()
        options = self.connect_options(words)
        login = words[0] if words else "alice@example.com"
        self.connect(listener, options)
        client = self.talk.client
        if listener == "submissions":
            client.start_tls()
        self.check(client.reply().code == "220", "no greeting")
        client.expect("EHLO client.test", "250")
        if listener == "submission":
            client.expect("STARTTLS", "220")
            client.start_tls()
            client.expect("EHLO client.test", "250")
        if listener != "inbound":
            reply = client.auth_plain(login, self.gate.users[login][0])
            self.check(reply.code == "235", f"AUTH: {reply}")

    def do_proxy(self, s):
        """proxy v1 ADDRESS, proxy v2 ADDRESS [TLVS], proxy local, proxy unknown, proxy self"""
        version, *rest = self.expand(s.rest).split(" ")
        headers = {"v1": lambda: proxy_v1(rest[0]),
                   "v2": lambda: proxy_v2(rest[0], tlvs=unescape("".join(rest[1:]))),
                   "local": lambda: proxy_v2(None),
                   "self": lambda: proxy_v1(*self.talk.client.sock.getsockname()[:2]),
                   "unknown": lambda: b"PROXY UNKNOWN\r\n"}
        self.talk.client.send(headers[version]())

    def do_proxy_tls(self, s):
        """Like proxy, with the first octets of the handshake in the same segment."""
        client = self.talk.client
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        self.do_proxy(s)
        client.start_tls()
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    def do_use(self, s):
        self.check(s.rest in self.talks, f"there is no client {s.rest}")
        self.current = s.rest

    def do_say(self, s):
        if s.rest[:4].upper() in ("MAIL", "RSET", "EHLO"):
            self.talk.chunks = b""
        self.talk.client.line(self.expand(s.rest))

    def do_raw(self, s):
        self.talk.client.send(unescape(self.expand(s.rest)))

    def hear(self):
        reply = self.talk.client.reply()
        self.talk.last = reply
        if self.talk.sent is not None:
            self.talk.outcomes.append((self.talk.sent, reply.code))
            self.talk.sent = None
        elif reply.code == "250":
            self.talk.chunks += self.talk.chunk
        self.talk.chunk = b""
        return reply

    def do_hear(self, s):
        """S: CODE [ENHANCED] [~ REGEX]; an x in CODE or ENHANCED stands for any digit."""
        wanted, _, pattern = s.rest.partition("~")
        words = wanted.split()
        reply = self.hear()
        self.check(re.fullmatch(words[0].replace("x", r"\d"), reply.code),
                   f"wanted {s.rest}, heard {reply}")
        if len(words) > 1:
            enhanced = words[1].replace(".", r"\.").replace("x", r"\d+")
            self.check(re.fullmatch(enhanced, reply.enhanced), f"wanted {s.rest}, heard {reply}")
        if pattern:
            self.check(re.search(self.expand(pattern.strip()), "\n".join(reply.lines)),
                       f"wanted {s.rest}, heard {reply}")

    def has_line(self, glob):
        return any(fnmatch.fnmatchcase(line, glob) for line in self.talk.last.lines)

    def do_has(self, s):
        self.check(self.has_line(self.expand(s.rest)), f"not in the reply:\n{self.talk.last}")

    def do_lacks(self, s):
        self.check(not self.has_line(self.expand(s.rest)), f"in the reply:\n{self.talk.last}")

    def do_tls(self, _s):
        self.talk.client.start_tls()

    def do_tls_fails(self, _s):
        try:
            self.talk.client.start_tls()
            # In TLS 1.3 the client may be done before the server says no.
            self.talk.client.reply()
        except ClientError:
            return
        raise DialogError("the handshake went through")

    def do_starttls(self, _s):
        self.talk.client.expect("STARTTLS", "220")
        self.talk.client.start_tls()

    def do_envelope(self, s):
        sender, *recipients = s.args()
        client = self.talk.client
        client.expect(f"MAIL FROM:<{self.expand(sender)}>", "250")
        for recipient in recipients:
            client.expect(f"RCPT TO:<{self.expand(recipient)}>", "250")
        client.expect("DATA", "354")

    def content(self, s, words):
        """The "|" lines below as content; "sample"; or "generated OCTETS"."""
        if words[:1] == ["generated"]:
            return generated(int(words[1]))
        if words[:1] == ["sample"]:
            return SAMPLE
        return "".join(self.expand(line) + "\r\n" for line in s.lines).encode("utf-8")

    def do_message(self, s):
        self.talk.sent = self.content(s, s.args())
        self.talk.client.send(dot_stuff(self.talk.sent))

    def do_chunks(self, s):
        """Content by BDAT, pipelined in chunks of so many octets (0: one); all but the last are
        taken, whose reply is still to be heard."""
        size, *words = self.expand(s.rest).split()
        content = self.content(s, words)
        step = int(size) or len(content)
        pieces = [content[i:i + step] for i in range(0, len(content), step)]
        self.talk.client.send(b"".join(
            b"BDAT %d%s\r\n%s" % (len(piece), b"" if i < len(pieces) else b" LAST", piece)
            for i, piece in enumerate(pieces, 1)))
        for _ in pieces[1:]:
            reply = self.hear()
            self.check(reply.code == "250", f"a chunk was not taken: {reply}")
        self.talk.sent = content

    def do_chunk(self, s):
        """"last" or not, then octets with escapes: one chunk of BDAT."""
        words = s.rest.split(" ", 1)
        is_last = words[0] == "last"
        octets = unescape(self.expand(" ".join(words[1:]) if is_last else s.rest))
        self.talk.client.send(b"BDAT %d%s\r\n%s" % (len(octets), b" LAST" if is_last else b"",
                                                    octets))
        if is_last:
            self.talk.sent, self.talk.chunks = self.talk.chunks + octets, b""
        else:
            self.talk.chunk = octets

    def do_deliver(self, s):
        sender, recipient = s.args() or ("alice@example.com", "bob@example.net")
        self.do_envelope(Statement(s.number, "envelope", f"{sender} {recipient}"))
        content = SAMPLE.replace(b"alice@example.com", sender.encode())
        self.talk.sent = content
        self.talk.client.send(dot_stuff(content))
        reply = self.hear()
        self.check(reply.code == "250", f"the message was not taken: {reply}")

    def do_expect_close(self, _s):
        """The gate ends the connection; then the client does too."""
        self.talk.client.expect_closed()
        self.talk.client.close()

    def do_close(self, _s):
        self.talk.client.close()

    def do_half_close(self, _s):
        self.talk.client.half_close()

    def do_tls_end(self, _s):
        self.talk.client.end_tls()

    def do_reset(self, _s):
        self.talk.client.reset()

    def do_sleep(self, s):
        time.sleep(min(float(s.rest), SLEEP_MAX_S))

    def do_repeat(self, s):
        outer = self.loop_index
        for index in range(int(s.rest)):
            self.loop_index = index
            self.play(s.body)
        self.loop_index = outer

    # ---- the gate ----

    def do_metrics(self, s):
        """metrics SERIES NUMBER: it is, or soon comes to be, that; glob in SERIES, summed up."""
        series, _, wanted = self.expand(s.rest).rpartition(" ")
        deadline = time.monotonic() + METRICS_LIMIT_S
        while True:
            found = {name: value for name, value in self.gate.metrics().items()
                     if fnmatch.fnmatchcase(name, series)}
            if sum(found.values()) == float(wanted):
                return
            self.check(time.monotonic() < deadline, f"there is {found}")
            time.sleep(0.05)

    def do_trace(self, s):
        """trace records N; trace PATH=GLOB...: the newest record has, or soon comes to have, such
        members, like calls.*.link=identity; trace lacks PATH=GLOB...; trace left out PATH: a
        number over 0; trace files N; trace octets MAX; trace shows REGEX; trace keeps REGEX:
        as JSON."""
        what, _, rest = self.expand(s.rest).partition(" ")
        if what in ("shows", "keeps"):
            option = ["--json"] if what == "keeps" else []
            code, out, err = self.gate.command("trace", *option, "--last", "1")
            self.check(code == 0 and re.search(rest, out, re.M), f"{out}{err}")
            return
        if what == "octets":
            octets = sum(os.path.getsize(path) for path in self.gate.trace_files())
            self.check(0 < octets <= int(rest), f"there are {octets}")
            return
        checks = {"records": lambda: len(self.gate.trace()) == int(rest),
                  "files": lambda: len(self.gate.trace_files()) == int(rest),
                  "lacks": lambda: self.has_trace(rest, any) is False}
        check = checks.get(what, lambda: self.has_trace(self.expand(s.rest), all))
        deadline = time.monotonic() + TRACE_LIMIT_S
        while not check():
            self.check(time.monotonic() < deadline,
                       f"there is {json.dumps(self.gate.trace()[-1:], indent=1)}")
            time.sleep(0.02)

    def has_trace(self, pairs, how):
        """Does the newest record have all, or any, of these members?"""
        records = self.gate.trace()
        members = list(flatten(records[-1])) if records else []
        return how(any(fnmatch.fnmatchcase(path, pair.split("=", 1)[0]) and
                       fnmatch.fnmatchcase(value, pair.split("=", 1)[1])
                       for path, value in members) for pair in shlex.split(pairs))

    def do_http(self, s):
        """http STATUS [~ REGEX]: after "raw", an HTTP response and the end of the connection."""
        wanted, _, pattern = s.rest.partition("~")
        heard = self.talk.client.read_to_end().decode("utf-8", "replace")
        self.check(re.match(rf"HTTP/1\.[01] {wanted.strip()}\b", heard), f"heard {heard[:300]!r}")
        self.check(re.search(pattern.strip(), heard, re.M), f"heard {heard[:3000]}")

    def do_no_connection(self, s):
        try:
            Client(self.gate.ports[s.rest]).close()
        except ConnectionRefusedError:
            return
        raise DialogError("somebody listens there")

    def do_log(self, s):
        name, *pairs = shlex.split(self.expand(s.rest))
        self.gate.wait_for(name, dict(pair.split("=", 1) for pair in pairs), since=self.mark)

    def do_nolog(self, s):
        name, *pairs = shlex.split(self.expand(s.rest))
        self.forbidden.append((name, dict(pair.split("=", 1) for pair in pairs)))

    def do_nosecret(self, s):
        self.secrets.append(self.expand(s.rest))

    def do_mark(self, _s):
        """log looks only at lines from here on."""
        self.mark = len(self.gate.lines)

    def do_kill(self, s):
        self.killed.update({pid: s.rest for pid in self.gate.processes(s.rest)})
        for pid in self.gate.processes(s.rest):
            os.kill(pid, signal.SIGKILL)

    def do_again(self, s):
        killed = [pid for pid, name in self.killed.items() if name == s.rest]
        self.gate.wait_for_process(s.rest, killed)

    def do_signal(self, s):
        self.gate.signal(getattr(signal, "SIG" + s.rest))

    def do_rewrite(self, s):
        """rewrite PATH = JSON: a changed configuration file."""
        path, _, value = s.rest.partition("=")
        self.gate.set(path.strip(), json.loads(self.expand(value)))
        self.gate.write_config()

    def do_rewrite_raw(self, s):
        self.gate.write_config("".join(self.expand(line) + "\n" for line in s.lines))

    def do_rewrite_user(self, s):
        self.add_user(s)
        self.gate.write_users()

    def do_rewrite_nouser(self, s):
        self.gate.users.pop(s.rest)
        self.gate.write_users()

    def do_file(self, s):
        """file NAME, and its lines: in the gate's folder, put in place whole."""
        self.gate.write_file(s.rest, "".join(self.expand(line) + "\n" for line in s.lines))

    def do_nofile(self, s):
        os.unlink(os.path.join(self.gate.folder, s.rest))

    def do_sqlite(self, s):
        """sqlite NAME, and SQL: run in the database of that name, made if need be."""
        path = os.path.join(self.gate.folder, s.rest)
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.executescript(self.expand("\n".join(s.lines)))
        if self.gate.owner:
            shutil.chown(path, *self.gate.owner)

    def do_descriptors(self, s):
        """descriptors N: so many more than it has now may the gate open."""
        pid, left, limit = self.gate.serving_pid, int(s.rest), 0
        used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        while left > 0 or limit in used:
            left -= limit not in used
            limit += 1
        # By the gate's own user: root in a container may not.
        user, group = self.gate.owner
        subprocess.run(["prlimit", "--pid", str(pid), f"--nofile={limit}:"], check=True,
                       user=user, group=group, extra_groups=[])

    def do_exits(self, s):
        code = self.gate.wait_exit()
        self.has_ended = True
        self.check(code == int(s.rest or 0), f"the gate exited with {code}\n{self.gate.tail()}")

    # ---- servers ----

    def do_server(self, s):
        server = self.servers[s.word]
        what, _, rest = s.rest.partition(" ")
        rest = self.expand(rest)
        counts = {"messages": lambda: len(server.accepted()), "all": lambda: len(server.messages),
                  "connections": lambda: server.connections, "cut": lambda: len(server.cut),
                  "tls": lambda: server.tls_connections}
        if what in counts:
            # More than wanted may still come, so "exactly" is judged after a moment.
            server.wait(lambda: counts[what]() >= int(rest))
            self.check(counts[what]() == int(rest), f"there are {counts[what]()}")
        elif what == "mailbox":
            address, wanted = rest.split(" ")
            server.wait(lambda: len(server.mailbox(address)) >= int(wanted))
            self.check(len(server.mailbox(address)) == int(wanted),
                       f"there are {len(server.mailbox(address))}")
        elif what == "saw":
            self.check(server.wait(lambda: any(re.search(rest, line)
                                               for _, line in server.commands)),
                       f"it saw {server.commands}")
        elif what == "never":
            self.check(not any(re.search(rest, line) for _, line in server.commands),
                       f"it saw {server.commands}")
        elif what in ("from", "to"):
            last = server.messages[-1]
            values = [last.sender] if what == "from" else last.recipients
            self.check(any(fnmatch.fnmatchcase(value, rest) for value in values), f"{values}")
        elif what in ("has", "lacks"):
            found = re.search(unescape_pattern(rest), server.messages[-1].data, re.M)
            self.check(bool(found) == (what == "has"), f"{server.messages[-1].data[:2000]!r}")
        elif what == "on":
            where, action, *argument = rest.split(" ", 2)
            stage, _, nth = where.partition(":")
            server.on(stage, action, argument[0] if argument else "", int(nth or 0))
        elif what == "off":
            server.rules.clear()
        elif what == "restarts":
            server.hang_up()
        else:
            raise DialogError(f"unknown: {s.word} {what}")

    def do_dns_server(self, s):
        server = self.dns_servers[s.word]
        what, *words = self.expand(s.rest).split(" ", 3)
        if what in ("add", "set"):
            if what == "set":
                server.remove(*words[:2])
            server.load(" ".join(words))
        elif what == "remove":
            server.remove(*words)
        elif what == "behave":
            name, kind = (None if word == "*" else word for word in words[:2])
            server.behave(name, kind, *words[2].split(" "))
        elif what in ("off", "on"):
            (server.stop if what == "off" else server.start)()
        elif what == "forget":
            server.forget()
        elif what == "asked":
            name, kind = (None if word == "*" else word for word in words[:2])
            found = server.count(name, kind)
            least, _, most = words[2].partition("-")
            self.check(int(least) <= found <= int(most or least), f"asked {found} times")
        else:
            raise DialogError(f"unknown: {s.word} {what}")

    def do_maildir(self, s):
        what, _, rest = s.rest.partition(" ")
        if what == "messages":
            found = self.maildir.wait_for(int(rest))
            self.check(len(found) == int(rest), f"there are {len(found)}")
        elif what == "tmp":
            self.check(len(self.maildir.names("tmp")) == int(rest), "wrong count in tmp/")
        elif what in ("has", "lacks"):
            found = re.search(unescape_pattern(rest), self.maildir.messages()[-1], re.M)
            self.check(bool(found) == (what == "has"), f"{self.maildir.messages()[-1][:2000]!r}")
        else:
            raise DialogError(f"unknown: maildir {what}")


SIGNS = {"C:": Dialog.do_say, "S:": Dialog.do_hear, "+:": Dialog.do_has, "-:": Dialog.do_lacks}


def flatten(value, path=""):
    """(path, text) of every value of a JSON document."""
    items = value.items() if isinstance(value, dict) else \
        enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path, value if isinstance(value, str) else json.dumps(value)
        return
    for key, item in items:
        yield from flatten(item, f"{path}.{key}" if path else str(key))


def unescape_pattern(text):
    return text.encode("utf-8")


def generated(octets):
    """A valid message of about that many octets; lines of every length up to 998."""
    out = [b"From: alice@example.com\r\nTo: bob@example.net\r\nSubject: Large\r\n"
           b"Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <large@example.com>\r\n\r\n"]
    size, length = len(out[0]), 0
    while size < octets:
        line = (b"." if length % 7 == 0 else b"") + b"0123456789abcdef" * 63
        line = line[:length % 999] + b"\r\n"
        out.append(line)
        size += len(line)
        length += 37
    return b"".join(out)


def transcript(dialog, count=30):
    out = []
    for name, talk in dialog.talks.items():
        for who, data in talk.client.transcript[-count:]:
            shown = data if len(data) <= 200 else data[:200] + b"..."
            out.append(f"    {name} {who}: {shown.decode('utf-8', 'backslashreplace').rstrip()!r}")
    return "\n".join(out)
