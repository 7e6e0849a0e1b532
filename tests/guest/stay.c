// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that says one line and then does nothing, until it is ended.
 *
 * [ended_from_outside]
 * run=-m 16 --timeout 1
 * status=124
 * expect="^here"
 * [resident_and_locked]
 * cmd=exec 8< <(exec "$LKVM" run -m 64 --mem-prealloc --mem-lock -k "$GUEST"); vm=$!; read -u 8 -r
 *	awk '$2 >= 65536' /proc/$vm/status; kill $vm; wait $vm
 * status=143
 * expect="^VmRSS"
 * expect="^VmLck"
 * [locked_beyond_the_limit]
 * cmd=as=; [ "$(id -u)" != 0 ] || as="setpriv --bounding-set -all --inh-caps -all"
 *	$as bash -c 'ulimit -l 1000; "$LKVM" run -m 64 --mem-lock -k "$GUEST"'
 * status=125
 * expect-stderr="^lkvm: 64 MiB of RAM cannot be locked: the limit is 1000 KiB, see ulimit -l$"
 * [pinned]
 * cmd=[ $(nproc) -ge 2 ] && second=1 || second=0
 *	exec 8< <(exec "$LKVM" run -m 16 -c 2 --pin $second,0 -k "$GUEST"); vm=$!; read -u 8 -r
 *	for t in $(ls /proc/$vm/task); do
 *		echo $(</proc/$vm/task/$t/comm): $(sed -n 's/^Cpus_allowed_list://p' /proc/$vm/task/$t/status)
 *	done | sed "s/^vcpu0: $second$/the first is where it should be/"; kill $vm; wait $vm
 * status=143
 * expect="^vcpu1: 0$"
 * expect="^the first is where it should be$"
 * [mergeable]
 * cmd=[ -e /sys/kernel/mm/ksm ] || { echo mergeable; exit 143; }
 *	exec 8< <(exec "$LKVM" run -m 64 --mem-merge -k "$GUEST"); vm=$!; read -u 8 -r
 *	awk '/^Size: *65536 kB/ { ram = 1 } /^VmFlags/ { if (ram && / mg/) print "mergeable"; ram = 0 }' /proc/$vm/smaps
 *	kill $vm; wait $vm
 * status=143
 * expect="^mergeable$"
 * [file_of_another_machine]
 * cmd=exec 8< <(exec "$LKVM" run -m 16 --mem-backend file=ram -k "$GUEST"); vm=$!; read -u 8 -r
 *	"$LKVM" run -m 16 --mem-backend file=ram -k "$GUEST"; echo "status $?"; kill $vm
 * expect="^status 125$"
 * expect-stderr="^lkvm: RAM from ram: it is in use by another machine$"
 */
#include "guest.h"

int main(void)
{
	print("here\n");
	for (;;)
		asm volatile("cli; hlt");
}
