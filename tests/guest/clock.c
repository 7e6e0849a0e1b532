// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's clock (Linux, Documentation/virt/kvm/x86/msr.rst) as a guest reads it:
 * for each byte that it is sent it says what time it is, and whether it has been
 * told that it stood still. "x" ends it.
 *
 * [right_after_a_pause]
 * cmd=export XDG_RUNTIME_DIR=$PWD; mkfifo in never
 *	exec 8< <(exec "$LKVM" run -m 16 --name vm -k "$GUEST" <in); vm=$!; exec 9>in
 *	ask() {		# the guest's time, which is the host's, and the flag
 *		local before=$(date +%s) after; echo -n t >&9; read -u 8 -r _ now since stopped; after=$(date +%s)
 *		[ $((now + 1)) -ge $before ] && [ $now -le $((after + 1)) ] && echo "right, stopped $stopped" || echo "$now is not $after"
 *	}
 *	read -u 8 -r; echo "$REPLY"; ask; first=$since; "$LKVM" pause vm; read -t 4 <>never; "$LKVM" resume vm; ask; ask
 *	[ $since -ge $((first + 3)) ] && echo "time went on"
 *	echo -n x >&9; wait $vm; echo "status $?"
 * expect="^right, stopped 0$"
 * expect="^right, stopped 1$"
 * expect="^time went on$"
 * expect="^status 3$"
 * reject=" is not "
 */
#include <linux/serial_reg.h>

#include "guest.h"

#define MSR_WALL_CLOCK	0x4b564d00
#define MSR_SYSTEM_TIME	0x4b564d01
#define FLAG_STOPPED	2
#define SECOND		1000000000ULL

static struct {
	u32 version, pad;
	u64 tsc, system_time;
	u32 mul;
	s8 shift;
	u8 flags, rest[2];
} volatile now __attribute__((aligned(64)));

static struct {
	u32 version, sec, nsec;
} volatile wall __attribute__((aligned(64)));

static u64 system_time(void)
{
	u32 version;
	u64 t, delta;

	do {
		version = now.version;
		delta = rdtsc() - now.tsc;
		delta = now.shift >= 0 ? delta << now.shift : delta >> -now.shift;
		t = now.system_time + (u64)((unsigned __int128)delta * now.mul >> 32);
	} while (version & 1 || version != now.version);
	return t;
}

int main(void)
{
	CHECK(cpuid(0x40000001, 0).eax & 1 << 3);
	wrmsr(MSR_WALL_CLOCK, (u64)&wall);
	wrmsr(MSR_SYSTEM_TIME, (u64)&now | 1);
	outb(PORT_SERIAL + UART_MCR, UART_MCR_DTR | UART_MCR_RTS);
	print("start\n");
	for (;;) {
		u64 t;

		if (!(inb(PORT_SERIAL + UART_LSR) & UART_LSR_DR))
			continue;
		if (inb(PORT_SERIAL + UART_RX) == 'x')
			outb(PORT_EXIT, 1);
		t = system_time();
		print("time %lu %lu %u\n", (unsigned long)(wall.sec + (wall.nsec + t) / SECOND),
		      (unsigned long)(t / SECOND), (now.flags & FLAG_STOPPED) / FLAG_STOPPED);
		now.flags &= ~FLAG_STOPPED;
	}
}
