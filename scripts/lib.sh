# shellcheck shell=bash
# lib.sh: what all scripts share. Source it first; it sets strict mode.
#
#   . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
#
# Gives the variables
#   top        the source tree
#   run_user   who runs servers and tests: PostgreSQL refuses to run as root
# and, after find_pg or work_dir was called,
#   PG_MAJOR, PG_CONFIG   the PostgreSQL in use (both may be set in the environment)
#   work                  a directory where run_user can write; also in CPG_WORK for child scripts
#
# Cleaning up: `at_exit COMMAND ARG...` registers a command; they run in
# reverse order on exit, on Ctrl-C and on SIGTERM.  A command that takes long
# is run by `run_waiting`, else bash would handle a signal only after its end.

set -euo pipefail
umask 022

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

if [ "$(id -u)" = 0 ]; then
	run_user=postgres
else
	run_user=$(id -un)
fi

# ---------------------------------------------------------------------
# Messages
# ---------------------------------------------------------------------

# One progress line with the seconds since the script began.
step() {
	printf '[%3ds] %s\n' "$SECONDS" "$*" >&2
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# Runs a command and shows the end of its output only if it fails.
quietly() {
	local log

	log=$(mktemp)
	if ! "$@" >"$log" 2>&1; then
		tail -n 30 "$log" >&2
		rm -f "$log"
		return 1
	fi
	rm -f "$log"
}

# ---------------------------------------------------------------------
# Cleaning up
# ---------------------------------------------------------------------

exit_commands=()

at_exit() {
	local line
	printf -v line '%q ' "$@"
	exit_commands+=("$line")
}

run_exit_commands() {
	local status=$? i

	trap - EXIT
	# A second Ctrl-C must not leave a server or a mount behind.
	trap '' INT TERM HUP
	for ((i = ${#exit_commands[@]} - 1; i >= 0; i--)); do
		eval "${exit_commands[i]}" || true
	done
	exit "$status"
}

trap run_exit_commands EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Runs a command so that a signal to this script ends it at once.  Returns
# the command's status.  Background commands of a script ignore SIGINT, which
# perl undoes; standard input is kept.
run_waiting() {
	local pid

	perl -e '$SIG{$_} = "DEFAULT" for qw(INT QUIT); exec { $ARGV[0] } @ARGV or do { print STDERR "could not run $ARGV[0]: $!\n"; exit 127 }' \
		-- "$@" <&0 &
	pid=$!
	at_exit end_child "$pid"
	wait "$pid"
}

end_child() {
	# Still ours and running?  After a wait the number could belong to another process.
	if jobs -pr | grep -qx "$1"; then
		kill -TERM "$1" 2>/dev/null || true
		wait "$1" 2>/dev/null || true
	fi
}

# ---------------------------------------------------------------------
# The unprivileged user and the work directory
# ---------------------------------------------------------------------

# Runs a command as run_user.
as_user() {
	user_prefix
	"${prefix[@]}" "$@"
}

# Sets prefix: what to put before a command that run_user shall run.  setpriv
# replaces itself by the command, so signals and exit status are its own.
user_prefix() {
	prefix=(env)
	if [ "$(id -u)" = 0 ]; then
		prefix=(setpriv --reuid="$run_user" --regid="$run_user" --init-groups --
			env HOME="${CPG_WORK:-/tmp}" USER="$run_user" LOGNAME="$run_user")
	fi
}

need_user() {
	id "$run_user" >/dev/null 2>&1 ||
		die "the user $run_user does not exist; scripts/deps installs the packages that create it"
}

# Makes a directory that run_user owns.
user_dir() {
	mkdir -p "$1"
	if [ "$(id -u)" = 0 ]; then
		chown "$run_user": "$1"
	fi
}

# Sets work.  build/ below the source tree if run_user can get there and
# write, else (a clone in /root, a tree of somebody else) a directory under
# /var/tmp that is removed at exit.
work_dir() {
	if [ -n "${CPG_WORK:-}" ] && [ -d "$CPG_WORK" ]; then
		work=$CPG_WORK
		return
	fi
	need_user
	if mkdir -p "$top/build" 2>/dev/null && user_dir "$top/build" 2>/dev/null &&
		as_user test -w "$top/build" -a -x "$top/build"; then
		work=$top/build
	elif [ -f "$top/build/elsewhere" ] && [ -d "$(cat "$top/build/elsewhere")" ]; then
		# a server left running by `scripts/server start` keeps its directory
		work=$(cat "$top/build/elsewhere")
	else
		work=$(mktemp -d /var/tmp/cachepg.XXXXXX)
		chmod 755 "$work"
		user_dir "$work"
		at_exit rm -rf "$work"
	fi
	export CPG_WORK=$work
}

# Sets tree: the source tree, or a readable copy of it if run_user cannot
# read the original.
readable_tree() {
	work_dir
	if as_user test -r "$top/sql" -a -x "$top/sql" -a -r "$top/Makefile" 2>/dev/null; then
		tree=$top
		return
	fi
	tree=$work/tree
	rm -rf "$tree"
	mkdir -p "$tree"
	(cd "$top" && tar -cf - --exclude=./build --exclude=./.git .) | tar -xf - -C "$tree" --no-same-owner
	chmod -R a+rX "$tree"
	user_dir "$tree"
}

# ---------------------------------------------------------------------
# PostgreSQL
# ---------------------------------------------------------------------

# Which major version; needs no installed PostgreSQL.
find_major() {
	local config=${PG_CONFIG:-}

	if [ -n "${PG_MAJOR:-}" ]; then
		return
	fi
	if [ -z "$config" ]; then
		config=$(command -v pg_config || true)
	fi
	if [ -n "$config" ]; then
		# "PostgreSQL 15.20 (Debian ...)"
		PG_MAJOR=$("$config" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
	fi
	# pg_config of the libpq package alone says nothing about the server
	if [ -z "${PG_CONFIG:-}" ] && [ ! -x "/usr/lib/postgresql/${PG_MAJOR:-none}/bin/pg_config" ]; then
		PG_MAJOR=
	fi
	export PG_MAJOR=${PG_MAJOR:-15}
}

# Sets and exports PG_MAJOR and PG_CONFIG, or ends with a message.
find_pg() {
	find_major
	if [ -z "${PG_CONFIG:-}" ]; then
		if [ -x "/usr/lib/postgresql/$PG_MAJOR/bin/pg_config" ]; then
			PG_CONFIG=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config
		else
			PG_CONFIG=$(command -v pg_config || true)
		fi
	fi
	[ -n "$PG_CONFIG" ] || die "pg_config not found; run scripts/deps or set PG_CONFIG"
	PG_CONFIG=$(command -v "$PG_CONFIG") || die "cannot run PG_CONFIG"
	[ -f "$("$PG_CONFIG" --pgxs)" ] ||
		die "the server development files of PostgreSQL $PG_MAJOR are missing; run scripts/deps"
	export PG_MAJOR PG_CONFIG
}

# Forgets the caller's libpq settings, so that a test can never reach a server of his.
clean_env() {
	local name

	for name in ${!PG*}; do
		case $name in
		PG_CONFIG | PG_MAJOR) ;;
		*) unset "$name" ;;
		esac
	done
	export LC_ALL=C.UTF-8
	# a temporary directory of the caller may be closed to run_user
	unset LANGUAGE TMPDIR
}

# Prints a TCP port that was free a moment ago.
free_port() {
	perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 0, Listen => 1) or die "no free port: $!\n";
		print $s->sockport, "\n"'
}

# make without what an outer make put into the environment (its job server,
# its -n or -k).
plain_make() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES make --no-print-directory "$@"
}

# Sets bindir: the private installation, made or refreshed.  Only the first
# script of a chain does the work; the others find it in the environment.
private_pg() {
	work_dir
	find_pg
	if [ -n "${CPG_BINDIR:-}" ] && [ -x "$CPG_BINDIR/postgres" ]; then
		bindir=$CPG_BINDIR
		return
	fi
	bindir=$("$top/scripts/pgtree")
	export CPG_BINDIR=$bindir
}
