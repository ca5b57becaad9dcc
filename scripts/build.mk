# SPDX-License-Identifier: GPL-2.0
#
# How the user-space half of nacre is built: one table of libraries, one of programs, and the rules that turn them
# into files. Included by the top-level Makefile; nothing here recurses. Sources are found by wildcard, so a new
# .c file in a folder is built without touching this file.
#
# Flavours, each with its own output folder, chosen with FLAVOR=:
#   (none)  build/        gcc -O2
#   san     build/san/    gcc, AddressSanitizer and UndefinedBehaviorSanitizer  (SAN=1 is a synonym)
#   fuzz    build/fuzz/   clang, libFuzzer coverage and the same sanitizers
#
# Objects mirror source paths: server/mds/main.c -> $(O)/obj/server/mds/main.o
#
# Every output is made under another name and then moved into place: several builds in one tree do not harm each other.

ifdef SAN
FLAVOR := san
endif

CPPFLAGS := -I. -D_GNU_SOURCE= -MMD -MP
WARNINGS := -Wall -Wextra -Werror -Wno-unused-parameter -Wno-missing-field-initializers
CFLAGS   ?= -O2 -g
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

ifeq ($(FLAVOR),)
O := build
CC := gcc
FLAVOR_CFLAGS :=
else ifeq ($(FLAVOR),san)
O := build/san
CC := gcc
FLAVOR_CFLAGS := $(SANITIZE)
else ifeq ($(FLAVOR),fuzz)
O := build/fuzz
CC := clang
# clang calls the unused ones among the functions that tree macros make unused; gcc does not
FLAVOR_CFLAGS := $(SANITIZE) -fsanitize=fuzzer-no-link -Wno-unused-function
else
$(error FLAVOR is san, fuzz or nothing, not "$(FLAVOR)")
endif

# A fresh clone has from ccache, where that is installed, what an earlier one has compiled, wherever that stood.
CCACHE := $(shell command -v ccache)
export CCACHE_DIR ?= $(or $(XDG_CACHE_HOME),$(or $(HOME),/root)/.cache)/nacre/ccache
export CCACHE_MAXSIZE ?= 2G
export CCACHE_NOHASHDIR := 1

COMPILE := $(CCACHE) $(CC) -std=gnu11 $(CPPFLAGS) $(WARNINGS) $(CFLAGS) $(FLAVOR_CFLAGS)
LDLIBS  := -Wl,--as-needed -luring -laio -lpcap -lrocksdb -lisal -lxxhash -linih -lbsd -lpthread -lm

# Every .c below a folder, except the files that hold a main().
sources = $(sort $(shell find $(1) -name '*.c' 2>/dev/null))
objects = $(patsubst %.c,$(O)/obj/%.o,$(1))

# ---- libraries: name, folder ------------------------------------------------------------------------------------
MAINS := server/mds/main.c server/osd/main.c tests/client/main.c tests/sim/main.c tests/bench/bare.c tests/bench/store.c \
	 $(foreach p,mkfs.nacre mount.nacre nacre nacre-wiredump,server/tools/$(p).c)

LIB_protocol := protocol
LIB_base     := server/base
LIB_mds      := server/mds
LIB_osd      := server/osd
LIB_tools    := server/tools
LIB_client   := tests/client
LIB_sim      := tests/sim
LIB_bench    := tests/bench
LIBS := protocol base mds osd tools client sim bench

define library
SRC_$(1) := $$(filter-out $$(MAINS),$$(call sources,$$(LIB_$(1))))
ifneq ($$(SRC_$(1)),)
ARCHIVES += $$(O)/lib/lib$(1).a
$$(O)/lib/lib$(1).a: $$(call objects,$$(SRC_$(1)))
	@mkdir -p $$(@D)
	$$(Q)ar rcs $$@.$$$$$$$$ $$^ && mv $$@.$$$$$$$$ $$@
endif
endef
$(foreach l,$(LIBS),$(eval $(call library,$(l))))

# ---- programs: name, file with main(), libraries ----------------------------------------------------------------
# A program whose main file does not exist is not built.
PROGRAMS :=
archives = $(filter $(foreach l,$(1),$(O)/lib/lib$(l).a),$(ARCHIVES))
define program
ifneq ($$(wildcard $(2)),)
PROGRAMS += $$(O)/$(1)
$$(O)/$(1): $$(call objects,$(2)) $$(call archives,$(3))
	@mkdir -p $$(@D)
	@echo "  LINK    $$@"
	$$(Q)$$(CC) $$(CFLAGS) $$(FLAVOR_CFLAGS) -o $$@.$$$$$$$$ $$< \
		-Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(LDLIBS) && mv $$@.$$$$$$$$ $$@
