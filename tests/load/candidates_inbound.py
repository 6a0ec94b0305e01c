# SPDX-License-Identifier: MPL-2.0
"""Who is measured with mail from other servers: Gatepost with and without its chain, and Postfix
with OpenDKIM and OpenDMARC. All ask one DNS server, an unbound of this run's own that answers
from memory; OpenDKIM, OpenDMARC and policyd-spf ask whom /etc/resolv.conf names, so what belongs
to Postfix runs where this run's own file is mounted in its place."""

import os
import shutil
import time

import dns.exception
import dns.message
import dns.query

from candidates import MASTER_CF, Candidate, PostfixBased, free_port, wait_for_port, write
from processes import BenchError, stop

DNS_ADDRESS = "127.0.53.53"  # port 53, as resolv.conf can name no other

UNBOUND_CONF = """
server:
    interface: {address}@53
    access-control: 127.0.0.0/8 allow
    username: "unbound"
    chroot: ""
    directory: "{folder}"
    pidfile: ""
    do-daemonize: no
    use-syslog: no
    num-threads: 1
    module-config: "iterator"
    local-zone: "." static
    local-data: ". 3600 IN SOA ns.example. admin.example. 1 3600 600 86400 3600"
{records}
remote-control:
    control-enable: no
"""

GATEPOST = """
hostname  = "gate.example.com";
state_dir = "{folder}/state";
user      = "nobody";
group     = "nogroup";
tls: {{ certificate = "{certificate}"; key = "{key}"; }};
listeners: ( {{ listen = "127.0.0.1:{port}"; role = "inbound"; tls = "none"; insecure = true; }} );
upstreams: ( {{ name = "sink"; servers = [ "127.0.0.1:{sink}" ]; tls = "none"; }} );
inbound: {{ upstream = "sink"; chain = [ {chain} ]; }};
dns: {{ servers = [ "{dns}:53" ]; }};
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
mydomain = example.com
mynetworks = 192.0.2.1/32
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
relay_domains = example.net
relay_recipient_maps =
relayhost = [127.0.0.1]:{sink}
smtp_tls_security_level = none
smtp_dns_support_level = disabled
smtpd_client_connection_count_limit = 0
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = {restrictions}
smtpd_milters = {milters}
milter_default_action = tempfail
"""

POLICYD_SPF_SERVICE = """
policyd-spf unix - n n - 0 spawn user=policyd-spf argv=/usr/bin/policyd-spf {folder}/policyd-spf.conf
"""

POLICYD_SPF_CONF = """
debugLevel = 1
TestOnly = 1
HELO_reject = False
Mail_From_reject = False
PermError_reject = False
TempError_Defer = False
skip_addresses = 192.0.2.1/32
Header_Type = AR
Authserv_Id = gate.example.com
"""

OPENDKIM_CONF = """
UserID opendkim
Socket inet:{opendkim}@127.0.0.1
Mode v
AuthservID gate.example.com
AlwaysAddARHeader yes
InternalHosts 192.0.2.1
Nameservers {dns}
Syslog no
Background no
AutoRestart no
"""

OPENDMARC_CONF = """
UserID opendmarc
Socket inet:{opendmarc}@127.0.0.1
AuthservID gate.example.com
TrustedAuthservIDs gate.example.com
IgnoreHosts {folder}/ignored
PublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat
RejectFailures true
SPFSelfValidate {own_spf}
SPFIgnoreResults {own_spf}
Syslog no
Background no
AutoRestart no
"""


