# SPDX-License-Identifier: GPL-2.0
#
# The rows of tests/bench/run that boot Linux: run by it, as root, where KVM can
# do that. Results are lines "ROW  WHAT: NUMBERS".

trace=/sys/kernel/tracing/events/kvm
out=$(mktemp -d /dev/shm/bench.XXXXXX) || exit 1
trap 'rm -rf "$out"' EXIT
host_irq=96; [ -d /sys/module/kvm_amd ] || host_irq=1
qemu="qemu-system-x86_64 -accel kvm -cpu host -m 256 -smp 1 -nodefaults -no-user-config -display none -no-reboot -serial stdio"
params="console=ttyS0 quiet panic=-1 ${BENCH_ONLY:+bench.only=$BENCH_ONLY}"
# So that what is read from a slow place is read before the first measurement
cp "$LKVM" "$BENCH_WORK"/cloud* "$BENCH_WORK"/config-* "$out/"; LKVM=$out/$(basename "$LKVM")

# vm lkvm|microvm|q35 WHAT INITRAMFS [KERNEL]: one run of the guest; its output
# is in $out/log.
vm() {
	local kernel=${4:-$out/cloud}
	case $1 in
	lkvm) timeout $vm_limit "$LKVM" run -k "$kernel" -i "$3" -m 256 -c 1 --console serial -p "$params bench.do=$2" $vm_extra ;;
	microvm) timeout $vm_limit $qemu -M microvm,rtc=on -kernel "$kernel" -initrd "$3" -append "$params bench.do=$2" $vm_extra ;;
	q35) timeout $vm_limit $qemu -M q35 -kernel "$kernel" -initrd "$3" -append "$params bench.do=$2" $vm_extra ;;
	esac </dev/null >"$out/log" 2>&1
}

# count COMMAND...: run it with its VM exits counted into $exits and $user.
count() {
	echo 'hist:keys=exit_reason' > $trace/kvm_exit/trigger
	echo 'hist:keys=reason' > $trace/kvm_userspace_exit/trigger
	echo 'hist:keys=ecx.hex,write:sort=hitcount.descending' > $trace/kvm_msr/trigger
	[ -z "$BENCH_DETAIL" ] || {
		echo 'hist:keys=port.hex,rw:sort=hitcount.descending' > $trace/kvm_pio/trigger
	}
	"$@"
	[ -z "$BENCH_DETAIL" ] || {
		grep -h hitcount: $trace/kvm_msr/hist | head -n 12
		grep -h hitcount: $trace/kvm_pio/hist | head -n 12
		echo '!hist:keys=port.hex,rw' > $trace/kvm_pio/trigger
	}
	exits=$(sed -n 's/^ *Hits: //p' $trace/kvm_exit/hist)
	# The host's own interrupts depend on how long it takes: 0x60 of SVM, 1 of VMX
	own=$((exits - $(sed -n "s/^{ *exit_reason: *$host_irq *} hitcount: *//p" $trace/kvm_exit/hist | grep . || echo 0)))
	user=$(sed -n 's/^ *Hits: //p' $trace/kvm_userspace_exit/hist)
	# The guest arms its timer, by IA32_TSC_DEADLINE or by the initial count of an x2APIC, the more often the longer it runs
	timer=$(awk '/ecx: *(6e0|838),/ { sum += $NF } END { print sum + 0 }' $trace/kvm_msr/hist)
	echo '!hist:keys=ecx.hex,write' > $trace/kvm_msr/trigger
	cp $trace/kvm_exit/hist "$out/kvm_exit"; cp $trace/kvm_userspace_exit/hist "$out/kvm_userspace_exit"
	echo '!hist:keys=exit_reason' > $trace/kvm_exit/trigger
	echo '!hist:keys=reason' > $trace/kvm_userspace_exit/trigger
}

