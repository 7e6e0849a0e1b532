# SPDX-License-Identifier: GPL-2.0
#
# The nested rig, to be sourced by bash: a KVM that boots Linux, on a machine
# whose own cannot. QEMU emulates a processor with SVM in software; Debian's
# kernel with kvm-amd runs on it (L1) and sees the host's / under an overlay;
# what is to be tested runs there and boots its guests (L2). Also: the kernels
# that are booted, as Debian packages that are unpacked and not installed.
#
# Everything is kept in a cache, so that the network is needed once.
# Coming up costs 5 to 8 seconds, so one run should test many things. Times in
# L1 are good for ratios only; counts of exits are nearly the same every time.
#
# A rig is a folder that L1 may write to. It sees it under the same path:
#	console		L1's kernel wrote it, and qemu what QEMU wrote
#	out		the script printed it
#	beat		L1 writes it every two seconds for as long as it lives
#	clock		the host writes it: the seconds that L1 could run, see rig_tick
#	status		of the script, when it has ended

rig_cache=${LKVM_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lkvm-tests}
PATH=$PATH:/usr/sbin:/sbin

# Can the machine's own /dev/kvm boot Linux? There are software KVMs that run
# small guests only and have neither of these modules. LKVM_NATIVE=yes or no
# overrides.
rig_native() {
	case $LKVM_NATIVE in
	yes) return 0 ;;
	no) return 1 ;;
	esac
	[ -r /dev/kvm ] && [ -w /dev/kvm ] && { [ -d /sys/module/kvm_amd ] || [ -d /sys/module/kvm_intel ]; }
}

# rig_flavour generic|cloud: have $rig_cache/FLAVOUR with boot/ and lib/modules/
# of Debian's kernel package, and print its version. Says why it cannot.
rig_flavour() {
	local dir=$rig_cache/$1 meta pkg version
	if [ ! -e "$dir/version" ]; then
		case $1 in
		generic) meta=linux-image-amd64 ;;
		cloud) meta=linux-image-cloud-amd64 ;;
		*) echo "there is no kernel flavour $1" >&2; return 1 ;;
		esac
		mkdir -p "$rig_cache" || return 1
		(
			flock 9
			[ ! -e "$dir/version" ] || exit 0
			pkg=$(rig_package $meta) || { apt-get update -qq; pkg=$(rig_package $meta); } || exit 1
			rm -rf "$dir.new"; mkdir "$dir.new" && cd "$dir.new" || exit 1
			apt-get download -qq "$pkg" && dpkg -x "$pkg"_*.deb . && rm -f "$pkg"_*.deb || exit 1
			version=${pkg#linux-image-}
			depmod -b . "$version" && echo "$version" > version && rm -rf "$dir" && mv "$dir.new" "$dir"
		) 9>"$rig_cache/lock" >"$dir.log" 2>&1 ||
			{ echo "Debian's kernel package $meta could not be fetched: $(tail -n 1 "$dir.log")" >&2; return 1; }
	fi
	cat "$dir/version"
}

