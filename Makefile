# SPDX-License-Identifier: GPL-2.0
#
# The one entry point. Each target calls one script or one sub-make; the rules for user space are in
# scripts/build.mk, the module's list of objects is in Kbuild.

.DEFAULT_GOAL := help
SHELL := /bin/bash
Q := $(if $(V),,@)
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
MAKEFLAGS += --no-print-directory

include scripts/build.mk

.PHONY: help setup build all module guest unit rules check tidy test sim soak fuzz fuzz-programs vm xfstests smoke run shell bench bigdir bigosd recall exercise kills fmt docs \
	install uninstall deb clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z][a-z-]*:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Variables: V=1 (show commands)  SAN=1 (sanitizers, in build/san)  C=1 (sparse)  KDIR=DIR (kernel headers)"

setup: ## install what building and testing need (Debian 12 or 13, as root)
	@scripts/setup

build: $(PROGRAMS) $(ARCHIVES) ## servers, tools, test programs of user space
	@:

all: build module guest ## build, module and guest programs

module: ## build/nacre.ko for Linux 6.12 (W=1; C=1 adds sparse)
	@scripts/module

guest: $(GUEST_PROGRAMS) ## static programs that run inside the test guests
	@:

unit-programs: $(UNIT_PROGRAMS)
	@:

unit: unit-programs $(if $(IO),build/forbid-uring) ## unit tests (SAN=1: under the sanitizers; IO=aio: with io_uring forbidden)
	@IO=$(IO) scripts/unit $(O)/unit

check: tidy build/gen-docs ## what a script can check of the sources, and the module with W=1 and sparse
	@scripts/gen-docs --check
	@scripts/check-man
	@C=1 scripts/module

tidy: ## conventions of the tree only
	@scripts/tidy

test: ## everything that CI runs
	@scripts/test

sim: $(O)/nacre-sim ## simulator: SEEDS=1000 OPS=2000 FIRST=1
	@scripts/sim $(O)/nacre-sim

soak: build/nacre-sim ## simulator with seeds that were not run before, for SOAK_SECONDS=7200 on all processors
	@first=$(or $(FIRST),$$(date +%s)000); build/nacre-sim --seeds $$first..$$((first + 9999999)) --seconds $(or $(SOAK_SECONDS),7200)

fuzz: ## fuzz every target for SECS=5 seconds each
	@$(MAKE) FLAVOR=fuzz fuzz-programs
	@scripts/fuzz

fuzz-programs: $(FUZZ_PROGRAMS)
	@:

vm: build module guest ## the suites that run inside guests (SUITE=name for one of them, KERNEL=fast, debug or newest)
	@tests/vm/suites $(SUITE)

xfstests: build module guest ## tests of xfstests on a mount in a guest (XFSTESTS=source, TESTS="generic/001 ...", RECORD=1)
	@XFSTESTS='$(XFSTESTS)' tests/vm/xfstests/run $(if $(RECORD),--record) $(TESTS)

smoke: export KERNEL := debug
smoke: build module guest ## quick tests of xfstests on the debug kernel, which says nothing (XFSTESTS=source)
	@XFSTESTS='$(XFSTESTS)' tests/vm/xfstests/run --smoke

run: ## the demonstration: cluster, guest, mount, untar, verify, table (HOST=1: without a guest, on this machine's kernel)
	@scripts/run

shell: ## the same cluster and guest, left up with a shell in it
	@scripts/run --shell

bench: build module guest ## counts and ratios, never a timed test
	@scripts/bench

bigdir: build ## one directory of ENTRIES=1000000 entries: memory of the MDS, stalls; GUEST=1: of the module
	@ENTRIES=$(or $(ENTRIES),1000000) INODES=$(or $(INODES),100000) SPLIT=$(or $(SPLIT),16384) tests/tools/bigdir
	$(if $(GUEST),@$(MAKE) module guest && LISTING=1 LISTING_SECONDS=7200 LIMIT=9000 ENTRIES=$(or $(ENTRIES),1000000) tests/vm/suites large)

bigosd: build ## one OSD with OBJECTS=1000000 objects: how long it takes to start, and its memory
	@OBJECTS=$(or $(OBJECTS),1000000) tests/tools/bigosd

recall: build module guest ## one client with 100,000 files under an MDS that has room for 20,000 inodes: FILES= INODES= RECALL_SECONDS=600
	@FILES=$(or $(FILES),100000) INODES=$(or $(INODES),20000) RECALL_SECONDS=$(or $(RECALL_SECONDS),600) LIMIT=7200 tests/vm/suites recall

exercise: build module guest ## random operations on separate and shared files from two guests: STEPS=100000 HOWS="buffered mapped direct mixed" WAYS="alone turns beside"
	@STEPS=$(or $(STEPS),100000) LIMIT=86400 tests/vm/suites exerciser

kills: build module guest ## fio and untar while OSDs are killed, in each journal mode: KILL_SECONDS=600 JOURNALS="data ordered cow"
	@for mode in $(or $(JOURNALS),data ordered cow); do \
		JOURNAL=$$mode KILL_SECONDS=$(or $(KILL_SECONDS),600) LIMIT=7200 tests/vm/suites osd-kills || exit; done

fmt: ## show where formatting differs from .clang-format
	@scripts/fmt

docs: build/gen-docs ## generate Documentation/generated, and lists in Documentation/man, from the tables
	@scripts/gen-docs

install: build ## servers, tools, pages, units, and the module through DKMS: DESTDIR= PREFIX=/usr/local PARTS="server client dkms tools"
	@scripts/install $(PARTS)

uninstall: ## take away what install has put there
	@scripts/install --remove $(PARTS)

deb: build ## binary packages in build/deb
	@scripts/deb

clean: ## remove build/
	rm -rf build
