# SPDX-License-Identifier: MPL-2.0
"""Real milters, and Postfix and the gate in front of the same ones: started once, on loopback.

A line is a list of milters that a message goes through. Each line is a smtpd of one Postfix, and
a gate with that chain; both send what is left to a sink.
"""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

from dkim_tools import OpenDKIM
from harness.config import smtp_upstream
from harness.net import free_ports
from peers import LIMIT_S, Postfix

HERE = os.path.dirname(os.path.abspath(__file__))
HOSTNAME = "gate.test"
SIGNED_FOR = "192.0.2.10"  # the client whose mail OpenDKIM signs
PYTHON = ("python", "names")
LINES = {
    "auth": ["verify", "opendmarc"],
    "rspamd": ["rspamd"],
    "spamass": ["spamass"],
    "sign": ["sign"],
    "python": ["python"],
    "session": ["python"],
    "all": ["verify", "opendmarc", "rspamd", "spamass", "names", "sign"],
    "submission": ["rspamd", "spamass", "names", "sign"],
}

DMARC = {
    "_dmarc.example.com": "v=DMARC1; p=none",
    "_dmarc.quarantine.example": "v=DMARC1; p=quarantine",
    "_dmarc.reject.example": "v=DMARC1; p=reject",
    "_dmarc.strict.example": "v=DMARC1; p=reject; adkim=s; aspf=s",
}
SPF = {"example.com": "v=spf1 ip4:192.0.2.0/28 -all", "reject.example": "v=spf1 -all",
       "quarantine.example": "v=spf1 -all", "example.net": "v=spf1 ip4:192.0.2.1 ~all"}

OPENDMARC = """
AuthservID {hostname}
TrustedAuthservIDs {hostname}
IgnoreHosts {folder}/ignored
TestDNSData {folder}/dns
PublicSuffixList {folder}/suffixes
RejectFailures true
Socket local:{folder}/socket
Syslog no
Background no
AutoRestart no
"""

# Rules and modules of the package, as far as they need nothing but the message and this DNS.
RSPAMD = """
lua = "$RULESDIR/rspamd.lua";
options {{
	pidfile = "{folder}/pid"; tempdir = "{folder}"; cache_file = "{folder}/symbols.cache";
	hs_cache_dir = "{folder}/"; control_socket = "{folder}/control mode=0600"; history_rows = 1;
	filters = "dkim,regexp"; explicit_modules = []; local_addrs = [127.0.0.1];
	disable_hyperscan = true; url_tld = "{folder}/suffixes"; enable_test_patterns = true;
	dns {{ nameserver = ["{dns}"]; timeout = 5s; sockets = 2; retransmits = 2; }}
	task_timeout = 30s;
}}
logging {{ type = "console"; level = "warning"; }}
worker "rspamd_proxy" {{
	bind_socket = "{folder}/socket mode=0666"; count = 1; milter = yes; timeout = 20s;
	upstream "local" {{ default = yes; self_scan = yes; }}
}}
actions {{ reject = 15; rewrite_subject = 9; add_header = 6; subject = "***SPAM*** %s"; }}
.include "$CONFDIR/groups.conf"
spf {{ }}
dkim {{ }}
dmarc {{ }}
milter_headers {{
	use = ["x-spamd-bar", "x-spam-level", "x-spam-status", "authentication-results",
		"x-spamd-result", "spam-header"];
	skip_local = false; skip_authenticated = false;
	routines {{ authentication-results {{ remove = 1; }} }}
}}
modules {{ path = "${{PLUGINSDIR}}"; }}
"""

# What spamd was told of the client stands in Status: spamass-milter makes it out of macros.
SPAMASSASSIN = r"""
required_score 5
rewrite_header Subject [SPAM _SCORE_]
report_safe 0
use_bayes 0
clear_trusted_networks
trusted_networks 127.0.0.1
clear_headers
add_header all Status "_YESNO_, score=_SCORE_ required=_REQD_ tests=_TESTS_ last=_LASTEXTERNALIP_ (_LASTEXTERNALRDNS_, _LASTEXTERNALHELO_)"
add_header spam Flag _YESNOCAPS_
add_header spam Report _REPORT_
body GTUBE /XJS\*C4JDBQADN1\.NSBN3\*2IDNEN\*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL\*C\.34X/
describe GTUBE Generic test for unsolicited bulk email
score GTUBE 1000
body BARGAIN /bargain of the century/i
describe BARGAIN It offers a bargain
score BARGAIN 6
header FROM_OUTSIDE Received =~ /from \S+ \(unknown \[192\.0\.2\.\d+\]\)/
describe FROM_OUTSIDE The milter has said where it comes from
score FROM_OUTSIDE 0.1
header WITH_ID Received =~ /by gate\.test .* with E?SMTP.* id [0-9A-Za-z]+/s
describe WITH_ID The milter has said by whom it was taken, and as what
score WITH_ID 0.1
"""
SPAMASSASSIN_PLUGINS = "".join(f"loadplugin Mail::SpamAssassin::Plugin::{name}\n"
                               for name in ("Check", "HeaderEval"))


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


