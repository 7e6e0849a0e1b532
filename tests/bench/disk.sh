# SPDX-License-Identifier: GPL-2.0
#
# The row "disk" of tests/bench/run: disks alone, without a guest, beside "qemu-img bench",
# on images in memory. Seconds of the clock and of processors, the least of BENCH_ROUNDS (7)
# rounds: a machine that does other things makes all of them slower, none faster.

prog=$LKVM_TESTS/bench/disk
make -s bench-programs >&2 || exit 1
command -v qemu-img >/dev/null || { echo "disk        qemu-img is not installed"; exit 0; }
dir=$(mktemp -d /dev/shm/bench-disk.XXXXXX) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1

# Before all other work on the machine, if that is allowed.
first="chrt -f 1"
$first true 2>/dev/null || first=

least() {	# least COMMAND...: "clock processors"
	for _ in $(seq "${BENCH_ROUNDS:-7}"); do
		FIRST=$first bash -c 'TIMEFORMAT="%R %U %S"; time $FIRST "$@" >/dev/null 2>&1' bench "$@" 2>&1
	done | awk 'NR == 1 || $1 < r { r = $1 } NR == 1 || $2 + $3 < c { c = $2 + $3 } END { printf "%.2f/%.2f", r, c }'
}

for format in raw qcow2; do
	"$LKVM" disk create -f $format image 256M
	"$prog" image,$format write 1048576 256 1048576 1 >/dev/null
	cp image other
	for op in read write; do
		w=; [ $op = read ] || w=-w
		for work in "4096 50000 32436224" "1048576 500 1048576"; do
			# shellcheck disable=SC2086
			set -- $work
			line="lkvm $(least "$prog" image,$format $op "$1" "$2" "$3" 1)"
			line="$line two threads $(least "$prog" image,$format $op "$1" "$2" "$3" 2)"
			for depth in 1 32; do
				# shellcheck disable=SC2086
				line="$line qemu-img depth $depth $(least qemu-img bench $w -c "$2" -d $depth -s "$1" -S "$3" -f $format -t writeback other)"
			done
			printf '%-11s %s %s, %s of %s bytes: %s\n' disk $format $op "$2" "$1" "$line"
		done
	done
	rm image other
done
