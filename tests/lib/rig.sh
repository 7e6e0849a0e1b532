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

# The package that a kernel meta package stands for.
rig_package() {
	apt-cache depends "$1" 2>/dev/null |
		awk '/Depends: linux-image-[0-9]/ { print $2; n++; exit } END { exit !n }'
}

# rig_kernel generic|cloud|small|small-bzimage|memtest|xen: print the path of a kernel image.
rig_kernel() {
	local version small
	case $1 in
	small|small-bzimage)
		small=${LKVM_SMALL_KERNEL:-$rig_cache/small/vmlinux}
		[ "$1" = small ] || small=$(dirname "$small")/bzImage
		[ -e "$small" ] || { echo "no small kernel at $small; 'make small-kernel' builds it" >&2; return 1; }
		echo "$small" ;;
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
		(cd "$dir" && find . | cpio -o -H newc --quiet | gzip -1) > "$key.new" && mv "$key.new" "$key"
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
dmesg -n 2	# what KVM says about guests is not for the console
for w in $(cat proc/cmdline); do case $w in rig.script=*) script=${w#*=} ;; esac; done
HOME=/root TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	chroot . /bin/bash "$script" < dev/null
echo "rig-status $?"
reboot -f
INIT
}

# Why the rig cannot be used here; nothing and true if it can.
rig_lacks() {
	local tool
	for tool in qemu-system-x86_64 busybox cpio modprobe flock; do
		command -v $tool >/dev/null || { echo "$tool is not installed"; return 1; }
	done
	rig_initramfs 2>&1 >/dev/null
}

# awk that handles each line as it comes: mawk would wait for a block of them.
rig_awk() {
	if awk -W version </dev/null 2>&1 | grep -q mawk; then
		awk -W interactive "$@"
	else
		awk "$@"
	fi
}

# rig_run SCRIPT SECONDS MIB [SILENCE]: run SCRIPT (an absolute path, no blanks) in
# L1, which has that much memory, for at most that long, and no longer than SILENCE
# seconds without a line from it. Prints what it printed as it comes; returns its
# status, or 99 if it did not end. One processor: with two, L2 at times runs with
# L1's page tables (Documentation/testing.rst). Without XSAVE: QEMU's SVM does not let
# L1 see L2's XSETBV, and kernels in L2 then complain about what CPUID says.
rig_run() {
	local version initramfs line status=99
	version=$(rig_flavour generic) && initramfs=$(rig_initramfs) || return 99
	while IFS= read -r -t "${4:-$2}" line; do
		line=${line//$'\r'}
		case $line in
		"rig-status "*) status=${line#rig-status }; break ;;
		esac
		printf '%s\n' "$line"
	done < <(exec timeout --foreground -s KILL "$2" \
		qemu-system-x86_64 -accel tcg,thread=multi -cpu max,+svm,+npt,-xsave \
		-smp 1 -m "$3" -display none -serial stdio -monitor none -nic none -no-reboot \
		-kernel "$rig_cache/generic/boot/vmlinuz-$version" -initrd "$initramfs" \
		-virtfs local,path=/,mount_tag=host,security_model=none,multidevs=remap,readonly=on \
		-append "console=ttyS0 panic=-1 quiet rig.script=$1" </dev/null 2>&1)
	kill $! 2>/dev/null
	wait $! 2>/dev/null
	return "$status"
}
