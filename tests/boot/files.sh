# SPDX-License-Identifier: GPL-2.0
#
# What shared folders have to do by either transport: files.sh virtiofs|9p, for the
# stanzas of files.conf. What is right is said by a line "NAME: yes".

say() {
	local name=$1
	shift
	"$@" >/dev/null && echo "$name: yes" || echo "$name: no"
}
wait_for() {	# wait_for COMMAND...: the test's own limit ends it
	SECONDS=0
	until "$@"; do
		read -rt 0.1 _ <> <(:)
	done 2>/dev/null
	echo "# after $SECONDS s: $*" >&2
}
is() { [ "$(cat "$1")" = "$2" ]; }
not() { ! "$@"; }

case $1 in
guest)
	type=$2
	say "root is an overlay" grep -q '^overlay / overlay ' /proc/mounts
	say "transport" grep -q " $PWD/s $type " /proc/mounts
	say "modules are where modprobe looks" modprobe -n -q overlay
	say "modules can be read" head -c 100 "/lib/modules/$(uname -r)/modules.dep"
	say "read-only" not touch /mnt/ro/y
	say "read-only folder can be read" is /mnt/ro/x x
	say "no cache" is /mnt/none/f "what was there before"
	say "host's file" is s/f old
	say "not there yet" not test -e s/later
	echo from the guest > s/g; chmod 640 s/g; mkdir s/d; ln s/g s/d/g2; ln -s ../f s/d/l
	mknod s/fifo p; truncate -s 5M s/hole; mv s/away s/d/here; rm s/gone
	name=$(printf 'n\377\376 %0200d' 7); echo long > "s/$name"
	dd if=/dev/urandom of=s/data bs=64k count=20 status=none; md5sum < s/data > s/sum
	say "lock" flock s/f true
	say "locked by the host" not flock -n s/host true
	flock s/guest sleep 100 > /dev/null 2>&1 &
	say "locked by another" wait_for not flock -n s/guest true
	touch s/ready
	echo "# $(date +%T) ready" >&2
	say "the host's change is seen" wait_for is s/f new
	say "the host's new file is seen" wait_for test -e s/later
	say "the host's rename is seen" wait_for test -e s/d/renamed
	say "uncached folder" is /mnt/none/f changed
	say "appended to" is s/log $'one\ntwo'
	exit ;;
esac

fs=$1
mkdir s r n
echo old > s/f; echo x > r/x; echo one > s/log; echo > s/away; echo > s/gone; echo > s/d2
echo what was there before > n/f
touch s/host; exec 8< s/host; flock 8
(
	wait_for test -e s/ready
	echo "# $(date +%T) the guest is ready" >&2
	flock -n s/guest true && echo no > s/excluded || echo yes > s/excluded
	echo new > s/f.new; mv s/f.new s/f; echo two >> s/log; echo > s/later; mv s/d2 s/d/renamed; echo changed > n/f
	echo "# $(date +%T) the host has done its changes" >&2
) &
$LKVM run $K --fs "$fs" -c 2 --share "$PWD/s" --share "$PWD/r:/mnt/ro,ro,cache=always" --share "$PWD/n:/mnt/none,cache=none" \
	-- bash "$LKVM_SOURCE/tests/boot/files.sh" guest "$fs"
echo "status $?"
touch s/ready	# if the guest did not come to it
wait
say "locked by the guest" is s/excluded yes
say "what the guest wrote" is s/g "from the guest"
say "mode and links" test "$(stat -c '%a %h' s/g)" = "640 2"
say "same file" test s/g -ef s/d/g2
say "symbolic link" test "$(readlink s/d/l)" = ../f
say "fifo" test -p s/fifo
say "hole" test "$(stat -c '%s %b' s/hole)" = "5242880 0"
say "renamed and removed" test -e s/d/here -a ! -e s/away -a ! -e s/gone
say "name of any bytes" is "s/$(printf 'n\377\376 %0200d' 7)" long
say "data" test "$(md5sum < s/data)" = "$(cat s/sum)"
say "nothing new in the read-only folder" test ! -e r/y
