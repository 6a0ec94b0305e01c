# SPDX-License-Identifier: MPL-2.0
# `make help` lists the targets. Sources are found by folder: a new file needs no line here.

ifeq ($(origin CC),default)
CC := gcc
endif
PYTHON     ?= /usr/bin/python3
PKG_CONFIG ?= pkg-config
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR    ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
VERSION    ?= 0.1.0

# One build folder for each variant, so that none sees the objects of another.
SAN ?=
BUILD_NAME_           := build
BUILD_NAME_address    := build-asan
BUILD_NAME_thread     := build-tsan
BUILD_NAME_fuzzer     := build-fuzz
BUILD_NAME_coverage   := build-cover
BUILD ?= $(or $(BUILD_NAME_$(SAN)),$(error SAN is address, thread, fuzzer, coverage, or nothing))

FUZZ_SECONDS ?= 60
FUZZ         ?=
JOBS         ?= 2

# ---- flags ----------------------------------------------------------------------------------

PACKAGES := openssl libconfig libevent libevent_pthreads libidn2 opendkim libcrypt libunbound libmicrohttpd sqlite3 zlib ldap lber hiredis lua5.4 libseccomp

# libspf2 has no .pc file. Asked for once, and only when something is compiled. -isystem: their headers are not ours to warn about.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell $(PKG_CONFIG) --cflags $(PACKAGES) | sed 's/-I/-isystem /g'))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $$(shell $(PKG_CONFIG) --libs $(PACKAGES)) -lspf2)$(PKG_LIBS)

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wformat=2 \
	-Wstrict-prototypes -Wmissing-prototypes -Wvla -Wcast-qual -Wwrite-strings \
	-Wimplicit-fallthrough -Wundef
ifneq ($(filter true 1,$(CI) $(WERROR)),)
WARNINGS += -Werror
endif

HARDENING := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection
ifneq ($(filter x86_64 i%86,$(shell uname -m)),)
HARDENING += -fcf-protection
endif

SAN_FLAGS_address  := -fsanitize=address,undefined -fno-sanitize-recover=undefined
SAN_FLAGS_thread   := -fsanitize=thread
SAN_FLAGS_fuzzer   := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
SAN_FLAGS_coverage := --coverage
# Where its counts are written at the end: the gate must be let (proxy/confine_paths.c).
COVERAGE_coverage  := -DGATEPOST_COVERAGE='"$(CURDIR)/$(BUILD)"'
ifeq ($(SAN),)
MODE_FLAGS := -O2 -g $(HARDENING)
else
MODE_FLAGS := -O1 -g -fno-omit-frame-pointer $(SAN_FLAGS_$(SAN))
endif

ALL_CPPFLAGS = -I. -D_GNU_SOURCE -DGATEPOST_VERSION='"$(VERSION)"' $(COVERAGE_$(SAN)) $(PKG_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS   = -std=c17 $(WARNINGS) $(MODE_FLAGS) -fPIE -pthread $(CFLAGS)
ALL_LDFLAGS  = $(SAN_FLAGS_$(SAN)) -pie -pthread -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)
ALL_LIBS     = $(PKG_LIBS) $(LIBS)

# ---- sources --------------------------------------------------------------------------------

SRC      := $(wildcard lib/*/*.c policy/*.c filters/*.c proxy/*.c proxy/*/*.c)
MAIN     := $(filter proxy/main.c,$(SRC))
LIB_OBJ  := $(patsubst %.c,$(BUILD)/%.o,$(filter-out proxy/main.c,$(SRC)))
MAIN_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(MAIN))
ARCHIVE  := $(BUILD)/libgatepost.a
BINARY   := $(if $(MAIN),$(BUILD)/gatepost)

