#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Run every libFuzzer target of a build for some seconds; 0 seconds: over the seeds only.

Seeds are tests/fuzz/corpus/NAME, which is only read; what is found on the way is kept in
BUILD/corpus/NAME, so that the next run starts where this one ended. A dictionary may lie at
tests/fuzz/NAME.dict. A finding is left as BUILD/findings/NAME-*.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys


def run_one(path, build, seconds):
    name = os.path.basename(path)[len("fuzz_"):]
    own = os.path.join(build, "corpus", name)
    findings = os.path.join(build, "findings")
    os.makedirs(own, exist_ok=True)
    os.makedirs(findings, exist_ok=True)
    command = [path, f"-artifact_prefix={findings}/{name}-", "-print_final_stats=1", "-timeout=20",
               "-rss_limit_mb=2048", "-max_len=65536", "-close_fd_mask=1"]
    command.append(f"-max_total_time={seconds}" if seconds else "-runs=0")
    dictionary = f"tests/fuzz/{name}.dict"
    if os.path.exists(dictionary):
        command.append(f"-dict={dictionary}")
    command.append(own)
    seeds = f"tests/fuzz/corpus/{name}"
    if os.path.isdir(seeds):
        command.append(seeds)
    try:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, timeout=seconds + 120, check=False)
        output, code = done.stderr.decode("utf-8", "replace"), done.returncode
    except subprocess.TimeoutExpired as over:
        output = (over.stderr or b"").decode("utf-8", "replace") + "\nit did not stop in time\n"
        code = -1
    runs = re.search(r"stat::number_of_executed_units:\s+(\d+)", output)
    return name, code, int(runs.group(1)) if runs else 0, output


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    paths = sorted(p for p in glob.glob(os.path.join(args.build, "tests/fuzz/fuzz_*"))
                   if os.access(p, os.X_OK) and os.path.exists(f"tests/fuzz/{os.path.basename(p)}.c"))
    if args.names:
        paths = [p for p in paths if os.path.basename(p)[len("fuzz_"):] in args.names]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = [pool.submit(run_one, path, args.build, args.seconds) for path in paths]
        for job in jobs:
            name, code, runs, output = job.result()
            if code == 0:
                passed += 1
                print(f"  ok       fuzz {name}: {runs} runs", flush=True)
            else:
                failed += 1
                print("\n".join(output.splitlines()[-60:]))
                print(f"  FAIL     fuzz {name}: exit {code}", flush=True)
    os.makedirs(os.path.join(args.build, "results"), exist_ok=True)
    with open(os.path.join(args.build, "results", "fuzz.txt"), "w", encoding="ascii") as out:
        out.write(f"{passed} {failed}\n")
    print(f"fuzz: {passed} passed, {failed} failed")
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