# rig_unpacked NAME PACKAGE: have $rig_cache/NAME/boot of a Debian package, unpacked and not
# installed, what is compressed in it too.
rig_unpacked() {
	local dir=$rig_cache/$1
	[ -e "$dir/boot" ] || (
		mkdir -p "$rig_cache" && flock 9 && rm -rf "$dir.new" && mkdir "$dir.new" && cd "$dir.new" &&
		{ apt-get download -qq "$2" || { apt-get update -qq; apt-get download -qq "$2"; }; } &&
		dpkg -x "$2"_*.deb . && { gunzip boot/*.gz; rm -rf "$dir" && mv "$dir.new" "$dir"; }
	) 9>"$rig_cache/lock" >/dev/null 2>&1
	[ -e "$dir/boot" ] || { echo "Debian's package $2 could not be fetched" >&2; return 1; }
}

# rig_linux_source DIR: unpack the source of Debian's kernel into DIR/linux.
rig_linux_source() {
	local tar
	tar=$(ls /usr/src/linux-source-6.*.tar.xz 2>/dev/null | tail -n 1)
	if [ -z "$tar" ]; then
		(cd "$1" && apt-get download -qq linux-source-6.1 && dpkg -x linux-source-6.1_*.deb .) || return
		tar=$(ls "$1"/usr/src/linux-source-*.tar.xz)
	fi
	mkdir "$1/linux" && tar xf "$tar" -C "$1/linux" --strip-components=1
}

# The package that a kernel meta package stands for.
rig_package() {
	apt-cache depends "$1" 2>/dev/null |
		awk '/Depends: linux-image-[0-9]/ { print $2; n++; exit } END { exit !n }'
}

# rig_kernel generic|cloud|small|small-bzimage|tiny|memtest|xen: print the path of a kernel image.
rig_kernel() {
	local version small
	case $1 in
	small|small-bzimage)
		small=${LKVM_SMALL_KERNEL:-$rig_cache/small/vmlinux}
		[ "$1" = small ] || small=$(dirname "$small")/bzImage
		[ -e "$small" ] || { echo "no small kernel at $small; 'make small-kernel' builds it" >&2; return 1; }
		echo "$small" ;;
	tiny)
		[ -e "$rig_cache/tiny/bzImage" ] ||
			{ echo "no tiny kernel; 'make tiny-kernel' builds it" >&2; return 1; }
		echo "$rig_cache/tiny/bzImage" ;;
	memtest)
		rig_unpacked memtest memtest86+ && echo "$rig_cache/memtest/boot/memtest86+x64.bin" ;;
	xen)
		rig_unpacked xen xen-hypervisor-4.17-amd64 && echo "$rig_cache/xen/boot/xen-4.17-amd64" ;;
	*)
		version=$(rig_flavour "$1") || return 1
		echo "$rig_cache/$1/boot/vmlinuz-$version" ;;
	esac
}

# rig_modules generic|cloud: print the directory of its modules (for --modules).
rig_modules() {
	local version
	version=$(rig_flavour "$1") && echo "$rig_cache/$1/lib/modules/$version"
}

# The initramfs of L1: busybox, the modules, and an init that runs a script of
# the host's. It is made again when this file or the kernel has changed.
rig_initramfs() {
	local version key dir
	version=$(rig_flavour generic) || return 1
	key=$rig_cache/rig-$version-$(cksum < "${BASH_SOURCE[0]}" | cut -d' ' -f1).cpio.gz
	if [ ! -e "$key" ]; then
		dir=$(mktemp -d) || return 1
		mkdir -p "$dir"/{bin,proc,sys,dev,mod,new,host,up}
		cp "$(command -v busybox)" "$dir/bin/busybox" || return 1
		for m in kvm-amd virtio_pci 9pnet_virtio 9p overlay tun; do
			modprobe -S "$version" -d "$rig_cache/generic" --show-depends $m
		done 2>/dev/null | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' > "$dir/list"
		while read -r m; do
			cp "$m" "$dir/mod/" && basename "$m" >> "$dir/mod/order"
		done < "$dir/list"
		rig_init > "$dir/init"; chmod 755 "$dir/init"; rm "$dir/list"
		rm -f "$rig_cache"/rig-*.cpio.gz
		(cd "$dir" && find . | cpio -o -H newc --quiet | gzip -1) > "$key.$$" && mv "$key.$$" "$key"
		rm -rf "$dir"
	fi
	echo "$key"
}

rig_init() {
	cat <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
while read -r m; do insmod /mod/$m; done < /mod/order 2>/dev/null
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /host
mount -t tmpfs tmpfs /up
for w in $(cat /proc/cmdline); do case $w in rig.*) eval "${w#rig.}" ;; esac; done
mkdir /up/upper /up/work
mount -t overlay -o lowerdir=/host,upperdir=/up/upper,workdir=/up/work overlay /new
for d in proc sys dev; do mount --move /$d /new/$d; done
cd /new
mkdir -p dev/pts dev/shm
ln -s /proc/self/fd dev/fd
for n in 0 1 2; do ln -s /proc/self/fd/$n dev/$(echo stdin stdout stderr | cut -d' ' -f$((n + 1))); done
mount -t devpts devpts dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs tmpfs run
mount -t debugfs debugfs sys/kernel/debug
mount -t tracefs tracefs sys/kernel/tracing
ip link set lo up
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=none rig "/new$shared"
rig=/new$shared/$name
mknod /dev/null c 1 3	# what is in the background reads it
(while :; do cut -d' ' -f1 /new/proc/uptime > "$rig/beat"; sleep 2; done) &
HOME=/root TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	chroot . /bin/bash "$script" "$name" < dev/null > "$rig/out" 2>&1
echo $? > "$rig/status"
reboot -f
INIT
}

# Why the rig cannot be used here; nothing and true if it can.
rig_lacks() {
	local tool
	for tool in busybox cpio modprobe flock setpriv; do
		command -v $tool >/dev/null || { echo "$tool is not installed"; return 1; }
	done
	{ rig_qemu && rig_initramfs; } 2>&1 >/dev/null
}

# awk that handles each line as it comes: mawk would wait for a block of them.
rig_awk() {
	if awk -W version </dev/null 2>&1 | grep -q mawk; then
		awk -W interactive "$@"
	else
		awk "$@"
	fi
}

# The newest qemu-system-x86_64 in $PATH; $QEMU if that is set.
rig_qemu() {
	local qemu newest
	newest=$(type -ap "${QEMU:-qemu-system-x86_64}" | while read -r qemu; do
		echo "$("$qemu" --version 2>/dev/null | sed -n 's/.*version \([0-9.]*\).*/\1/p') $qemu"
	done | sort -s -V -k 1,1 | tail -n 1)
	[ -n "$newest" ] || { echo "${QEMU:-qemu-system-x86_64} is not installed" >&2; return 1; }
	echo "${newest#* }"
}

declare -A rig_pid rig_time rig_seen_at rig_waited rig_sign rig_sign_time

# rig_start SHARED NAME SCRIPT MIB: start a rig, whose folder is SHARED/NAME. L1 has
# that much memory, may write to SHARED, and runs SCRIPT
# with its NAME. Both are absolute paths without blanks. One processor: with two, L2 at times runs with L1's page tables
# (Documentation/testing.rst). Without XSAVE: QEMU's SVM does not let L1 see L2's
# XSETBV, and kernels in L2 then complain about what CPUID says. On a busy host L1 would
# not see its timer tick in time.
rig_start() {
	local version initramfs qemu
	version=$(rig_flavour generic) && initramfs=$(rig_initramfs) && qemu=$(rig_qemu) || return
	rm -rf "${1:?}/$2" && mkdir "$1/$2" && : > "$1/$2/out" && : > "$1/$2/console" || return
	setpriv --pdeathsig KILL "$qemu" -accel tcg,thread=multi -cpu max,+svm,+npt,-xsave \
		-smp 1 -m "$4" -display none -serial "file:$1/$2/console" -monitor none -nic none -no-reboot \
		-kernel "$rig_cache/generic/boot/vmlinuz-$version" -initrd "$initramfs" \
		-virtfs local,path=/,mount_tag=host,security_model=none,multidevs=remap,readonly=on \
		-virtfs "local,path=$1,mount_tag=rig,security_model=none,multidevs=remap" \
		-append "console=ttyS0 panic=-1 quiet no_timer_check rig.shared=$1 rig.name=$2 rig.script=$3" \
		</dev/null >"$1/$2/qemu" 2>&1 &
	rig_pid[$2]=$! rig_time[$2]=0 rig_waited[$2]=0 rig_sign[$2]='' rig_sign_time[$2]=0
	rig_seen_at[$2]=$(rig_uptime)
}

rig_uptime() {	# in hundredths of a second
	local up
	read -r up _ < /proc/uptime
	echo "${up/./}"
}

# rig_tick SHARED NAME: to be called about once a second. It counts rig_time[NAME], in
# hundredths of a second that L1 could run: those in which its processor's thread waited
# for one of the host's are not counted, nor those in which nobody called.
# False when the rig has ended; what is to be thought of that is in $rig_end: "status N"
# of the script, or why there is none.
rig_tick() {
	local rig=$1/$2 pid=${rig_pid[$2]} now step run wait most=0 waited=0 f sign
	if ! kill -0 "$pid" 2>/dev/null; then
		wait "$pid"
		rig_end="QEMU ended with status $?, $(rig_ill "$rig" || rig_last "$rig")"
		[ ! -s "$rig/status" ] || rig_end="status $(cat "$rig/status")"
		return 1
	fi
	for f in /proc/"$pid"/task/*/schedstat; do
		read -r run wait _ < "$f" && [ "$run" -gt $most ] && most=$run waited=$((wait / 10000000))
	done 2>/dev/null
	now=$(rig_uptime)
	step=$((now - rig_seen_at[$2])) wait=$((waited - rig_waited[$2]))
	rig_seen_at[$2]=$now rig_waited[$2]=$waited
	[ $step -le 200 ] || step=200
	[ $wait -le 0 ] || step=$((step > wait ? step - wait : 0))
	rig_time[$2]=$((rig_time[$2] + step))
	echo $((rig_time[$2] / 100)) > "$rig/clock"
	# Before the first beat L1's kernel says something now and then
	sign=$(stat -c '%s %y' "$rig/beat" 2>/dev/null || stat -c '%s %y' "$rig/console")
	[ "$sign" = "${rig_sign[$2]}" ] || rig_sign[$2]=$sign rig_sign_time[$2]=${rig_time[$2]}
	if [ $((rig_time[$2] - rig_sign_time[$2])) -gt 3000 ]; then
		rig_end="L1 was silent for 30 s, $(rig_last "$rig")"
	elif ! rig_end=$(rig_ill "$rig"); then
		return 0
	fi
	rig_stop "$2"
	return 1
}

# Print what L1's kernel says of its own death, if it does.
rig_ill() {
	grep -aEm 1 'Oops|BUG:|Kernel panic|general protection fault|double fault|lockup|stalls? on' "$1/console" |
		tr -d '\r' | sed "s/^/L1's kernel: /" | grep .
}

rig_last() {	# the last line of those that the rig has left
	cat "$1/out" "$1/qemu" "$1/console" 2>/dev/null | tr -d '\r\0' | grep -a . | tail -n 1 |
		sed 's/^/its last line: /' | grep . || echo "it had said nothing"
}

rig_stop() {
	kill -KILL "${rig_pid[$1]}"
	wait "${rig_pid[$1]}"
} 2>/dev/null

# rig_run SCRIPT SECONDS MIB: run SCRIPT in a rig, for at most that long by the rig's
# clock. Prints what it prints as it comes; returns its status, or 99 if it had none. A
# rig that ends before anything was printed is started again, twice.
rig_run() (
	shared=$(mktemp -d) || return 99
	trap 'rig_stop rig; rm -rf "$shared"' EXIT
	trap 'exit 130' INT TERM HUP
	for _ in 1 2 3; do
		rig_start "$shared" rig "$1" "$3" || exit 99
		exec 7< "$shared/rig/out"
		while rig_tick "$shared" rig; do
			cat <&7
			[ $((rig_time[rig] / 100)) -lt "$2" ] || { rig_end="no end after $2 s"; rig_stop rig; break; }
			sleep 1
		done
		cat <&7
		case $rig_end in "status "*) exit "${rig_end#status }" ;; esac
		echo "# the rig was lost: $rig_end" >&2
		[ ! -s "$shared/rig/out" ] || exit 99
	done
	exit 99
)