said() {	# said ROW WHO: did the guest come up?
	grep -aq 'BENCH ' "$out/log" && return 0
	echo "$1  $2: the guest did not get there:"
	tail -n 5 "$out/log" | tr -d '\r' | sed 's/^/    /'
	return 1
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", b ? a / b : 0 }'; }

now() { date +%s%N; }

row_boot_exits() {
	local who lkvm='' lkvm_own='' lkvm_user='' micro='' micro_own='' micro_user=''
	for who in lkvm microvm q35; do
		vm $who boot "$out/cloud-bare.cpio.gz"	# once to warm the caches
		count vm $who boot "$out/cloud-bare.cpio.gz"
		said boot-exits $who || continue
		echo "boot-exits  $who: $exits exits, $own without the host's interrupts ($timer of them timer writes), $user to userspace"
		sed -n 's/^{ *exit_reason: *\([^ ]*\) *} hitcount: *\([0-9]*\).*/\2 \1/p' "$out/kvm_exit" | sort -rn | head -n 8 |
			awk '{ printf "%s%s x%s", NR == 1 ? "            " : ", ", $2, $1 } END { print "" }'
		[ $who != lkvm ] || lkvm=$exits lkvm_own=$own lkvm_user=$user
		[ $who != microvm ] || micro=$exits micro_own=$own micro_user=$user
	done
	[ -z "$lkvm" ] || [ -z "$micro" ] ||
		echo "boot-exits  lkvm/microvm: $(ratio $lkvm $micro), without the host's interrupts $(ratio $lkvm_own $micro_own), to userspace $(ratio $lkvm_user $micro_user)"
}

row_boot_time() {
	local i who t0 ms all='' pair wins=0
	for i in $(seq "$BENCH_PAIRS"); do
		pair=
		for who in lkvm microvm; do
			t0=$(now)
			vm $who boot "$out/cloud-bare.cpio.gz"
			ms=$((($(now) - t0) / 1000000))
			said boot-time $who || return
			pair="$pair $ms"
		done
		set -- $pair
		[ "$1" -ge "$2" ] || wins=$((wins + 1))
		all="$all $1/$2"
	done
	echo "boot-time   lkvm/microvm in ms:$all: lkvm was faster in $wins of $BENCH_PAIRS pairs"
	t0=$(now); vm q35 boot "$out/cloud-bare.cpio.gz"
	echo "boot-time   q35 once: $((($(now) - t0) / 1000000)) ms"
}

# lkvm's are first: a guest of several vCPUs has been the end of the rig.
row_smp() {
	local n who t0 ms vm_limit=60
	[ -e "$BENCH_WORK/small" ] || return
	cp "$BENCH_WORK/small" "$out/"
	for who in lkvm microvm q35; do
		for n in 1 4 16; do
			case $who in lkvm) vm_extra="-c $n" ;; *) vm_extra="-smp $n" ;; esac
			t0=$(now)
			count vm $who boot "$out/cloud-bare.cpio.gz" "$out/small"
			ms=$((($(now) - t0) / 1000000))
			said smp "$who $n" || continue
			echo "smp         $who, $n vCPUs: $ms ms, $exits exits, $own without the host's interrupts, $user to userspace"
		done
	done
	vm_extra=
}

row_idle() {
	local who pid never=$out/never
	mkfifo "$never"
	for who in lkvm microvm q35; do
		vm $who idle "$out/cloud.cpio.gz" &
		pid=$!
		for _ in $(seq 300); do
			! grep -aq 'BENCH idle' "$out/log" 2>/dev/null || break
			read -rt 0.2 _ <>"$never"
		done
		said idle $who || { kill $pid; wait $pid; continue; }
		read -rt 3 _ <>"$never"		# until it is
		count read -rt 10 _ <>"$never"
		echo "idle        $who: in 10 s $own exits without the host's interrupts, ${user:-0} to userspace"
		wait $pid
		rm "$out/log"
	done 2>/dev/null
}

row_console() {
	local dev none
	for dev in ttyS0 hvc0; do
		for who in lkvm microvm; do
			case $dev.$who in
			ttyS0.*) vm_extra= ;;
			hvc0.lkvm) vm_extra='--device virtio-console,console=null' ;;
			hvc0.microvm) vm_extra='-device virtio-serial-device -chardev null,id=c -device virtconsole,chardev=c' ;;
			esac
			count vm $who write:$dev:0 "$out/cloud.cpio.gz"; none=$user
			said console "$who $dev" || continue
			count vm $who write:$dev:64 "$out/cloud.cpio.gz"
			said console "$who $dev" || continue
			echo "console     $who $dev: $(ratio $((user - none)) 65536) exits to userspace per byte ($((user - none)) for 64 KiB)"
		done
	done
	vm_extra=
}

