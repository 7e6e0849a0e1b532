/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The protocol between lkvm and its own PID 1 in the guest (builtin/init/): the file
 * that configures PID 1, the virtio-console ports, and the lines on the control port.
 * Both sides are always of one build, so there is no version.
 *
 * The initramfs holds /init, /lkvm.conf and /modules/NNN-name.ko. If the modules are
 * from a build tree, /index has the files of depmod(8) for them.
 */
#ifndef KVM_PID1_H
#define KVM_PID1_H

/*
 * lkvm.conf is a sequence of NUL-terminated "key=value" records: any byte but
 * NUL in a value; a repeated key is a list, in order. The keys:
 *
 *   module=PATH              load this file of the initramfs, in this order
 *   node=cMAJOR:MINOR NAME   a device (c or b) of /dev whose module is loaded when it is
 *                            opened
 *   modules=RELEASE,KIND,DIR the modules as the guest's /lib/modules/RELEASE. KIND: dir (an
 *                            installed directory) or tree (/index, with the build tree as
 *                            "kernel"). DIR: below the guest's root, or a tag to mount
 *   has=CONFIG_OPTION        the kernel has that driver, built in or as such a module
 *   fs=9p | virtiofs         how the root and the shares are mounted
 *   9p=OPTIONS               more 9p mount options ("msize=524288,cache=mmap")
 *   root=overlay | rw | ro   the root: under a tmpfs, written through, read only
 *   host=TAG                 mount TAG, the host's files, read-only at /host of the root, which
 *                            has links there
 *   share=TAG,rw|ro,DIR      mount TAG at DIR; DIR is made where that is possible
 *   tmpfs=MODE DIR           an empty tmpfs at DIR
 *   dir=MODE UID GID DIR     a directory of the overlay's upper layer (numbers are decimal)
 *   file=MODE UID GID FILE   a file of it: what follows a LF is its contents
 *   net=MAC ADDR BITS GATEWAY ADDR6 BITS6 GATEWAY6
 *                            a network card and its addresses, in hexadecimal without
 *                            separators, except BITS; "-": none
 *   hostname=NAME
 *   cwd=DIR                  where the command starts: without it there is no command
 *   here=DIR                 the same, if there is no cwd; / if it cannot be entered
 *   caller=UID               the user of lkvm: SUDO_UID of a command that runs as root
 *   user=NAME | UID[:GID]    the user of the command; default: root
 *   env=NAME=VALUE           wins over what PID 1 sets itself (HOME, PATH ...)
 *   init=PROGRAM             execute this in place of PID 1, with the command as arguments and
 *                            the console as its streams: there is no control port
 *   arg=WORD                 the command; without one, the user's login shell
 *   stdin=MODE stdout=MODE stderr=MODE
 *                            MODE: pipe (a port of its own), tty (the pty that
 *                            the tty port leads to), null; for stderr also
 *                            stdout (the same pipe, so that order is kept)
 *   winsize=ROWS COLS        of the pty, at the start
 *   keep=yes                 when the command has ended go on until "stop"; its status is
 *                            said then
 *   wait=yes                 when the root is mounted say "waiting", and go on by "conf"
 */
#define GUEST_CONF		"/lkvm.conf"
#define GUEST_INDEX		"/index"

/*
 * The ports, found by name (/sys/class/virtio-ports). Only those that a MODE
 * asks for need to exist, and control, which always does. control carries
 * lines, all others bytes and nothing else.
 *
 *  - The host opens its side of each port as soon as the guest has the port
 *    ready. control has the highest number, so once the guest finds it open it
 *    knows the others to be, and takes "not open" for "closed" from then on.
 *  - A guest's driver drops bytes for a port that no program has opened, so the
 *    host sends nothing before the guest has opened that port.
 *  - The host closes its side of stdin (or tty) for end of file, after all
 *    bytes before it are in the queue; and that of stdout or stderr when
 *    nobody reads them any more: the command then meets SIGPIPE.
 *  - The guest closes its side of stdin when the command can read no more, of
 *    stdout and stderr when nobody there can write any more.
 */
#define GUEST_PORT_CONTROL	"lkvm.control"
#define GUEST_PORT_STDIN	"lkvm.stdin"
#define GUEST_PORT_STDOUT	"lkvm.stdout"
#define GUEST_PORT_STDERR	"lkvm.stderr"
#define GUEST_PORT_TTY		"lkvm.tty"

/*
 * Lines from the guest, each ended by LF and at most GUEST_LINE_MAX bytes with
 * it. TEXT is for people; the guest may put control characters into it.
 *
 *   time             what time is it? PID 1 waits for the answer for a second
 *   waiting          wait=yes: all is ready but the command
 *   ready INIT NOW   the command is started next. Nanoseconds since the kernel
 *                    started, when PID 1 was entered and now: for the chart
 *   note TEXT        a message for the user, not fatal
 *   error TEXT       the command cannot be run; nothing follows but bye
 *   oops             the kernel has had an oops (TAINT_DIE); comes before the
 *   exit STATUS      command's end: its status, 0 to 255,
 *   signal NUMBER    or the signal that ended it
 *
 * A PID 1 that finds no control port prints its note and error lines on the kernel's
 * console instead, each after GUEST_CONSOLE, and powers off.
 *
 * Lines from the host:
 *
 *   time SEC NSEC      the time of day: the answer to "time"; also later, when the guest
 *                      has stood still
 *   conf LENGTH        the answer to "waiting": so many bytes follow the LF, more of
 *                      lkvm.conf. What they say goes before what was said
 *   winsize ROWS COLS  the terminal's size has changed
 *   stop               end the command, as a system that shuts down does: SIGTERM,
 *                      SIGHUP too on a terminal, and some seconds later SIGKILL
 *   bye                the answer to exit, signal or error, after everything that
 *                      the guest wrote to any port before has been taken
 *
 * After exit, signal or error the guest's file systems have been synced and it
 * only waits for bye to power off: the host may as well end it there and then.
 */
#define GUEST_LINE_MAX		1024
#define GUEST_CONSOLE		"lkvm: "

/* The 9p or virtio-fs tag of the root. Shares are GUEST_TAG_SHARE plus a number. */
#define GUEST_TAG_ROOT		"lkvm.root"
#define GUEST_TAG_SHARE		"lkvm.share"
#define GUEST_TAG_MODULES	"lkvm.modules"
#define GUEST_TAG_HOST		"lkvm.host"

#endif
