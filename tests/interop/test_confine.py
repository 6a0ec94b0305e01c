# SPDX-License-Identifier: MPL-2.0
"""Least privilege, seen from inside: a plugin (plugins/probe.c) in the real binary tries what a
serving process must not be able to do, with every layer, and without each of them."""

import ctypes
import errno
import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile

import pytest

from harness import config
from harness.client import Client
from harness.gate import Gate, GateError, for_everybody, owner_of_tests

BUILD = os.environ.get("GATEPOST_BUILD", "build")
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start it as root")
LAYERS = ("capabilities", "core_dumps", "no_new_privs", "landlock", "seccomp")


def landlock_version():
    """0: this kernel has none. 444: landlock_create_ruleset, asked for its version."""
    return max(0, ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1))


HAS_LANDLOCK = landlock_version() >= 2
NEEDS_LANDLOCK = pytest.mark.skipif(not HAS_LANDLOCK, reason="the kernel has no Landlock")

# What each deed comes to behind all layers; and behind all but one, where that one is why.
DEEDS = {
    "write_inside": "OK",
    "socket_inet": "OK",
    "write_outside": "EACCES",
    "append_outside": "EACCES",
    "truncate_outside": "EACCES",
    "read_outside": "EACCES",
    "read_shadow": "EACCES",
    "list_root": "EACCES",
    "make_link": "EPERM",
    "fork": "EPERM",
    "kill": "EPERM",
    "tgkill": "EPERM",
    "socket_packet": "EAFNOSUPPORT",
    "socket_netlink": "EAFNOSUPPORT",
    "socket_vsock": "EAFNOSUPPORT",
    "socket_alg": "EAFNOSUPPORT",
    "bind_low": "EACCES",
    "map_both": "EPERM",
    "unshare": "EPERM",
    "setuid": "EPERM",
    "raise_core": "ENOSYS",
    "dumpable": "ENOSYS",
    "io_uring": "EPERM",
}
DEADLY = ("execve", "execveat", "ptrace", "read_memory")
WITHOUT_LANDLOCK = {"write_outside": "OK", "append_outside": "OK", "truncate_outside": "OK",
                    "read_outside": "OK", "read_shadow": "EACCES", "list_root": "OK"}
# Landlock, capabilities and the user's rights hold without seccomp, too.
WITHOUT_SECCOMP = {"execve": "ENOENT", "execveat": "ENOENT", "fork": "OK", "setuid": "EPERM",
                   "write_outside": "EACCES", "make_link": "EACCES", "read_outside": "EACCES",
                   "socket_packet": "EPERM", "socket_netlink": "OK", "map_both": "OK",
                   "bind_low": "EACCES", "dumpable": "OK", "raise_core": "EPERM"}


