# shellcheck shell=bash
# lib.sh: what bench/run and the parts in bench/parts share.
#
# A part is a program: `parts/NAME` measures and records.  It writes
#   $results/NAME.txt   what it did and every raw number
#   $results/NAME.tsv   its lines of the table: what, bar, measured, met
# To measure inside a private server a part calls itself again through
# on_server, which runs `parts/NAME FUNCTION` with the server's variables set.

. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

bench=$top/bench
part=$(basename "$0")
# a short run shows that everything works; its figures mean nothing
short=${CPG_BENCH_SHORT:-}

# Sets build (what is compiled for the benchmarks), results and loop_library.
bench_dirs() {
	work_dir
	build=$work/bench
	results=${CPG_BENCH_RESULTS:-$bench/results}
	[ -z "$short" ] || results=${CPG_BENCH_RESULTS:-$build/results}
	loop_library=$build/store/cachepg_loop.so
	export CPG_BENCH_RESULTS=$results
}

# make_in DIRECTORY TARGET: builds a directory of bench/ outside of the tree.
make_in() {
	mkdir -p "$build/$1"
	plain_make -s -j2 -C "$build/$1" -f "$bench/$1/Makefile" "$2" PG_CONFIG="$PG_CONFIG" >&2
}

# normal_or_short NORMAL SHORT: prints the one for this run.
normal_or_short() {
	if [ -n "$short" ]; then echo "$2"; else echo "$1"; fi
}

# ---------------------------------------------------------------------
# Recording
# ---------------------------------------------------------------------

# The revision of the source tree, "-dirty" with changes.
revision() {
	git -C "$top" describe --always --dirty 2>/dev/null || echo unknown
}

# Begins the records of a part anew.
begin() {
	bench_dirs
	mkdir -p "$results"
	: >"$results/$part.tsv"
	printf '%s, %s\n' "$part" "$(date -u '+%Y-%m-%d %H:%M UTC')" >"$results/$part.txt"
	note "command: make bench-$part"
	note "source: $(revision)"
	step "$part"
}

# One line for the raw file.
note() {
	printf '%s\n' "$*" >>"$results/$part.txt"
}

# One line for the raw file and the terminal.
say() {
	note "$*"
	step "$part: $*"
}

# result WHAT OPERATOR BAR MEASURED UNIT: a line of the table with a bar.
result() {
	local met

	met=$(awk -v m="$4" -v b="$3" -v op="$2" 'BEGIN {
		ok = op == ">=" ? m >= b : op == "<=" ? m <= b : m == b
		print ok ? "met" : "not met" }')
	printf '%s\t%s %s%s\t%s%s\t%s\n' "$1" "$2" "$3" "$5" "$4" "$5" "$met" >>"$results/$part.tsv"
	say "$1: $4$5 ($2 $3$5: $met)"
}

# result_within WHAT BAR TOLERANCE MEASURED UNIT
result_within() {
	local met

	met=$(awk -v m="$4" -v b="$2" -v t="$3" 'BEGIN { print (m >= b - t && m <= b + t) ? "met" : "not met" }')
	printf '%s\t%s ± %s%s\t%s%s\t%s\n' "$1" "$2" "$3" "$5" "$4" "$5" "$met" >>"$results/$part.tsv"
	say "$1: $4$5 ($2 ± $3$5: $met)"
}

# info WHAT MEASURED: a line of the table without one.
info() {
	printf '%s\t\t%s\t\n' "$1" "$2" >>"$results/$part.tsv"
	say "$1: $2"
}

# ---------------------------------------------------------------------
# Arithmetic
# ---------------------------------------------------------------------

# The median of the numbers given.
median() {
	printf '%s\n' "$@" | sort -g | awk '{ v[NR] = $1 }
		END { m = int((NR + 1) / 2); print NR % 2 ? v[m] : (v[m] + v[m + 1]) / 2 }'
}

# calc FORMAT EXPRESSION
calc() {
	awk "BEGIN { printf \"$1\\n\", $2 }"
}

