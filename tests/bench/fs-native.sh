# SPDX-License-Identifier: GPL-2.0
#
# The row "fs-native" of tests/bench/run: the FUSE server behind this machine's
# /dev/fuse, beside bindfs and the file system itself, which is in memory. Counts
# are of operations or MB (10^6) a second, the best of BENCH_ROUNDS (7)
# rounds: a machine that does other things makes all of them slower, none faster.

prog=$LKVM_TESTS/bench/fs
make -s bench-programs >&2 || exit 1
dir=$(mktemp -d /dev/shm/bench-fs.XXXXXX) || exit 1
mkdir "$dir/src" "$dir/mnt"
trap 'umount -l "$dir/mnt" 2>/dev/null; rm -rf "$dir"' EXIT

mounted() {	# wait until it is
	timeout 10 sh -c "until mountpoint -q '$dir/mnt'; do :; done"
}

columns="host lkvm"
if command -v bindfs >/dev/null; then columns="$columns bindfs"; else echo "fs-native   bindfs is not installed"; fi
for _ in $(seq "${BENCH_ROUNDS:-7}"); do
	for who in $columns; do
		at=$dir/mnt pid=
		case $who in
		host) at=$dir/src ;;
		lkvm) "$prog" serve "$dir/src" "$dir/mnt" 1 & pid=$! ;;
		bindfs) bindfs -f "$dir/src" "$dir/mnt" & pid=$! ;;
		esac
		[ -z "$pid" ] || mounted || { echo "fs-native   $who: cannot be mounted"; continue; }
		"$prog" work "$at" >> "$dir/$who" || echo "fs-native   $who: failed"
		[ -z "$pid" ] || { umount "$dir/mnt"; wait $pid; }
	done
done
for name in $(awk '!seen[$1]++ { print $1 }' "$dir/host"); do
	line=
	for who in $columns; do
		line="$line $who $(awk -v n="$name" '$1 == n { print $2 }' "$dir/$who" | sort -n | tail -n 1)"
	done
	printf '%-11s %s:%s\n' fs-native "$name" "$line"
done
