# SPDX-License-Identifier: MPL-2.0
"""The gate under test: a folder with its configuration and users, and its process."""

import atexit
import collections
import copy
import crypt
import fnmatch
import functools
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import urllib.request
import time

from . import config as cfg
from .net import free_ports

START_LIMIT_S = 30
STOP_LIMIT_S = 30
SANITIZER = re.compile(r"(ERROR|WARNING): (Address|Thread|Leak|Memory)Sanitizer|runtime error: |"
                       r"LeakSanitizer has encountered|gatepost: BUG|: BUG: ")


class GateError(Exception):
    pass


def hash_password(password):
    """A cheap hash of a strong kind: what it costs is not what these tests are about."""
    return crypt.crypt(password, "$6$rounds=1000$" + os.urandom(6).hex())


def users_text(users):
    return "".join(f"{login}:{hash_password(password)}:{patterns}\n"
                   for login, (password, patterns) in users.items())


def owner_of_tests():
    """Whose files the gate must be able to read: as root it becomes nobody."""
    return ("nobody", "nogroup") if os.geteuid() == 0 else None


def is_sanitized(build):
    return os.path.basename(build.rstrip("/")) in ("build-asan", "build-tsan")


Event = collections.namedtuple("Event", "name fields line")


def parse_line(line):
    """A key=value log line as Event; None for anything else."""
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    fields = {}
    for word in words:
        key, equals, value = word.partition("=")
        if equals:
            fields[key] = value
    name = fields.get("event")
    return Event(name, fields, line) if name else None


@functools.lru_cache(None)
def for_everybody(binary):
    """binary, or a copy of it where its folder is closed to others: a clone in /root."""
    folder = os.path.dirname(binary)
    while os.stat(folder).st_mode & 0o001 and folder != "/":
        folder = os.path.dirname(folder)
    if os.stat(folder).st_mode & 0o001:
        return binary
    copies = tempfile.mkdtemp(prefix="gatepost-binary-")
    os.chmod(copies, 0o755)
    atexit.register(shutil.rmtree, copies, ignore_errors=True)
    return shutil.copy(binary, copies)