class Probed:
    """A gate with the probe in its inbound chain, and folders outside of it."""

    def __init__(self, keys, sink, off=(), as_root=True):
        self.gate = Gate(BUILD, keys, config.smtp_upstream([sink.address]))
        self.outside = tempfile.mkdtemp(prefix="gatepost-outside-")
        os.chmod(self.outside, 0o777)
        for name in ("there", "secret"):
            path = os.path.join(self.outside, name)
            with open(path, "w", encoding="ascii") as file:
                file.write("something\n")
            os.chmod(path, 0o666)
        plugin = os.path.join(self.gate.folder, "probe.so")
        subprocess.run(["gcc", "-std=c17", "-shared", "-fPIC", "-D_GNU_SOURCE", "-I.", "-o",
                        plugin, "tests/interop/plugins/probe.c"], check=True)
        os.chmod(plugin, 0o755)
        if not as_root and owner_of_tests():
            self.gate.binary = for_everybody(self.gate.binary)
            self.gate._identity = self.nobody  # pylint: disable=protected-access
        self.victim = subprocess.Popen(["sleep", "600"], **self.nobody())
        self.gate.set("inbound.chain", [f"plugin:{plugin}"])
        self.gate.set("limits.errors", 1000)
        self.gate.set("probe", {"inside": os.path.join(self.gate.folder, "state"),
                                "outside": self.outside, "victim": self.victim.pid,
                                "secret": os.path.join(self.outside, "secret")})
        if off:
            self.gate.set("confine.off", list(off))
        self.client = None

    @staticmethod
    def nobody():
        owner = owner_of_tests()
        return {"user": owner[0], "group": owner[1], "extra_groups": []} if owner else {}

    def __enter__(self):
        self.gate.start()
        return self

    def __exit__(self, kind, *_):
        try:
            if self.client:
                self.client.close()
            if kind is None:
                assert self.victim.poll() is None, "somebody ended the victim"
                if self.gate.is_running():
                    self.gate.stop()
        finally:
            self.gate.kill()
            self.gate.remove()
            self.victim.kill()
            self.victim.wait()
            shutil.rmtree(self.outside)

    def connect(self):
        self.client = Client(self.gate.ports["inbound"])
        self.client.reply()
        self.client.command("EHLO client.test")
        self.client.command("MAIL FROM:<eve@example.net>")

    def probe(self, deed):
        if self.client is None:
            self.connect()
        reply = str(self.client.command(f"RCPT TO:<{deed}@probe.test>"))
        return re.search(rf"probe {deed} (\w+)", reply).group(1)

    def serving(self):
        """The pid of the process that serves, whoever has started it."""
        return int(self.gate.events("gate.ready")[-1].fields["pid"])

    def status(self, key):
        with open(f"/proc/{self.serving()}/status", encoding="ascii") as file:
            return re.search(rf"^{key}:\s*(\w+)$", file.read(), re.M).group(1)

    def confined(self):
        return self.gate.events("gate.confined")[-1].fields


@pytest.fixture(name="probed")
def fixture_probed(gate_keys, sink):
    def start(**options):
        return Probed(gate_keys, sink, **options)
    return start


def check(probed, expected):
    assert {deed: probed.probe(deed) for deed in expected} == expected


def expected_of_all():
    return DEEDS if HAS_LANDLOCK else {**DEEDS, **WITHOUT_LANDLOCK}


@pytest.mark.parametrize("as_root", [pytest.param(True, marks=ROOT_ONLY), False])
def test_what_a_serving_process_cannot_do(probed, as_root):
    with probed(as_root=as_root) as running:
        check(running, expected_of_all())
        assert not os.path.exists(os.path.join(running.outside, "probe"))
        with open(os.path.join(running.outside, "there"), encoding="ascii") as file:
            assert bool(file.read()) == HAS_LANDLOCK


@pytest.mark.parametrize("deed", DEADLY)
def test_what_ends_it(probed, deed):
    with probed() as running:
        running.connect()
        pid, since = running.serving(), len(running.gate.lines)
        running.client.send(f"RCPT TO:<{deed}@probe.test>\r\n".encode("ascii"))
        if pid == running.gate.process.pid:
            assert running.gate.wait_exit() == -signal.SIGSYS
        else:  # a parent says how it ended, and starts another one
            running.gate.wait_for("process.ended", {"pid": str(pid), "how": "signal",
                                                    "number": str(int(signal.SIGSYS))})
            running.gate.wait_for("gate.ready", since=since)


@pytest.mark.parametrize("as_root", [pytest.param(True, marks=ROOT_ONLY), False])
def test_what_the_kernel_says_of_it(probed, as_root):
    with probed(as_root=as_root) as running:
        running.probe("write_inside")  # threads have begun
        assert running.status("NoNewPrivs") == "1"
        assert running.status("Seccomp") == "2"
        sets = ["CapInh", "CapPrm", "CapEff", "CapAmb"] + (["CapBnd"] if as_root else [])
        assert {name: int(running.status(name), 16) for name in sets} == dict.fromkeys(sets, 0)
        task = f"/proc/{running.serving()}/task"
        for thread in os.listdir(task):  # each of them, also those that came later
            with open(f"{task}/{thread}/status", encoding="ascii") as file:
                text = file.read()
            assert "\nSeccomp:\t2\n" in text and "\nCapEff:\t0000000000000000\n" in text
        with open(f"/proc/{running.serving()}/limits", encoding="ascii") as file:
            assert re.search(r"Max core file size +0 +0 ", file.read())
        # What belongs to root there belongs to a process that is not dumpable.
        assert os.stat(f"/proc/{running.serving()}/environ").st_uid == 0
        words = {layer: "on" for layer in LAYERS}
        words["landlock"] = "on" if HAS_LANDLOCK else "absent"
        found = running.confined()
        assert {layer: found[layer] for layer in LAYERS} == words
        assert ("bounding set" in found.get("reason", "")) == (not as_root)


