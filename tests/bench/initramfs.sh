# SPDX-License-Identifier: GPL-2.0
#
# To be sourced: the guest of the measurements. An initramfs with busybox, the
# modules of a Debian kernel, and an init that does what bench.do= on the kernel
# command line says and switches the machine off. With --boot-alone for the modules its
# init prints some lines, reads some files and runs no program: each one costs a hundred
# exits, whatever the machine. And a small root file system to be shared, with git, a compiler and a tree
# of files to use them on.

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
	if [ $alone ]; then
		bench_alone > "$dir/init"
	else
		bench_init > "$dir/init"
	fi
	chmod 755 "$dir/init"
	cp "$dir/init" "$dir/root/one"; cp "$dir/init" "$dir/root/two"
	(cd "$dir" && find . | cpio -o -H newc --quiet | gzip -1) > "$file"
	rm -rf "$dir"
}

# Prints ten lines and reads three files, as the init of a user does. All of it by what
# is built into the shell.
bench_alone() {
	cat <<'INIT'
#!/bin/busybox sh
for n in 1 2 3 4 5 6 7 8 9 10; do echo "BENCH init, line $n of ten"; done
for f in /init /root/one /root/two; do while read -r _; do :; done < $f; done
exec /bin/busybox poweroff -f
INIT
}

bench_init() {
	cat <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for w in $(cat /proc/cmdline); do case $w in bench.do=*) do=${w#*=} ;; bench.only=*) only=,${w#*=}, ;; esac; done
[ ! -e /mod/order ] || while read -r m; do insmod /mod/$m; done < /mod/order 2>/dev/null
# The console may be one of the modules'
[ ! -e /mod/order ] || exec < /dev/console > /dev/console 2>&1
again() {	# again NAME COMMAND...
	case ${only:-,$1,} in *,$1,*) ;; *) return ;; esac
	n=$1; shift
	sync
	a=$(cut -d' ' -f1 /proc/uptime)
	"$@" > /tmp/out 2>&1 || { echo "BENCH-FAILED $n"; tail -n 3 /tmp/out; }
	b=$(cut -d' ' -f1 /proc/uptime)
	echo "BENCH $n $(echo "$b $a" | awk '{ printf "%.2f", $1 - $2 }')"
}
first() {	# the same with nothing in the guest's caches
	sync; echo 3 > /proc/sys/vm/drop_caches
	again "$@"
}
case $do in
boot|reboot)
	echo "BENCH uptime $(cut -d' ' -f1 /proc/uptime)"
	[ $do = boot ] || { read -r _; reboot -f; } ;;	# when it is told to
idle)
	echo "BENCH idle"; sleep 20 ;;
write:*)	# write:DEVICE:KIB
	do=${do#write:}
	stty -F /dev/${do%:*} raw -echo
	[ ${do#*:} = 0 ] || yes 0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ | head -c ${do#*:}k > /dev/${do%:*}
	stty -F /dev/${do%:*} -raw
	echo; echo "BENCH wrote ${do#*:}" ;;
fs:*)	# fs:9p|virtiofs:root|share: as the guest's root, which does not change, or a writable folder
	mount -t sysfs sysfs /sys
	case $do in
	fs:9p:root) mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose bench /mnt ;;
	fs:9p:share) mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 bench /mnt ;;
	fs:virtiofs:root) mount -t virtiofs -o ro bench /mnt ;;
	fs:virtiofs:share) mount -t virtiofs bench /mnt ;;
	esac || echo "BENCH-FAILED mount"
	for d in proc dev tmp; do mount -o bind /$d /mnt/$d; done
	in="chroot /mnt env HOME=/root PATH=/usr/bin:/bin GIT_OPTIONAL_LOCKS=0"
	first find $in find tree -size +1
	again find-again $in find tree -size +1
	first git-status $in git -C tree status --porcelain
	again git-again $in git -C tree status --porcelain
	first tar $in tar cf /dev/null tree
	again tar-again $in tar cf /dev/null tree
	first make $in make -s -C small -j2 O=/tmp
	first exec $in sh exec.sh
	again exec-again $in sh exec.sh
	first read-1M $in dd if=big of=/dev/null bs=1M
	again read-1M-again $in dd if=big of=/dev/null bs=1M
	first random-read $in random r big 2000
	case $do in *:share)
		first write-1M $in dd if=/dev/zero of=new bs=1M count=128
		first random-write $in random w big 2000
		first untar $in sh -c 'mkdir un && tar cf - -C tree lib | tar xf - -C un'
		first remove $in rm -r un ;;
	esac ;;
