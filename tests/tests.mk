# SPDX-License-Identifier: GPL-2.0
#
# What the tests need built. Unit tests and fuzz targets link all of lkvm, made
# a second time with the sanitizers, its main() as lkvm_main(). A line
# "// without: hw/vm.o" in a test leaves an object out, so that the test can
# stand in for it; "// with: tests/lib/lies.o" is for what is not to be in all tests.
# tests/unit/NAME_mt.c, where threads meet, is also built with TSan.
# tests/guest/NAME.c is a bare-metal guest.

# As many jobs as there are processors, unless -j has said how many
jobs = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

T := $(or $(OUTPUT),$(CURDIR)/)tests/build

# UNIT="a b": only these
unit-names := $(or $(UNIT),$(patsubst tests/unit/%.c,%,$(wildcard tests/unit/*.c)))
fuzz-names := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
guest-names := $(patsubst tests/guest/%.c,%,$(wildcard tests/guest/*.c))

test-programs: lkvm guest-programs $(T)/bench/net_tap unit-tests fuzz-targets

# A build of its own kind in a directory of its own. With sanitizers the compiler needs twice
# as long for -O2 as for -O1, and the tests are no faster.
sub = $(Q)$(MAKE) $(jobs) O=$(T)/$(1) FEATURES_FILE=$(features-file) SANITIZE=$(2) \
	CFLAGS="$(if $(filter 1,$(DEBUG)),,-O1 -g1) $(CFLAGS)"
comma := ,
asan = $(call sub,asan,address$(comma)undefined) COVERAGE=1

unit-tests: $(T)/guest/saved.elf
	+$(asan) unit-programs
	+$(if $(filter %_mt,$(unit-names)),$(call sub,tsan,thread) mt-programs)

fuzz-targets: unit-tests	# one after the other: each has all the processors
	+$(if $(fuzz-names),$(asan) fuzz-programs)

unit-programs: $(unit-names:%=$(OUTPUT)tests/unit/%)
fuzz-programs: $(fuzz-names:%=$(OUTPUT)tests/fuzz/%)
mt-programs: $(patsubst %,$(OUTPUT)tests/unit/%,$(filter %_mt,$(unit-names)))
guest-programs: $(guest-names:%=$(T)/guest/%.elf)

# tests/lib/*.c but the two main()s and what a test has to name: what a test uses of them
test-named := tests/lib/lies.c tests/lib/arch_stub.c
test-named-objs := $(test-named:%.c=$(OUTPUT)%.o)
test-lib := $(OUTPUT)tests/lib/lib.a
test-lib-objs := $(patsubst %.c,$(OUTPUT)%.o,$(filter-out \
	tests/lib/tap.c tests/lib/fuzz.c $(test-named),$(wildcard tests/lib/*.c)))
test-kvm-objs := $(OUTPUT)tests/build/main.o $(filter-out $(OUTPUT)builtin/main.o,$(kvm-objs))
test-line = $(addprefix $(OUTPUT),$(shell sed -n 's,^// $(1): ,,p' $(@:$(OUTPUT)%=%).c))
test-objs = $(filter-out $(call test-line,without) $(filter-out $(call test-line,with),$(test-named-objs)),$^)

$(test-lib): $(test-lib-objs)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(OUTPUT)tests/build/main.o: $(OUTPUT)builtin/main.o
	@mkdir -p $(@D)
	$(Q)$(OBJCOPY) --redefine-sym main=lkvm_main $< $@

$(OUTPUT)tests/%.o: private CPPFLAGS_ALL += -Itests/lib

# The code in the documentation is code
$(OUTPUT)tests/unit/device_rst.o: $(OUTPUT)tests/unit/device_rst.inc
$(OUTPUT)tests/unit/device_rst.o: private CPPFLAGS_ALL += -I$(OUTPUT)tests/unit
$(OUTPUT)tests/unit/device_rst.inc: Documentation/device.rst
	@mkdir -p $(@D)
	$(Q)awk '/^\.\. code-block:: c$$/ { on = 1; next } on && /^[^\t]/ { on = 0 } on { sub(/^\t/, ""); print }' $< >$@

# Fuzzing sees which code an input reaches. Unit tests are linked with the same objects and
# ignore it. What is called for it is not to be counted itself.
ifeq ($(COVERAGE),1)
CFLAGS_ALL += -fsanitize-coverage=trace-pc
$(OUTPUT)tests/lib/fuzz.o $(OUTPUT)tests/lib/tap.o: private CFLAGS_ALL := $(filter-out -fsanitize-coverage=%,$(CFLAGS_ALL))
endif

$(OUTPUT)tests/unit/%: $(OUTPUT)tests/unit/%.o $(OUTPUT)tests/lib/tap.o $(test-lib) $(test-kvm-objs) $(test-named-objs)
	$(call say,LINK)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $(LDFLAGS) -o $@ $(test-objs)

$(OUTPUT)tests/fuzz/%: $(OUTPUT)tests/fuzz/%.o $(OUTPUT)tests/lib/fuzz.o $(test-lib) $(test-kvm-objs) $(test-named-objs)
	$(call say,LINK)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $(LDFLAGS) -o $@ $(test-objs)

# What is measured has no sanitizers in it
bench-programs: $(T)/bench/disk $(T)/bench/fs $(T)/bench/net_tap
$(T)/bench/fs: $(OUTPUT)tests/bench/fs.o $(OUTPUT)tests/lib/fuse_mount.o $(test-kvm-objs)
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $(LDFLAGS) -o $@ $^

$(T)/bench/disk: $(OUTPUT)tests/bench/disk.o $(test-kvm-objs)
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $(LDFLAGS) -o $@ $^

$(T)/bench/net_tap: $(OUTPUT)tests/bench/net_tap.o $(test-kvm-objs)
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $(LDFLAGS) -o $@ $^

.SECONDARY:

GUEST_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -nostdlib -static -fno-pie -no-pie -mno-red-zone \
		-mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
		-Wall -Wextra -Wno-unused-parameter

$(T)/guest/%.elf: tests/guest/%.c $(wildcard tests/guest/*.h tests/guest/*.S tests/guest/*.ld)
	$(call say,GUEST)
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) $(INCLUDES) -Itests/guest -Wl,--build-id=none \
		$(addprefix -T ,$(wildcard tests/guest/*.ld)) -o $@ $< $(wildcard tests/guest/*.S)

# All but the architecture, with a stub of one
arch-stub: $(OUTPUT)lkvm-arch-stub
$(OUTPUT)lkvm-arch-stub: $(filter-out $(OUTPUT)$(SRCARCH)/%,$(kvm-objs)) $(OUTPUT)tests/lib/arch_stub.o
	$(call say,LINK)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) $(LDFLAGS) -o $@ $^

check:
	$(Q)tests/lib/need.sh
	$(Q)$(MAKE) $(jobs) test-programs
	$(Q)LKVM=$(abspath $(OUTPUT)lkvm) LKVM_TESTS=$(T) tests/run $(TESTS)

# The stanzas that take long, and a minute of each fuzz target
check-long:
	$(Q)tests/lib/need.sh
	$(Q)$(MAKE) $(jobs) test-programs
	$(Q)LKVM=$(abspath $(OUTPUT)lkvm) LKVM_TESTS=$(T) LKVM_TEST_LONG=yes FUZZ_SECONDS=$(or $(FUZZ_SECONDS),60) \
		tests/run $(or $(TESTS),unit/fuse_posix unit/qcow2_crash unit/qcow2_mt guest net fuzz boot)

# KUT=DIR: a built checkout of kvm-unit-tests
check-kut: lkvm
	$(Q)LKVM=$(abspath $(OUTPUT)lkvm) KUT="$(KUT)" KUT_TESTS="$(KUT_TESTS)" tests/kut

bench: lkvm $(T)/bench/net_tap $(if $(filter y,$(feature-static)),lkvm-static)
	$(Q)tests/lib/need.sh bindfs:bindfs git:git
	$(Q)LKVM=$(abspath $(OUTPUT)lkvm) LKVM_TESTS=$(T) tests/bench/run $(BENCH)

demo:
	$(Q)tests/lib/need.sh
	$(Q)$(MAKE) $(jobs) lkvm
	$(Q)LKVM=$(abspath $(OUTPUT)lkvm) LKVM_TESTS=$(T) tests/demo

fuzz: fuzz-targets
	$(Q)LKVM_TESTS=$(T) tests/fuzz/run $(or $(FUZZ_SECONDS),0)

small-kernel tiny-kernel:
	$(Q)tests/lib/small-kernel.sh $(@:-kernel=)

.PHONY: arch-stub bench-programs test-programs unit-tests fuzz-targets unit-programs fuzz-programs mt-programs guest-programs check check-long check-kut bench demo fuzz small-kernel tiny-kernel

-include $(wildcard $(OUTPUT)tests/bench/*.d $(OUTPUT)tests/unit/*.d $(OUTPUT)tests/fuzz/*.d $(OUTPUT)tests/lib/*.d)
