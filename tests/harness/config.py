# SPDX-License-Identifier: MPL-2.0
"""The gate's configuration as Python values: dict is a group, list of dicts a list of groups,
list of scalars an array. This file is the only one that knows which keys a test's gate needs."""

import re


def _scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}L" if abs(value) > 0x7FFFFFFF else str(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    raise TypeError(f"no libconfig form for {value!r}")


def _text(value, indent):
    pad = "\t" * (indent + 1)
    if isinstance(value, dict):
        inner = "".join(f"{pad}{key} = {_text(item, indent + 1)};\n" for key, item in value.items())
        return "{\n" + inner + "\t" * indent + "}"
    if isinstance(value, list):
        if value and isinstance(value[0], dict):
            inner = ",\n".join(pad + _text(item, indent + 1) for item in value)
            return "(\n" + inner + "\n" + "\t" * indent + ")"
        return "[ " + ", ".join(_scalar(item) for item in value) + " ]"
    return _scalar(value)


def to_text(config):
    return "".join(f"{key} = {_text(value, 0)};\n" for key, value in config.items())


def set_path(config, path, value):
    """set_path(c, "upstreams[0].tls", "required"); a value of None takes the key away."""
    parts = re.findall(r"[^.\[\]]+|\[\d+\]", path)
    at = config
    for part, following in zip(parts, parts[1:]):
        if part.startswith("["):
            at = at[int(part[1:-1])]
        else:
            at = at.setdefault(part, [] if following.startswith("[") else {})
    last = parts[-1]
    if last.startswith("["):
        index = int(last[1:-1])
        if index == len(at):
            at.append(value)
        else:
            at[index] = value
    elif value is None:
        at.pop(last, None)
    else:
        at[last] = value


HOSTNAME = "gate.test"
SUBMISSION_CHAIN = ["access", "recipient_limit", "identity", "hop_limit", "fix_headers",
                    "dkim_sign"]


def default(folder, keys, ports, upstream):
    """A gate with the three usual listeners, users in FOLDER/users, one upstream "mta".

    ports: dict submission, submissions, inbound. upstream: the members of that group besides
    its name. keys: harness.keys.Keys.
    """
    def listener(name, role, tls):
        return {"listen": f"127.0.0.1:{ports[name]}", "role": role, "tls": tls}

    return {
        "hostname": HOSTNAME,
        "state_dir": f"{folder}/state",
        "user": "nobody",
        "group": "nogroup",
        "tls": {"certificate": keys.gate_certificate, "key": keys.gate_key},
        "listeners": [
            listener("submission", "submission", "starttls"),
            listener("submissions", "submission", "implicit"),
            listener("inbound", "inbound", "starttls"),
        ],
        "auth": {"backends": [{"type": "passwd", "file": f"{folder}/users"}]},
        "domains": [{
            "name": "example.com",
            "dkim": [{"selector": "rsa", "key": keys.dkim_rsa},
                     {"selector": "ed", "key": keys.dkim_ed25519}],
        }],
        "upstreams": [dict({"name": "mta"}, **upstream)],
        "submission": {"upstream": "mta", "chain": list(SUBMISSION_CHAIN)},
        "inbound": {"upstream": "mta", "chain": []},
        "watch": {"enabled": False},  # it asks DNS: tests that have a server turn it on
        "log": {"level": "debug"},
        "drain": "5s",
    }


def smtp_upstream(servers):
    return {"type": "smtp", "servers": list(servers), "tls": "none",
            "connect_timeout": "2s", "command_timeout": "2s", "final_timeout": "3s"}


def maildir_upstream(path):
    return {"type": "maildir", "maildir": path}


# login -> (password, patterns)
USERS = {
    "alice@example.com": ("correct horse", ""),
    "bob@example.com": ("battery staple", "bob@example.com,sales@example.com,*@bob.example.com"),
    "relay": ("all of them", "*,<>"),
}