esac
poweroff -f
INIT
}

# bench_root DIR: a root file system to be shared. Its tree is of Linux's source, if
# that is installed or BENCH_LINUX says where it is, and with a git history.
bench_root() {
	local dir=$1 cc source f
	cc=$(dirname "$(gcc -print-libgcc-file-name)")
	mkdir -p "$dir"/{bin,usr/bin,proc,dev,tmp,root,lib,lib64,small,tree/lib} "$dir$cc" || return
	for f in sh env ls cat true find tar dd rm mkdir grep sed git make gcc as ld; do
		f=$(type -P $f) && cp -L "$f" "$dir/usr/bin/" && bench_libs "$dir" "$f"
	done
	for f in $(cd "$dir/usr/bin" && ls); do ln "$dir/usr/bin/$f" "$dir/bin/$f"; done
	cp "$cc"/{cc1,collect2,liblto_plugin.so,libgcc.a,libgcc_s.so,crtbeginS.o,crtendS.o} "$dir$cc/" &&
	cp -r "$cc/include" "$dir$cc/" && bench_libs "$dir" "$cc/cc1"
	mkdir -p "$dir/usr/include/x86_64-linux-gnu"
	for f in asm bits gnu sys; do cp -r /usr/include/x86_64-linux-gnu/$f "$dir/usr/include/x86_64-linux-gnu/"; done
	cp -r /usr/include/{linux,asm-generic} "$dir/usr/include/" && cp /usr/include/*.h "$dir/usr/include/"
	gcc -O2 -static -o "$dir/usr/bin/random" "$(dirname "${BASH_SOURCE[0]}")/random.c" &&
		ln "$dir/usr/bin/random" "$dir/bin/random"
	printf '[safe]\n\tdirectory = *\n' > "$dir/root/.gitconfig"

	for f in a b c d e f; do
		printf '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n#include <sys/stat.h>\nint %s(int n) { return n + %d; }\n' $f $((RANDOM)) > "$dir/small/$f.c"
	done
	printf 'all: $(patsubst %%,$(O)/%%.o,a b c d e f)\n$(O)/%%.o: %%.c\n\tgcc -O1 -c -o $@ $<\n' > "$dir/small/Makefile"
	printf 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do for p in true "cat small/a.c" "ls small" "env true" "sed p small/b.c" "grep x small/c.c"; do $p; done; done >/dev/null; true\n' > "$dir/exec.sh"

	source=$(ls /usr/src/linux-source-6.*.tar.xz 2>/dev/null | tail -n 1)
	if [ -d "$BENCH_LINUX/kernel" ]; then
		(cd "$BENCH_LINUX" && tar cf - --exclude='*.o' --exclude='*.a' --exclude='.*' kernel lib fs) | tar xf - -C "$dir/tree"
	elif [ -n "$source" ]; then
		tar xf "$source" -C "$dir/tree" --strip-components=1 --wildcards 'linux-source-*/'{kernel,lib,fs}
	else
		cp -r /usr/include/linux "$dir/tree/lib/"
		cp -r /usr/include/[a-k]* "$dir/tree/"
	fi
	(cd "$dir/tree" && git init -q && git config gc.auto 0 && git add -A . &&
	 git -c user.name=bench -c user.email=bench@localhost commit -qm tree && git gc -q)
}

# bench_libs DIR PROGRAM: the libraries that it needs
bench_libs() {
	local f
	for f in $(ldd "$2" | grep -o '/[^ ]*'); do
		mkdir -p "$1/$(dirname "$f")" && cp -nL "$f" "$1/$f"
	done
}
