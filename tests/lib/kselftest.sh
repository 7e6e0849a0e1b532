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
{
	source=$(ls /usr/src/linux-source-6.*.tar.xz 2>/dev/null | tail -n 1)
	if [ -z "$source" ]; then
		(cd "$work" && apt-get download -qq linux-source-6.1 && dpkg -x linux-source-6.1_*.deb .) || exit 1
		source=$(ls "$work"/usr/src/linux-source-*.tar.xz)
	fi
	mkdir "$work/linux" && tar xf "$source" -C "$work/linux" --strip-components=1 || exit 1
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends rsync || :
	# The headers that they include
	make -s -C "$work/linux" headers || exit 1
	make -s -k -j"$(nproc)" -C "$work/linux/tools/testing/selftests" install INSTALL_PATH="$work/out" \
		TARGETS="breakpoints clone3 core exec futex kcmp mincore openat2 pidfd proc ptrace sigaltstack size splice sync timens tmpfs tty" ||
		:
	[ -s "$work/out/kselftest-list.txt" ] || exit 1
	rm -rf "$out" && mv "$work/out" "$out"
} > "$out.log" 2>&1 || { echo "the kernel's selftests cannot be built, see $out.log" >&2; exit 1; }
echo "$out"