@NEEDS_LANDLOCK
def test_without_landlock(probed):
    with probed(off=["landlock"]) as running:
        check(running, {**DEEDS, **WITHOUT_LANDLOCK})
        assert running.confined()["landlock"] == "off"


def test_without_seccomp(probed):
    with probed(off=["seccomp"]) as running:
        expected = dict(WITHOUT_SECCOMP)
        if not HAS_LANDLOCK:
            expected.update(write_outside="OK", make_link="OK", read_outside="OK")
        check(running, expected)
        assert running.status("Seccomp") == "0"


@NEEDS_LANDLOCK
def test_landlock_keeps_signals_in_without_seccomp(probed):
    if landlock_version() < 6:
        pytest.skip("this Landlock knows nothing of signals")
    with probed(off=["seccomp"]) as running:
        check(running, {"kill": "EPERM", "tgkill": "EPERM", "ptrace": "EPERM"})


@ROOT_ONLY
def test_without_capabilities(probed):
    with probed(off=["capabilities"]) as running:
        assert int(running.status("CapBnd"), 16) != 0
        assert running.confined()["capabilities"] == "off"


def test_without_no_new_privs(probed):
    with probed(off=["no_new_privs", "landlock", "seccomp"]) as running:
        assert running.status("NoNewPrivs") == "0"


def test_with_core_dumps(probed):
    with probed(off=["core_dumps"]) as running:
        process = f"/proc/{running.serving()}"
        with open(f"{process}/status", encoding="ascii") as file:
            user = int(re.search(r"^Uid:\s*(\d+)", file.read(), re.M).group(1))
        assert os.stat(f"{process}/environ").st_uid == user
        assert running.confined()["core_dumps"] == "off"


class NoLandlock:  # pylint: disable=too-few-public-methods
    """For a process to be: landlock_create_ruleset is not there, as on an older kernel."""

    def __init__(self):
        # load the call's number; is it 444? then ENOSYS; everything else is allowed
        rules = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x00050000 | errno.ENOSYS),
                 (0x06, 0, 0, 0x7FFF0000)]
        text = b"".join(struct.pack("HBBI", *rule) for rule in rules)
        self.filter = ctypes.create_string_buffer(text, len(text))
        self.program = struct.pack("HxxxxxxP", len(rules), ctypes.addressof(self.filter))
        self.libc = ctypes.CDLL(None, use_errno=True)

    def __call__(self):
        if self.libc.prctl(22, 2, self.program, 0, 0) != 0:  # PR_SET_SECCOMP, by a filter
            os._exit(120)  # pylint: disable=protected-access


@ROOT_ONLY
def test_a_kernel_without_landlock_is_no_error(probed):
    running = probed()
    running.gate._identity = lambda: {  # pylint: disable=protected-access
        "preexec_fn": NoLandlock()}
    with running:
        found = running.confined()
        assert found["landlock"] == "absent" and found["seccomp"] == "on"
        assert "landlock: the kernel says: Function not implemented" in found["reason"]
        check(running, {"write_inside": "OK", "write_outside": "OK", "kill": "EPERM"})
        move(running, os.path.join(running.outside, "users"))
        reload(running, "gate.reloaded")  # nothing keeps it within its folders


# ---- a reload ----

