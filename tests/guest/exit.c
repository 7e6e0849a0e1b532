// SPDX-License-Identifier: GPL-2.0
/*
 * The exit port: what the guest writes is lkvm's status, 2v + 1.
 *
 * [success]
 * run=-m 16
 * status=1
 * expect="^hello from the guest"
 * [value]
 * run=-m 16 -p exit=42
 * status=85
 * [high_bits_are_lost]
 * run=-m 16 -p exit=300
 * status=89
 * [a_limit_of_the_size_of_files_ends_nothing]
 * cmd=small() { (ulimit -f 0; exec "$LKVM" run -m 16 -k "$GUEST" "$@") 2>&1 | cat; echo "status ${PIPESTATUS[0]}"; }
 *	small --mem-backend memfd; small --kmsg f
 *	(ulimit -f 0; exec "$LKVM" run -m 16 -k "$GUEST" 2>&1 >f) | cat
 * expect="^lkvm: a file of 16 MiB for the RAM: File too large"
 * expect="^lkvm: f: File too large"
 * expect="^lkvm: terminal fd::1: write: File too large"
 * expect="^status 125$"
 * expect="^status 1$"
 * reject="status 153"
 * [output_that_nobody_reads_can_be_given_up]
 * cmd=export XDG_RUNTIME_DIR=$PWD; mkfifo p; exec 7<>p; head -c 65536 /dev/zero >&7
 *	"$LKVM" run -m 16 --name vm -k "$GUEST" >p & vm=$!
 *	until "$LKVM" list | grep -qE "^vm .*(ending|unknown)"; do :; done
 *	"$LKVM" stop vm; echo "stop $?"; "$LKVM" pause vm; echo "pause $?"
 *	"$LKVM" stop --force vm; echo "force $?"; wait $vm; echo "status $?"
 * expect="^stop 1$"
 * expect="^pause 1$"
 * expect="^force 0$"
 * expect="^status 143$"
 * expect-stderr="^lkvm: vm: it has ended and waits for a reader of its output"
 * [kunit_py_starts_it]
 * cmd=sed -n 's/^\t//; /^#!/,/^exec/p' "$LKVM_SOURCE/Documentation/kunit.rst" >qemu-system-x86_64
 *	chmod +x qemu-system-x86_64
 *	./qemu-system-x86_64 -nodefaults -m 64 -kernel "$GUEST" -append "exit=3 kunit_shutdown=reboot" \
 *		-no-reboot -nographic -accel kvm -accel tcg -serial stdio -smp 2; echo "status $?"
 *	./qemu-system-x86_64 -s; echo "status $?"
 * expect="^hello from the guest"
 * expect="^status 7$"
 * expect="^status 125$"
 * expect-stderr="-s is not understood"
 * [spellings_of_other_programs]
 * cmd=for o in -nographic -append=x --smp --kopt --rwdir --mods --append; do "$LKVM" run $o x; echo "status $?"; done
 * expect="^status 125$"
 * expect-stderr="^lkvm: run: unknown option -nographic: there are no graphics"
 * expect-stderr="^lkvm: run: unknown option -append: say --params"
 * expect-stderr="^lkvm: run: unknown option --append: say --params"
 * expect-stderr="^lkvm: run: unknown option --smp: say --cpus"
 * expect-stderr="^lkvm: run: unknown option --kopt: say --params"
 * expect-stderr="^lkvm: run: unknown option --rwdir: say --share"
 * expect-stderr="^lkvm: run: unknown option --mods: .*--modules"
 * [suboptions_are_checked_by_the_device]
 * cmd=for o in "--share /tmp,cahce=none" "--share /tmp,cache=nix" "--share /tmp,ro,tag=x" "--share /tmp," "--share ,ro" \
 *		"--watchdog nix" "--watchdog reset,x" "--device virtio-rng,x=1" "--device i6300esb,action=pauze"; do
 *		"$LKVM" run $o -m 16 -k "$GUEST" -p "code 3"; done; echo "status $?"
 * expect="^status 125$"
 * expect-stderr="^lkvm: --share /tmp,cahce=none: unknown option 'cahce', did you mean 'cache'?"
 * expect-stderr="^lkvm: --share /tmp,cache=nix: cache: unknown word 'nix', there are: auto, always, none$"
 * expect-stderr="^lkvm: --share /tmp,ro,tag=x: the folder comes first"
 * expect-stderr="^lkvm: --share /tmp,: unknown option ''"
 * expect-stderr="^lkvm: --share ,ro: names no folder$"
 * expect-stderr="^lkvm: run: --watchdog: action: unknown word 'nix', there are: reset, poweroff, pause, none$"
 * expect-stderr="^lkvm: run: --watchdog: action: unknown word 'reset,x'"
 * expect-stderr="^lkvm: run: --device: virtio-rng: unknown option 'x', there are none$"
 * expect-stderr="^lkvm: run: --device: i6300esb: action: unknown word 'pauze', did you mean 'pause'?"
 * reject="hello"
 * [check_of_host_and_kernel]
 * cmd="$LKVM" check -k "$GUEST"; echo "status $?"; "$LKVM" check -k /dev/null | grep FAILS; "$LKVM" check --dev /dev/null; echo "status $?"
 * expect="^(ok|lacks) +/dev/kvm (runs|emulates) guests"
 * expect="^ok +.*exit.elf \(release unknown\), modules: none$"
 * expect="^status 0$"
 * expect="^FAILS +/dev/null cannot be booted$"
 * expect="^FAILS +/dev/null: "
 * expect="^status 1$"
 * expect-stderr="kernel /dev/null: is no regular file"
 * [what_is_no_command]
 * cmd=head -c 510 /dev/zero >bzImage; printf '\125\252\353\152HdrS\017\002' >>bzImage; truncate -s 5000 bzImage
 *	"$LKVM" run bzImage; echo "status $?"; "$LKVM" run "uname -r; id"; echo "status $?"
 *	for o in --rw "--cwd /" "--env A=1" "--fs 9p" "--user root"; do "$LKVM" run -k "$GUEST" $o; echo "status $?"; done
 *	"$LKVM" run -k "$GUEST" -c ''; echo "status $?"
 * expect="^status 125$"
 * reject="status [^1]"
 * expect-stderr="^lkvm: run: -c: '' says nothing"
 * expect-stderr="^lkvm: bzImage: a zImage, "
 * expect-stderr="^lkvm: 'uname -r; id' is one word, .* sh -c 'uname -r; id'$"
 * expect-stderr="is not Linux, so there is nothing to use --rw for$"
 * expect-stderr="is not Linux, so there is nothing to use --cwd for$"
 * expect-stderr="is not Linux, so there is nothing to use --env for$"
 * expect-stderr="is not Linux, so there is nothing to use --fs for$"
 * expect-stderr="is not Linux, so there is nothing to use --user for$"
 * [stdin_is_left_alone]
 * cmd=printf 'a\nb\nc\n' | while read -r l; do "$LKVM" run --no-stdin -m 16 -k "$GUEST" >/dev/null; echo "$l $?"; done
 * expect="^a 1$"
 * expect="^c 1$"
 * [as_nohup_starts_it]
 * cmd="$LKVM" run -m 16 -k "$GUEST" 0>/dev/null
 * status=1
 * expect="^hello from the guest"
 */
#include "guest.h"

int main(void)
{
	const char *s = cmdline();
	u32 val = 0;

	CHECK_EQ(start_info()->magic, 0x336ec578);
	print("hello from the guest\n");
	if (str_starts(s, "exit="))
		for (s += 5; *s >= '0' && *s <= '9'; s++)
			val = val * 10 + *s - '0';
	return val;
}
