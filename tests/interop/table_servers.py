# SPDX-License-Identifier: MPL-2.0
"""Servers for tables: a real slapd, a real redis-server, and one that misbehaves as it is told."""

import os
import shutil
import signal
import socket
import subprocess
import threading

from harness.net import free_ports
from peers import wait_for_port

LIMIT_S = 30
SLAPD = shutil.which("slapd", path="/usr/sbin:/usr/bin") or "slapd"
SLAPADD = shutil.which("slapadd", path="/usr/sbin:/usr/bin") or "slapadd"
BIND_DN, PASSWORD = "cn=gatepost,dc=example,dc=com", "the table's word"

SLAPD_CONF = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
threads 4
TLSCACertificateFile {keys.ca}
TLSCertificateFile {keys.gate_certificate}
TLSCertificateKeyFile {keys.gate_key}
database mdb
suffix "dc=example,dc=com"
rootdn "cn=root,dc=example,dc=com"
directory {folder}/data
index mail eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{bind_dn}" read by * none
"""

LDIF = """\
dn: dc=example,dc=com
objectClass: domain
dc: example

dn: {bind_dn}
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: gatepost
userPassword: {password}

dn: uid=alice,dc=example,dc=com
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: A
mail: alice@example.com
description: bob@example.com
description: *@list.example.com

dn: uid=odd,dc=example,dc=com
objectClass: inetOrgPerson
uid: odd
cn: Odd
sn: O
mail: o*d(x)\\y@example.com
description: odd

dn: uid=bare,dc=example,dc=com
objectClass: inetOrgPerson
uid: bare
cn: Bare
sn: B
mail: bare@example.com

dn: uid=lines,dc=example,dc=com
objectClass: inetOrgPerson
uid: lines
cn: Lines
sn: L
mail: lines@example.com
description:: dHdvCmxpbmVz
"""


class Process:
    """A server that can be ended, begun again, and stopped in its tracks."""

    def __init__(self):
        self.process = None

    def command(self):
        raise NotImplementedError

    def start(self):
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port, self.process, self.command()[0])
        return self

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.resume()
            self.process.terminate()
            self.process.wait(LIMIT_S)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)


class Slapd(Process):
    def __init__(self, folder, keys):
        super().__init__()
        self.folder, self.keys = str(folder), keys
        self.port, self.tls_port = free_ports(2)
        self.socket = os.path.join(self.folder, "ldapi")
        os.makedirs(os.path.join(self.folder, "data"))
        self.conf = os.path.join(self.folder, "slapd.conf")
        with open(self.conf, "w", encoding="ascii") as out:
            out.write(SLAPD_CONF.format(folder=self.folder, keys=keys, bind_dn=BIND_DN))
        ldif = LDIF.format(bind_dn=BIND_DN, password=PASSWORD)
        subprocess.run([SLAPADD, "-f", self.conf], input=ldif.encode(), check=True,
                       stdout=subprocess.DEVNULL)

    def command(self):
        urls = f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.tls_port} " \
            f"ldaps://127.0.0.2:{self.tls_port} " \
            f"ldapi://{self.socket.replace('/', '%2F')}"
        return [SLAPD, "-f", self.conf, "-h", urls, "-d", "0"]

    def settings(self, password_file, **more):
        """Of a table; what is None is left out."""
        table = dict({"name": "t", "type": "ldap", "uri": f"ldap://127.0.0.1:{self.port}",
                      "base": "dc=example,dc=com", "filter": "(mail=%s)",
                      "attribute": "description", "bind_dn": BIND_DN,
                      "password_file": password_file, "timeout": "5s"}, **more)
        return {key: value for key, value in table.items() if value is not None}


class Redis(Process):
    def __init__(self, folder, keys):
        super().__init__()
        self.folder, self.keys = str(folder), keys
        self.port, self.tls_port = free_ports(2)
        self.socket = os.path.join(self.folder, "redis.sock")

    def command(self):
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--dir", self.folder, "--requirepass", PASSWORD,
                "--unixsocket", self.socket, "--unixsocketperm", "777",
                "--tls-port", str(self.tls_port), "--tls-cert-file", self.keys.gate_certificate,
                "--tls-key-file", self.keys.gate_key, "--tls-ca-cert-file", self.keys.ca,
                "--tls-auth-clients", "no", "--daemonize", "no"]

    def start(self):
        super().start()
        self.tell("ACL", "SETUSER", "gate", "on", f">{PASSWORD}2", "~gatepost:*", "+get",
                  "+select")
        return self

    def tell(self, *words):
        """A command; anything but an error is fine."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT_S) as sock:
            for command in (("AUTH", PASSWORD), words):
                parts = [word if isinstance(word, bytes) else word.encode() for word in command]
                sock.sendall(b"*%d\r\n" % len(parts) +
                             b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
                heard = sock.recv(65536)
                assert not heard.startswith(b"-"), heard

    def settings(self, password_file, **more):
        table = dict({"name": "t", "type": "redis", "server": f"127.0.0.1:{self.port}",
                      "key": "gatepost:%s", "password_file": password_file,
                      "timeout": "5s"}, **more)
        return {key: value for key, value in table.items() if value is not None}


class Rogue:
    """Takes connections and says what it is told, octet by octet if need be, then is silent.

    says: octets, or a function of a connected socket.
    """

    def __init__(self, says=b""):
        self.says = says
        self.connections = 0
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.held = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.sock.accept()
            except OSError:
                return
            self.connections += 1
            self.held.append(client)
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client):
        try:
            if callable(self.says):
                self.says(client)
            else:
                client.recv(65536)
                client.sendall(self.says)
        except OSError:
            pass

    def stop(self):
        for sock in (self.sock, *self.held):
            try:
                sock.shutdown(socket.SHUT_RDWR)  # close alone wakes no thread that waits
            except OSError:
                pass
            sock.close()