row_main_job() {
	local i t0 all status what kernel fs modules
	cp "$BENCH_WORK"/{cloud,generic} "$out/"
	for what in cloud:virtiofs generic:virtiofs generic:9p; do
		kernel=${what%:*} fs=${what#*:} all=
		modules=$BENCH_MODULES
		[ $kernel = generic ] || modules=$BENCH_CLOUD_MODULES
		for i in 0 1 2 3 4; do		# the first one is not counted
			t0=$(now)
			timeout 120 "$LKVM" run -k "$out/$kernel" --modules "$modules" --fs $fs -- true </dev/null >"$out/log" 2>&1
			status=$?
			[ $status = 0 ] || { echo "main-job    $kernel $fs: status $status"; tail -n 5 "$out/log" | sed 's/^/    /'; continue 2; }
			[ $i = 0 ] || all="$all $((($(now) - t0) / 1000000))"
		done
		count timeout 120 "$LKVM" run -k "$out/$kernel" --modules "$modules" --fs $fs --trace phases -- true </dev/null >"$out/log" 2>&1
		echo "main-job    $kernel $fs: lkvm run -- true in ms:$all; $exits exits, $user to userspace; once more by phase:"
		grep ' ms  ' "$out/log"
	done
}

pss() {		# pss PID...: MiB that are theirs, their share of what they share included
	local pid files=
	for pid; do files="$files /proc/$pid/smaps_rollup"; done
	awk '/^Pss:/ { sum += $2 } END { printf "%.0f", sum / 1024 }' $files
}

# up_all COUNT COMMAND...: start COMMAND so often and wait until each guest has spoken; their processes are $pids
up_all() {
	local n=$1 i never=$out/never
	shift
	pids=
	rm -f "$out"/up.*
	[ -p "$never" ] || mkfifo "$never"
	for i in $(seq "$n"); do
		"$@" </dev/null >"$out/up.$i" 2>&1 &
		pids="$pids $!"
	done
	for i in $(seq 1000); do
		[ "$(cat "$out"/up.* | grep -c '^up$')" != "$n" ] || return 0
		read -rt 0.3 _ <>"$never"
	done
	tail -n 2 "$out"/up.* | head -n 20
	return 1
}

# per_test COUNT OPTION...: milliseconds for each of so many tests of "lkvm test", or nothing and why
per_test() {
	local n=$1 t0
	shift
	t0=$(now)
	"$LKVM" test "$@" --repeat "$n" -e true >"$out/log" 2>&1 || { tail -n 5 "$out/log" >&2; return 1; }
	echo $((($(now) - t0) / 1000000 / n))
}

# A fresh guest for each test: by booting it, and as a clone. Then the memory of guests that do nothing.
row_clones() {
	local boot clone two options idle='echo up; sleep 1000'
	cp "$BENCH_WORK/cloud" "$out/"
	options="-k $out/cloud --modules $BENCH_CLOUD_MODULES -m 256"
	timeout 120 "$LKVM" run $options -- true </dev/null >"$out/log" 2>&1	# warms the caches
	boot=$(per_test 5 $options --fresh boot) && clone=$(per_test 50 $options --fresh clone) &&
		two=$(per_test 40 $options --fresh clone -j 2) || return
	echo "clones      a fresh guest for true, in ms: booted $boot (of 5), a clone $clone (of 50, with the boot of the first guest)," \
		"with -j 2 $two (of 40); rate $(ratio $boot $clone) times"
	boot= clone=
	timeout 120 "$LKVM" run $options --template "$out/template" </dev/null >"$out/log" 2>&1 || tail -n 5 "$out/log"
	up_all 50 "$LKVM" restore "$out/template" sh -c "$idle" && clone=$(pss $pids)
	kill $pids; wait $pids 2>/dev/null
	up_all 5 "$LKVM" run $options -- sh -c "$idle" && boot=$(($(pss $pids) * 10))
	kill $pids; wait $pids 2>/dev/null
	rm -rf "$out/template" "$out"/up.*
	[ "$boot" ] && [ "$clone" ] &&
		echo "clones      memory of 50 guests that sleep, in MiB: clones $clone, booted $boot (ten times that of 5); $(ratio $clone $boot)"
}

# fs_vm WHO MODE: the file work of bench_init, with $out/fs shared as WHO does it
fs_vm() {
	local dir=$out/fs cache=auto ro='' pid='' tail
	[ "$2" = share ] || { cache=always ro=,ro; }
	case $1 in
	lkvm-virtiofs) vm_extra="-m 1024 --device virtio-fs,$dir,tag=bench,cache=$cache$ro"
		[ -z "$ro" ] || vm_extra=$vm_extra,flat ;;
	lkvm-9p) vm_extra="-m 1024 --device virtio-9p,$dir,tag=bench$ro" ;;
	qemu-9p) vm_extra="-m 1024 -virtfs local,path=$dir,mount_tag=bench,security_model=none,multidevs=remap${ro:+,readonly=on}" ;;
	qemu-virtiofsd)
		rm -f "$out/sock"
		/usr/lib/qemu/virtiofsd --socket-path="$out/sock" -o source="$dir" -o cache=$cache -o sandbox=chroot >"$out/virtiofsd" 2>&1 &
		pid=$!
		for _ in $(seq 1000); do
			[ ! -S "$out/sock" ] || break
			read -rt 0.01 _ <> <(:)
		done
		vm_extra="-m 1024 -object memory-backend-memfd,id=mem,size=1024M,share=on -numa node,memdev=mem
			-chardev socket,id=fs,path=$out/sock -device vhost-user-fs-pci,chardev=fs,tag=bench" ;;
	esac
	: > "$out/log"
	[ -z "$BENCH_DETAIL" ] || { tail -f "$out/log" & tail=$!; }
	case $1 in
	lkvm-*) vm lkvm "fs:${1#lkvm-}:$2" "$out/generic.cpio.gz" "$out/generic" ;;
	qemu-9p) vm q35 "fs:9p:$2" "$out/generic.cpio.gz" "$out/generic" ;;
	*) vm q35 "fs:virtiofs:$2" "$out/generic.cpio.gz" "$out/generic" ;;
	esac || { echo "# $1: status $?, the last lines:"; tail -n 20 "$out/log" | tr -d '\r' | sed 's/^/    /'; }
	vm_extra=
	[ -z "$BENCH_DETAIL" ] || kill $tail
	[ -z "$pid" ] || { kill $pid; wait $pid; } 2>/dev/null
	rm -rf "$out"/fs/new "$out"/fs/un
}

