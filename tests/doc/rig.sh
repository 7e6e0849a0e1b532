#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Rigs that are lost do not decide a result. A script stands in for QEMU: L1 is this
# machine, which writes the heartbeat and runs the script; stanzas do the rig's faults.

cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
for need in busybox cpio modprobe flock setpriv unshare; do
	PATH=$PATH:/usr/sbin:/sbin command -v $need >/dev/null ||
		{ echo "ok - a_lost_rig_decides_nothing # SKIP $need is not installed"; exit; }
done
unshare --user --map-root-user --pid --fork true 2>/dev/null ||
	{ echo "ok - a_lost_rig_decides_nothing # SKIP no user namespaces here"; exit; }
mkdir -p "$work"/{tests/boot,cache/generic} && cp -r tests/run tests/lib "$work/tests/" && echo x > "$work/cache/generic/version"
# Less patience
sed -i 's/-gt 3000 \]/-gt 1000 ]/; s/silent for 30 s/silent for 10 s/' "$work/tests/lib/rig.sh"
export W=$work

# All of L1 ends when the file die is there, or when it is killed
cat > "$work/qemu" <<'END'
#!/bin/bash
[ "$1" != --version ] || { echo "QEMU emulator version 1.0"; exit; }
for w in "$@"; do case $w in *rig.script=*) words=$w ;; esac; done
for w in $words; do case $w in rig.*) export "${w#rig.}" ;; esac; done
mkdir "$W/first" 2>/dev/null && exit 1	# the first does not come up
export rig=$shared/$name
exec unshare --user --map-root-user --pid --fork --kill-child bash -c '
	until [ -e "$rig/silent" ]; do echo $SECONDS > "$rig/beat"; sleep 1; done &
	{ bash "$script" "$name" > "$rig/out" 2>&1; echo $? > "$rig/status"; } &
	until [ -e "$rig/die" ] || [ -e "$rig/status" ]; do sleep 1; done'
END
chmod 755 "$work/qemu"

cat > "$work/tests/boot/t.conf" <<'END'
[passes]
cmd=echo yes
expect="^yes$"
[fails]
cmd=mkdir $W/fails || echo again; exit 1
reject="again"
[guest_dies_once]
cmd=mkdir $W/dies && { echo "triple fault"; exit 1; }; echo again
expect="^again$"
[guest_dies_always]
cmd=echo "triple fault"; exit 1
[hangs_once]
cmd=mkdir $W/hangs && exec sleep 100; echo again
timeout=3
expect="^again$"
[qemu_dies_once]
cmd=mkdir $W/qemu.died && { touch ${LKVM_TEST_CLOCK%clock}die; exec sleep 100; }; echo again
expect="^again$"
[l1_is_silent_once]
cmd=mkdir $W/silent && { touch ${LKVM_TEST_CLOCK%clock}silent; exec sleep 100; }; echo again
expect="^again$"
[l1_panics_always]
cmd=echo "Kernel panic - not syncing" > ${LKVM_TEST_CLOCK%clock}console; exec sleep 100
END

QEMU=$work/qemu LKVM=/bin/true LKVM_TESTS=$work LKVM_NATIVE=no LKVM_TEST_CACHE=$work/cache \
	"$work/tests/run" boot > "$work/out" 2>&1
sed -n 's/ # [0-9]* s/ #/; s/QEMU ended with status 0.*/QEMU ended/; s/, its last line.*//; s/, it had said nothing//; s,ok [0-9]* boot/t/,ok ,p; /passed/p' "$work/out" | sort > "$work/have"
sort > "$work/want" <<'END'
ok passes #
not ok fails # status 1 instead of 0
ok guest_dies_once #, in turn 2; turn 1: triple fault
not ok guest_dies_always # status 1 instead of 0, in turn 3; turn 1: triple fault; turn 2: triple fault
ok hangs_once #, in turn 2; turn 1: no end, the limit is 3 s
ok qemu_dies_once #, in turn 2; turn 1: the rig was lost: QEMU ended
ok l1_is_silent_once #, in turn 2; turn 1: the rig was lost: L1 was silent for 10 s
not ok l1_panics_always # the rig was lost: L1's kernel: Kernel panic - not syncing, in turn 3; turn 1: the rig was lost: L1's kernel: Kernel panic - not syncing; turn 2: the rig was lost: L1's kernel: Kernel panic - not syncing
5 passed, 3 failed, 0 skipped
END
if diff "$work/want" "$work/have" | sed 's/^/# /' | grep .; then
	sed 's/^/# /' "$work/out"
	echo "not ok - a_lost_rig_decides_nothing"
else
	echo "ok - a_lost_rig_decides_nothing"
fi
