# cachepg: PGXS build. `make help` lists the targets.
EXTENSION = cachepg
MODULE_big = cachepg
DATA = $(wildcard sql/*--*.sql)
# CPG_FAULTS=1: with the instruments of test/faults; see src/fault.h
OBJS = $(patsubst %.c,%.o,$(filter-out $(if $(CPG_FAULTS),,src/fault.c),$(wildcard src/*.c src/*/*.c)))

REGRESS = $(patsubst sql/%.sql,%,$(filter-out $(DATA),$(sort $(wildcard sql/*.sql))))
REGRESS_OPTS = --load-extension=cachepg
ISOLATION = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
# 15 looks for expected files below the input directory, later versions where they are told to
ISOLATION_OPTS = --inputdir=test/isolation $(if $(filter 15,$(MAJORVERSION)),,--expecteddir=test/isolation) --load-extension=cachepg

# A hit passes through a dozen small functions in several files; joined by the
# linker it is 7 to 10 % faster. gcc only: others want a linker of their own.
LTO = $(if $(findstring Free Software,$(shell $(CC) --version 2>/dev/null)),-flto=auto)

include scripts/codec.mk

# TLS to Redis; without OpenSSL cachepg does without, see docs/redis.md
TLS_LIBS := $(shell $(PKG_CONFIG) --libs openssl 2>/dev/null)
TLS_FLAGS := $(if $(TLS_LIBS),-DCPG_HAVE_TLS $(shell $(PKG_CONFIG) --cflags openssl))

PG_CPPFLAGS = -Isrc $(CODEC_FLAGS) $(TLS_FLAGS) $(if $(CPG_FAULTS),-DCACHEPG_FAULTS)
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers -Wno-clobbered $(LTO)
SHLIB_LINK = -Wl,--version-script=src/cachepg.map $(LTO) $(CODEC_LIBS) $(or $(shell $(PKG_CONFIG) --libs-only-L --libs-only-l hiredis 2>/dev/null),-lhiredis) $(TLS_LIBS)
# One library is shared by all back ends: JIT inlining of it gains nothing and would make clang a build dependency.
override with_llvm = no

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(wildcard src/*.h src/*/*.h) Makefile
$(shlib): src/cachepg.map

-include scripts/targets.mk