class Daemon:
    """A process of nobody's that listens on the file "socket" of its folder, and writes to "output"
    there. Nothing is lost with it: it is killed, with its children, for libmilter takes seconds to
    end."""

    def __init__(self, folder, words):
        self.folder = folder
        self.log_path = os.path.join(folder, "output")
        identity = {"user": "nobody", "group": "nogroup", "extra_groups": [], "umask": 0} \
            if os.geteuid() == 0 else {}
        with open(self.log_path, "wb") as out:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                cwd=folder, env={**os.environ, "LC_ALL": "C"}, start_new_session=True, **identity)

    def wait(self):
        deadline = time.monotonic() + LIMIT_S
        while not self.is_listening():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.folder}: does not listen:\n{self.output()[-3000:]}")
            time.sleep(0.02)

    def is_listening(self):
        """The socket's file is there a moment before connections are."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(f"{self.folder}/socket")
            except OSError:
                return False
            return True

    def output(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(LIMIT_S)


def open_folder(parent, name):
    folder = os.path.join(parent, name)
    os.makedirs(folder)
    os.chmod(folder, 0o777)
    return folder


class Milters:
    """addresses: {name: where it listens, as both Postfix and the gate write it}; of a python
    milter, which notes what it hears in python_log, there is one for each side: "python:Postfix".

    records: of DNS, {name: text}; keys: harness.keys.Keys, whose RSA key OpenDKIM signs with.
    """

    def __init__(self, parent, records, keys, dns):
        self.parent, self.dns = str(parent), dns
        self.daemons, self.addresses, self.python_log = [], {}, {}
        try:
            self._start_opendmarc()
            self._start_rspamd()
            self._start_spamassassin()
            for name in PYTHON:
                for side in (PostfixSide, GateSide):
                    self._start_python(f"{name}:{side.name}", name == "names")
            self._start_opendkim(records, keys)
        except BaseException:
            self.stop()
            raise

    def wait(self):
        for daemon in self.daemons:
            if isinstance(daemon, Daemon):
                daemon.wait()

    def stop(self):
        for daemon in self.daemons:
            daemon.process.kill()
            daemon.stop()

    def address(self, name, side):
        return self.addresses[f"{name}:{side.name}" if name in PYTHON else name]

    def _start(self, name, folder, words):
        self.daemons.append(Daemon(folder, words))
        self.addresses[name] = f"unix:{folder}/socket"

    def _start_opendmarc(self):
        folder = open_folder(self.parent, "opendmarc")
        write(folder, "ignored", "203.0.113.1\n")
        write(folder, "dns", "".join(f"{name} {text}\n" for name, text in DMARC.items()))
        write(folder, "suffixes", "example\ncom\nnet\norg\n")
        path = write(folder, "conf", OPENDMARC.format(folder=folder, hostname=HOSTNAME))
        self._start("opendmarc", folder, ["/usr/sbin/opendmarc", "-f", "-c", path])

    def _start_rspamd(self):
        folder = open_folder(self.parent, "rspamd")
        write(folder, "suffixes", "example\ncom\nnet\norg\n")
        path = write(folder, "conf", RSPAMD.format(folder=folder, dns=self.dns.address))
        self._start("rspamd", folder, ["/usr/bin/rspamd", "-f", "-c", path])

    def _start_spamassassin(self):
        folder = open_folder(self.parent, "spamd")
        write(folder, "rules.cf", SPAMASSASSIN)
        write(folder, "rules.pre", SPAMASSASSIN_PLUGINS)
        self._start("spamd", folder, [
            "/usr/sbin/spamd", "-L", "-x", "-C", folder, f"--siteconfigpath={folder}",
            f"--socketpath={folder}/socket", "--socketmode=0666", "-m", "2", "--min-children=2",
            "-s", "stderr", "-H", folder])
        milter = open_folder(self.parent, "spamass")
        self._start("spamass", milter, ["/usr/sbin/spamass-milter", "-p", f"{milter}/socket",
                                        "-r", "15", "--", "-U", f"{folder}/socket"])

    def _start_python(self, name, has_names):
        folder = open_folder(self.parent, name.replace(":", "-"))
        self.python_log[name] = os.path.join(folder, "log")
        script = shutil.copy(os.path.join(HERE, "python_milter.py"), folder)
        os.chmod(script, 0o644)
        self._start(name, folder, ["/usr/bin/python3", script, f"{folder}/socket",
                                   self.python_log[name], *(["--names"] if has_names else [])])

    def _start_opendkim(self, records, keys):
        settings = {
            "verify": ("203.0.113.1", f"Mode v\nAlwaysAddARHeader yes\nAuthservID {HOSTNAME}\n"
                       "MinimumKeyBits 1024\n"),
            "sign": (SIGNED_FOR, "Mode s\nDomain example.com\nSelector rsa\nRequireSafeKeys no\n"
                     f"KeyFile {keys.dkim_rsa}\nCanonicalization relaxed/simple\n"),
        }
        for name, (internal, lines) in settings.items():
            filter_ = OpenDKIM(records, lines, internal)
            self.daemons.append(filter_)
            os.chmod(os.path.dirname(filter_.socket), 0o755)
            os.chmod(filter_.socket, 0o777)
            self.addresses[name] = "unix:" + filter_.socket


class Authority:
    """Proves one login to Postfix, by the protocol of Dovecot's authentication server."""

    def __init__(self, login, password):
        self.good = base64.b64encode(f"\0{login}\0{password}".encode()).decode()
        self.login = login
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.port = self._sock.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        with sock, sock.makefile("r", encoding="ascii") as lines:
            sock.sendall(b"VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\n"
                         b"COOKIE\t00000000000000000000000000000000\nDONE\n")
            for line in lines:
                words = line.rstrip("\n").split("\t")
                if words[0] != "AUTH":
                    continue
                good = f"resp={self.good}" in words
                answer = f"OK\t{words[1]}\tuser={self.login}\n" if good else f"FAIL\t{words[1]}\n"
                sock.sendall(answer.encode("ascii"))

    def stop(self):
        self._sock.close()


