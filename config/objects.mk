# SPDX-License-Identifier: GPL-2.0
#
# What lkvm is made of: kvm-y is the program, init-y the PID 1 that it carries
# for the guest. To add a device or a command is to add its line here.

# the command line
kvm-y += builtin/command.o
kvm-y += builtin/commands.o
kvm-y += builtin/main.o
kvm-y += builtin/debug.o
kvm-y += builtin/kconfig.o
kvm-y += builtin/forward.o
kvm-y += builtin/link.o
kvm-y += builtin/list.o
kvm-y += builtin/pause.o
kvm-y += builtin/reset.o
kvm-y += builtin/resume.o
kvm-y += builtin/snapshot.o
kvm-y += builtin/stat.o
kvm-y += builtin/stop.o
kvm-y += builtin/version.o

# "lkvm disk"
kvm-y += builtin/disk/check.o
kvm-y += builtin/disk/convert.o
kvm-y += builtin/disk/create.o
kvm-y += builtin/disk/disk.o
kvm-y += builtin/disk/info.o
kvm-y += builtin/disk/map.o
kvm-y += builtin/disk/source.o
kvm-y += builtin/disk/present.o
kvm-y += builtin/disk/replay.o

# what those commands that talk to a machine share
kvm-y += builtin/client.o

# "lkvm run"
kvm-y += builtin/run/boot.o
kvm-y += builtin/run/command.o
kvm-y += builtin/run/confine.o
kvm-y += builtin/run/console.o
kvm-y += builtin/run/cpus.o
kvm-y += builtin/run/devices.o
kvm-y += builtin/run/disks.o
kvm-y += builtin/run/files.o
kvm-y += builtin/run/foreign.o
kvm-y += builtin/run/gdb.o
kvm-y += builtin/run/irqchip.o
kvm-y += builtin/run/machine.o
kvm-y += builtin/run/nets.o
kvm-y += builtin/run/numa.o
kvm-y += builtin/run/plan.o
kvm-y += builtin/run/ram.o
kvm-y += builtin/run/restore.o
kvm-y += builtin/run/run.o
kvm-y += builtin/run/share.o
kvm-y += builtin/run/snapshot.o
kvm-y += builtin/run/times.o
kvm-y += builtin/run/watch.o

# what is cooked for a guest before it runs
kvm-y += builtin/guest/depmod.o
kvm-y += builtin/guest/etc.o
kvm-y += builtin/guest/guest_conf.o
kvm-y += builtin/guest/initramfs.o
kvm-y += builtin/guest/kernel.o
kvm-y += builtin/guest/modules.o
kvm-y += builtin/guest/packed.o
kvm-y += builtin/guest/root.o
kvm-y += builtin/guest/search.o
kvm-y += builtin/guest/strip.o
kvm-y += builtin/guest/trie.o
kvm-y += builtin/guest/unpack.o

# what goes on while it runs
kvm-y += builtin/session/kmsg.o
kvm-y += builtin/session/pid1.o
kvm-y += builtin/session/relay.o
kvm-y += builtin/session/rest.o
kvm-y += builtin/session/session.o
kvm-y += builtin/session/status.o
kvm-y += builtin/session/streams.o
kvm-y += builtin/session/terminal.o
kvm-y += builtin/session/nics.o
kvm-y += builtin/session/verbs.o

# the machine
kvm-y += hw/acpi.o
kvm-y += hw/acpi_tables.o
kvm-y += hw/bus.o
kvm-y += hw/confine.o
kvm-y += hw/confine_drop.o
kvm-y += hw/confine_rules.o
kvm-y += hw/confine_show.o
kvm-y += hw/device.o
kvm-y += hw/feature.o
kvm-y += hw/irq.o
kvm-y += hw/kvm.o
kvm-y += hw/life.o
kvm-y += hw/memory.o
kvm-y += hw/memory_save.o
kvm-y += hw/pci.o
kvm-y += hw/snapshot.o
kvm-y += hw/snapshot_config.o
kvm-y += hw/snapshot_files.o
kvm-y += hw/state.o
kvm-y += hw/vcpu.o
kvm-y += hw/vm.o

# its chips
kvm-y += hw/chips/acpi_pm.o
kvm-y += hw/chips/button.o
kvm-y += hw/chips/debugcon.o
kvm-y += hw/chips/exit_port.o
kvm-y += hw/chips/fw_cfg.o
kvm-y += hw/chips/ged.o
kvm-y += hw/chips/i6300esb.o
kvm-y += hw/chips/i8042.o
kvm-y += hw/chips/pm.o
kvm-y += hw/chips/pvpanic.o
kvm-y += hw/chips/rtc.o
kvm-y += hw/chips/serial.o
kvm-y += hw/chips/testdev.o
kvm-y += hw/chips/vmgenid.o

# who looks at it
kvm-y += hw/debug/gdb.o
kvm-y += hw/debug/gdb_packet.o
kvm-y += hw/debug/gdb_peer.o
kvm-y += hw/debug/gdb_points.o
kvm-y += hw/debug/gdb_serve.o
kvm-y += hw/debug/gdb_socket.o
kvm-y += hw/debug/look.o
kvm-y += hw/debug/stats.o
kvm-y += hw/debug/trace.o

