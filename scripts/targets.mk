# targets.mk: the targets beyond PGXS's own (all, install, installcheck, clean).
# Included by the Makefile after PGXS.

# Without PostgreSQL's development files only the targets that install them work.
ifeq ($(PGXS),)
.DEFAULT_GOAL := all
all install installcheck:
	@echo 'The development files of PostgreSQL were not found: run "make deps" or set PG_CONFIG.' >&2
	@exit 1
endif

# The client program is a PGXS build of its own: one makefile makes a module or
# a program, not both.  Its compiler needs nothing but libpq's header.
ifneq ($(PGXS),)
all: stampede-all
install: stampede-install
uninstall: stampede-uninstall
clean: stampede-clean
endif

stampede-all stampede-install stampede-uninstall stampede-clean:
	@$(MAKE) --no-print-directory -C stampede $(@:stampede-%=%) PG_CONFIG='$(PG_CONFIG)'

.PHONY: stampede-all stampede-install stampede-uninstall stampede-clean

.PHONY: help deps demo test test-unit test-regress test-isolation test-pgtap test-tap test-faults test-fuzz test-valkey \
	test-matrix soak soak-controls bench lint format clean-build clean-matrix soak-redis demo-redis

help:
	@printf '%s\n' \
		'make                 build cachepg and cachepg-stampede' \
		'make install         install it into the PostgreSQL of PG_CONFIG' \
		'make installcheck    test it on a running server that preloads it' \
		'' \
		'These install missing Debian packages and use private servers:' \
		'make demo            see a slow query served from the cache' \
		'make test            all tests (make test-regress, -unit, -isolation, -pgtap, -tap, -faults, -fuzz: a part)' \
		'make demo-redis      see two servers share one cache through Redis' \
		'make test-valkey     tests of Redis with Valkey in its place (Debian 12 has none)' \
		'make test-matrix     all of it on PostgreSQL 17 and 18 in chroots (root)' \
		'make soak            an oracle looks for stale reads under load; SECONDS=600' \
		'make soak-redis      the same on two servers while Redis is killed and restarted; CYCLES=100' \
		'make soak-controls   what it sees with each mechanism switched off' \
		'make bench           measure against SELECT 1, a table, Redis, memcached (make bench-NAME: a part)' \
		'make lint            warnings, style, layers' \
		'make format          indent the sources in place' \
		'make deps            only install what build, test and lint need' \
		'' \
		'make clean           remove what was built; make clean-matrix the chroots too' \
		'Variables: PG_CONFIG=/path/to/pg_config or PG_MAJOR=17'

deps:
	@scripts/deps build test fuzz lint

demo:
	@demo/run

demo-redis:
	@demo/redis

bench:
	@bench/run

# make bench-NAME runs that part of the benchmarks alone
bench-%:
	@bench/run $*

test:
	@scripts/test

test-unit test-regress test-isolation test-pgtap test-tap test-faults test-fuzz test-valkey:
	@scripts/test $(@:test-%=%)

test-matrix:
	@scripts/matrix

soak: export CPG_SECONDS = $(or $(SECONDS),600)
soak:
	@CPG_RECORD=bench/results/soak.txt scripts/soak

soak-redis: export CPG_CYCLES = $(or $(CYCLES),100)
soak-redis:
	@CPG_RECORD=bench/results/soak-redis.txt scripts/soak redis

soak-controls:
	@scripts/soak controls

lint:
	@scripts/lint

format:
	@scripts/format

clean: clean-build

# What lies below build/ but the chroots, which are expensive to make.
clean-build:
	@scripts/clean

clean-matrix:
	@scripts/clean matrix
