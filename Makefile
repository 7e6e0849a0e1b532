# SPDX-License-Identifier: GPL-2.0
#
# lkvm builds alone (the system's kernel headers) and as tools/kvm of a kernel
# tree (that tree's uapi headers, list.h and rbtree.c). "make help" says more.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:

all: lkvm

ifneq ($(O),)
OUTPUT := $(abspath $(O))/
endif

Q := $(if $(filter 1,$(V)),,@)
# $(call say,CC): "  CC      util/opt.o", unless V=1 shows the command itself
silent := $(findstring s,$(filter-out -%,$(firstword $(MAKEFLAGS))))
say = $(if $(Q),$(if $(silent),,@printf '  %-7s %s\n' $(1) '$(@:$(OUTPUT)%=%)'))

# The machine

CC := $(if $(filter default,$(origin CC)),$(CROSS_COMPILE)gcc,$(CC))
AR := $(if $(filter default,$(origin AR)),$(CROSS_COMPILE)ar,$(AR))
STRIP ?= $(CROSS_COMPILE)strip
OBJCOPY ?= $(CROSS_COMPILE)objcopy
CLANG ?= clang

MACHINE := $(shell $(CC) -dumpmachine)
SRCARCH := $(if $(filter x86_64-%,$(MACHINE)),x86)
ifeq ($(SRCARCH),)
$(error $(CC) makes code for "$(MACHINE)"; lkvm runs on x86_64)
endif

# The headers

KTREE := $(if $(wildcard ../include/linux/list.h),$(if $(wildcard ../../include/uapi/linux/kvm.h),$(abspath ../..)))
ifneq ($(KTREE),)
INCLUDES := -I$(KTREE)/tools/include -Iinclude -I$(KTREE)/include/uapi \
	    -I$(KTREE)/arch/$(SRCARCH)/include/uapi \
	    -include linux/compiler.h $(if $(wildcard $(KTREE)/tools/include/linux/align.h),-include linux/align.h)
VERSION := $(shell sed -n 's/^\(VERSION\|PATCHLEVEL\|SUBLEVEL\|EXTRAVERSION\) *= *//p' $(KTREE)/Makefile | \
	     { read a; read b; read c; read d; echo $$a.$$b.$$c$$d; })
else
INCLUDES := -Iinclude
VERSION := $(or $(if $(wildcard .git),$(shell GIT_OPTIONAL_LOCKS=0 git describe --always --dirty 2>/dev/null)),unknown)
endif

# What the compiler and the C library can do

include config/features.mk

# The flags

CPPFLAGS_ALL := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(INCLUDES) $(feature-defines)
CFLAGS_ALL := -std=gnu11 -g -fPIE -fno-common -fno-strict-aliasing -fstack-protector-strong -pthread \
	      -Wall -Wextra -Werror=implicit-function-declaration -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	      -Wundef -Wno-unused-parameter -Wno-missing-field-initializers
LDFLAGS_ALL := -pthread -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed

CFLAGS_ALL += $(if $(filter y,$(feature-cet)),-fcf-protection=full)
# Said for all, as Debian's crt1.o does not say it
ifeq ($(feature-cet),y)
LDFLAGS_ALL += -Wl,-z,ibt,-z,shstk
endif

# musl lacks some of what glibc has
ifeq ($(feature-statx),n)
CPPFLAGS_ALL += -include kvm/libc.h
endif

ifeq ($(DEBUG),1)
CFLAGS_ALL += -O0 -g3 -DDEBUG
else
CFLAGS_ALL += -O2
endif

ifneq ($(SANITIZE),)
SANITIZE_FLAGS := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_ALL += $(SANITIZE_FLAGS)
LDFLAGS_ALL += $(SANITIZE_FLAGS)
else ifneq ($(DEBUG),1)
CPPFLAGS_ALL += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$(if $(filter y,$(feature-fortify3)),3,2)
endif

# W=1: more warnings; W=e: warnings are errors; W=1e: both
CFLAGS_ALL += $(if $(findstring 1,$(W)),-Wcast-align -Wformat=2)
CFLAGS_ALL += $(if $(findstring e,$(W)),-Werror)

