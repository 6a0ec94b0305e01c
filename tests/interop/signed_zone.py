# SPDX-License-Identifier: MPL-2.0
"""A zone signed by ldns and served by NSD, on a port of its own."""

import os
import socket
import subprocess
import time

from harness.net import free_ports

LIMIT_S = 30
ZONE = "mail.test"

CONFIG = """\
server:
  ip-address: 127.0.0.1@{port}
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/nsd.pid"
  logfile: "{folder}/nsd.log"
  xfrdfile: "{folder}/xfrd"
  xfrdir: "{folder}"
  zonelistfile: "{folder}/zones.list"
  server-count: 1
  hide-version: yes
remote-control:
  control-enable: no
zone:
  name: "{zone}"
  zonefile: "{file}"
"""

HEAD = """\
$ORIGIN {zone}.
$TTL 60
@ IN SOA ns.{zone}. admin.{zone}. 1 3600 600 86400 60
@ IN NS ns.{zone}.
ns IN A 127.0.0.1
"""


class SignedZone:
    """records: lines of a zone file. break_signatures: they are there, and do not fit."""

    def __init__(self, folder, records, signed=True, break_signatures=False):
        self.folder = str(folder)
        (self.port,) = free_ports(1)
        self.anchor = os.path.join(self.folder, "anchor")
        zone = os.path.join(self.folder, "zone")
        with open(zone, "w", encoding="ascii") as out:
            out.write(HEAD.format(zone=ZONE) + records + "\n")
        key = self._run("ldns-keygen", "-k", "-a", "ECDSAP256SHA256", ZONE).strip()
        os.rename(os.path.join(self.folder, key + ".ds"), self.anchor)
        if signed:
            self._run("ldns-signzone", "-n", zone, key)
            zone += ".signed"
        if break_signatures:
            self._alter(zone)
        config = os.path.join(self.folder, "nsd.conf")
        with open(config, "w", encoding="ascii") as out:
            out.write(CONFIG.format(port=self.port, folder=self.folder, zone=ZONE, file=zone))
        self.process = subprocess.Popen(["/usr/sbin/nsd", "-d", "-c", config])
        self._wait()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def settings(self):
        return {"dns.servers": [self.address], "dns.trust_anchor": self.anchor}

    def _run(self, *words):
        done = subprocess.run(words, cwd=self.folder, stdout=subprocess.PIPE, text=True, timeout=LIMIT_S,
                              check=True)
        return done.stdout

    @staticmethod
    def _alter(zone):
        """One digit of what every TLSA record says, behind its signature's back."""
        with open(zone, encoding="ascii") as file:
            lines = file.readlines()
        with open(zone, "w", encoding="ascii") as out:
            for line in lines:
                words = line.split()
                if "TLSA" in words and "RRSIG" not in words and "NSEC3" not in words:
                    last = words[-1]
                    line = line.replace(last, last[:-1] + ("0" if last[-1] != "0" else "1"))
                out.write(line)

    def _wait(self):
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        with open(os.path.join(self.folder, "nsd.log"), encoding="utf-8") as log:
            raise RuntimeError("NSD does not serve: " + log.read())

    def stop(self):
        self.process.terminate()
        self.process.wait(LIMIT_S)
