# SPDX-License-Identifier: MPL-2.0
"""What a tree of processes costs, read from /proc, and children that never outlive their limit."""

import os
import select
import signal
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    pass


def run(arguments, limit_s=30, **kinds):
    """A command to its end; its standard output."""
    try:
        done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=limit_s, check=False, **kinds)
    except subprocess.TimeoutExpired as late:
        raise BenchError(f"{arguments[0]}: not done after {limit_s} s") from late
    except OSError as missing:
        raise BenchError(f"{arguments[0]}: {missing.strerror}") from missing
    if done.returncode != 0:
        text = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise BenchError(f"{os.path.basename(arguments[0])}: exit {done.returncode}: {text}")
    return done.stdout.decode("utf-8", "replace")


def read_line(process, limit_s):
    """The next line of a child that was started with an unbuffered pipe."""
    line = b""
    end = time.monotonic() + limit_s
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(0, end - time.monotonic()))
        octet = os.read(process.stdout.fileno(), 1) if ready else b""
        if not octet:
            raise BenchError(f"{process.args[0]}: no line within {limit_s} s, or its end")
        line += octet
    return line.decode("ascii", "replace").strip()


def stop(process, limit_s=10):
    if process is None or process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(limit_s)


def _stat(pid):
    """Fields of /proc/PID/stat from the third (state) on; None: it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def tree(roots):
    """The roots and all that descends from them: {pid: stat fields}."""
    every = {int(name): _stat(name) for name in os.listdir("/proc") if name.isdigit()}
    found = {pid: every[pid] for pid in roots if every.get(pid)}
    grown = True
    while grown:
        more = {pid: stat for pid, stat in every.items()
                if stat and pid not in found and int(stat[1]) in found}
        found.update(more)
        grown = bool(more)
    return found


def cpu_seconds(roots):
    """User and system time of a tree; of children that ended, through their parents."""
    return sum(int(ticks) for stat in tree(roots).values() for ticks in stat[11:15]) / TICKS


def memory_kb(roots):
    """Memory of a tree: shared pages count by their share (Pss)."""
    total = 0
    for pid in tree(roots):
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except OSError:
            pass
    return total


def serving(pid):
    """The process that serves: gatepost's parent has a child for that; any other one itself."""
    for child in tree([pid]):
        try:
            with open(f"/proc/{child}/cmdline", "rb") as file:
                if file.read().split(b"\0")[1:2] == [b"gate"]:
                    return child
        except OSError:
            pass
    return pid


def peak_rss_kb(pid):
    with open(f"/proc/{serving(pid)}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))


def rss_kb(pid):
    with open(f"/proc/{serving(pid)}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))