ALL_FLAGS = $(CPPFLAGS_ALL) $(CPPFLAGS) $(CFLAGS_ALL) $(CFLAGS)

# The program

include config/objects.mk

kvm-objs := $(addprefix $(OUTPUT),$(kvm-y))
init-objs := $(addprefix $(OUTPUT),$(init-y))

ifneq ($(OUTPUT),)
lkvm: $(OUTPUT)lkvm
lkvm-static: $(OUTPUT)lkvm-static
.PHONY: lkvm lkvm-static
endif

$(OUTPUT)lkvm: $(kvm-objs) config/objects.mk
	$(call say,LINK)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $(LDFLAGS) -o $@ $(kvm-objs)

$(OUTPUT)lkvm-static: $(kvm-objs)
	$(if $(filter y,$(feature-static) $(feature-static-pie)),,@echo "lkvm-static needs the C library's static archive (Debian: libc6-dev)"; false)
	$(call say,LINK)
	$(Q)$(CC) $(if $(filter y,$(feature-static-pie)),-static-pie,-static) $(LDFLAGS_ALL) $(LDFLAGS) -o $@ $^

# A change of flags rebuilds what was built with them
$(OUTPUT).flags: FORCE
	@mkdir -p $(@D); echo '$(CC) $(subst ','\'',$(ALL_FLAGS))' | cmp -s - $@ || \
		echo '$(CC) $(subst ','\'',$(ALL_FLAGS))' > $@

$(OUTPUT).version: FORCE
	@mkdir -p $(@D); echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' > $@

$(OUTPUT)builtin/version.o: private CPPFLAGS_ALL += -DLKVM_VERSION='"$(VERSION)"'
$(OUTPUT)builtin/version.o: $(OUTPUT).version

$(OUTPUT)%.o: %.c $(OUTPUT).flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_FLAGS) -MMD -MP -MF $(@:.o=.d) -c -o $@ $<
	$(if $(filter 1,$(C)),$(if $(filter builtin/init/%,$<),,$(Q)$(CHECK_GUEST) $<))

$(OUTPUT)%.o: %.S $(OUTPUT).flags
	$(call say,AS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -include linux/% kvm/libc.h,$(ALL_FLAGS)) -D__ASSEMBLY__ -MMD -MP -MF $(@:.o=.d) -c -o $@ $<

# C=1: clang refuses to take a pointer into guest memory for a plain one
CHECK_GUEST = $(CLANG) -fsyntax-only -DCHECK_GUEST -Werror=noderef -Wno-unknown-warning-option \
	      $(CPPFLAGS_ALL) $(CFLAGS_ALL)

# In a kernel tree the tree's red-black trees
ifneq ($(KTREE),)
$(OUTPUT)util/rbtree.o: $(KTREE)/tools/lib/rbtree.c $(OUTPUT).flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_FLAGS) -w -MMD -MP -MF $(@:.o=.d) -c -o $@ $<
endif

# The names of system calls, for messages: [257] = "openat",
$(OUTPUT)util/syscalls.inc: $(OUTPUT).flags
	@mkdir -p $(@D); { echo '/* SPDX-License-Identifier: GPL-2.0 */'; \
		echo '#include <asm/unistd.h>' | $(CC) $(INCLUDES) -E -dM -x c - | \
		sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9][0-9]*\)$$/[\2] = "\1",/p' | sort; } > $@

$(OUTPUT)util/seccomp.o: $(OUTPUT)util/syscalls.inc
$(OUTPUT)util/seccomp.o: private CPPFLAGS_ALL += -I$(or $(OUTPUT),./)util

# PID 1 of the guest: freestanding, no C library, small, carried inside lkvm

INIT_CFLAGS := -std=gnu11 -Os -g0 -ffreestanding -nostdlib -static -fno-pie -fno-builtin -fno-stack-protector \
	       -fno-asynchronous-unwind-tables -fno-unwind-tables -fcf-protection=none -ffunction-sections \
	       -fno-strict-aliasing -Wall -Wextra -Wvla -Wstrict-prototypes -Wmissing-prototypes \
	       -Wno-unused-parameter -U_FORTIFY_SOURCE $(if $(findstring e,$(W)),-Werror)