class Gate:
    """Used as a context manager, or by start() and stop().

    config: from harness.config.default(); users: {login: (password, patterns)}.
    The folder is made here and removed by stop() unless the test failed.
    """

    def __init__(self, build, keys, upstream, users=None, folder=None):
        self.binary = os.path.abspath(os.path.join(build, "gatepost"))
        self.is_sanitized = is_sanitized(build)
        self.keys = keys
        self.owner = owner_of_tests()
        if self.is_sanitized and self.owner:
            self.binary = for_everybody(self.binary)  # see _identity
        self.folder = folder or tempfile.mkdtemp(prefix="gatepost-test-")
        os.chmod(self.folder, 0o755)
        names = ("submission", "submissions", "inbound")
        self.ports = dict(zip(names + ("metrics",), free_ports(len(names) + 1)))
        self.config = cfg.default(self.folder, keys, self.ports, upstream)
        self.users = copy.deepcopy(cfg.USERS if users is None else users)
        self.environment = {}
        self.options = []  # of "gatepost run"
        self.before = []  # a command that starts it
        self.process = None
        self.lines = []
        self._news = threading.Condition()
        self._reader = None
        self._marks = 0

    # ---- files ----

    @property
    def config_file(self):
        return os.path.join(self.folder, "proxy.conf")

    def write_file(self, name, data, mode=0o600):
        path = os.path.join(self.folder, name)
        temporary = path + ".new"
        with open(temporary, "wb") as out:
            out.write(data if isinstance(data, bytes) else data.encode("utf-8"))
        os.chmod(temporary, mode)
        if self.owner:
            shutil.chown(temporary, *self.owner)
        os.rename(temporary, path)
        return path

    def write_config(self, text=None):
        self.write_file("proxy.conf", text if text is not None else cfg.to_text(self.config))

    def write_users(self):
        self.write_file("users", users_text(self.users))

    def set(self, path, value):
        cfg.set_path(self.config, path, value)

    def trace_files(self):
        """Paths, the newest first."""
        folder = os.path.join(self.folder, "state", "trace")
        if not os.path.isdir(folder):
            return []
        number = re.compile(r"trace(?:\.(\d+))?\.jsonl")
        return [os.path.join(folder, name) for name in
                sorted(os.listdir(folder),
                       key=lambda name: int(number.fullmatch(name).group(1) or 0))]

    def trace(self):
        """Records of the trace, the oldest first. Python's json judges each line."""
        records = []
        for path in reversed(self.trace_files()):
            with open(path, "rb") as file:
                text = file.read().decode("ascii")
            # What stands behind the last line end is being written.
            records += [json.loads(line) for line in text.split("\n")[:-1]]
        return records

    def command(self, *arguments):
        """(exit status, stdout, stderr) of a sub-command, run by who runs the tests."""
        done = subprocess.run([self.binary, arguments[0], "-c", self.config_file, *arguments[1:]],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              timeout=30, env=self._environment())
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    # ---- process ----

    def _environment(self):
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8",
               "ASAN_OPTIONS": "exitcode=99:abort_on_error=0:detect_stack_use_after_return=1",
               "UBSAN_OPTIONS": "print_stacktrace=1",
               "TSAN_OPTIONS": "exitcode=98:second_deadlock_stack=1"}
        for name in ("LSAN_OPTIONS", "GCOV_PREFIX", "GCOV_PREFIX_STRIP"):
            if name in os.environ:
                env[name] = os.environ[name]
        env.update(self.environment)
        return env

    def _identity(self):
        """A sanitizer cannot look into a process that gave up its rights: start it without."""
        if self.is_sanitized and self.owner:
            return {"user": self.owner[0], "group": self.owner[1], "extra_groups": []}
        return {}

    def start(self, wait=True):
        os.makedirs(os.path.join(self.folder, "state"), exist_ok=True)
        if self.owner:
            shutil.chown(self.folder, *self.owner)
            shutil.chown(os.path.join(self.folder, "state"), *self.owner)
        self.write_users()
        self.write_config()
        already = len(self.lines)  # of an earlier life
        self.process = subprocess.Popen(
            [*self.before, self.binary, "run", "-c", self.config_file, *self.options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=self._environment(), cwd=self.folder, **self._identity())
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if wait:
            self.wait_for("gate.ready", limit_s=START_LIMIT_S, since=already)
        return self

    def _read(self):
        for raw in self.process.stdout:
            with self._news:
                self.lines.append(raw.decode("utf-8", "replace").rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        os.kill(self.process.pid, number)

    def processes(self, name):
        """Pids of the parent's children of that name: gate, keeper."""
        found = []
        try:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                      encoding="ascii") as file:
                children = file.read().split()
        except FileNotFoundError:
            return []
        for pid in children:
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if words[1:2] == [name.encode()]:
                found.append(int(pid))
        return found

    @property
    def serving_pid(self):
        """The process that serves: the parent's child, or the only one."""
        return (self.processes("gate") or [self.process.pid])[0]

    def wait_for_process(self, name, other_than=(), limit_s=10):
        """The pid of a child of that name that is none of other_than."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            for pid in self.processes(name):
                if pid not in other_than:
                    return pid
            time.sleep(0.02)
        raise GateError(f"no {name} within {limit_s} s\n{self.tail()}")

    def kill(self):
        if self.is_running():
            children = self.processes("gate")
            self.process.kill()
            for pid in children:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        if self.process is not None:
            self.process.wait()
            self._reader.join(5)

    def wait_exit(self, limit_s=STOP_LIMIT_S):
        try:
            code = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise GateError(f"the gate did not exit within {limit_s} s\n{self.tail()}") from None
        self._reader.join(5)
        return code

    def stop(self, expect_code=0):
        """SIGTERM, a clean exit, nothing said by a sanitizer; the folder goes too."""
        if self.process is None:
            return
        if self.is_running():
            self.signal(signal.SIGTERM)
        code = self.wait_exit()
        self.check_sanitizers()
        if code != expect_code:
            raise GateError(f"the gate exited with {code}, not {expect_code}\n{self.tail()}")

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def check_sanitizers(self):
        for line in list(self.lines):
            if SANITIZER.search(line):
                raise GateError("a sanitizer spoke:\n" + self.tail(120))

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.stop()
        else:
            self.kill()
        self.remove()

    # ---- metrics ----

    def metrics(self):
        """{"name{label=\\"value\\"}": number} of all series, as /metrics has them."""
        url = f"http://127.0.0.1:{self.ports['metrics']}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode("utf-8")
        return {name: float(value) for name, _, value in
                (line.rpartition(" ") for line in text.splitlines() if line[0] != "#")}

    # ---- log ----

    def tail(self, count=40):
        return "\n".join(self.lines[-count:])

    def events(self, name=None):
        found = [event for event in map(parse_line, list(self.lines)) if event]
        return [event for event in found if name is None or event.name == name]

    def matching(self, name, wanted, since=0):
        """Events of that name whose fields match the globs of wanted."""
        return [event for event in map(parse_line, self.lines[since:])
                if event and event.name == name and
                all(fnmatch.fnmatchcase(event.fields.get(key, ""), glob)
                    for key, glob in wanted.items())]

    def wait_for(self, name, wanted=None, limit_s=10, since=0):
        deadline = time.monotonic() + limit_s
        with self._news:
            while True:
                found = self.matching(name, wanted or {}, since)
                if found:
                    return found[0]
                left = deadline - time.monotonic()
                ended = not self.is_running() and not self._reader.is_alive()
                if left <= 0 or ended:
                    break
                self._news.wait(min(left, 0.2))
        state = "ended" if ended else f"said no such line within {limit_s} s"
        raise GateError(f"log {name} {wanted or ''}: the gate {state}\n{self.tail()}")
