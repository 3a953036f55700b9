# One makefile for everything; `make help` lists what it does. All that it makes lies in $(BUILD).
# A second tree with other options is one more BUILD: make BUILD=build/x CONFIGURE_FLAGS=...

BUILD ?= build
CONFIGURE_FLAGS ?=

.DEFAULT_GOAL := all
.SUFFIXES:
.DELETE_ON_ERROR:

# --- configuration ----------------------------------------------------------------------------

NO_CONFIG := clean deps dist format help
ifneq ($(filter-out $(NO_CONFIG),$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/config.mk
endif

build/configure: configure.ac
	@mkdir -p build
	cd build && autoconf -o configure ../configure.ac
	@rm -rf build/autom4te.cache

$(BUILD)/config.mk: build/configure src/config.mk.in src/config.h.in
	@mkdir -p $(BUILD)
	cd $(BUILD) && $(CURDIR)/build/configure --srcdir=$(CURDIR) $(CONFIGURE_FLAGS)
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

# --- compiling; V=1 shows the commands --------------------------------------------------------------------------------

Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)	$(2)')

COMPILE = $(CC) -std=gnu17 -D_GNU_SOURCE $(CPPFLAGS) -Iinclude -I$(BUILD) $(LIB_CFLAGS) \
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

define archive_rule
$(BUILD)/lib/$(1).a: $(filter $(BUILD)/obj/$(1)/%,$(OBJECTS))
	@mkdir -p $$(@D)
	$$(call say,AR,$$@)
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^
endef
$(foreach layer,$(LAYERS),$(eval $(call archive_rule,$(layer))))

# --- unit tests -------------------------------------------------------------------------------
# test/unit/test_LAYER_MODULE.c is a program; test/unit/support*.c is there for all of them.

UNIT_SOURCES := $(wildcard test/unit/test_*.c)
UNIT_TESTS := $(UNIT_SOURCES:test/unit/%.c=$(BUILD)/unit/%)
SUPPORT_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard test/unit/support*.c))

define unit_rule
$(BUILD)/unit/test_$(1)_%: $(BUILD)/obj/test/unit/test_$(1)_%.o $(SUPPORT_OBJECTS) \
		$(call archives,$(1) $(layers_$(1)))
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(LINK) -o $$@ $$^ $$(LIB_LIBS) -lcmocka
endef
$(foreach layer,$(LAYERS),$(eval $(call unit_rule,$(layer))))

.PHONY: unit
unit: $(UNIT_TESTS) ## build the unit tests

# --- the rest ---------------------------------------------------------------------------------

.PHONY: clean
clean: ## remove all that was made
	rm -rf build lurkbot

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{ printf "  make %-12s %s\n", $$1, $$2 }'

.PHONY: FORCE
FORCE:

.SECONDARY:

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
