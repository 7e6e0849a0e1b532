// SPDX-License-Identifier: GPL-2.0
/*
 * Options of QEMU, virtme-ng and kvmtool, with their names here. Options that have the
 * same name here need no line.
 */
#include <stddef.h>

#include "foreign.h"

#define NO_GRAPHICS	"there are no graphics, so there is nothing to switch off or on"
#define A_DISK		"say --disk FILE; --root DIR takes a directory as the guest's root"
#define A_NETWORK	"say --network MODE, as in -n user; -n help lists the modes"
#define NO_QEMU		"no QEMU is run; 'lkvm help run' lists the options"
#define A_DEBUGGER	"say --gdb, or --gdb-wait to stop before the first instruction"
#define ALWAYS_KVM	"it is always KVM: leave it out"
#define ONE_MACHINE	"there is one kind of machine: leave it out"
#define THE_COMMAND	"say lkvm run -- COMMAND"
#define THE_VERBS	"'lkvm list', 'stat', 'pause', 'stop' and others talk to a running machine"

const struct opt foreign_opts[] = {
	/* QEMU */
	OPT_FOREIGN("accel", ALWAYS_KVM),
	OPT_FOREIGN("append", "say --params TEXT"),
	OPT_FOREIGN("bios", "there is no firmware"),
	OPT_FOREIGN("blockdev", A_DISK),
	OPT_FOREIGN("cdrom", A_DISK),
	OPT_FOREIGN("chardev", "say --tty N,TTY for a serial port"),
	OPT_FOREIGN("curses", NO_GRAPHICS),
	OPT_FOREIGN("daemonize", "say lkvm run ... & to have it in the background"),
	OPT_FOREIGN("display", NO_GRAPHICS),
	OPT_FOREIGN("drive", A_DISK),
	OPT_FOREIGN("enable-kvm", ALWAYS_KVM),
	OPT_FOREIGN("fsdev", "say --share DIR"),
	OPT_FOREIGN("gdb", A_DEBUGGER),
	OPT_FOREIGN("hda", A_DISK),
	OPT_FOREIGN("hdb", A_DISK),
	OPT_FOREIGN("M", ONE_MACHINE),
	OPT_FOREIGN("machine", ONE_MACHINE),
	OPT_FOREIGN("mem-path", "say --mem-backend file=PATH"),
	OPT_FOREIGN("mon", THE_VERBS),
	OPT_FOREIGN("monitor", THE_VERBS),
	OPT_FOREIGN("net", A_NETWORK),
	OPT_FOREIGN("netdev", A_NETWORK),
	OPT_FOREIGN("nic", A_NETWORK),
	OPT_FOREIGN("no-acpi", "say --params acpi=off"),
	OPT_FOREIGN("no-user-config", "there are no configuration files: leave it out"),
	OPT_FOREIGN("nographic", NO_GRAPHICS),
	OPT_FOREIGN("pflash", "there is no firmware"),
	OPT_FOREIGN("pidfile", "'lkvm list' shows the process"),
	OPT_FOREIGN("qmp", THE_VERBS),
	OPT_FOREIGN("S", A_DEBUGGER),
	OPT_FOREIGN("s", A_DEBUGGER),
	OPT_FOREIGN("serial", "say --tty N,TTY; the console is stdin and stdout in any case"),
	OPT_FOREIGN("smp", "say --cpus N"),
	OPT_FOREIGN("vga", NO_GRAPHICS),
	OPT_FOREIGN("virtfs", "say --share DIR"),
	OPT_FOREIGN("watchdog-action", "say --watchdog ACTION"),
	/* virtme-ng */
	OPT_FOREIGN("a", "say --params TEXT"),
	OPT_FOREIGN("e", THE_COMMAND),
	OPT_FOREIGN("r", "say --kernel FILE"),
	OPT_FOREIGN("disable-kvm", ALWAYS_KVM),
	OPT_FOREIGN("disable-microvm", ONE_MACHINE),
	OPT_FOREIGN("dry-run", "no other program is run, so there is none to show; -vv says what lkvm does"),
	OPT_FOREIGN("exec", THE_COMMAND),
	OPT_FOREIGN("force-9p", "say --fs 9p"),
	OPT_FOREIGN("graphics", NO_GRAPHICS),
	OPT_FOREIGN("kdir", "say --kernel DIR/vmlinux, or run it in that tree"),
	OPT_FOREIGN("kimg", "say --kernel FILE"),
	OPT_FOREIGN("kopt", "say --params TEXT"),
	OPT_FOREIGN("mdir", "say --modules DIR"),
	OPT_FOREIGN("memory", "say --mem SIZE"),
	OPT_FOREIGN("moddir", "say --modules DIR"),
	OPT_FOREIGN("mods", "modules are found beside the kernel or by --modules DIR: leave it out"),
	OPT_FOREIGN("overlay-rwdir", "the whole root is below an overlay: leave it out"),
	OPT_FOREIGN("pwd", "it runs in the current directory, or in --cwd DIR: leave it out"),
	OPT_FOREIGN("qemu", NO_QEMU),
	OPT_FOREIGN("qemu-bin", NO_QEMU),
	OPT_FOREIGN("qemu-opts", NO_QEMU),
	OPT_FOREIGN("quiet", "it is quiet unless -v is given: leave it out"),
	OPT_FOREIGN("rodir", "say --share DIR,ro"),
	OPT_FOREIGN("run", "say --kernel FILE"),
	OPT_FOREIGN("rwdir", "say --share DIR"),
	OPT_FOREIGN("script-sh", "say lkvm run -- sh -c TEXT"),
	OPT_FOREIGN("show-boot-console", "say --verbose"),
	OPT_FOREIGN("show-command", "no other program is run, so there is none to show"),
	/* kvmtool */
	OPT_FOREIGN("debug-ioport", "say --trace exits, which counts what the guest accesses"),
	OPT_FOREIGN("debug-mmio", "say --trace exits, which counts what the guest accesses"),
	OPT_FOREIGN("flash", "there is no firmware"),
	OPT_FOREIGN("vidmode", NO_GRAPHICS),
	OPT_FOREIGN("virtio-legacy", "virtio is always modern: leave it out"),
	OPT_END
};
