# SPDX-License-Identifier: GPL-2.0
#
# To be sourced: the guest of the measurements. An initramfs with busybox, the
# modules of a Debian kernel, git, and an init that does what bench.do= on the
# kernel command line says and switches the machine off. With --boot-alone for the
# modules its init does nothing else: each program that an init runs costs a
# hundred exits, whatever the machine.

. "$(dirname "${BASH_SOURCE[0]}")/../lib/rig.sh"

# bench_initramfs FLAVOUR FILE [MODULE... | --boot-alone]
bench_initramfs() {
	local dir version flavour=$1 file=$2 f alone=
	shift 2
	[ "$1" != --boot-alone ] || { alone=yes; shift; }
	version=$(rig_flavour "$flavour") && dir=$(mktemp -d) || return
	mkdir -p "$dir"/{bin,proc,sys,dev,mod,mnt,tmp,root}
	cp "$(command -v busybox)" "$dir/bin/"
	for m in "$@"; do
		modprobe -S "$version" -d "$rig_cache/$flavour" --show-depends "$m"
	done 2>/dev/null | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' > "$dir/mod/list"
	while read -r f; do
		cp "$f" "$dir/mod/" && basename "$f" >> "$dir/mod/order"
	done < "$dir/mod/list"
	if [[ " $* " == *" 9p "* ]]; then
		gcc -O2 -static -o "$dir/bin/random" "$(dirname "${BASH_SOURCE[0]}")/random.c"
		for f in $(command -v git) $(ldd "$(command -v git)" | grep -o '/[^ ]*'); do
			mkdir -p "$dir/$(dirname "$f")" && cp -L "$f" "$dir/$f"
		done
		printf '[safe]\n\tdirectory = *\n' > "$dir/root/.gitconfig"
	fi
	if [ $alone ]; then
		printf '#!/bin/busybox sh\necho BENCH init\nexec /bin/busybox poweroff -f\n' > "$dir/init"
	else
		bench_init > "$dir/init"
	fi
	chmod 755 "$dir/init"
	(cd "$dir" && find . | cpio -o -H newc --quiet | gzip -1) > "$file"
	rm -rf "$dir"
}

bench_init() {
	cat <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for w in $(cat /proc/cmdline); do case $w in bench.do=*) do=${w#*=} ;; esac; done
[ ! -e /mod/order ] || while read -r m; do insmod /mod/$m; done < /mod/order 2>/dev/null
# The console may be one of the modules'
[ ! -e /mod/order ] || exec < /dev/console > /dev/console 2>&1
seconds() {	# seconds NAME COMMAND...
	n=$1; shift
	sync; echo 3 > /proc/sys/vm/drop_caches
	a=$(cut -d' ' -f1 /proc/uptime)
	"$@" > /tmp/out 2>&1 || { echo "BENCH-FAILED $n"; tail -n 3 /tmp/out; }
	b=$(cut -d' ' -f1 /proc/uptime)
	echo "BENCH $n $(echo "$b $a" | awk '{ printf "%.2f", $1 - $2 }')"
}
case $do in
boot|reboot)
	echo "BENCH uptime $(cut -d' ' -f1 /proc/uptime)"
	[ $do = boot ] || { read -r _; reboot -f; } ;;	# when it is told to
write:*)	# write:DEVICE:KIB
	do=${do#write:}
	stty -F /dev/${do%:*} raw -echo
	[ ${do#*:} = 0 ] || yes 0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ | head -c ${do#*:}k > /dev/${do%:*}
	stty -F /dev/${do%:*} -raw
	echo; echo "BENCH wrote ${do#*:}" ;;
9p)
	export HOME=/root
	mount -t sysfs sysfs /sys
	mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 bench /mnt || echo "BENCH-FAILED mount"
	cd /mnt/tree
	seconds find find . -size +1
	seconds tar tar cf /dev/null .
	seconds git-status git status --porcelain
	seconds dd-read dd if=/mnt/big of=/dev/null bs=1M
	seconds dd-write dd if=/dev/zero of=/mnt/new bs=1M count=256
	seconds random-read random r /mnt/big 4000
	seconds random-write random w /mnt/big 4000
	cd / ;;
esac
poweroff -f
INIT
}