endif
endef
$(eval $(call program,nacre-mds,server/mds/main.c,mds base protocol))
$(eval $(call program,nacre-osd,server/osd/main.c,osd base protocol))
$(eval $(call program,mkfs.nacre,server/tools/mkfs.nacre.c,tools osd mds base protocol))
$(eval $(call program,mount.nacre,server/tools/mount.nacre.c,tools base protocol))
$(eval $(call program,nacre,server/tools/nacre.c,tools osd base protocol))
$(eval $(call program,nacre-wiredump,server/tools/nacre-wiredump.c,tools base protocol))
$(eval $(call program,nacre-load,tests/client/main.c,client base protocol))
$(eval $(call program,nacre-bare,tests/bench/bare.c,bench))
$(eval $(call program,nacre-store,tests/bench/store.c,bench osd base protocol))
$(eval $(call program,nacre-sim,tests/sim/main.c,sim client mds osd base protocol))

# makes the manual's tables; not for installing
build/gen-docs: $(call objects,scripts/gen-docs.c) $(call archives,protocol)
	@echo "  LINK    $@"
	$(Q)$(CC) $(CFLAGS) $(FLAVOR_CFLAGS) -o $@ $^

# runs a command without io_uring; not for installing
build/forbid-uring: $(call objects,scripts/forbid-uring.c)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) $(CFLAGS) $(FLAVOR_CFLAGS) -o $@.$$$$ $^ && mv $@.$$$$ $@

# ---- unit tests: tests/unit/**/test_*.c, each a cmocka program --------------------------------------------------
UNIT_ALL     := $(call sources,tests/unit)
UNIT_TESTS   := $(foreach f,$(UNIT_ALL),$(if $(filter test_%,$(notdir $(f))),$(f)))
UNIT_SUPPORT := $(filter-out $(UNIT_TESTS),$(UNIT_ALL))
UNIT_PROGRAMS := $(patsubst tests/unit/%.c,$(O)/unit/%,$(UNIT_TESTS))
$(UNIT_PROGRAMS): $(O)/unit/%: $(O)/obj/tests/unit/%.o $(call objects,$(UNIT_SUPPORT)) $(ARCHIVES)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) $(CFLAGS) $(FLAVOR_CFLAGS) -o $@.$$$$ $(filter %.o,$^) \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS) -lcmocka && mv $@.$$$$ $@

# ---- fuzz targets: tests/fuzz/*.c with LLVMFuzzerTestOneInput; support files are named fuzz_*.c ------------------
FUZZ_ALL      := $(wildcard tests/fuzz/*.c)
FUZZ_TARGETS  := $(filter-out tests/fuzz/fuzz_%,$(FUZZ_ALL))
FUZZ_PROGRAMS := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(FUZZ_TARGETS))
ifeq ($(FLAVOR),fuzz)
$(FUZZ_PROGRAMS): build/fuzz/%: $(O)/obj/tests/fuzz/%.o \
		$(call objects,$(filter tests/fuzz/fuzz_%,$(FUZZ_ALL))) $(ARCHIVES)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) $(CFLAGS) $(FLAVOR_CFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)
endif

# ---- programs that run inside the guest: static, so that the image needs no libraries for them --------------------
GUEST_TESTS := $(filter-out %/harness.c %/turns.c,$(wildcard tests/kselftest/*.c))
GUEST_PROGRAMS := $(patsubst tests/kselftest/%.c,build/guest/%,$(GUEST_TESTS)) \
		  $(patsubst tests/vm/%.c,build/guest/%,$(filter-out %/failing.c,$(wildcard tests/vm/*.c)))
GUEST_COMPILE := $(CCACHE) gcc -std=gnu11 $(CPPFLAGS) $(WARNINGS) -O2 -g
build/guest-obj/%.o: %.c scripts/build.mk
	@mkdir -p $(@D)
	@echo "  CC      $@"
	$(Q)$(GUEST_COMPILE) -MT $@ -MF $(@:.o=.d) -c -o $@.$$$$ $< && mv $@.$$$$ $@ || { rm -f $@.$$$$; exit 1; }
build/guest/async: GUEST_LIBS := -laio -luring
build/guest/coherence build/guest/exerciser build/guest/mapturns build/guest/pingpong build/guest/sizes build/guest/smallorders build/guest/smallturns: \
	build/guest-obj/tests/kselftest/turns.o
build/guest/%: build/guest-obj/tests/kselftest/%.o build/guest-obj/tests/kselftest/harness.o
	@mkdir -p $(@D)
	@echo "  STATIC  $@"
	$(Q)gcc -static -o $@.$$$$ $^ $(GUEST_LIBS) && mv $@.$$$$ $@
build/guest/nomemory: build/guest-obj/tests/vm/failing.o
build/guest/%: build/guest-obj/tests/vm/%.o $(filter build/lib/libprotocol.a,$(ARCHIVES))
	@mkdir -p $(@D)
	@echo "  STATIC  $@"
	$(Q)gcc -static -o $@.$$$$ $^ && mv $@.$$$$ $@

# ---- objects ----------------------------------------------------------------------------------------------------
$(O)/obj/%.o: %.c scripts/build.mk
	@mkdir -p $(@D)
	@echo "  CC      $@"
	$(Q)$(COMPILE) -MT $@ -MF $(@:.o=.d) -c -o $@.$$$$ $< && mv $@.$$$$ $@ || { rm -f $@.$$$$; exit 1; }

.SECONDARY:
-include $(shell find $(O)/obj build/guest-obj -name '*.d' 2>/dev/null)
