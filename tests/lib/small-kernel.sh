#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# small-kernel.sh [small|tiny]: build a kernel that some tests boot from Debian's kernel
# source, into the cache of tests/lib/rig.sh: vmlinux and bzImage. small: what
# config/small.config makes of the default, in about ten minutes and 2 GB; tiny: hardly
# anything (config/tiny.config), in two. Done once.

cd "$(dirname "$0")/../.." || exit 1
. tests/lib/rig.sh
name=${1:-small}
[ ! -e "$rig_cache/$name/vmlinux" ] || { echo "$rig_cache/$name is there already"; exit 0; }
case $name in
small) base=x86_64_defconfig fragments="$PWD/config/lkvm.config $PWD/config/small.config" ;;
tiny) base=tinyconfig fragments=$PWD/config/tiny.config ;;
*) echo "there is no kernel called $name" >&2; exit 2 ;;
esac
mkdir -p "$rig_cache" && work=$(mktemp -d "$rig_cache/build.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	flex bison bc libelf-dev libssl-dev xz-utils >/dev/null 2>&1 || echo "packages could not be installed; going on" >&2
rig_linux_source "$work" && cd "$work/linux" || exit 1
make -s $base || exit 1
# shellcheck disable=SC2086
scripts/kconfig/merge_config.sh -m .config $fragments >/dev/null && make -s olddefconfig || exit 1
make -s -j"$(nproc)" bzImage || exit 1
mkdir -p "$rig_cache/$name" && cp arch/x86/boot/bzImage vmlinux "$rig_cache/$name/" &&
	cp .config "$rig_cache/$name/config-$(cat include/config/kernel.release)"
ls -l "$rig_cache/$name"
