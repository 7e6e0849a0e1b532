#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kselftest.sh: build some of the kernel's selftests from Debian's kernel source, those that
# need no hardware and no more than libc, into the cache of tests/lib/rig.sh, as "make
# install" of them leaves them. Prints the directory. In about a minute; done once.

cd "$(dirname "$0")/../.." || exit 1
. tests/lib/rig.sh
out=$rig_cache/kselftest
[ ! -e "$out/kselftest-list.txt" ] || { echo "$out"; exit 0; }
mkdir -p "$rig_cache" && work=$(mktemp -d "$rig_cache/build.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
if ! (
	rig_linux_source "$work" || exit
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends rsync
	# The headers that they include
	make -s -C "$work/linux" headers || exit
	make -s -k -j"$(nproc)" -C "$work/linux/tools/testing/selftests" install INSTALL_PATH="$work/out" \
		TARGETS="breakpoints clone3 core exec futex kcmp mincore openat2 pidfd proc ptrace sigaltstack size splice sync timens tmpfs tty"
	# Some of them do not build with every libc.
	[ -s "$work/out/kselftest-list.txt" ] && rm -rf "$out" && mv "$work/out" "$out"
) > "$out.log" 2>&1; then
	echo "the kernel's selftests cannot be built, see $out.log" >&2
	exit 1
fi
echo "$out"
