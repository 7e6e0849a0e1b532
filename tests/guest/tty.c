// SPDX-License-Identifier: GPL-2.0
/*
 * Serial ports besides the console. The guest says the number of each port that
 * there is on it; with "echo N" nothing on port N, where it repeats what comes in,
 * until an x.
 *
 * [four_ports]
 * cmd="$LKVM" run -m 16 --tty 1,file:a --tty 2,file:b,c --tty 3,null -k "$GUEST"; echo "status $?"
 *	cat a b,c
 * expect="^port 0 status 1$"
 * expect="^port 1 port 2 $"
 * [the_fourth_alone]
 * cmd="$LKVM" run -m 16 --tty 3,file:a -k "$GUEST"; cat a
 * expect="^port 0 port 3 $"
 * [the_console_elsewhere_and_stdio_on_another]
 * cmd="$LKVM" run -m 16 --tty 0,file:a --tty 1,stdio -k "$GUEST"; cat a
 * expect="^port 1 port 0 $"
 * [a_socket_is_left_and_found_again]
 * cmd=exec 8< <(exec "$LKVM" run -m 16 --tty 1,unix:sock -k "$GUEST" -p "echo 1"); read -u 8 -N 7 -r
 *	talk() { perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(Peer => "sock") or die; print $s $ARGV[0]; $s->read($b, 5); print "$b\n"' "$1"; }
 *	talk hello; talk again; talk xenon & wait $!; cat <&8; [ -e sock ] || echo gone
 * expect="^hello$"
 * expect="^again$"
 * expect="gone$"
 * [a_pty]
 * cmd=exec 7< <(exec "$LKVM" run -m 16 --tty 2 -k "$GUEST" -p "echo 2" 2>&1 >/dev/null); vm=$!
 *	read -u 7 -r line; exec 9<> "${line##* }"
 *	echo -n abc >&9; read -u 9 -N 3 -r; echo "$REPLY"; echo -n x >&9; wait $vm; echo "status $?"
 * expect="^abc$"
 * expect="^status 1$"
 * [the_console_from_another_terminal]
 * cmd=exec 8< <(exec "$LKVM" run -m 16 --name vm --tty 1,fd::2 -k "$GUEST" -p "echo 0" </dev/null 2>&1 >log); vm=$!; read -u 8 -N 7 -r
 *	mkfifo keys; exec 5< <(exec "$LKVM" console vm <keys); a=$!; exec 6>keys; exec 7< <(exec "$LKVM" console -r vm); b=$!
 *	echo -n hello >&6; read -u 5 -N 5 -r; echo "both ways: $REPLY"; read -u 7 -N 5 -r; echo "watched: $REPLY"; echo "before: $("$LKVM" console -p vm)"
 *	kill -9 $a; kill -STOP $b; exec 5< <(echo -n again | "$LKVM" console vm); read -u 5 -N 10 -r; echo "later: $REPLY"
 *	kill -CONT $b; read -u 7 -N 5 -r; echo "watched: $REPLY"
 *	python3 "$LKVM_SOURCE/tests/lib/typist.py" 'helloagain' '\x01h' 'this help' '!\x01x' -- "$LKVM" console vm; echo " left: $?"
 *	echo -n x | "$LKVM" console vm >/dev/null; wait $vm; cat log; "$LKVM" console vm; echo "status $?"
 * expect="^both ways: hello$"
 * expect="^watched: hello$"
 * expect="^before: hello$"
 * expect="^later: helloagain$"
 * expect="^watched: again$"
 * expect="Ctrl-a x   detach, the machine runs on$"
 * expect="^lkvm: vm: detached, the machine runs on$"
 * expect="^ left: 0$"
 * expect="^helloagain!?xstatus 1$"
 * expect-stderr="there is no machine called .vm., 'lkvm list' shows those there are$"
 * [ptys_say_which_they_are]
 * cmd="$LKVM" run -m 16 --tty 1 --tty 3 --device debugcon,tty=pty -k "$GUEST"
 * status=1
 * expect-stderr="^lkvm: ttyS1: pty /dev/pts/[0-9]+$"
 * expect-stderr="^lkvm: ttyS3: pty /dev/pts/[0-9]+$"
 * expect-stderr="^lkvm: debugcon: pty /dev/pts/[0-9]+$"
 * [mistakes]
 * cmd="$LKVM" run -m 16 --tty 4 -k "$GUEST"; "$LKVM" run -m 16 --tty 1:pty -k "$GUEST"
 *	"$LKVM" run -m 16 --tty 1 --tty 1 -k "$GUEST"; "$LKVM" run -m 16 --tty 1,stdio -k "$GUEST"
 *	"$LKVM" run -m 16 --tty 1,sideways -k "$GUEST"; echo "status $?"
 * expect="^status 125$"
 * expect-stderr="^lkvm: run: --tty: \"4\" has to be N or N,TTY with N from 0 to 3, as in 1,unix:PATH$"
 * expect-stderr="^lkvm: run: --tty: \"1:pty\" has to be N or N,TTY"
 * expect-stderr="^lkvm: run: --tty: ttyS1 is given twice$"
 * expect-stderr="^lkvm: --tty 1,stdio: stdin and stdout are the console's, ttyS0: --tty 0 moves that elsewhere$"
 * expect-stderr="sideways"
 * reject="port"
 */
#include <linux/serial_reg.h>

#include "guest.h"

static const u16 base[] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };

static bool port_exists(unsigned int n)
{
	outb(base[n] + UART_SCR, 0x5a);
	return inb(base[n] + UART_SCR) == 0x5a;
}

static void port_put(unsigned int n, const char *s)
{
	for (; *s; s++) {
		while (!(inb(base[n] + UART_LSR) & UART_LSR_THRE))
			cpu_relax();
		outb(base[n] + UART_TX, *s);
	}
}

int main(void)
{
	bool echo = str_starts(cmdline(), "echo");
	char text[2] = "";
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(base); n++) {
		char number[] = { '0' + n, ' ', 0 };

		if (!port_exists(n) || (echo && cmdline()[5] == '0' + (char)n))
			continue;
		port_put(n, "port ");
		port_put(n, number);
	}
	if (!echo)
		return 0;
	n = cmdline()[5] - '0';
	outb(base[n] + UART_MCR, UART_MCR_DTR | UART_MCR_RTS);
	while (*text != 'x') {
		if (!(inb(base[n] + UART_LSR) & UART_LSR_DR))
			continue;
		*text = inb(base[n] + UART_RX);
		port_put(n, text);
	}
	return 0;
}
