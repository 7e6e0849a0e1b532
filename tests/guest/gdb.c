// SPDX-License-Identifier: GPL-2.0
/*
 * A debugger: gdb itself drives a guest that goes on until gdb says stop. There are no
 * watchpoints here: KVM that emulates the guest does not look at its accesses.
 *
 * [break_step_registers_memory]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <("$LKVM" run -m 16 --name vm --gdb-wait -k "$GUEST" 2>log; echo "status $?"); until grep -q target log; do :; done; ls lkvm
 *	gdb -q -batch -nx -ex "target remote lkvm/vm.gdb" -ex 'p/x $cr0' -ex 'hbreak tick' -ex c -ex 'p $pc == (long)tick' \
 *		-ex 'stepi' -ex 'p $pc != (long)tick' -ex 'p magic' -ex 'set var magic = 0x123' -ex c -ex 'p seen' \
 *		-ex 'set $rbx = 77' -ex 'p $rbx' -ex 'p $xmm3.v2_int64[1] = 9' -ex 'p $xmm3.v2_int64[1]' \
 *		-ex 'p/x $efer' -ex 'set $ymm5.v8_int32[6] = 9' -ex 'p $ymm5.v8_int32' -ex 'set var stop = 1' -ex 'x/1xg 0xffffffff81000000' "$GUEST"
 *	cat <&8
 * expect="^\$1 = 0x.*1$"
 * expect="hit Breakpoint 1, tick"
 * expect="^\$2 = 1$"
 * expect="^\$3 = 1$"
 * expect="^\$4 = 7$"
 * expect="^\$5 = 291$"
 * expect="^\$6 = 77$"
 * expect="^\$8 = 9$"
 * expect="^\$9 = 0x500$"
 * expect="^\$10 = .0, 0, 0, 0, 0, 0, 9, 0.$"
 * expect-stderr="Cannot access memory at address 0xffffffff81000000"
 * expect="^vm.gdb$"
 * expect="^status 1$"
 * [detach_and_reconnect]
 * cmd=export XDG_RUNTIME_DIR=$PWD; mkdir a,b
 *	exec 8< <("$LKVM" run -m 16 --name vm --gdb=unix:a,b/here -k "$GUEST"; echo "status $?"); read -u 8 -r; echo "$REPLY"
 *	stat -c %a a,b/here; ln -s a,b/here here
 *	gdb -q -batch -nx -ex "target remote here" -ex 'hbreak tick' -ex c -ex detach "$GUEST"
 *	gdb -q -batch -nx -ex "target remote here" -ex 'p ticks > 0' -ex 'monitor info version' -ex 'set var stop = 1' "$GUEST"
 *	cat <&8; ls a,b
 * expect="^start$"
 * expect="^600$"
 * expect="hit Breakpoint 1, tick"
 * expect="^\$1 = 1$"
 * expect-stderr="^lkvm [0-9a-z]"
 * expect="^status 1$"
 * reject="^here$"
 * [threads]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <("$LKVM" run -m 16 -c 3 --name vm --gdb -k "$GUEST" -p 2; echo "status $?"); read -u 8 -r
 *	gdb -q -batch -nx -ex "target remote lkvm/vm.gdb" -ex 'info threads' -ex 'hbreak tock' -ex c -ex 'p $_thread' \
 *		-ex 'thread 1' -ex 'p $pc == (long)tock' -ex 'set scheduler-locking on' -ex 'thread 2' -ex 'p tocks' -ex 'stepi' -ex 'stepi' \
 *		-ex 'p ticks == ticks' -ex 'set scheduler-locking off' -ex 'delete' -ex 'set var stop = 1' "$GUEST"
 *	cat <&8
 * expect="Thread 1 .vCPU 0, running"
 * expect="Thread 2 .vCPU 1, running"
 * expect="Thread 3 .vCPU 2, offline"
 * expect="hit Breakpoint 1, tock"
 * expect="^\$1 = 2$"
 * expect="^\$2 = 0$"
 * expect="^status 1$"
 * [on_its_own_stdin]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	gdb -q -batch -nx -ex "target remote | $LKVM run -m 16 --name vm --gdb=stdio --gdb-wait -k $GUEST" -ex 'p $pc == (long)start32' \
 *		-ex 'hbreak tick' -ex c -ex 'monitor info' -ex 'monitor kmsg' -ex 'monitor dump' -ex 'monitor such' -ex 'info mem' \
 *		-ex 'set var stop = 1' -ex c "$GUEST"
 *	"$LKVM" run -m 16 --gdb=stdio -k "$GUEST" </dev/null; echo "status $?"
 * expect="^\$1 = 1$"
 * expect="hit Breakpoint 1, tick"
 * expect="0x0000000000000000 0xffffffffffffffff rw"
 * expect="exited normally"
 * expect="^status 125$"
 * expect-stderr="^machine vm: vCPUs 2, 16 MiB, kernel .*gdb.elf$"
 * expect-stderr="^its memory has no messages of a Linux kernel"
 * expect-stderr="shell lkvm dump vm FILE"
 * expect-stderr="there is no such command"
 * expect-stderr="^start$"
 * expect-stderr="--gdb=stdio: stdin has to be a socket"
 * [interrupt]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <("$LKVM" run -m 16 --name vm --gdb -k "$GUEST"; echo "status $?"); read -u 8 -r
 *	gdb -q -batch -nx -ex "target remote lkvm/vm.gdb" -ex 'set var say = 1' -ex c -ex 'p say' -ex 'set var stop = 1' "$GUEST" & gdb=$!
 *	read -u 8 -r; kill -INT $gdb; wait $gdb; cat <&8
 * expect="received signal SIGINT"
 * expect="^\$1 = 2$"
 * expect="^status 1$"
 * [kill]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <("$LKVM" run -m 16 --name vm --gdb -k "$GUEST"; echo "status $?"); read -u 8 -r
 *	gdb -q -batch -nx -ex "target remote lkvm/vm.gdb" -ex kill "$GUEST"; cat <&8
 * expect="^status 137$"
 * [a_reset_stops_before_the_first_instruction]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <("$LKVM" run -m 16 --name vm --gdb -k "$GUEST"; echo "status $?"); read -u 8 -r
 *	gdb -q -batch -nx -ex "target remote lkvm/vm.gdb" -ex 'monitor reset' -ex 'maintenance flush register-cache' \
 *		-ex 'p $pc == (long)start32' -ex 'hbreak tick' -ex c -ex 'set var stop = 1' "$GUEST"
 *	cat <&8
 * expect="^\$1 = 1$"
 * expect="hit Breakpoint 1, tick"
 * expect="^status 1$"
 * [a_client_that_speaks_something_else_loses_its_connection]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <("$LKVM" run -m 16 --name vm --gdb=127.0.0.1:0 -k "$GUEST" 2>log; echo "status $?"); read -u 8 -r
 *	port=$(sed -n 's/.*target remote 127.0.0.1://p' log); exec 9<>/dev/tcp/127.0.0.1/$port; printf 'GET / HTTP/1.1\r\n\r\n' >&9; cat <&9; exec 9>&-
 *	"$LKVM" list
 *	exec 9<>/dev/tcp/127.0.0.1/$port; printf '$vCont;c#a8$g#67' >&9; cat <&9; exec 9>&-; echo
 *	gdb -q -batch -nx -ex "target remote 127.0.0.1:$port" -ex 'set var stop = 1' "$GUEST"; cat <&8
 * expect="^vm +[0-9]+  running$"
 * expect="^status 1$"
 * [lkvm_gdb_comes_later]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <("$LKVM" run -m 16 --name vm -k "$GUEST"; echo "status $?"); read -u 8 -r; ls lkvm
 *	"$LKVM" gdb --print; stat -c %a lkvm/vm.gdb; "$LKVM" gdb vm -batch -nx -ex 'p ticks > 0' -ex detach
 *	"$LKVM" gdb -- vm -batch -nx -ex 'hbreak tick' -ex c -ex 'set var stop = 1'; cat <&8; ls lkvm; "$LKVM" gdb; echo "none $?"
 * expect="^gdb -q -iex 'add-auto-load-safe-path .+/guest' -ex 'symbol-file .+/gdb.elf -o 0x0' -ex 'target remote .+/lkvm/vm.gdb'$"
 * expect="^600$"
 * expect="^\$1 = 1$"
 * expect="hit Breakpoint 1, tick"
 * expect="^status 1$"
 * expect="^none 2$"
 * [memory_from_outside]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <("$LKVM" run -m 16 --name vm -k "$GUEST"; echo "status $?"); read -u 8 -r
 *	"$LKVM" mem vm 0x100000 20; "$LKVM" mem -p vm 0xffffff 2; "$LKVM" mem --walk vm 0x100000; "$LKVM" mem --walk vm 0x7f0000000000
 *	"$LKVM" mem vm jiffies; echo "symbol $?"; "$LKVM" mem vm 0 9999; echo "bytes $?"; "$LKVM" mem --vcpu 7 vm 0; echo "vcpu $?"
 *	"$LKVM" stop --force vm; cat <&8
 * expect="^0000000000100000  ([0-9a-f]{2} ){16} .{16}$"
 * expect="^0000000000100010  ([0-9a-f]{2} ){4} {36} .{4}$"
 * expect="^0000000000ffffff  [0-9a-f]{2} -- "
 * expect="^2  at [0-9a-f]{12}  0000000000000000 present write accessed"
 * expect="^0000000000100000 is at 000000100000, in a page of 2048 KiB$"
 * expect="^00007f0000000000 is not mapped$"
 * expect="^symbol 1$"
 * expect="^bytes 2$"
 * expect="^vcpu 1$"
 * expect="^status 143$"
 * [drgn_s_protocol]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <("$LKVM" run -m 16 --name vm -k "$GUEST"; echo "status $?"); read -u 8 -r
 *	"$LKVM" drgn --print; stat -c %a lkvm/vm.qmp; python3 "$LKVM_SOURCE/tests/lib/qmp.py" lkvm/vm.qmp; "$LKVM" stop --force vm; cat <&8; ls lkvm
 * expect="^drgn --qemu .+/lkvm/vm.qmp$"
 * expect="^600$"
 * expect="^arch x86_64$"
 * expect="^ram 0x0-0xffffff$"
 * expect="^xp 0000000000100000: 0x[0-9a-f]{2} .+\|0000000000100008: 0x"
 * expect="^beyond ffffffffffff0000: Cannot access memory$"
 * expect="^core True"
 * expect="^again error: protocol has to be fd:NAME of getfd$"
 * expect="^unknown error: there is no such command$"
 * expect="^status 143$"
 * reject="^vm.qmp$"
 * [a_killed_machine_leaves_no_socket]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <(exec "$LKVM" run -m 16 --name vm --gdb -k "$GUEST"); vm=$!; read -u 8 -r; ls lkvm
 *	kill -KILL $vm; cat <&8; "$LKVM" list; echo "left: $(ls lkvm)"
 * expect="^vm.gdb$"
 * expect="^left: $"
 * [bad_places]
 * cmd="$LKVM" run --gdb=here -k "$GUEST"; echo "word $?"; "$LKVM" run --gdb=1.2.3.4:99999 -k "$GUEST"; echo "port $?"
 *	"$LKVM" run --gdb=unix: -k "$GUEST"; echo "path $?"; touch file; "$LKVM" run --gdb=unix:file -k "$GUEST"; echo "taken $?"
 * expect="^word 125$"
 * expect="^port 125$"
 * expect="^path 125$"
 * expect="^taken 125$"
 * expect-stderr="--gdb: here: neither ADDRESS:PORT, as 127.0.0.1:1234, nor unix:PATH"
 * expect-stderr="--gdb: unix:file: somebody else listens there"
 * [breakpoints_in_memory]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <("$LKVM" run -m 16 -c 2 --name vm --gdb-wait -p 1 -k "$GUEST" 2>log; echo "status $?"); until grep -q target log; do :; done
 *	gdb -q -batch -nx -ex "target remote lkvm/vm.gdb" -ex 'break main' -ex 'break tick' -ex c -ex c -ex c -ex 'x/1xb tick' \
 *		-ex 'delete' -ex 'break tock' -ex c -ex 'p $_thread' -ex 'delete' -ex 'set var stop = 1' "$GUEST"
 *	cat <&8
 * expect="hit Breakpoint 1, main"
 * expect="hit Breakpoint 2, tick"
 * expect="hit Breakpoint 3, tock"
 * expect="^\$1 = 2$"
 * reject="0xcc"
 * expect="^status 1$"
 */
#include "guest.h"

static volatile u32 magic = 7, seen, ticks, tocks, say, stop;

static __attribute__((noinline)) void tick(void)
{
	ticks++;
	seen = magic;
}

static __attribute__((noinline)) void tock(void)
{
	tocks++;
}

static void ap(void)
{
	while (!stop)
		tock();
}

int main(void)
{
	apic_enable();
	guest_ap_fn = ap;
	if (cmdline()[0] == '1' || cmdline()[0] == '2')
		guest_ap_start(1);
	print("start\n");
	while (!stop) {
		tick();
		if (say == 1) {
			print("said\n");
			say = 2;
		}
	}
	return 0;
}