UNIT_BIN := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
FUZZ_BIN := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_$(or $(FUZZ),*).c))
LOAD_BIN := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/load/*.c))
INTEROP_BIN := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/interop/*.c))
MAN      := $(wildcard docs/man/*.[1-8])
PLUGINS  := $(patsubst dist/examples/plugins/%.c,$(BUILD)/plugins/%.so,$(wildcard dist/examples/plugins/*.c))
UNITS    := gatepost.service gatepost-dmarc-report.service gatepost-dmarc-report.timer

ifeq ($(V),1)
Q :=
say := @:
else
Q := @
say = @printf '  %-8s %s\n'
MAKEFLAGS += --no-print-directory
endif

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
FORCE:
.PHONY: FORCE all archive units check unit dialog interop test asan tsan fuzz fuzz-quick fuzz-bins fuzz-objects lint \
	fault cover bench load loads docs demo run install clean deps format help

# What plugins include; tools/plugin_api.py tells (make docs).
HEADERS = $(shell cat dist/plugin.headers)

# ---- build ----------------------------------------------------------------------------------

all: $(ARCHIVE) $(BINARY) $(PLUGINS) ## build the binary into build/ (V=1 shows commands; CC=, SAN=, BUILD=, CI=true)

archive: $(ARCHIVE)
units: $(UNIT_BIN)

# The command line is a prerequisite too: other flags, other objects.
$(BUILD)/.flags: FORCE
	@mkdir -p $(BUILD)
	@$(PKG_CONFIG) --exists $(PACKAGES) || \
		{ echo "make: libraries are missing (see above); make deps installs them" >&2; exit 1; }
	@printf '%s\n' '$(subst ','\'',$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(ALL_LIBS))' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(BUILD)/%.o: %.c $(BUILD)/.flags
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The list of objects is kept beside the archive, so that a file taken away leaves it too.
$(BUILD)/.objects: FORCE
	@mkdir -p $(BUILD)
	@printf '%s\n' $(LIB_OBJ) >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(ARCHIVE): $(LIB_OBJ) $(BUILD)/.objects
	$(say) AR $@
	$(Q)rm -f $@ # q, not r: two folders may hold files of one name
	$(Q)$(AR) qcs $@ $(LIB_OBJ)

$(BUILD)/gatepost: $(MAIN_OBJ) $(ARCHIVE) dist/plugin.exports
	$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--dynamic-list=dist/plugin.exports -o $@ $(MAIN_OBJ) $(ARCHIVE) $(ALL_LIBS)

# As pkg-config gatepost tells those who build theirs elsewhere.
$(BUILD)/plugins/%.so: dist/examples/plugins/%.c $(BUILD)/.flags
	$(say) PLUGIN $@
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -D_GNU_SOURCE -std=c17 $(WARNINGS) $(MODE_FLAGS) -fPIC -shared -MMD -MP -o $@ $<

# For LD_PRELOAD, without the checks of sanitizers.
$(BUILD)/tests/fault/%.so: tests/fault/%.c $(BUILD)/.flags
	$(say) SHIM $@
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -std=c17 $(WARNINGS) -O2 -g -fPIC -shared -MMD -MP -o $@ $<

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(ARCHIVE)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(ARCHIVE) -lcmocka $(ALL_LIBS)

$(BUILD)/tests/interop/%: $(BUILD)/tests/interop/%.o $(ARCHIVE)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(ARCHIVE) $(ALL_LIBS)

$(BUILD)/tests/load/%: $(BUILD)/tests/load/%.o $(ARCHIVE)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(ARCHIVE) $(ALL_LIBS)

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(ARCHIVE)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $< $(ARCHIVE) $(ALL_LIBS)

-include $(shell test -d $(BUILD) && find $(BUILD) -name '*.d')

# ---- tests ----------------------------------------------------------------------------------

check: unit dialog ## unit tests, golden files and dialogs of what is built here; installs nothing

unit: $(UNIT_BIN)
	$(Q)$(PYTHON) tools/run_units.py --build $(BUILD) --jobs $(JOBS) $(UNIT_BIN)

dialog: all
	$(Q)$(PYTHON) tests/dialog/run.py --build $(BUILD) --jobs $(JOBS) $(DIALOGS)

interop: all $(INTEROP_BIN)
	$(Q)$(PYTHON) tools/run_interop.py --build $(BUILD) --jobs $(JOBS) $(INTEROP)

fault: all $(BUILD)/tests/fault/shim.so ## the Nth call of a kind fails (FAULT=3, FAULT=all); kill -9 under load (ROUNDS=200)
	$(Q)$(PYTHON) tests/fault/run.py --build $(BUILD)
	$(Q)$(PYTHON) tests/fault/kill.py --build $(BUILD)

test: ## check, faults, then real mail software as client and upstream; installs what it needs
	$(Q)tools/deps.sh build test
	$(Q)$(MAKE) -j$(JOBS) all units
	$(Q)$(MAKE) check
	$(Q)$(MAKE) fault
	$(Q)$(MAKE) interop

asan: ## unit tests and dialogs under AddressSanitizer and UBSan (build-asan/)
	$(Q)$(MAKE) SAN=address -j$(JOBS) all units
	$(Q)$(MAKE) SAN=address check

tsan: ## unit tests and dialogs under ThreadSanitizer (build-tsan/)
	$(Q)$(MAKE) SAN=thread -j$(JOBS) all units
	$(Q)$(MAKE) SAN=thread check

fuzz: ## every fuzzer for FUZZ_SECONDS=60 (FUZZ=name for one; build-fuzz/)
	$(Q)$(MAKE) CC=clang SAN=fuzzer -j$(JOBS) fuzz-bins
	$(Q)$(PYTHON) tools/run_fuzz.py --build build-fuzz --seconds $(FUZZ_SECONDS) --jobs $(JOBS) $(FUZZ)

fuzz-quick: ## every fuzzer over its seeds only
	$(Q)$(MAKE) fuzz FUZZ_SECONDS=0

fuzz-bins: $(FUZZ_BIN)

fuzz-objects: $(addsuffix .o,$(FUZZ_BIN))

lint: ## layout, warnings of gcc and clang, cppcheck, clang-tidy, include directions, documents
	$(Q)tools/deps.sh build test lint
	$(Q)$(PYTHON) tools/lint.py --jobs $(JOBS) $(STEPS)

cover: ## lines that unit tests and dialogs reach (build-cover/coverage.html)
	$(Q)tools/deps.sh build test cover
	$(Q)$(MAKE) SAN=coverage -j$(JOBS) all units
	$(Q)$(MAKE) SAN=coverage unit
	$(Q)chmod -R a+rwX build-cover # the gate of the dialogs writes its counts as nobody
	$(Q)$(MAKE) SAN=coverage dialog
	$(Q)gcovr --root . --object-directory build-cover --exclude 'tests/.*' --print-summary \
		--html-details build-cover/coverage.html

loads: $(LOAD_BIN)

load: loads all

bench: ## speed and memory, beside Postfix + OpenDKIM in the same run (BENCH=inbound, submission: a part)
	$(Q)tools/deps.sh build test bench
	$(Q)$(MAKE) -j$(JOBS) load
	$(Q)$(PYTHON) tests/load/bench.py --build $(BUILD) $(BENCH)

# ---- the rest -------------------------------------------------------------------------------

demo: ## submit a message through the gate and verify its signature; installs what it needs
	$(Q)tools/deps.sh build demo
	$(Q)$(MAKE) -j$(JOBS) all
	$(Q)tools/demo.sh $(BUILD)/gatepost

run: ## the demo's set-up, and keep serving
	$(Q)tools/deps.sh build demo
	$(Q)$(MAKE) -j$(JOBS) all
	$(Q)tools/demo.sh --keep $(BUILD)/gatepost

docs: all ## write the generated parts of docs/, and dist/plugin.*, anew from tables and headers
	$(say) DOC docs/CONFIG.md
	$(Q)$(BUILD)/gatepost check-config --print-manual >$(BUILD)/CONFIG.md
	$(Q)cp $(BUILD)/CONFIG.md docs/CONFIG.md
	$(Q)$(PYTHON) tools/link_table.py $(BUILD)/gatepost
	$(Q)$(PYTHON) tools/plugin_api.py exports >$(BUILD)/plugin.exports
	$(Q)$(PYTHON) tools/plugin_api.py headers >$(BUILD)/plugin.headers
	$(Q)cp $(BUILD)/plugin.exports $(BUILD)/plugin.headers dist/

deps: ## install the Debian packages that a build needs
	$(Q)tools/deps.sh build

format: ## lay out all C files by .clang-format
	$(Q)git ls-files '*.c' '*.h' | xargs -r clang-format -i

install: all ## into PREFIX=/usr/local, SYSCONFDIR=/etc, UNITDIR=; DESTDIR= for packaging
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(SYSCONFDIR)/gatepost \
		$(DESTDIR)$(PREFIX)/share/doc/gatepost $(DESTDIR)$(UNITDIR)
	install -m 755 $(BUILD)/gatepost $(DESTDIR)$(PREFIX)/bin/gatepost
	$(foreach page,$(MAN),install -D -m 644 $(page) \
		$(DESTDIR)$(PREFIX)/share/man/man$(patsubst .%,%,$(suffix $(page)))/$(notdir $(page)) &&) :
	install -m 644 proxy.conf.example $(DESTDIR)$(SYSCONFDIR)/gatepost/proxy.conf.example
	install -m 644 README.md LICENSE filters/skeleton.c $(wildcard docs/*.md) $(DESTDIR)$(PREFIX)/share/doc/gatepost
	cd dist/examples && find policy-tests -type f -exec install -D -m 644 {} \
		$(abspath $(DESTDIR)$(PREFIX))/share/doc/gatepost/{} \;
	cd dist/examples && find lua -type f -exec install -D -m 644 {} \
		$(abspath $(DESTDIR)$(PREFIX))/share/doc/gatepost/{} \;
	cd dist/examples && find plugins -type f -exec install -D -m 644 {} \
		$(abspath $(DESTDIR)$(PREFIX))/share/doc/gatepost/{} \;
	install -d $(DESTDIR)$(PREFIX)/lib/gatepost $(DESTDIR)$(PREFIX)/lib/pkgconfig
	$(foreach header,$(HEADERS),install -D -m 644 $(header) $(DESTDIR)$(PREFIX)/include/gatepost/$(header) &&) :
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' dist/gatepost.pc.in >$(DESTDIR)$(PREFIX)/lib/pkgconfig/gatepost.pc
	chmod 644 $(DESTDIR)$(PREFIX)/lib/pkgconfig/gatepost.pc
	$(foreach unit,$(UNITS),sed 's|/usr/local/|$(PREFIX)/|g; s|/etc/gatepost|$(SYSCONFDIR)/gatepost|g' \
		dist/$(unit) >$(DESTDIR)$(UNITDIR)/$(unit) && chmod 644 $(DESTDIR)$(UNITDIR)/$(unit) &&) :
	install -D -m 644 dist/gatepost.sysusers $(DESTDIR)$(SYSUSERSDIR)/gatepost.conf
	install -d $(DESTDIR)$(TMPFILESDIR)
	sed 's|/etc/gatepost|$(SYSCONFDIR)/gatepost|g' dist/gatepost.tmpfiles \
		>$(DESTDIR)$(TMPFILESDIR)/gatepost.conf
	chmod 644 $(DESTDIR)$(TMPFILESDIR)/gatepost.conf

clean: ## remove every build folder
	rm -rf build build-*

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='	' read -r name text; do printf '  %-11s %s\n' "$$name" "$$text"; done
