# SPDX-License-Identifier: MPL-2.0
"""Real mail software as the gate's peers, each with its own folder and ports on loopback."""

import os
import pwd
import shutil
import socket
import subprocess
import time

from aiosmtpd.controller import Controller

POSTFIX = "/usr/sbin/postfix"
MASTER = "/usr/lib/postfix/sbin/master"
LIMIT_S = 60

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = {hostname}
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination
disable_dns_lookups = yes
smtp_host_lookup = native
message_size_limit = 52428800
mailbox_size_limit = 0
virtual_mailbox_limit = 0
header_size_limit = 1048576
line_length_limit = 2048
smtp_line_length_limit = 0
minimal_backoff_time = 2s
maximal_backoff_time = 4s
queue_run_delay = 2s
"""

MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for_port(port, process, what):
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{what} does not listen on {port}")


class Postfix:
    """An instance of its own: configuration, queue, log and port. Needs root, as Postfix does.

    settings: lines for main.cf, with {folder} filled in; services: more lines for master.cf.
    """

    def __init__(self, folder, settings="", hostname="mta.test", files=None, services=""):
        self.folder = str(folder)
        self.port = free_port()
        config = os.path.join(self.folder, "etc")
        for name in (config, f"{self.folder}/queue", f"{self.folder}/data", f"{self.folder}/mail"):
            os.makedirs(name, exist_ok=True)
        shutil.chown(f"{self.folder}/data", "postfix", "postfix")
        shutil.chown(f"{self.folder}/mail", "nobody", "nogroup")
        os.chmod(self.folder, 0o755)
        self._write("etc/main.cf", (MAIN_CF + settings).format(folder=self.folder,
                                                               hostname=hostname))
        self._write("etc/master.cf", MASTER_CF.format(port=self.port) + services)
        for name, text in (files or {}).items():
            self._write(name, text.format(folder=self.folder))
        for name in ("postfix-files", "dynamicmaps.cf"):
            if os.path.exists(f"/etc/postfix/{name}"):
                shutil.copy(f"/etc/postfix/{name}", config)
        done = subprocess.run([POSTFIX, "-c", config, "check"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"postfix check: {done.stdout.decode()}")
        self.process = subprocess.Popen([MASTER, "-c", config, "-d"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        wait_for_port(self.port, self.process, f"postfix ({self.log()})")

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as out:
            out.write(text)

    def log(self):
        path = os.path.join(self.folder, "log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_log(self, text, limit_s=LIMIT_S):
        deadline = time.monotonic() + limit_s
        while text not in self.log():
            if time.monotonic() > deadline:
                raise AssertionError(f"postfix did not say {text!r}:\n{self.log()[-4000:]}")
            time.sleep(0.1)

    def delivered(self, user, count=1, limit_s=LIMIT_S):
        """The messages in user's Maildir, when there are count of them."""
        new = os.path.join(self.folder, "mail", user, "new")
        deadline = time.monotonic() + limit_s
        while not os.path.isdir(new) or len(os.listdir(new)) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"nothing for {user}:\n{self.log()[-4000:]}")
            time.sleep(0.05)
        found = []
        for name in sorted(os.listdir(new)):
            with open(os.path.join(new, name), "rb") as file:
                found.append(file.read())
        return found

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def postfix_as_upstream(folder, extra=""):
    """Delivers example.net's carol and dave into Maildirs, refuses everybody else there."""
    uid = pwd.getpwnam("nobody").pw_uid
    settings = f"""
virtual_mailbox_domains = example.net
virtual_mailbox_base = {{folder}}/mail
virtual_mailbox_maps = inline:{{{{ carol@example.net=carol/, dave@example.net=dave/ }}}}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
virtual_minimum_uid = 100
smtpd_reject_unlisted_recipient = yes
""" + extra
    return Postfix(folder, settings)


def postfix_as_client(folder, gate, ca, login, password):
    """Sends everything on to the gate: TLS verified, SASL."""
    settings = """
relayhost = [127.0.0.1]:%d
smtp_tls_security_level = encrypt
smtp_tls_CAfile = %s
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = texthash:{folder}/etc/passwords
smtp_sasl_security_options = noanonymous
smtp_sasl_mechanism_filter = plain, login
""" % (gate.ports["submission"], ca)
    files = {"etc/passwords": f"[127.0.0.1]:{gate.ports['submission']} {login}:{password}\n"}
    return Postfix(folder, settings, hostname="client.example.com", files=files)


class Keeper:
    """aiosmtpd handler: keeps every message as it came."""

    def __init__(self):
        self.messages = []

    async def handle_RCPT(self, server, session, envelope, address, options):
        del server, session, options
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user, says aiosmtpd"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        del server, session
        self.messages.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        return "250 2.0.0 kept"


class Aiosmtpd:
    def __init__(self):
        self.keeper = Keeper()
        self.port = free_port()
        self.controller = Controller(self.keeper, hostname="127.0.0.1", port=self.port,
                                     data_size_limit=60 * 1024 * 1024, decode_data=False)
        self.controller.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def messages(self):
        return self.keeper.messages

    def stop(self):
        self.controller.stop()