SERVICE = """
127.0.0.1:{port} inet n - n - - smtpd
    -o smtpd_milters={milters}
"""
PROXIED = "    -o smtpd_upstream_proxy_protocol=haproxy\n"
SUBMISSION = """\
    -o smtpd_sasl_auth_enable=yes
    -o smtpd_sasl_type=dovecot
    -o smtpd_sasl_path=inet:127.0.0.1:{authority}
    -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
"""
SETTINGS = """
queue_run_delay = 1s
inet_protocols = all
local_header_rewrite_clients =
relay_domains = example.net
relay_recipient_maps =
relay_transport = smtp
relayhost = [127.0.0.1]:{sink}
smtpd_recipient_restrictions = reject_unauth_destination
smtpd_client_connection_count_limit = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1001
smtpd_error_sleep_time = 0
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
milter_default_action = tempfail
"""


class PostfixSide:
    """ports: {line: where Postfix serves it}."""

    name = "Postfix"

    def __init__(self, folder, milters, sink, keys, authority):
        self.sink = sink
        self.ports = dict(zip(LINES, free_ports(len(LINES))))
        services = ""
        for line, names in LINES.items():
            services += SERVICE.format(
                port=self.ports[line],
                milters=",".join(milters.address(name, self) for name in names))
            services += SUBMISSION.format(authority=authority.port) if line == "submission" else \
                PROXIED
        settings = SETTINGS.format(sink=sink.port, certificate=keys.gate_certificate,
                                   key=keys.gate_key)
        self.postfix = Postfix(folder, settings, hostname=HOSTNAME, services=services)

    def queue(self, *names):
        """Files of the queue: messages that are not delivered yet."""
        return [os.path.join(at, file) for name in names
                for at, _, files in os.walk(f"{self.postfix.folder}/queue/{name}")
                for file in files]

    def settle(self):
        """Until nothing is on its way to the sink any more; what is held stays."""
        deadline = time.monotonic() + LIMIT_S
        while self.queue("incoming", "active", "deferred"):
            if time.monotonic() > deadline:
                raise AssertionError(f"not delivered:\n{self.postfix.log()[-4000:]}")
            time.sleep(0.05)

    def release(self):
        """What was quarantined goes on."""
        if self.queue("hold"):
            subprocess.run(["/usr/sbin/postsuper", "-c", f"{self.postfix.folder}/etc", "-H", "ALL"],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           timeout=LIMIT_S)
            self.settle()

    def stop(self):
        self.postfix.stop()


class GateSide:
    """The same of the gate; start(upstream, settings) starts one."""

    name = "Gatepost"

    def __init__(self, start, milters, sink):
        self.sink = sink
        self.gates = {}
        upstream = {**smtp_upstream([sink.address]), "command_timeout": "30s",
                    "final_timeout": "30s"}
        for line, names in LINES.items():
            role = "submission" if line == "submission" else "inbound"
            settings = {
                "milter": [{"name": name, "socket": milters.address(name, self)} for name in names],
                f"{role}.chain": [f"milter:{name}" for name in names],
            }
            if role == "inbound":
                settings["listeners[2].proxy_networks"] = ["127.0.0.0/8"]
            self.gates[line] = start(upstream, settings)
        self.ports = {line: gate.ports["submission" if line == "submission" else "inbound"]
                      for line, gate in self.gates.items()}

    def settle(self):
        """The client heard 250 from the sink itself."""

    def release(self):
        """Nothing is held: it has no queue."""


class Heard:
    """What a python milter noted since the last look."""

    def __init__(self, path):
        self.path, self.at = path, 0

    def news(self):
        with open(self.path, encoding="ascii") as file:
            file.seek(self.at)
            text = file.read()
            end = text.rfind("\n") + 1
            self.at += end
        return [json.loads(line) for line in text[:end].splitlines()]