# row_fs ROW MODE WHO...: a line for each kind of work, the seconds that each took
row_fs() {
	local row=$1 mode=$2 who name line t
	shift 2
	[ -e "$out/generic" ] || cp "$BENCH_WORK"/generic* "$out/"
	[ -e "$out/fs" ] || {
		mkdir "$out/fs" && tar xf "$BENCH_WORK/root.tar" -C "$out/fs" &&
		dd if=/dev/urandom of="$out/fs/big" bs=1M count=128 status=none || return
	}
	vm_limit=${BENCH_LIMIT:-500}
	for who in "$@"; do
		fs_vm "$who" "$mode"
		said "$row" "$who" || continue
		tr -d '\r' < "$out/log" > "$out/fs.$who"
		grep -A 3 BENCH-FAILED "$out/fs.$who" | sed "s/^/    $who: /"
		echo "# $who: $(sed -n 's/^BENCH //p' "$out/fs.$who" | tr '\n' ' ')"
	done
	vm_limit=120
	for name in $(sed -n 's/^BENCH \([^ ]*\) .*/\1/p' "$out/fs.$1"); do
		line=
		for who in "$@"; do
			t=$(sed -n "s/^BENCH $name //p" "$out/fs.$who" 2>/dev/null)
			line="$line $who ${t:-?}"
		done
		printf '%-11s %s:%s\n' "$row" "$name" "$line"
	done
}

row_9p() { row_fs 9p share lkvm-9p qemu-9p; }
row_fs_root() { row_fs fs-root root $fs_who; }
row_fs_share() { row_fs fs-share share $fs_who; }

fs_who=${BENCH_FS:-lkvm-virtiofs lkvm-9p qemu-9p qemu-virtiofsd}
vm_extra= vm_limit=120
for row in "$@"; do
	"row_${row//-/_}"
done
