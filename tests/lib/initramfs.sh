# SPDX-License-Identifier: GPL-2.0
#
# To be sourced by tests of guests that are on their own: an initramfs with
# busybox, modules of a Debian kernel and programs of this machine, and a script.

. "$(dirname "${BASH_SOURCE[0]}")/rig.sh"

# initramfs FILE FLAVOUR [MODULE | /PROGRAM]... < SCRIPT: the script is run by sh
# as a child of PID 1, with /proc, /sys and /dev mounted and the modules loaded;
# then the guest switches itself off.
initramfs() {
	local file=$1 flavour=$2 version dir f m
	shift 2
	version=$(rig_flavour "$flavour") && dir=$(mktemp -d) || return
	mkdir -p "$dir"/{bin,proc,sys,dev,mod,tmp,run,root}
	cp "$(command -v busybox)" "$dir/bin/"
	for m in "$@"; do
		case $m in
		/*)
			for f in $m $(ldd "$m" 2>/dev/null | grep -o '/[^ ]*'); do
				mkdir -p "$dir/$(dirname "$f")" && cp -L "$f" "$dir/$f"
			done ;;
		*) modprobe -S "$version" -d "$rig_cache/$flavour" --show-depends "$m" ;;
		esac
	done 2>/dev/null | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' > "$dir/mod/list"
	while read -r f; do
		cp "$f" "$dir/mod/" && basename "$f" >> "$dir/mod/order"
	done < "$dir/mod/list"
	cat > "$dir/script"
	cat > "$dir/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
[ ! -e /mod/order ] || while read -r m; do insmod /mod/$m; done < /mod/order
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
sh /script
poweroff -f
INIT
	chmod 755 "$dir/init"
	(cd "$dir" && find . | cpio -o -H newc --quiet | gzip -1) > "$file"
	rm -rf "$dir"
}
