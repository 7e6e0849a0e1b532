#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Install what the tests use and this machine lacks: one apt-get call, or none.
# Where that is not possible it says so, and the tests that need it are skipped.

# program:Debian package; more of them may be given
set -- "$@" gcc:gcc make:make strip:binutils qemu-system-x86_64:qemu-system-x86 busybox:busybox-static \
	cpio:cpio modprobe:kmod iasl:acpica-tools clang:clang diodls:diod strace:strace xz:xz-utils \
	zstd:zstd lz4:lz4 setfacl:acl mkfs.ext4:e2fsprogs ip:iproute2 gdb:gdb file:file zsh:zsh \
	hwclock:util-linux-extra perl:perl-base sudo:sudo git:git stress-ng:stress-ng \
	ping:iputils-ping curl:curl iperf3:iperf3 python3:python3 qemu-img:qemu-utils \
	makedumpfile:makedumpfile bwrap:bubblewrap passt:passt xmllint:libxml2-utils jsonschema:python3-jsonschema parallel:parallel slurmctld:slurmctld slurmd:slurmd sbatch:slurm-client

PATH=$PATH:/usr/sbin:/sbin
missing=
for need; do
	command -v "${need%:*}" >/dev/null || missing="$missing ${need#*:}"
done
[ -e /usr/include/linux/kvm.h ] || missing="$missing linux-libc-dev libc6-dev"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "# not installed, and there is no apt-get:$missing" >&2
elif [ "$(id -u)" != 0 ]; then
	echo "# not installed, and only root can:$missing" >&2
else
	echo "# installing:$missing" >&2
	# $missing is a list of words
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 ||
	{ apt-get update -qq >/dev/null 2>&1
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1; } ||
		echo "# apt-get could not install:$missing" >&2
fi
exit 0
