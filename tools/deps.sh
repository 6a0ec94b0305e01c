#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Install the Debian packages of the named groups: build, demo, test, lint, cover, bench.
# What is there already is not touched, so a second run costs nothing. Services of new packages are
# not started: the tests start their own, on ports of their own.
set -eu

build="gcc make pkg-config libc6-dev libssl-dev libconfig-dev libevent-dev libidn2-dev
	libopendkim-dev libcrypt-dev libspf2-dev libunbound-dev libmicrohttpd-dev libsqlite3-dev zlib1g-dev
	libldap-dev libhiredis-dev liblua5.4-dev libseccomp-dev"
demo="openssl python3 python3-dkim python3-nacl swaks libio-socket-ssl-perl libnet-ssleay-perl"
test="libcmocka-dev openssl ca-certificates python3 python3-pytest python3-aiosmtpd python3-dkim
	python3-nacl python3-authres libmail-dkim-perl libmail-authenticationresults-perl swaks
	libio-socket-ssl-perl libnet-ssleay-perl curl msmtp libsasl2-modules
	python3-dnspython python3-yaml haproxy postfix opendkim opendkim-tools clang libclang-rt-14-dev
	slapd ldap-utils redis-server dbconfig-no-thanks opendmarc publicsuffix rspamd python3-milter
	spamass-milter spamassassin spamd spamc nsd ldnsutils dovecot-lmtpd"
lint="clang clang-format clang-tidy cppcheck shellcheck mandoc python3-pyflakes"
cover="gcovr"
bench="postfix opendkim openssl sasl2-bin libsasl2-modules dbconfig-no-thanks opendmarc
	publicsuffix postfix-policyd-spf-python unbound python3-dkim python3-dnspython"

guard=/usr/sbin/policy-rc.d

fail() {
	echo "tools/deps.sh: $*" >&2
	exit 1
}

packages_of() {
	case $1 in
	build) echo "$build" ;;
	demo) echo "$demo" ;;
	test) echo "$test" ;;
	lint) echo "$lint" ;;
	cover) echo "$cover" ;;
	bench) echo "$bench" ;;
	*) fail "there is no group \"$1\" (build, demo, test, lint, cover, bench)" ;;
	esac
}

missing_of() {
	# shellcheck disable=SC2086 # a list of names
	there=$(dpkg-query -W -f '${Package}=${db:Status-Status}\n' $1 2>/dev/null || true)
	for package in $1; do
		case "
$there
" in
		*"
$package=installed
"*) ;;
		*) printf '%s ' "$package" ;;
		esac
	done
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

has_candidates() {
	for package in $1; do
		apt-cache policy "$package" 2>/dev/null | grep -q 'Candidate: [^(]' || return 1
	done
}

install_packages() {
	# shellcheck disable=SC2086 # a list of names
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
		-o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 $1
}

take_guard_away() {
	as_root rm -f "$guard"
}

put_guard() {
	[ -e "$guard" ] && return 0
	trap take_guard_away EXIT
	trap 'exit 1' INT TERM HUP
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$guard" >/dev/null
	as_root chmod 755 "$guard"
}

[ $# -gt 0 ] || fail "usage: tools/deps.sh build|demo|test|lint|cover|bench ..."
wanted=
for group in "$@"; do
	names=$(packages_of "$group") || exit 1
	wanted="$wanted $names"
done
command -v dpkg-query >/dev/null || fail "not a Debian system; install by hand what stands for:$wanted"
missing=$(missing_of "$wanted")
[ -n "$missing" ] || exit 0

[ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
	fail "needs root (or sudo) to install: $missing"
echo "  APT      $missing"
log=$(mktemp)
put_guard
has_candidates "$missing" || as_root apt-get update -q >"$log" 2>&1 ||
	fail "apt-get update failed: $(tail -n 1 "$log")"
if ! install_packages "$missing" >"$log" 2>&1; then
	# Package lists that are old name files that are gone: once more with new ones.
	as_root apt-get update -q >"$log" 2>&1 || fail "apt-get update failed: $(tail -n 1 "$log")"
	install_packages "$missing" >"$log" 2>&1 ||
		fail "apt-get install failed: $(grep '^E:' "$log" | head -n 1)"
fi
rm -f "$log"
left=$(missing_of "$wanted")
[ -z "$left" ] || fail "still missing after the installation: $left"