# virtio, and its devices
kvm-y += virtio/core.o
kvm-y += virtio/pci.o
kvm-y += virtio/queue.o
kvm-y += virtio/state.o
kvm-y += virtio/vring.o
kvm-y += virtio/blk.o
kvm-y += virtio/console.o
kvm-y += virtio/fs.o
kvm-y += virtio/net.o
kvm-y += virtio/net_filter.o
kvm-y += virtio/p9.o
kvm-y += virtio/rng.o

# what is behind them on the host
kvm-y += hw/disk/cut.o
kvm-y += hw/disk/disk.o
kvm-y += hw/disk/err.o
kvm-y += hw/disk/faults.o
kvm-y += hw/disk/file.o
kvm-y += hw/disk/image.o
kvm-y += hw/disk/limits.o
kvm-y += hw/disk/log.o
kvm-y += hw/disk/open.o
kvm-y += hw/disk/overlay.o
kvm-y += hw/disk/qcow2.o
kvm-y += hw/disk/qcow2_check.o
kvm-y += hw/disk/qcow2_commit.o
kvm-y += hw/disk/qcow2_head.o
kvm-y += hw/disk/qcow2_make.o
kvm-y += hw/disk/qcow2_map.o
kvm-y += hw/disk/qcow2_meta.o
kvm-y += hw/disk/qcow2_open.o
kvm-y += hw/disk/qcow2_ref.o
kvm-y += hw/disk/qcow2_snap.o
kvm-y += hw/disk/raw.o
kvm-y += hw/disk/replay.o
kvm-y += hw/disk/volatile.o
kvm-y += hw/fs/fuse.o
kvm-y += hw/fs/fuse_io.o
kvm-y += hw/fs/fuse_node.o
kvm-y += hw/fs/host.o
kvm-y += hw/fs/p9.o
kvm-y += hw/fs/p9_io.o
kvm-y += hw/fs/p9_session.o
kvm-y += hw/fs/share.o
kvm-y += hw/fs/share_lock.o
kvm-y += hw/net/frame.o
kvm-y += hw/net/inbox.o
kvm-y += hw/net/loop.o
kvm-y += hw/net/forward.o
kvm-y += hw/net/holder.o
kvm-y += hw/net/net.o
kvm-y += hw/net/packet.o
kvm-y += hw/net/port.o
kvm-y += hw/net/script.o
kvm-y += hw/net/switch.o
kvm-y += hw/net/switch_join.o
kvm-y += hw/net/tap.o
kvm-y += hw/net/wire.o
kvm-y += hw/net/user/arp.o
kvm-y += hw/net/user/dhcp.o
kvm-y += hw/net/user/dns.o
kvm-y += hw/net/user/forward.o
kvm-y += hw/net/user/icmp.o
kvm-y += hw/net/user/ip.o
kvm-y += hw/net/user/names.o
kvm-y += hw/net/user/tcp.o
kvm-y += hw/net/user/tcp_hash.o
kvm-y += hw/net/user/tcp_host.o
kvm-y += hw/net/user/tcp_out.o
kvm-y += hw/net/user/udp.o
kvm-y += hw/net/user/user.o
kvm-y += hw/tty/tty.o

# the architecture
kvm-y += $(SRCARCH)/acpi.o
kvm-y += $(SRCARCH)/bios.o
kvm-y += $(SRCARCH)/board.o
kvm-y += $(SRCARCH)/boot.o
kvm-y += $(SRCARCH)/boot_elf.o
kvm-y += $(SRCARCH)/boot_linux.o
kvm-y += $(SRCARCH)/boot_multiboot.o
kvm-y += $(SRCARCH)/cmdline.o
kvm-y += $(SRCARCH)/confine.o
kvm-y += $(SRCARCH)/cpuid.o
kvm-y += $(SRCARCH)/cpuid_names.o
kvm-y += $(SRCARCH)/debug.o
kvm-y += $(SRCARCH)/feature.o
kvm-y += $(SRCARCH)/image.o
kvm-y += $(SRCARCH)/ioapic.o
kvm-y += $(SRCARCH)/irq.o
kvm-y += $(SRCARCH)/mptable.o
kvm-y += $(SRCARCH)/pit.o
kvm-y += $(SRCARCH)/regs.o
kvm-y += $(SRCARCH)/smbios.o
kvm-y += $(SRCARCH)/state.o
kvm-y += $(SRCARCH)/topology.o
kvm-y += $(SRCARCH)/vcpu.o
init-y += $(SRCARCH)/init-start.o

# helpers that know nothing of guests
kvm-y += util/control.o
kvm-y += util/control_fds.o
kvm-y += util/deflate.o
kvm-y += util/elf.o
kvm-y += util/file.o
kvm-y += util/iov.o
kvm-y += util/landlock.o
kvm-y += util/keep.o
kvm-y += util/log.o
kvm-y += util/loop.o
kvm-y += util/lz4.o
kvm-y += util/opt.o
kvm-y += util/rbtree.o
kvm-y += util/seccomp.o
kvm-y += util/threads.o
kvm-y += util/state.o
kvm-y += util/undo.o
kvm-y += util/user_dir.o
kvm-y += util/wait.o

# PID 1, and the file that embeds it
init-y += builtin/init/conf.o
init-y += builtin/init/exec.o
init-y += builtin/init/lib.o
init-y += builtin/init/main.o
init-y += builtin/init/mount.o
init-y += builtin/init/net.o
init-y += builtin/init/port.o
init-y += builtin/init/relay.o
kvm-y += builtin/init/blob.o