def move(running, path):
    """The users file, at another place."""
    shutil.move(os.path.join(running.gate.folder, "users"), path)
    running.gate.config["auth"]["backends"][0]["file"] = path


def reload(running, event):
    since = len(running.gate.lines)
    running.gate.write_config()
    running.gate.signal(signal.SIGHUP)
    return running.gate.wait_for(event, since=since)


@NEEDS_LANDLOCK
def test_a_reload_that_names_another_folder_says_restart(probed):
    with probed() as running:
        path = os.path.join(running.outside, "users")
        move(running, path)
        text = reload(running, "gate.reload_failed").fields["text"]
        assert re.search(rf"file: {path}: this process was not started for reading the folder "
                         rf"{running.outside}: restart it", text)
        running.gate.stop()
        running.gate.start()  # and then it is as good as any


@NEEDS_LANDLOCK
def test_a_reload_that_includes_another_folder_says_restart(probed):
    with probed() as running:
        running.gate.write_config(f'@include "{running.outside}/secret"\n')
        running.gate.signal(signal.SIGHUP)
        running.gate.wait_for("gate.reload_failed", {"text": "*Permission denied*"})
        running.gate.wait_for("gate.reload_failed", {"text": "*must be restarted*"})


def test_a_reload_within_the_folders_is_as_before(probed):
    with probed() as running:
        folder = os.path.join(running.gate.folder, "more")
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        move(running, os.path.join(folder, "users"))
        reload(running, "gate.reloaded")


def test_without_landlock_a_reload_may_name_any_folder(probed):
    with probed(off=["landlock"]) as running:
        move(running, os.path.join(running.outside, "users"))
        reload(running, "gate.reloaded")


def test_a_reload_says_that_layers_change_at_a_restart_only(probed):
    with probed() as running:
        running.gate.set("confine.off", ["landlock"])
        reload(running, "gate.reloaded")
        assert running.gate.matching("config.warning", {"text": "*takes effect at a restart*"})


@ROOT_ONLY
def test_a_reload_cannot_bind_a_new_port_under_1024(probed):
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
        if int(file.read()) < 2:
            pytest.skip("here everybody may")
    with probed() as running:
        running.gate.config["listeners"][2]["listen"] = "127.0.0.1:1"
        text = reload(running, "gate.reload_failed").fields["text"]
        assert "at the start, not at a reload" in text


# ---- what serves behind it ----

def test_a_maildir_that_is_not_there_yet(gate_keys, sink):
    running = Probed(gate_keys, sink)
    folder = os.path.join(running.outside, "Maildir")
    running.gate.config["upstreams"][0] = {"name": "mta", "type": "maildir", "maildir": folder}
    with running:
        running.client = Client(running.gate.ports["inbound"])
        running.client.reply()
        for line, code in (("EHLO client.test", "250"), ("MAIL FROM:<eve@example.net>", "250"),
                           ("RCPT TO:<bob@example.net>", "250"), ("DATA", "354")):
            running.client.expect(line, code)
        running.client.expect("From: eve@example.net\r\n\r\nhi\r\n.", "250")
        assert len(os.listdir(os.path.join(folder, "new"))) == 1


def test_a_plugin_with_a_thread_of_its_own_is_refused(gate_keys, sink, tmp_path):
    with open("tests/interop/plugins/probe.c", encoding="ascii") as file:
        text = file.read()
    source = tmp_path / "threaded.c"
    source.write_text(text + """
#include <pthread.h>
static void *wait_for_ever(void *unused) { (void)unused; for (;;) pause(); }
__attribute__((constructor)) static void begin(void)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, wait_for_ever, NULL) != 0)
		abort();
}
""", encoding="ascii")
    running = Probed(gate_keys, sink)
    plugin = os.path.join(running.gate.folder, "probe.so")
    subprocess.run(["gcc", "-std=c17", "-shared", "-fPIC", "-pthread", "-D_GNU_SOURCE", "-I.", "-o",
                    plugin, source], check=True)
    with pytest.raises(GateError, match="2 threads run already"), running:
        pass
