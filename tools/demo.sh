#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# The whole of Gatepost in one go: a certificate, DKIM keys and a user made for the occasion, the
# gate with a Maildir as its upstream, one message submitted over TLS with AUTH, and an independent
# verifier's word on the signatures. With --keep it goes on serving until Ctrl-C.
#
# usage: tools/demo.sh [--keep] [BINARY]
set -eu

keep=no
[ "${1:-}" = --keep ] && { keep=yes; shift; }
gatepost=${1:-build/gatepost}
domain=example.com
login=alice@$domain
password=$(openssl rand -hex 12)
python=/usr/bin/python3
pid=

fail() {
	echo "demo: $*" >&2
	exit 1
}

# shellcheck disable=SC2329 # called by the trap
clean_up() {
	status=$?
	trap - EXIT HUP INT TERM
	if [ -n "$pid" ]; then
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	fi
	rm -rf "$work"
	exit "$status"
}

[ -x "$gatepost" ] || fail "there is no $gatepost: run make first"
work=$(mktemp -d "${TMPDIR:-/tmp}/gatepost-demo.XXXXXX")
trap clean_up EXIT
trap 'exit 130' HUP INT TERM
chmod 755 "$work"

user=$(id -un)
[ "$(id -u)" -ne 0 ] || user=nobody
log=$work/gate.log

free_ports() {
	$python -c 'import socket
s = [socket.socket() for _ in range(2)]
for x in s: x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])'
}

echo "== certificate, keys, user"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
	-addext "subjectAltName=DNS:localhost,IP:127.0.0.1" \
	-keyout "$work/key.pem" -out "$work/cert.pem" 2>"$log" || fail "no certificate: $(tail -n 1 "$log")"
mkdir "$work/keys" "$work/state" "$work/mail"
"$gatepost" keygen --selector demo --out-dir "$work/keys" "$domain" >"$work/rsa.txt" 2>"$log" ||
	fail "no RSA key: $(tail -n 1 "$log")"
"$gatepost" keygen --selector demoe --algorithm ed25519 --out-dir "$work/keys" "$domain" \
	>"$work/ed25519.txt" 2>"$log" || fail "no Ed25519 key: $(tail -n 1 "$log")"
printf '%s\n' "$password" | "$gatepost" passwd --stdin -f "$work/users" "$login" >"$log" 2>&1 ||
	fail "no user: $(tail -n 1 "$log")"

# shellcheck disable=SC2046 # two words are wanted
set -- $(free_ports)
starttls_port=$1
implicit_port=$2
cat >"$work/proxy.conf" <<CONF
hostname  = "localhost";
state_dir = "$work/state";
user      = "$user";
tls: { certificate = "$work/cert.pem"; key = "$work/key.pem"; };
listeners: (
  { listen = "127.0.0.1:$starttls_port"; role = "submission"; tls = "starttls"; },
  { listen = "127.0.0.1:$implicit_port"; role = "submission"; tls = "implicit"; }
);
auth: { backends = ( { type = "passwd"; file = "$work/users"; } ); };
domains: ( { name = "$domain"; dkim = (
  { selector = "demo";  key = "$work/keys/demo.pem"; },
  { selector = "demoe"; key = "$work/keys/demoe.pem"; } ); } );
upstreams: ( { name = "local"; type = "maildir"; maildir = "$work/mail/Maildir"; } );
submission: { upstream = "local"; chain = [ "identity", "fix_headers", "dkim_sign" ]; };
# Nobody publishes the keys of a demo: the DNS is not asked about them.
watch: { enabled = false; };
CONF
if [ "$(id -u)" -eq 0 ]; then
	chown -R "$user" "$work"
fi

"$gatepost" check-config -c "$work/proxy.conf" >"$log" 2>&1 ||
	fail "the configuration is not accepted: $(head -n 1 "$log")"
"$gatepost" run -c "$work/proxy.conf" 2>"$log" &
pid=$!
for _ in $(seq 100); do
	grep -q event=gate.ready "$log" && break
	kill -0 "$pid" 2>/dev/null || fail "the gate did not start: $(tail -n 1 "$log")"
	sleep 0.1
done
grep -q event=gate.ready "$log" || fail "the gate was not ready in time"

send_by="swaks --server 127.0.0.1:$starttls_port --tls --auth PLAIN --auth-user $login"
if [ "$keep" = yes ]; then
	cat <<TEXT
== serving: STARTTLS on 127.0.0.1:$starttls_port, TLS on 127.0.0.1:$implicit_port
   login $login, password $password
   try:  $send_by --auth-password $password \\
              --from $login --to bob@example.net
   mail  $work/mail/Maildir/new
   log   $log
   conf  $work/proxy.conf   (gatepost explain -c ...)
   Ctrl-C stops it.
TEXT
	wait "$pid" || fail "the gate stopped: $(tail -n 1 "$log")"
	pid=
	exit 0
fi

echo "== submitting as a real client does (swaks, STARTTLS, AUTH PLAIN)"
$send_by --auth-password "$password" --tls-verify --tls-ca-path "$work/cert.pem" \
	--from "$login" --to bob@example.net --header "Subject: Hello from the demo" \
	--body "A message through Gatepost." --hide-informational >"$work/swaks.log" 2>&1 ||
	fail "the message was not accepted: $(grep '^<' "$work/swaks.log" | tail -n 1)"
grep '^<.*250 2' "$work/swaks.log" | tail -n 1

set -- "$work"/mail/Maildir/new/*
[ -f "$1" ] || fail "no message arrived in the Maildir"
echo "== delivered"
cat "$1"
echo "== verified by dkimpy"
$python tools/demo_verify.py "$1" "$work/rsa.txt" "$work/ed25519.txt" || fail "a signature does not verify"
grep event=msg.done "$log" || fail "no msg.done line in the log"
kill "$pid"
wait "$pid" || fail "the gate did not stop cleanly: $(tail -n 1 "$log")"
pid=
echo "== pass"
