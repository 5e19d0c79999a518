# codec.mk: what the build does with libmsgpack-c and liblz4, if they are there.
# Without them cachepg does without these codecs, see docs/codecs.md.
PKG_CONFIG ?= pkg-config
HAVE = $(shell $(PKG_CONFIG) --exists $(1) 2>/dev/null && echo $(1))
CODEC_PACKAGES := $(firstword $(call HAVE,msgpack-c) $(call HAVE,msgpack)) $(call HAVE,liblz4)
CODEC_FLAGS := $(if $(filter msgpack%,$(CODEC_PACKAGES)),-DCPG_HAVE_MSGPACK) $(if $(filter liblz4,$(CODEC_PACKAGES)),-DCPG_HAVE_LZ4)
ifneq ($(strip $(CODEC_PACKAGES)),)
CODEC_FLAGS += $(shell $(PKG_CONFIG) --cflags $(CODEC_PACKAGES))
CODEC_LIBS := $(shell $(PKG_CONFIG) --libs $(CODEC_PACKAGES))
endif