# ---------------------------------------------------------------------
# Servers
# ---------------------------------------------------------------------

# on_server FUNCTION [OPTION]...: calls a function of this part inside a new
# private server with these options of scripts/server.
on_server() {
	local function=$1
	shift

	run_waiting "$top/scripts/server" run "$@" -- "$0" "$function"
}

# huge_pages MB: sees to it that so much memory can be had in huge pages, as
# PostgreSQL's documentation advises for servers with much shared memory; the servers
# of this part take them by themselves (huge_pages = try).  Sets pages to what
# there is.  They are given back at the end.
huge_pages() {
	local file=/proc/sys/vm/nr_hugepages before wanted

	pages='no huge pages'
	before=$(cat $file 2>/dev/null) || return 0
	wanted=$((before + $1 / 2))
	if [ "$(id -u)" = 0 ] && echo "$wanted" >$file 2>/dev/null; then
		at_exit give_pages_back "$before"
		[ "$(cat $file)" -lt "$wanted" ] || pages='huge pages'
	fi
	note "memory of the server: $pages"
}

give_pages_back() {
	echo "$1" >/proc/sys/vm/nr_hugepages
}

sql() {
	psql -XqAt -F ' ' -v ON_ERROR_STOP=1 "$@"
}

# The functions of the loop module in the current database.
create_loops() {
	sed "s,MODULE_PATHNAME,$loop_library," "$bench/store/cachepg_loop--1.0.sql" | sql -f - >/dev/null
}

# fill_cache KEYS KEY VALUE: sets KEYS entries under the SQL expressions KEY and
# VALUE of i, in transactions of a thousand.
fill_cache() {
	sql -c "DO \$\$ BEGIN
		FOR block IN 0 .. ($1 - 1) / 1000 LOOP
			PERFORM cache_set($2, $3, ttl => '1 day')
			FROM generate_series(block * 1000 + 1, least((block + 1) * 1000, $1)) i;
			COMMIT;
		END LOOP; END \$\$"
}

# Starts a program as run_user in the background and ends it with this script.
start_peer() {
	user_prefix
	"${prefix[@]}" "$@" >"$sockets/$1.log" 2>&1 </dev/null &
	at_exit end_child $!
}

# wait_for COMMAND...: until it succeeds, ten seconds at most.
wait_for() {
	local tries

	for ((tries = 0; tries < 200; tries++)); do
		! "$@" >/dev/null 2>&1 || return 0
		sleep 0.05
	done
	die "in vain: $*"
}

# Sets sockets, a directory of short name, and starts Redis and memcached with
# their defaults on unix sockets there; Redis keeps nothing on disk.
start_peers() {
	sockets=$(mktemp -d /tmp/cpg.XXXXXX)
	chmod 755 "$sockets"
	user_dir "$sockets"
	at_exit rm -rf "$sockets"
	start_peer redis-server --port 0 --unixsocket "$sockets/redis" --unixsocketperm 777 \
		--dir "$sockets" --save '' --appendonly no
	start_peer memcached -s "$sockets/memcached" -a 0777
	wait_for redis-cli -s "$sockets/redis" ping
	wait_for test -S "$sockets/memcached"
}

# fill_peers KEYS VALUE: the same value under the keys 1 to KEYS in both.
fill_peers() {
	perl -e 'print "SET $_ $ARGV[1]\r\n" for 1 .. $ARGV[0]' "$1" "$2" |
		redis-cli -s "$sockets/redis" --pipe >/dev/null
	perl -MIO::Socket::UNIX -e 'my ($path, $keys, $value) = @ARGV;
		my $peer = IO::Socket::UNIX->new(Peer => $path) or die "no memcached: $!\n";
		print $peer "set $_ 0 0 ", length($value), " noreply\r\n$value\r\n" for 1 .. $keys;
		print $peer "version\r\n"; $peer->flush; <$peer>' "$sockets/memcached" "$1" "$2"
}
