# One makefile for everything; `make help` lists what it does. All that it makes lies in $(BUILD).
# A second tree with other options is one more BUILD: make BUILD=build/x CONFIGURE_FLAGS=...
# A source tree that cannot be written to is built with BUILD and SHARED somewhere else.

BUILD ?= build

# What all trees share: configure, what npm brought, and the results of tests.
SHARED ?= build

.DEFAULT_GOAL := all
.SUFFIXES:
.DELETE_ON_ERROR:

# --- configuration ----------------------------------------------------------------------------

NO_CONFIG := clean deb deps deps-missing dist distcheck format help
ifneq ($(filter-out $(NO_CONFIG),$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/config.mk
endif

# These do everything on a fresh machine, so what they need is looked for before configure runs.
ifneq ($(filter run check% lint bench bench-peers fuzz coverage model,$(MAKECMDGOALS)),)
PURPOSES := build $(if $(filter check% lint coverage model,$(MAKECMDGOALS)),test) \
	$(if $(filter bench-peers,$(MAKECMDGOALS)),peers) \
	$(filter lint fuzz coverage,$(MAKECMDGOALS)) \
	$(patsubst check-%,%,$(filter %-valgrind %-security %-systemd %-package %-browser,$(MAKECMDGOALS)))
$(SHARED)/configure $(BUILD)/config.mk: | deps-missing
endif

$(SHARED)/configure: configure.ac
	@mkdir -p $(SHARED)
	@command -v autoconf >/dev/null || { echo 'autoconf is missing: run "make deps"'; exit 1; }
	@cd $(SHARED) && autoconf -o configure $(CURDIR)/configure.ac
	@rm -rf $(SHARED)/autom4te.cache

# Options that are given are kept; another `make CONFIGURE_FLAGS=...` configures anew.
ifeq ($(origin CONFIGURE_FLAGS),command line)
$(BUILD)/options: FORCE
	@mkdir -p $(@D)
	@echo '$(CONFIGURE_FLAGS)' | cmp -s - $@ || echo '$(CONFIGURE_FLAGS)' >$@
$(BUILD)/config.mk: $(BUILD)/options
endif

$(BUILD)/config.mk: $(SHARED)/configure src/config.mk.in src/config.h.in
	@mkdir -p $(BUILD)
	@cd $(BUILD) && $(abspath $(SHARED))/configure --srcdir=$(CURDIR) $$(cat options 2>/dev/null) \
		>configure.out 2>&1 || { cat configure.out; exit 1; }
	@sed -n '/^  lurkbot/,$$p' $(BUILD)/configure.out
	@touch $@

# --- layers -----------------------------------------------------------------------------------
# Each layer is an archive. A unit test is linked with the archives of its own layer and of what
# that may include, so that the table holds at link time too; test/check-layers reads it as well.

layers_base :=
layers_proto := base
layers_bus := base
layers_sys := base
layers_conf := base
layers_gateway := conf sys bus proto base
layers_worker := gateway conf sys bus proto base
layers_supervisor := conf sys bus proto base
layers_cli := supervisor worker gateway conf sys bus proto base

LAYERS := cli $(layers_cli)
archives = $(patsubst %,$(BUILD)/lib/%.a,$(1))

SOURCES := $(wildcard src/*/*.c src/*.c)
OBJECTS := $(SOURCES:src/%.c=$(BUILD)/obj/%.o)

# --- compiling; V=1 shows the commands --------------------------------------------------------

Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)	$(2)')

# Quoted includes only: the layer sys must not shadow the system's <sys/...>.
COMPILE = $(CC) -std=gnu17 -D_GNU_SOURCE $(CPPFLAGS) -iquote include -iquote $(BUILD) $(LIB_CFLAGS) \
	$(WARNINGS) $(CFLAGS) $(HARDENING) $(SANITIZE) -MMD -MP
LINK = $(CC) $(CFLAGS) $(SANITIZE) $(HARDENING_LD) -Wl,--as-needed $(LDFLAGS)

.PHONY: all
all: $(BUILD)/lurkbot ## build the program (the default)
ifeq ($(BUILD),build)
all: lurkbot

lurkbot: build/lurkbot
	@ln -sfn build/lurkbot $@
endif

$(BUILD)/lurkbot: $(BUILD)/obj/main.o $(call archives,$(LAYERS))
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(LIB_LIBS)

# Another compiler or other flags make everything anew.
$(BUILD)/compiler: FORCE
	@mkdir -p $(@D)
	@echo '$(COMPILE) $(LINK)' | cmp -s - $@ || echo '$(COMPILE) $(LINK)' >$@

$(BUILD)/obj/%.o: src/%.c $(BUILD)/config.mk $(BUILD)/compiler
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) -c -o $@ $<

$(BUILD)/obj/test/%.o: test/%.c $(BUILD)/config.mk $(BUILD)/compiler
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) -c -o $@ $<

# The folder itself changes when a file goes, which then must leave the archive too.
define archive_rule
$(BUILD)/lib/$(1).a: $(filter $(BUILD)/obj/$(1)/%,$(OBJECTS)) src/$(1)
	@mkdir -p $$(@D)
	$$(call say,AR,$$@)
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$(filter %.o,$$^)
endef
$(foreach layer,$(LAYERS),$(eval $(call archive_rule,$(layer))))

# --- unit tests -------------------------------------------------------------------------------
# test/unit/test_LAYER_MODULE.c is a program; test/unit/support*.c is there for all of them, as an
# archive, so that a test of a lower layer is not linked with what supports those of higher ones.

UNIT_SOURCES := $(wildcard test/unit/test_*.c)
UNIT_TESTS := $(UNIT_SOURCES:test/unit/%.c=$(BUILD)/unit/%)
SUPPORT_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard test/unit/support*.c))

$(BUILD)/lib/support.a: $(SUPPORT_OBJECTS)
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

define unit_rule
$(BUILD)/unit/test_$(1)_%: $(BUILD)/obj/test/unit/test_$(1)_%.o $(BUILD)/lib/support.a \
		$(call archives,$(1) $(layers_$(1)))
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(LINK) -o $$@ $$^ $$(LIB_LIBS) -lcmocka
endef
$(foreach layer,$(LAYERS),$(eval $(call unit_rule,$(layer))))

.PHONY: unit
unit: $(UNIT_TESTS)

# --- crash points -----------------------------------------------------------------------------
# test/failpoint kills a process behind each store that others can see, in a build that has such
# points; what it finds out is the table in lurkbot-internals(7).

WALK_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard test/failpoint/*.c))

$(BUILD)/walk: $(WALK_OBJECTS) $(call archives,bus base)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^

.PHONY: walk-objects
walk-objects: $(WALK_OBJECTS)

.PHONY: walk-program
walk-program:
	@$(MAKE) --no-print-directory BUILD=build/failpoint CPPFLAGS=-DLURKBOT_FAILPOINTS \
		build/failpoint/walk

.PHONY: check-failpoints
check-failpoints: walk-program ## kill a process at each crash point of the bus
	$(begin)
	$(measure) check-failpoints test/failpoint/check build/failpoint/walk
	$(end)

.PHONY: crash-table
crash-table: walk-program ## write the table of crash points into its man page anew
	@test/failpoint/check --write build/failpoint/walk

# --- faults -----------------------------------------------------------------------------------
# test/shim is preloaded into the program by tests that let system calls fail. Nothing that the
# program is built with may get into it: no sanitizer, and not the functions that check bounds.

$(BUILD)/obj/test/shim/%.o: private HARDENING := -fPIC
$(BUILD)/obj/test/shim/%.o: private SANITIZE :=

$(BUILD)/shim.so: $(BUILD)/obj/test/shim/shim.o
	$(call say,LINK,$@)
	$(Q)$(CC) -shared -o $@ $^

.PHONY: shim
shim: $(BUILD)/shim.so

# test/check-sites runs the unit tests in a build where each call stands where it was written, and
# names those that take memory and were never refused it.

.PHONY: check-sites
check-sites: ## which allocations the unit tests never let fail
	@$(MAKE) --no-print-directory BUILD=build/sites \
		CFLAGS='-Og -g -fno-inline -fno-optimize-sibling-calls' WARNINGS= unit
	$(begin)
	$(measure) check-sites test/check-sites build/sites
	$(end)

# --- models -----------------------------------------------------------------------------------
# test/model/*.pml are what Spin searches; what it makes of them lies in $(BUILD)/model.

.PHONY: check-model
check-model: ## search the models of the bus, and find the faults planted in them
	$(begin)
	$(measure) check-model test/model/check quick $(BUILD)/model
	$(end)

.PHONY: model
model: ## the same in their full bounds (minutes, 5 GB)
	@test/model/check full $(BUILD)/model

# --- torture ----------------------------------------------------------------------------------
# test/torture kills and stops processes on a tiny segment; KILLS is how many.

TORTURE_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard test/torture/*.c))
KILLS ?= 1000

$(BUILD)/torture: $(TORTURE_OBJECTS) $(call archives,bus base)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^

.PHONY: torture-program
torture-program: $(BUILD)/torture

.PHONY: check-torture
check-torture: $(BUILD)/torture ## kill and stop 200 users of the bus
	$(begin)
	$(measure) check-torture $(BUILD)/torture 200
	$(end)

.PHONY: chaos
chaos: $(BUILD)/lurkbot ## kill and stop workers for CHAOS_S seconds (600) under clients
	LURKBOT=$(abspath $(BUILD))/lurkbot /usr/bin/python3 test/e2e/chaos.py

.PHONY: reload-storm
reload-storm: $(BUILD)/lurkbot ## reload RELOADS times (1000), 20 a second, under load
	LURKBOT=$(abspath $(BUILD))/lurkbot /usr/bin/python3 test/e2e/reload.py

.PHONY: workers-storm
workers-storm: $(BUILD)/lurkbot ## 4 workers, 1 and 4 again, ROUNDS times (20), under load
	LURKBOT=$(CURDIR)/$(BUILD)/lurkbot /usr/bin/python3 test/e2e/resize.py

.PHONY: soak
soak: $(BUILD)/lurkbot ## SOAK_S seconds (1800) of clients at random, and what they leave
	LURKBOT=$(CURDIR)/$(BUILD)/lurkbot /usr/bin/python3 test/e2e/soak.py

.PHONY: kills
kills: $(BUILD)/lurkbot ## kill KILLS workers (25), then WHOLE times (5) everything, under clients
	LURKBOT=$(abspath $(BUILD))/lurkbot /usr/bin/python3 test/e2e/kills.py

.PHONY: provider-storm
provider-storm: $(BUILD)/lurkbot ## kill workers, providers and clients for STORM_S seconds (600) under requests
	LURKBOT=$(CURDIR)/$(BUILD)/lurkbot /usr/bin/python3 test/e2e/storm.py

.PHONY: torture
torture: $(BUILD)/torture ## kill KILLS of them, and count the time that others stood still
	TORTURE_TIMES=1 $(BUILD)/torture $(KILLS)

# --- races ------------------------------------------------------------------------------------
# test/race is the bus with threads in place of processes, for ThreadSanitizer. RACE_EVENTS is how
# many each writer publishes. Three faults are planted in turn, and have to be reported: a lock that
# is not taken, a counter that is not atomic, and, in a tree of its own, stores that do not release.
# helgrind and drd have nothing to add: they take every atomic word for a race.

RACE_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard test/race/*.c) test/torture/events.c)
RACE_WRAPS := shlock_take shlock_give pthread_mutex_clocklock
RACE_EVENTS ?= 10000

# What locks protect, in ring, mailbox and directory: where none is taken, which is first is chance.
UNDER_LOCKS := append|set_digits|digits_.*|put|get|commit|.*_locked|.*reason.*|find_room|ring_entry_.*

$(BUILD)/race: $(RACE_OBJECTS) $(call archives,bus base)
	$(call say,LINK,$@)
	$(Q)$(LINK) $(RACE_WRAPS:%=-Wl,--wrap=%) -o $@ $^

.PHONY: race-program
race-program: $(BUILD)/race

race_tree = $(MAKE) --no-print-directory BUILD=build/$(1) CONFIGURE_FLAGS=--enable-sanitizers=thread \
	CPPFLAGS='$(2)' race-program

.PHONY: check-race
check-race: ## the bus with threads in place of processes, under TSan
	@$(call race_tree,tsan)
	@$(call race_tree,tsan-relaxed,-include $(CURDIR)/test/race/relaxed.h)
	$(begin)
	$(measure) check-race test/race/check build/tsan/race $(RACE_EVENTS)
	$(measure) check-race-lock test/race/check --reports '$(UNDER_LOCKS)' build/tsan/race \
		$(RACE_EVENTS) lock
	$(measure) check-race-counter test/race/check --reports 'add_plainly|counters_.*' \
		build/tsan/race $(RACE_EVENTS) counter
	$(measure) check-race-release test/race/check --reports 'check_.*|look_.*' \
		build/tsan-relaxed/race $(RACE_EVENTS)
	$(end)

# --- benchmark --------------------------------------------------------------------------------

BENCH_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard test/bench/*.c))
BARELOOP_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard test/bench/bareloop/*.c))

$(BUILD)/lurkbot-bench: $(BENCH_OBJECTS) $(call archives,proto sys base)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(LIB_LIBS)

$(BUILD)/bareloop: $(BARELOOP_OBJECTS) $(call archives,proto base)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(LIB_LIBS)

.PHONY: bench-program
bench-program: $(BUILD)/lurkbot-bench $(BUILD)/bareloop

.PHONY: bench
bench: $(BUILD)/lurkbot bench-program ## measure fan-out and requests
	LURKBOT=$(BUILD)/lurkbot LURKBOT_BENCH=$(BUILD)/lurkbot-bench test/bench/run

.PHONY: bench-slow
bench-slow: $(BUILD)/lurkbot bench-program ## the cost of clients that do not read
	LURKBOT=$(BUILD)/lurkbot LURKBOT_BENCH=$(BUILD)/lurkbot-bench test/bench/slow

.PHONY: bench-deflate
bench-deflate: $(BUILD)/lurkbot bench-program ## what compression costs and saves
	LURKBOT=$(BUILD)/lurkbot LURKBOT_BENCH=$(BUILD)/lurkbot-bench test/bench/deflate

.PHONY: bench-tls
bench-tls: $(BUILD)/lurkbot bench-program ## the cost of TLS
	LURKBOT=$(BUILD)/lurkbot LURKBOT_BENCH=$(BUILD)/lurkbot-bench test/bench/tls

.PHONY: bench-peers
bench-peers: $(BUILD)/lurkbot bench-program ## the same beside nchan, Mosquitto, NATS and bare loops
	LURKBOT=$(BUILD)/lurkbot LURKBOT_BENCH=$(BUILD)/lurkbot-bench BARELOOP=$(BUILD)/bareloop \
		test/bench/peers

# --- fuzzing ----------------------------------------------------------------------------------
# test/fuzz/fuzz_*.c are libFuzzer targets; FUZZ_S is how long each may look for trouble. Without
# libFuzzer each is a program that is given the files of test/fuzz/corpus.

FUZZ_NAMES := $(patsubst test/fuzz/fuzz_%.c,%,$(wildcard test/fuzz/fuzz_*.c))
FUZZERS := $(FUZZ_NAMES:%=$(BUILD)/fuzz_%)
REPLAYS := $(FUZZ_NAMES:%=$(BUILD)/replay_%)
FUZZ_OBJECTS := $(patsubst %,$(BUILD)/obj/test/fuzz/%.o,$(FUZZ_NAMES:%=fuzz_%) replay)
FUZZ_S ?= 30
FUZZ_JOBS ?= $(shell nproc)

$(BUILD)/fuzz_%: $(BUILD)/obj/test/fuzz/fuzz_%.o $(call archives,$(LAYERS))
	$(call say,LINK,$@)
	$(Q)$(LINK) -fsanitize=fuzzer -o $@ $^ $(LIB_LIBS)

$(BUILD)/replay_%: $(BUILD)/obj/test/fuzz/fuzz_%.o $(BUILD)/obj/test/fuzz/replay.o \
		$(call archives,$(LAYERS))
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(LIB_LIBS)

.PHONY: fuzz
fuzz: ## let every fuzz target run for FUZZ_S seconds (clang)
	@$(MAKE) --no-print-directory BUILD=build/fuzz CC=clang fuzz-run \
		CFLAGS='-O1 -g -fsanitize=fuzzer-no-link' CONFIGURE_FLAGS=--enable-sanitizers

.PHONY: fuzz-objects
fuzz-objects: $(FUZZ_OBJECTS)

.PHONY: fuzz-run
fuzz-run: $(FUZZERS)
	@printf '%s\n' $(FUZZERS) | xargs -n 1 -P $(FUZZ_JOBS) test/fuzz/run $(FUZZ_S)

.PHONY: check-corpus
check-corpus: $(REPLAYS) ## give the fuzz targets what is known to be worth a look
	$(begin)
	$(foreach name,$(FUZZ_NAMES),$(call one_corpus,$(name)))
	$(end)

define one_corpus
$(step) corpus-$(1) $(BUILD)/replay_$(1) test/fuzz/corpus/$(1)

endef

# --- running and testing ----------------------------------------------------------------------
# Each part of the tests writes a file of lines `PASSED FAILED NAME`; test/report adds them up, and
# counts a part that could not write its file as failed.

RESULTS := $(SHARED)/results
WS_VERSION := 8.18.3
WS := $(SHARED)/node_modules/.ws-$(WS_VERSION)

take_parts = @rm -f $(1:%=$(RESULTS)/%); \
	for part in $(1); do $(MAKE) --no-print-directory $$part || :; done; \
	test/report $(1:%=$(RESULTS)/%)
begin = @mkdir -p $(RESULTS) && : >$(RESULTS)/$@
step = @test/step $(RESULTS)/$@
measure = @test/step -v $(RESULTS)/$@
end = @test/report $(RESULTS)/$@ >/dev/null

.PHONY: run
run: all ## build, and start the gateway in the foreground
	./lurkbot gateway start

.PHONY: check
check: ## build, and run all tests
	$(call take_parts,check-measures check-unit check-failpoints check-model \
		check-torture check-race \
		check-corpus check-e2e check-e2e-send check-e2e-tls)

.PHONY: check-security
check-security: $(BUILD)/lurkbot ## let testssl.sh and slowhttptest loose on a gateway
	$(begin)
	$(measure) testssl test/security/testssl $(E2E_PROGRAM)
	$(measure) slowhttptest test/security/slowhttptest $(E2E_PROGRAM)
	$(end)

.PHONY: check-systemd
check-systemd: $(BUILD)/lurkbot ## the units under a real systemd, in a container (root)
	@mkdir -p $(BUILD)/systemd/user
	@cd contrib/systemd && for unit in *.service *.socket user/*.service user/*.socket; do sed \
		's|/usr/bin/lurkbot|/opt/lurkbot/bin/lurkbot|' $$unit >$(CURDIR)/$(BUILD)/systemd/$$unit; done
	$(begin)
	$(measure) check-systemd test/systemd/check $(BUILD)/lurkbot $(BUILD)/systemd
	$(end)

.PHONY: check-measures
check-measures: $(BUILD)/lurkbot ## layers, circles, lengths, completeness of the manual, the units
	$(begin)
	$(measure) check-layers test/check-layers
	$(measure) check-cycles test/check-cycles
	$(measure) check-length test/check-length
	$(measure) check-docs test/check-docs
	$(measure) check-units test/check-units $(BUILD)/lurkbot
	$(end)

.PHONY: check-unit
check-unit: $(UNIT_TESTS) ## the unit tests alone
	@test/run-unit $(RESULTS)/$@ $(UNIT_TESTS)

PYTEST = /usr/bin/python3 -m pytest -q -p no:cacheprovider $(PYTEST_FLAGS) test/e2e

E2E_PROGRAM = $(abspath $(BUILD))/lurkbot

.PHONY: check-e2e
check-e2e: $(BUILD)/lurkbot $(BUILD)/shim.so $(WS) ## the end-to-end tests alone
	@LURKBOT=$(E2E_PROGRAM) SHIM=$(abspath $(BUILD))/shim.so \
		NODE_PATH=$(abspath $(SHARED))/node_modules \
		test/run-pytest $(RESULTS)/$@ $(PYTEST)

# Chromium is a large download (400 MB), so `make check` has these only where it is there already.
.PHONY: check-browser
check-browser: $(BUILD)/lurkbot ## the JavaScript client library in Chromium
	@LURKBOT=$(E2E_PROGRAM) LURKBOT_TEST_BROWSER=1 \
		test/run-pytest $(RESULTS)/$@ $(PYTEST)/test_browser.py

.PHONY: check-e2e-send
check-e2e-send: $(BUILD)/lurkbot $(BUILD)/shim.so $(WS) ## the same, with one send for each client
	@LURKBOT=$(E2E_PROGRAM) SHIM=$(abspath $(BUILD))/shim.so \
		NODE_PATH=$(abspath $(SHARED))/node_modules LURKBOT_TEST_SENDER=send test/run-pytest $(RESULTS)/$@ $(PYTEST)

# What every client meets, over TLS; TLS itself is a part of check-e2e.
TLS_TESTS = $(addprefix test/e2e/test_,protocol.py sender.py resume.py reload.py)

.PHONY: check-e2e-tls
check-e2e-tls: $(BUILD)/lurkbot $(BUILD)/shim.so ## the core of the same, over TLS
	@LURKBOT=$(E2E_PROGRAM) SHIM=$(abspath $(BUILD))/shim.so LURKBOT_TEST_TLS=1 \
		test/run-pytest $(RESULTS)/$@ $(PYTEST:test/e2e=$(TLS_TESTS))

# npm is to trust what the system trusts.
$(WS):
	NODE_EXTRA_CA_CERTS=$${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt} \
		npm install --prefix $(SHARED) --no-save --no-package-lock --no-audit --no-fund \
		ws@$(WS_VERSION)
	@touch $@

ifneq ($(SANITIZE),)
REPORTS := $(abspath $(BUILD))/reports
PYTEST_FLAGS += -m san
export LURKBOT_TEST_SLOW := 5
export ASAN_OPTIONS := detect_leaks=1:detect_stack_use_after_return=1:log_path=$(REPORTS)/asan
export UBSAN_OPTIONS := print_stacktrace=1:log_path=$(REPORTS)/ubsan
endif

# A report counts, also when the process that wrote it was one that nobody waits for.
.PHONY: check-san
check-san: ## unit and marked end-to-end tests under ASan and UBSan
	@rm -rf build/san/reports && mkdir -p build/san/reports
	$(call take_parts,san/check-unit san/check-corpus san/check-e2e san/reports)

.PHONY: san/check-unit san/check-corpus san/check-e2e san/reports
san/check-unit san/check-corpus san/check-e2e: san/%:
	@$(MAKE) --no-print-directory BUILD=build/san RESULTS=$(RESULTS)/san \
		CONFIGURE_FLAGS=--enable-sanitizers $*

san/reports:
	$(begin)
	$(step) sanitizer-reports sh -c '! grep -h . build/san/reports/*'
	$(end)

# --- valgrind ---------------------------------------------------------------------------------
# What is written to a report is an error or a leak; a process without either leaves an empty one.

VALGRIND_UNITS := $(wildcard $(addprefix test/unit/test_,proto_*.c bus_*.c gateway_*.c))

.PHONY: check-valgrind
check-valgrind: ## unit and marked end-to-end tests under valgrind
	@rm -rf build/valgrind/reports && mkdir -p build/valgrind/reports
	$(call take_parts,valgrind/check-unit valgrind/check-e2e valgrind/reports)

.PHONY: valgrind/check-unit valgrind/check-e2e valgrind/reports
valgrind/check-unit valgrind/check-e2e: valgrind/%:
	@LURKBOT_TEST_SLOW=5 RUN_UNDER=valgrind VALGRIND_PROGRAM=$(CURDIR)/build/valgrind/lurkbot \
		VALGRIND_OPTS='-q --leak-check=full --log-file=$(CURDIR)/build/valgrind/reports/%p' \
		$(MAKE) --no-print-directory BUILD=build/valgrind RESULTS=$(RESULTS)/valgrind \
		CONFIGURE_FLAGS=--enable-sanitizers=valgrind UNIT_SOURCES='$(VALGRIND_UNITS)' \
		PYTEST_FLAGS='-m valgrind' E2E_PROGRAM=$(CURDIR)/test/under-valgrind $*

valgrind/reports:
	$(begin)
	$(step) valgrind-ran test -n "$$(ls build/valgrind/reports)"
	$(step) valgrind-reports sh -c '! grep -r . build/valgrind/reports'
	$(end)

# --- coverage ---------------------------------------------------------------------------------
# Of the lines of proto and bus, by what runs them. In one tree with crash points, so that the walk
# over these counts too; a process that is killed tells nothing of what it ran.

.PHONY: coverage-programs
coverage-programs: $(UNIT_TESTS) $(BUILD)/walk $(BUILD)/torture $(BUILD)/race $(REPLAYS)

.PHONY: coverage
coverage: ## lines of proto and bus that tests and corpora run, at least 95 % of each
	@$(MAKE) --no-print-directory BUILD=build/coverage CPPFLAGS=-DLURKBOT_FAILPOINTS \
		CFLAGS='-Og -g --coverage -fprofile-update=atomic' \
		CONFIGURE_FLAGS='--disable-hardening --without-seccomp' coverage-programs
	$(begin)
	$(measure) coverage test/coverage build/coverage 95 proto bus
	$(end)

# --- lint -------------------------------------------------------------------------------------

.PHONY: lint
lint: ## format, warnings of two compilers, static checks, measures
	$(call take_parts,lint-code check-measures)

C_FILES = $(shell git ls-files 'src/*.c' 'include/*.h' 'test/*.[ch]')
PYTHON_FILES = $(shell git ls-files '*.py')
JAVASCRIPT_FILES = $(shell git ls-files '*.mjs')
SCRIPTS = $(shell git grep -lE '^\#!.*sh$$' -- .ci contrib test)
strict_build = $(MAKE) --no-print-directory BUILD=build/lint-$(1) CC=$(1) \
	CONFIGURE_FLAGS=--enable-werror all unit bench-program fuzz-objects walk-objects \
	torture-program race-program shim

.PHONY: lint-code
lint-code: $(BUILD)/config.mk
	$(begin)
	$(step) clang-format clang-format --dry-run -Werror $(C_FILES)
	$(step) gcc $(call strict_build,gcc)
	$(step) clang $(call strict_build,clang)
	$(step) check-headers test/check-headers $(BUILD)
	$(step) cppcheck cppcheck -q --error-exitcode=1 --inline-suppr \
		--enable=warning,portability,performance --suppressions-list=test/cppcheck.txt \
		-Iinclude -I$(BUILD) -D_GNU_SOURCE src
	$(step) shellcheck shellcheck -x $(SCRIPTS)
	$(step) pyflakes /usr/bin/python3 -m pyflakes $(PYTHON_FILES)
	$(step) node-check sh -c 'for f; do node --check "$$f" || exit 1; done' - $(JAVASCRIPT_FILES)
	$(step) mandoc mandoc -T lint -W warning $(MAN_PAGES)
	$(end)

.PHONY: format
format: ## bring all C files into the house's format
	clang-format -i $(C_FILES)

.PHONY: deps
deps: ## install what building, testing and linting need (Debian)
	contrib/deps build test lint fuzz valgrind coverage

.PHONY: deps-missing
deps-missing:
	@contrib/deps $(PURPOSES)

# --- installing -------------------------------------------------------------------------------
# What is installed stands here once, as MODE:FILE:PLACE; uninstall and distcheck follow from it.

INSTALL ?= install
MAN_PAGES := $(wildcard man/*.[1-8])
LIBRARY_FILES := $(wildcard contrib/python/*.py contrib/javascript/*.mjs)
COMPLETIONS := $(addprefix $(BUILD)/completion/,lurkbot _lurkbot lurkbot.fish)
man_place = $(mandir)/man$(subst .,,$(suffix $(1)))/$(notdir $(1))

INSTALLED = 755:$(BUILD)/lurkbot:$(bindir)/lurkbot \
	755:$(BUILD)/lurkbot-bench:$(bindir)/lurkbot-bench \
	644:$(BUILD)/completion/lurkbot:$(datadir)/bash-completion/completions/lurkbot \
	644:$(BUILD)/completion/_lurkbot:$(datadir)/zsh/site-functions/_lurkbot \
	644:$(BUILD)/completion/lurkbot.fish:$(datadir)/fish/vendor_completions.d/lurkbot.fish \
	$(foreach page,$(MAN_PAGES),644:$(page):$(call man_place,$(page))) \
	$(foreach doc,README LICENSE $(wildcard etc/*),644:$(doc):$(docdir)/$(notdir $(doc))) \
	$(foreach doc,$(wildcard contrib/prometheus/*),644:$(doc):$(docdir)/prometheus/$(notdir $(doc))) \
	$(foreach doc,$(wildcard contrib/systemd/*.conf),644:$(doc):$(docdir)/$(notdir $(doc))) \
	$(foreach unit,$(UNITS),644:$(BUILD)/units/$(unit):$(call unit_place,$(unit))) \
	$(foreach file,$(LIBRARY_FILES),644:$(file):$(datadir)/lurkbot/$(patsubst contrib/%,%,$(file)))

# The units name the program by its place; the folders are configure's. Without one it is not installed.
unit_files = $(wildcard contrib/systemd/$(1)*.service contrib/systemd/$(1)*.socket)
UNITS = $(and $(systemdsystemunitdir),$(call unit_files)) \
	$(and $(systemduserunitdir),$(call unit_files,user/))
unit_place = $(if $(filter contrib/systemd/user/%,$(1)),$(systemduserunitdir),$(systemdsystemunitdir))/$(notdir $(1))

$(BUILD)/units/%: % $(BUILD)/config.mk
	@mkdir -p $(@D)
	$(Q)sed 's|/usr/bin/lurkbot|$(bindir)/lurkbot|' $< >$@

word_of = $(word $(2),$(subst :, ,$(1)))
place_of = $(DESTDIR)$(call word_of,$(1),3)

$(BUILD)/completion/lurkbot: SHELL_NAME = bash
$(BUILD)/completion/_lurkbot: SHELL_NAME = zsh
$(BUILD)/completion/lurkbot.fish: SHELL_NAME = fish
$(COMPLETIONS): $(BUILD)/lurkbot
	@mkdir -p $(@D)
	$(Q)$(BUILD)/lurkbot completion $(SHELL_NAME) >$@

.PHONY: install
install: $(BUILD)/lurkbot $(BUILD)/lurkbot-bench $(COMPLETIONS) $(UNITS:%=$(BUILD)/units/%) ## install below prefix (and DESTDIR)
	$(foreach i,$(INSTALLED),$(INSTALL) -D -m $(call word_of,$(i),1) $(call word_of,$(i),2) \
		$(call place_of,$(i)) &&) :

.PHONY: uninstall
uninstall: ## remove what install put there
	rm -f $(foreach i,$(INSTALLED),$(call place_of,$(i)))
	-rmdir $(DESTDIR)$(docdir)/prometheus $(DESTDIR)$(docdir) \
		$(addprefix $(DESTDIR)$(datadir)/,lurkbot/python lurkbot/javascript lurkbot)

.PHONY: installed-files
installed-files:
	@printf '%s\n' $(foreach i,$(INSTALLED),$(call word_of,$(i),3))

# --- packages ---------------------------------------------------------------------------------
# The tarball has what is committed, or, where there is no git, all of the tree but what was made.

PACKAGE := lurkbot-$(shell sed -n 's/^AC_INIT.\[lurkbot\], \[\([0-9.]*\)\], \[\], .*/\1/p' configure.ac)

.PHONY: dist
dist: ## pack what is committed into a tar file
	@contrib/dist $(PACKAGE) $(SHARED)/$(PACKAGE).tar.gz

.PHONY: distcheck
distcheck: dist ## build, test and install what dist packed, from a read-only tree
	@test/package/distcheck $(SHARED)/$(PACKAGE).tar.gz $(PACKAGE)

.PHONY: deb
deb: dist ## build the Debian package
	@contrib/debian/build $(SHARED)/$(PACKAGE).tar.gz $(PACKAGE) $(SHARED)

.PHONY: check-package
check-package: deb ## install, use and remove the Debian package in a container (root)
	$(begin)
	$(measure) check-package test/package/check $(SHARED)/lurkbot_*.deb $(SHARED)/bookworm
	$(end)

.PHONY: clean
clean: ## remove all that was made
	rm -rf build lurkbot

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1|\2/p' Makefile | \
		awk -F'|' '{ printf "  make %-14s %s\n", $$1, $$2 }'

.PHONY: FORCE
FORCE:

.SECONDARY:

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
