# shellcheck shell=bash
# flags.sh: the compiler's view of the sources, for the checks that compile.
# Sets flags[] and files[]. PostgreSQL's headers are system headers here, so
# that only our own code is judged.

set -euo pipefail

# shellcheck disable=SC2034,SC2207
flags=($("$PG_CONFIG" --cppflags) -std=gnu99
	-isystem "$("$PG_CONFIG" --includedir-server)" -isystem "$("$PG_CONFIG" --includedir)"
	-DCPG_HAVE_MSGPACK -DCPG_HAVE_LZ4 -DCPG_HAVE_TLS
	-Isrc -Itest/unit -Itest/oracle -Itest/oracle2 -Ibench -Istampede)

# shellcheck disable=SC2034
mapfile -t files < <(find src test/unit test/oracle test/oracle2 bench stampede -name '*.c' 2>/dev/null | sort)