$(init-objs): private ALL_FLAGS = $(INIT_CFLAGS) $(INCLUDES) -I$(SRCARCH)

$(OUTPUT)builtin/init/init: $(init-objs)
	$(call say,LINK)
	$(Q)$(CC) -nostdlib -static -Wl,--gc-sections,--build-id=none,-z,noexecstack,-z,norelro,-z,max-page-size=4096 -o $@ $^
	$(Q)$(STRIP) -s $@

$(OUTPUT)builtin/init/blob.o: private CPPFLAGS_ALL += -DINIT_PATH='"$(OUTPUT)builtin/init/init"' \
				-DKCONFIG_PATH='"config/lkvm.config"'
$(OUTPUT)builtin/init/blob.o: $(OUTPUT)builtin/init/init config/lkvm.config

# Installing

prefix ?= /usr/local
bindir ?= $(prefix)/bin
datadir ?= $(prefix)/share
mandir ?= $(datadir)/man

install: lkvm
	$(Q)install -D -m 755 $(OUTPUT)lkvm $(DESTDIR)$(bindir)/lkvm
	$(Q)install -D -m 644 Documentation/lkvm.1 $(DESTDIR)$(mandir)/man1/lkvm.1
	$(Q)install -d $(addprefix $(DESTDIR)$(datadir)/,bash-completion/completions zsh/site-functions fish/vendor_completions.d)
	$(Q)$(or $(OUTPUT),./)lkvm completion bash > $(DESTDIR)$(datadir)/bash-completion/completions/lkvm
	$(Q)$(or $(OUTPUT),./)lkvm completion zsh > $(DESTDIR)$(datadir)/zsh/site-functions/_lkvm
	$(Q)$(or $(OUTPUT),./)lkvm completion fish > $(DESTDIR)$(datadir)/fish/vendor_completions.d/lkvm.fish

# Tests

include tests/tests.mk

clean:
	$(Q)find $(or $(OUTPUT),.) \( -name '*.o' -o -name '*.d' \) -not -path '*/.git/*' -not -path './kvm_stat/*' -delete
	$(Q)cd $(or $(OUTPUT),.) && rm -rf lkvm lkvm-static builtin/init/init util/syscalls.inc .flags .version .features tests/build

help:
	@echo 'Targets:'
	@echo '  all (default)   lkvm'
	@echo '  lkvm-static     lkvm that needs no shared library'
	@echo '  install         to $$(DESTDIR)$$(prefix): prefix=$(prefix)'
	@echo '  check           all tests; TESTS="unit boot/smp" some of them (see Documentation/testing.rst)'
	@echo '  check-long      tests that take long, which check leaves out'
	@echo '  check-kut       kvm-unit-tests beside QEMU; KUT=DIR is a built checkout of them'
	@echo '  demo            boot a kernel and run a command in it'
	@echo '  bench           measure side by side with QEMU; BENCH="boot-exits" one row'
	@echo '  fuzz            fuzz until interrupted, or FUZZ_SECONDS=60 for each target'
	@echo '  small-kernel    the small kernel that some tests boot (about ten minutes)'
	@echo '  tiny-kernel     another without KVM, PCI and ACPI (two minutes)'
	@echo '  clean'
	@echo 'Variables:'
	@echo '  V=1             show the commands'
	@echo '  O=DIR           put what is built into DIR'
	@echo '  CC=clang, CROSS_COMPILE=x86_64-linux-gnu-'
	@echo '  W=1, W=e        more warnings, warnings are errors'
	@echo '  C=1             check the use of guest pointers, with clang'
	@echo '  DEBUG=1         no optimisation'
	@echo '  SANITIZE=address,undefined'

FORCE:
.PHONY: all install clean help FORCE

-include $(patsubst %.o,%.d,$(kvm-objs) $(init-objs))