class Dns:
    """The DNS server of all. Its time is nobody's: they would ask one on the same machine."""

    def __init__(self, folder, records):
        os.makedirs(folder)
        lines = "\n".join(f"    local-data: '{record}'" for record in records)
        write(f"{folder}/unbound.conf",
              UNBOUND_CONF.format(folder=folder, address=DNS_ADDRESS, records=lines))
        self.process = Candidate.start(["/usr/sbin/unbound", "-d", "-c", f"{folder}/unbound.conf"],
                                       f"{folder}/unbound.log")
        write(f"{folder}/resolv.conf", f"nameserver {DNS_ADDRESS}\n")
        self._wait(f"{folder}/unbound.log")

    def _wait(self, log):
        query = dns.message.make_query("load.example.", "TXT")
        for _ in range(100):
            if self.process.poll() is not None:
                break
            try:
                if dns.query.udp(query, DNS_ADDRESS, timeout=0.1).answer:
                    return
            except (OSError, dns.exception.DNSException):
                time.sleep(0.05)
        self.stop()
        raise BenchError(f"unbound does not answer (see {log})")

    def stop(self):
        stop(self.process)


class InboundGate(Candidate):
    name = "Gatepost"
    chain = ("spf", "dkim_verify", "arc", "dmarc", "auth_results")
    wanted = ("Authentication-Results:", "spf=pass", "dkim=pass", "dmarc=pass")

    def __init__(self, build, folder, keys):
        super().__init__(build, folder, keys)
        self.client = ("--corpus", keys["corpus"])
        os.mkdir(f"{folder}/state", 0o700)
        if os.geteuid() == 0:
            shutil.chown(f"{folder}/state", "nobody", "nogroup")
        chain = ", ".join(f'"{link}"' for link in self.chain)
        write(f"{folder}/proxy.conf", self.fill(GATEPOST, dns=DNS_ADDRESS, chain=chain))
        gate = self.spawn([f"{build}/gatepost", "run", "-c", f"{folder}/proxy.conf"], "gate.log")
        wait_for_port(self.port, gate, f"gatepost (see {folder}/gate.log)")


class BareGate(InboundGate):
    name = "Gatepost, empty chain"
    chain = ()
    wanted = ("DKIM-Signature:",)


class BarePostfix(PostfixBased):
    name = "Postfix, no checks"
    wanted = ("DKIM-Signature:",)
    restrictions = ""
    milters = ()

    def __init__(self, build, folder, keys):
        super().__init__(build, folder, keys)
        self.client = ("--corpus", keys["corpus"])
        self.prefix = ["unshare", "--mount", "sh", "-c",
                       'mount --bind "$0" /etc/resolv.conf && exec "$@"', keys["resolv_conf"]]
        ports = {name: free_port() for name in self.milters}
        write(f"{folder}/ignored", "192.0.2.1\n")
        for name in self.milters:
            self._start_milter(name, ports)
        milters = " ".join(f"inet:127.0.0.1:{port}" for port in ports.values())
        write(f"{folder}/policyd-spf.conf", POLICYD_SPF_CONF)
        self.start_postfix(
            self.fill(MAIN_CF, milters=milters, restrictions=self.restrictions),
            self.fill(MASTER_CF + (POLICYD_SPF_SERVICE if self.restrictions else "")), self.prefix)

    def _start_milter(self, name, ports):
        template = {"opendkim": OPENDKIM_CONF, "opendmarc": OPENDMARC_CONF}[name]
        write(f"{self.folder}/{name}.conf",
              self.fill(template, dns=DNS_ADDRESS, own_spf="false" if self.restrictions else "true",
                        **ports))
        option = {"opendkim": "-x", "opendmarc": "-c"}[name]
        process = self.spawn([*self.prefix, f"/usr/sbin/{name}", "-f", option,
                              f"{self.folder}/{name}.conf"], f"{name}.log")
        wait_for_port(ports[name], process, f"{name} (see {self.folder}/{name}.log)")


class PostfixMilters(BarePostfix):
    """OpenDMARC judges SPF itself, with libspf2: all of it is C."""
    name = "Postfix + OpenDKIM + OpenDMARC"
    wanted = ("Authentication-Results:", "spf=pass", "dkim=pass", "dmarc=pass")
    milters = ("opendkim", "opendmarc")


class PostfixPolicyd(PostfixMilters):
    """What most instructions describe."""
    name = "the same + policyd-spf"
    restrictions = "check_policy_service unix:private/policyd-spf"
