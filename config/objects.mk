# SPDX-License-Identifier: GPL-2.0
#
# What lkvm is made of: kvm-y is the program, init-y the PID 1 that it carries
# for the guest. To add a device or a command is to add its line here.

kvm-y := $(patsubst %.c,%.o,$(wildcard builtin/*.c virtio/*.c hw/*.c hw/*/*.c x86/*.c util/*.c))
init-y := $(patsubst %.c,%.o,$(wildcard builtin/init/*.c)) $(patsubst %.S,%.o,$(wildcard x86/init-start.S))
kvm-y += builtin/init/blob.o
