# SPDX-License-Identifier: MPL-2.0
"""Who is measured: Gatepost, and Postfix with OpenDKIM. Same certificate, same DKIM key, a sink
each as the next hop; everything in one folder, on ports of its own."""

import crypt
import os
import shutil
import socket
import subprocess
import time

from processes import BenchError, read_line, run, stop

START_LIMIT_S = 15
LOGIN, PASSWORD = "alice@example.com", "correct horse"

GATEPOST = """
hostname  = "gate.example.com";
state_dir = "{folder}/state";
user      = "nobody";
group     = "nogroup";
tls: {{ certificate = "{certificate}"; key = "{key}"; }};
listeners: ( {{ listen = "127.0.0.1:{port}"; role = "submission"; tls = "starttls"; }} );
auth: {{ backends = ( {{ type = "passwd"; file = "{folder}/users"; }} ); }};
domains: ( {{ name = "example.com"; dkim = ( {{ selector = "bench"; key = "{dkim}"; }} ); }} );
upstreams: ( {{ name = "sink"; servers = [ "127.0.0.1:{sink}" ]; tls = "none"; }} );
submission: {{
    upstream = "sink";
    chain = [ "access", "recipient_limit", "identity", "hop_limit", "fix_headers", "dkim_sign" ];
}};
limits: {{ connections = 20000; address_connections = 20000; network_connections = 20000; }};
watch: {{ enabled = false; }};
"""

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = gate.example.com
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
relayhost = [127.0.0.1]:{sink}
smtp_tls_security_level = none
smtp_dns_support_level = disabled
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = example.com
smtpd_client_connection_count_limit = 0
smtpd_sender_login_maps = inline:{{ {{ {login} = {login} }} }}
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_milters = inet:127.0.0.1:{milter}
milter_default_action = tempfail
"""

# Debian's services, without those that this set-up never uses. Nothing is in a chroot.
MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
"""

