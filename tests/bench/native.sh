# SPDX-License-Identifier: GPL-2.0
#
# The row "native" of tests/bench/run: what lkvm itself costs, on this machine's
# /dev/kvm, with a bare-metal guest that exits at once. The same guest under
# QEMU beside it.

stay=$LKVM_TESTS/guest/stay.elf
[ -e "$stay" ] || make -s guest-programs >&2 || exit 1
[ -e "$stay" ] || { echo "native      there is no $stay"; exit 1; }
[ -w /dev/kvm ] || { echo "native      /dev/kvm cannot be opened"; exit 1; }
log=$(mktemp)
trap 'rm -f "$log" "$log".*' EXIT
guest=$log.exit.elf
gcc -nostdlib -static -fno-pie -no-pie -Wl,--build-id=none,-z,noexecstack -T tests/guest/guest.ld \
	-o "$guest" tests/bench/exit.S || exit 1

gcc -O2 -shared -fPIC -DLIBRARY -o "$log.so" tests/bench/spawn.c && gcc -O2 -o "$log.spawn" tests/bench/spawn.c || exit 1
times() { "$log.spawn" 101 "$@"; }	# times COMMAND...

cpu() {		# cpu COMMAND...: processor time of one run in ms, of 20; a busy machine does not change it much
	local TIMEFORMAT='%3U %3S'
	{ time for _ in $(seq 20); do "$@" </dev/null >/dev/null 2>&1; done; } 2>&1 |
		awk '{ printf "%.1f", ($1 + $2) * 1000 / 20 }'
}

# QEMU refuses a 64-bit ELF with a Multiboot header, which is for other tests: without it, by PVH
LC_ALL=C sed 's/\x02\xb0\xad\x1b/\x00\x00\x00\x00/' "$stay" > "$log.stay.elf"
micro="qemu-system-x86_64 -accel kvm -M microvm -m 128 -nodefaults -no-user-config -display none -no-reboot -serial stdio
	-device isa-debug-exit,iobase=0xf4,iosize=1 -kernel"
$micro "$guest" </dev/null >/dev/null 2>&1; [ $? = 1 ] || echo "native      microvm does not run the guest"
echo "native      start to end, median of 101: lkvm $(times "$LKVM" run -m 128 -c 1 -k "$guest"), microvm $(times $micro "$guest"), a process that does nothing $(times true)"
echo "native      processor time of that: lkvm $(cpu "$LKVM" run -m 128 -c 1 -k "$guest") ms, microvm $(cpu $micro "$guest") ms"

echo "native      start to first KVM_RUN, a library that looks preloaded: lkvm $(times "$log.so" "$LKVM" run -m 128 -c 1 -k "$guest")"
echo "native      system calls until the first KVM_RUN: $(strace -f -o "$log" "$LKVM" run -m 128 -c 1 -k "$guest" </dev/null >/dev/null 2>&1; awk '/KVM_RUN/ { exit } / [a-z_0-9]+\(/ { n++ } END { print n }' "$log")"

# Resident beyond guest RAM: a guest that stays, looked at from outside
rss() {	# rss PID: KiB of all mappings but the ones as large as the guest's RAM, and what of it is the process's alone
	awk '/^Size:/ { size = $2 } size < 65536 && /^Rss:/ { all += $2 } size < 65536 && /^Private_/ { own += $2 }
		END { print all " KiB, " own " of it its own" }' "/proc/$1/smaps"
}
stay() {	# stay NAME COMMAND...
	local name=$1 pid
	shift
	mkfifo "$log.fifo"
	"$@" <"$log.fifo" >"$log.out" 2>&1 &
	pid=$!
	exec 7>"$log.fifo"
	for _ in $(seq 500); do		# until the guest has said something
		[ ! -s "$log.out" ] || break
		read -rt 0.01 _ <> <(:)
	done
	echo "native      resident beyond guest RAM: $name $(rss $pid)"
	kill $pid; wait $pid 2>/dev/null
	exec 7>&-
	rm "$log.fifo"
}
[ ! -x "$LKVM-static" ] || stay lkvm-static "$LKVM-static" run -m 128 -c 1 -k "$stay"
stay lkvm "$LKVM" run -m 128 -c 1 -k "$stay"
stay microvm $micro "$log.stay.elf"