OPENDKIM_CONF = """
UserID opendkim
Socket inet:{milter}@127.0.0.1
Mode s
Domain example.com
Selector bench
KeyFile {folder}/dkim.pem
SignatureAlgorithm rsa-sha256
Canonicalization relaxed/relaxed
OversignHeaders From
InternalHosts 127.0.0.1
Syslog no
Background no
AutoRestart no
RequireSafeKeys no
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, process, name, limit_s=START_LIMIT_S):
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if process.poll() is not None:
            raise BenchError(f"{name} ended at once (exit {process.returncode})")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise BenchError(f"{name} does not listen after {limit_s} s")


def write(path, text, mode=0o644, owner=None):
    with open(path, "w", encoding="utf-8") as out:
        os.chmod(path, mode)
        out.write(text)
    if owner:
        shutil.chown(path, *owner)


class Sink:
    def __init__(self, build, wanted):
        self.process = subprocess.Popen([f"{build}/tests/load/smtp_sink", *wanted], bufsize=0,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(read_line(self.process, 5))

    def counts(self):
        """Messages taken so far, and how many bore all that is wanted in their header."""
        self.process.stdin.write(b"\n")
        return tuple(int(n) for n in read_line(self.process, 5).split())

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        self.process.stdout.close()


class Candidate:
    """roots: the processes whose trees are what the candidate costs."""

    client = (LOGIN, PASSWORD)  # what smtp_load is told after the port
    wanted = ("DKIM-Signature:",)  # in the header of all that reaches the sink

    def __init__(self, build, folder, keys):
        self.folder, self.keys, self.port = folder, keys, free_port()
        self.processes = []
        os.makedirs(folder)
        os.chmod(folder, 0o755)
        self.sink = Sink(build, self.wanted)

    @property
    def roots(self):
        return [process.pid for process in self.processes]

    @staticmethod
    def start(arguments, log):
        with open(log, "ab") as out:
            return subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                    start_new_session=True)

    def spawn(self, arguments, log):
        process = self.start(arguments, os.path.join(self.folder, log))
        self.processes.append(process)
        return process

    def fill(self, template, **more):
        return template.format(folder=self.folder, port=self.port, sink=self.sink.port,
                               login=LOGIN, **self.keys, **more)

    def stop(self):
        for process in reversed(self.processes):
            stop(process)
        self.sink.stop()


class Gatepost(Candidate):
    name = "Gatepost"

    def __init__(self, build, folder, keys):
        super().__init__(build, folder, keys)
        owner = ("nobody", "nogroup") if os.geteuid() == 0 else None
        os.mkdir(f"{folder}/state", 0o700)
        if owner:
            shutil.chown(f"{folder}/state", *owner)
        hashed = crypt.crypt(PASSWORD, "$y$j9T$" + os.urandom(8).hex())
        write(f"{folder}/users", f"{LOGIN}:{hashed}:\n", 0o600, owner)
        write(f"{folder}/proxy.conf", self.fill(GATEPOST))
        gate = self.spawn([f"{build}/gatepost", "run", "-c", f"{folder}/proxy.conf"], "gate.log")
        wait_for_port(self.port, gate, f"gatepost (see {folder}/gate.log)")


class PostfixBased(Candidate):
    def start_postfix(self, main_cf, master_cf, prefix=()):
        """master(8) with these files; the prefix: a command that runs it."""
        config = f"{self.folder}/etc"
        for name in (config, f"{self.folder}/queue", f"{self.folder}/data"):
            os.makedirs(name, 0o755, exist_ok=True)
        shutil.chown(f"{self.folder}/data", "postfix", "postfix")
        write(f"{config}/main.cf", main_cf)
        write(f"{config}/master.cf", master_cf)
        for name in ("postfix-files", "dynamicmaps.cf"):
            if os.path.exists(f"/etc/postfix/{name}"):
                shutil.copy(f"/etc/postfix/{name}", config)
        run(["/usr/sbin/postfix", "-c", config, "check"])
        master = self.spawn([*prefix, "/usr/lib/postfix/sbin/master", "-c", config, "-d"],
                            "postfix.log")
        wait_for_port(self.port, master, "postfix")


class Postfix(PostfixBased):
    name = "Postfix + OpenDKIM"

    def __init__(self, build, folder, keys):
        super().__init__(build, folder, keys)
        milter = free_port()
        shutil.copy(keys["dkim"], f"{folder}/dkim.pem")
        os.chmod(f"{folder}/dkim.pem", 0o600)
        shutil.chown(f"{folder}/dkim.pem", "opendkim", "opendkim")
        write(f"{folder}/opendkim.conf", self.fill(OPENDKIM_CONF, milter=milter))
        dkim = self.spawn(["/usr/sbin/opendkim", "-f", "-x", f"{folder}/opendkim.conf"],
                          "opendkim.log")
        wait_for_port(milter, dkim, f"opendkim (see {folder}/opendkim.log)")
        os.makedirs(f"{folder}/etc/sasl", 0o755)
        self._make_sasl(f"{folder}/etc/sasl")
        self.start_postfix(self.fill(MAIN_CF, milter=milter), self.fill(MASTER_CF))

    def _make_sasl(self, folder):
        """Cyrus SASL with a database of its own: no daemon is asked, so none is left out.
        Debian's Postfix looks for its settings in sasl/ beside main.cf."""
        database = f"{self.folder}/sasldb2"
        write(f"{folder}/smtpd.conf",
              "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN\n"
              f"sasldb_path: {database}\n")
        user, domain = LOGIN.split("@")
        try:
            done = subprocess.run(["/usr/sbin/saslpasswd2", "-p", "-c", "-f", database,
                                   "-u", domain, user], input=PASSWORD.encode(), timeout=10,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        except (OSError, subprocess.TimeoutExpired) as failed:
            raise BenchError(f"saslpasswd2: {failed}") from failed
        if done.returncode != 0:
            raise BenchError(f"saslpasswd2: {done.stdout.decode('utf-8', 'replace')}")
        shutil.chown(database, "postfix", "postfix")
