// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that answers what it is sent, for the commands that look at machines
 * from outside: it says "start", then the next letter of the alphabet for each
 * byte, "r" resets it, and "x" ends it.
 *
 * [pause_and_resume]
 * cmd=export XDG_RUNTIME_DIR=$PWD; mkfifo in
 *	exec 8< <(exec "$LKVM" run -m 16 -c 3 --name vm -k "$GUEST" <in); vm=$!; exec 9>in; read -u 8 -r
 *	"$LKVM" list; "$LKVM" pause vm; "$LKVM" list; echo -n a >&9
 *	for i in {1..10}; do "$LKVM" list >/dev/null; done; read -u 8 -t 0 && echo "it runs"
 *	"$LKVM" pause vm; echo "again $?"; "$LKVM" resume -n vm
 *	read -u 8 -N 1 -r; echo "answer $REPLY"; "$LKVM" list; "$LKVM" resume vm; echo "resume $?"
 *	echo -n x >&9; wait $vm; echo "status $?"; "$LKVM" list | wc -l
 * expect="^vm +[0-9]+  running$"
 * expect="^vm +[0-9]+  paused$"
 * expect="^again 1$"
 * expect="^answer b$"
 * expect="^resume 1$"
 * expect="^status 3$"
 * expect="^1$"
 * expect-stderr="^lkvm: vm: it is paused already$"
 * expect-stderr="^lkvm: vm: it is not paused$"
 * reject="it runs"
 * [disks]
 * cmd=export XDG_RUNTIME_DIR=$PWD TMPDIR=$PWD; mkfifo in; truncate -s 1M first; truncate -s 2M second; truncate -s 4M third
 *	exec 8< <(exec "$LKVM" run -m 16 --name vm -k "$GUEST" -d first,serial=one,volatile <in); vm=$!; exec 9>in; read -u 8 -r
 *	"$LKVM" disk attach vm second,cow,keep-log=log,serial=two; echo "attached $?"
 *	"$LKVM" disk attach vm third,bus=scsi,serial=three; "$LKVM" disk create -f qcow2 q.qcow2 8M; "$LKVM" disk attach vm q.qcow2
 *	"$LKVM" disk attach vm first; echo "locked $?"; "$LKVM" disk attach vm none; echo "none $?"
 *	"$LKVM" disk resize vm two 3M; "$LKVM" disk mark vm two here; "$LKVM" disk fault vm two hang,op=write
 *	"$LKVM" disk fault vm two; "$LKVM" disk list vm; "$LKVM" disk detach --surprise vm three; echo "pulled $?"; rm second
 *	"$LKVM" snapshot vm snap; echo "snapshot $?"; "$LKVM" disk detach --surprise vm one
 *	echo -n r >&9; read -u 8 -r; echo again; "$LKVM" disk list vm | wc -l; "$LKVM" disk attach vm first,serial=one
 *	"$LKVM" disk list vm | tail -1; "$LKVM" power-cut vm --seed 3; wait $vm; echo "status $?"
 * expect="^attached 0$"
 * expect="^two virtio-blk1 3145728 second$"
 * expect="^three virtio-scsi0 4194304 third$"
 * expect="^disk2 virtio-blk2 8388608 q.qcow2$"
 * expect="^hang op=write hits=0$"
 * expect="^locked 2$"
 * expect="^none 2$"
 * expect="^pulled 0$"
 * expect="^snapshot 1$"
 * expect="^3$"
 * expect="^one virtio-blk0 1048576 first$"
 * expect="^one: of the writes since the last flush 0 kept, 0 lost, 0 torn$"
 * expect="^status 143$"
 * expect-stderr="another disk or machine uses it"
 * expect-stderr="a snapshot knows those of the command line"
 * [paused_and_resumed_many_times]
 * cmd=export XDG_RUNTIME_DIR=$PWD; mkfifo in
 *	exec 8< <(exec "$LKVM" run -m 16 -c 4 --name vm -k "$GUEST" <in); vm=$!; exec 9>in; read -u 8 -r
 *	for i in {1..30}; do "$LKVM" pause vm && "$LKVM" resume vm || exit 1; done
 *	echo -n a >&9; read -u 8 -N 1 -r; echo "answer $REPLY"; "$LKVM" stop -f vm
 * expect="^answer b$"
 * [links_and_forwards]
 * cmd=export XDG_RUNTIME_DIR=$PWD; mkfifo in
 *	exec 8< <(exec "$LKVM" run -m 16 --name vm -k "$GUEST" -n user,forward=tcp:0:22 -n user,restrict <in); vm=$!
 *	exec 9>in; read -u 8 -r; u=unix:$PWD/a:b.sock
 *	"$LKVM" forward vm list; "$LKVM" forward vm add udp:0:53 | sed 's/[0-9]*$/PORT/'
 *	"$LKVM" forward --nic 1 vm add "$u:192.168.33.15:80"; "$LKVM" forward vm list
 *	port=$("$LKVM" forward vm list | sed -n 's|^tcp:127.0.0.1:\([0-9]*\) .*|\1|p')
 *	"$LKVM" forward vm add "tcp:$port:1"; echo "busy $?"; "$LKVM" forward vm remove "tcp:0:22"; echo "removed $?"
 *	"$LKVM" forward vm add "tcp:$port:1"; "$LKVM" forward vm remove nothing; "$LKVM" forward vm add tcp:1; echo "bad $?"
 *	"$LKVM" link vm 1 down; "$LKVM" link vm 7 up; echo "seven $?"; echo -n r >&9; read -u 8 -r
 *	"$LKVM" list --json | tee json; python3 -m json.tool json >/dev/null && echo valid
 *	echo -n x >&9; wait $vm; echo "status $?"
 * expect="^tcp:127.0.0.1:[0-9]+ 192.168.33.15:22$"
 * expect="^udp:127.0.0.1:PORT$"
 * expect="^unix:[^ ]*a:b.sock 192.168.33.15:80$"
 * expect="^busy 1$"
 * expect="^removed 0$"
 * expect="^tcp:127.0.0.1:[0-9]+$"
 * expect="^bad 1$"
 * expect="^seven 1$"
 * expect="nic.: 0, .mode.: .user., .*link.: .up.*nic.: 1, .*link.: .down"
 * expect="forwards.: .*nic.: 1, .host.: .unix:.*guest.: .192.168.33.15:80"
 * expect="^valid$"
 * expect="^status 3$"
 * expect-stderr="^lkvm: forward=tcp:0:22: the host listens at tcp:127.0.0.1:[0-9]+$"
 * expect-stderr="is in use by lkvm .process [0-9]+.: another port, or 0 for any$"
 * expect-stderr="^lkvm: vm: there is no forward nothing; 'list' shows those there are$"
 * expect-stderr="^lkvm: vm: it has no network card 7: the first is 0$"
 * [stop]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <(exec "$LKVM" run -m 16 --name vm -k "$GUEST"); vm=$!; read -u 8 -r
 *	"$LKVM" pause vm; "$LKVM" stop vm; echo "stop $?"; "$LKVM" stop --force vm; echo "force $?"
 *	ls lkvm; wait $vm; echo "status $?"; "$LKVM" stop vm; echo "none $?"
 * expect="^stop 1$"
 * expect="^force 0$"
 * expect="^status 143$"
 * expect="^none 1$"
 * expect-stderr="^lkvm: vm: it is paused and cannot end by itself: resume it, or use --force$"
 * expect-stderr="^lkvm: there is no machine called .vm., 'lkvm list' shows those there are$"
 * reject="vm.sock"
 * [stop_all]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 7< <(exec "$LKVM" run -m 16 -k "$GUEST"); exec 8< <(exec "$LKVM" run -m 16 -k "$GUEST")
 *	read -u 7 -r; read -u 8 -r; "$LKVM" list
 *	"$LKVM" stop -f -a; echo "stop $?"; "$LKVM" list | wc -l; ls lkvm
 * expect="^lkvm-[0-9]+ +[0-9]+  running$"
 * expect="^stop 0$"
 * expect="^1$"
 * reject="sock"
 * [a_reboot_opens_nothing_by_name]
 * cmd=export XDG_RUNTIME_DIR=$PWD; mkfifo in; mkdir share p9; cp "$GUEST" kernel; ln -s /dev/kvm kvm
 *	exec 8< <(exec "$LKVM" run -m 16 --name vm --dev kvm --mem-backend file=ram --tty 1,file:out --tty 2,unix:sock \
 *		--tty 3,pty --device virtio-console,port=a:file:b,port=c:pty --device virtio-fs,share,tag=a \
 *		--9p "$PWD/p9,b" -k kernel <in 2>err); vm=$!; exec 9>in; read -u 8 -r
 *	rm kernel kvm ram out sock b; rmdir share p9
 *	for n in 1 2 3; do "$LKVM" reset vm && read -u 8 -r && echo "$REPLY again"; done
 *	echo -n x >&9; wait $vm; echo "status $?"; grep -c "pty /dev" err; ls kernel kvm ram out sock b share p9 2>/dev/null || true
 * expect="^start again$"
 * expect="^status 3$"
 * expect="^2$"
 * reject="kernel|kvm|ram|out|sock|share|p9"
 * [a_confined_machine]
 * cmd=export XDG_RUNTIME_DIR=$PWD; mkfifo in; mkdir share; echo secret >secret; ulimit -c unlimited 2>/dev/null
 *	exec 8< <(exec "$LKVM" run -m 16 -c 2 --name vm --kmsg log --device virtio-fs,share,tag=a --tty 1,fd::5 -k "$GUEST" <in 5>out 7<secret 21<secret)
 *	vm=$!; exec 9>in; read -u 8 -r
 *	for t in $(ls /proc/$vm/task); do sed -n "s/^Seccomp:/$(</proc/$vm/task/$t/comm) filter/p; s/^NoNewPrivs:/privileges/p; s/^CapPrm/$(</proc/$vm/task/$t/comm)/p" /proc/$vm/task/$t/status; done >tasks
 *	n=$(ls /proc/$vm/task | wc -l); [ $(grep -c 'filter.2$' tasks) = $n ] && [ $(grep -c 'privileges.1$' tasks) = $n ] && echo "all threads"; grep vcpu1 tasks
 *	ls -l /proc/$vm/fd | grep secret || echo "nothing inherited"
 *	grep -E '^.{20}.*rwx|^[0-9a-f]+-[0-9a-f]+ .wx' /proc/$vm/maps || echo "no code can be written"
 *	grep -ciE 'core file size +0 +0 ' /proc/$vm/limits; awk '/open files/ && $4 == $5 { print "as many files as now" }' /proc/$vm/limits
 *	echo -n x >&9; wait $vm; echo "status $?"
 * expect="^vcpu1:.0000000000000000$"
 * expect="^all threads$"
 * expect="^nothing inherited$"
 * expect="^no code can be written$"
 * expect="^1$"
 * expect="^as many files as now$"
 * expect="^status 3$"
 * [files_in_a_process]
 * cmd=export XDG_RUNTIME_DIR=$PWD; mkfifo in; mkdir share
 *	exec 8< <(exec "$LKVM" run -m 16 --name vm --confine files=process --device virtio-fs,share,tag=a --9p "$PWD/share,b" -k "$GUEST" <in 2>err); vm=$!; exec 9>in; read -u 8 -r
 *	parts=$(grep -l "^PPid:.$vm$" /proc/[0-9]*"/status" 2>/dev/null | cut -d/ -f3)
 *	for p in $parts; do sed -n 's/^Name:/process/p; s/^Seccomp:/filter/p' /proc/$p/status | tr -s '\t\n' ' '; ls -l /proc/$p/fd | grep -cE 'kvm|/dev/|pipe|fifo|memfd' || true; done
 *	ls -l /proc/$vm/fd | grep -c share || true
 *	"$LKVM" snapshot vm snap 2>&1 | sed 's/^/snapshot: /'; "$LKVM" reset vm; read -u 8 -r; echo "$REPLY again"
 *	echo -n x >&9; wait $vm; echo "status $?"; for p in $parts; do while [ -e /proc/$p ]; do :; done; done; cat err
 *	for o in "--mem-backend hugetlb" --mem-merge; do "$LKVM" run -m 16 --confine files=process $o -k "$GUEST"; echo "refused $?"; done
 * expect="^process virtio-fs0 filter 2 0$"
 * expect="^process virtio-9p0 filter 2 0$"
 * expect="^snapshot: .*cannot be saved"
 * expect="^start again$"
 * expect="^status 3$"
 * expect="^refused 125$"
 * expect-stderr="RAM is a memfd there"
 * [confined_where_the_host_has_less]
 * cmd=without() {	# without NUMBER=ERRNO... -- COMMAND: system calls that fail, as on an old kernel or in a container
 *		perl -e 'my ($f, $n) = (pack("SCCL", 0x20, 0, 0, 0), 2);
 *			while ((my $a = shift) ne "--") {
 *				my ($nr, $e) = split /=/, $a;
 *				$f .= pack("SCCL", 0x15, 0, 1, $nr) . pack("SCCL", 6, 0, 0, 0x50000 | $e); $n += 2;
 *			}
 *			$f .= pack("SCCL", 6, 0, 0, 0x7fff0000); syscall(157, 38, 1, 0, 0, 0);
 *			syscall(317, 1, 0, pack("Sx6P", $n, $f)) == 0 or die "seccomp: $!"; exec @ARGV' -- "$@"
 *	}
 *	mkdir share
 *	for less in 444=38 444=1 444=95 317=38 "317=1 444=1" 437=1 425=1; do
 *		echo x | without $less -- "$LKVM" run -v -m 16 -k "$GUEST" --device virtio-fs,share,tag=a 2>err; echo "without $less: $?"
 *		grep -hE 'files outside|no filters' err || true
 *	done
 * expect="^without 444=38: 3$"
 * expect="^without 444=1: 3$"
 * expect="^without 444=95: 3$"
 * expect="^without 317=38: 3$"
 * expect="^without 317=1 444=1: 3$"
 * expect="^without 437=1: 3$"
 * expect="^without 425=1: 3$"
 * expect="confinement: the host does not prevent that files outside"
 * expect="confinement: the host has no filters of system calls"
 * [confined_under_strace_and_gdb]
 * cmd=echo x | strace -f -qq -o trace "$LKVM" run -m 16 -k "$GUEST"; echo "strace $?"; grep -c KVM_RUN trace
 *	echo x | gdb -q -batch -nx -iex 'set debuginfod enabled off' -ex 'handle SIG34 nostop noprint pass' -ex run -ex 'p 6 * 7' --args "$LKVM" run -m 16 -k "$GUEST"
 * expect="^strace 3$"
 * expect="^[1-9]"
 * expect="exited with code 03"
 * expect="= 42"
 * [confined_in_a_container]
 * cmd=command -v bwrap >/dev/null || { echo "1..0 # SKIP there is no bwrap"; exit; }
 *	bwrap --ro-bind / / --dev /dev --dev-bind /dev/kvm /dev/kvm --proc /proc --tmpfs /tmp --ro-bind "$GUEST" /tmp/guest --ro-bind "$LKVM" /tmp/lkvm \
 *		--unshare-all --uid 1000 --gid 1000 --cap-drop ALL --die-with-parent true 2>err || { echo "1..0 # SKIP $(head -n 1 err)"; exit; }
 *	echo x | bwrap --ro-bind / / --dev /dev --dev-bind /dev/kvm /dev/kvm --proc /proc --tmpfs /tmp --ro-bind "$GUEST" /tmp/guest --ro-bind "$LKVM" /tmp/lkvm \
 *		--unshare-all --uid 1000 --gid 1000 --cap-drop ALL --die-with-parent --chdir /tmp sh -c 'mkdir share; ./lkvm run -m 16 -k guest --device virtio-fs,share,tag=a; echo "status $?"'
 * expect="^(1..0|status 3$)"
 * [a_sandbox_hides_keys]
 * cmd=export HOME=$PWD; mkdir -p .ssh .config/gh d; echo key > .ssh/id; echo x > other
 *	echo x | "$LKVM" sandbox -v -m 16 --9p "$PWD,a" -k "$GUEST"; echo "status $?"
 *	echo x | "$LKVM" run -v -m 16 --hide .ssh/../other --9p "$PWD,a" -k "$GUEST"; echo "status $?"
 *	"$LKVM" run -m 16 --hide none --9p "$PWD,a" -k "$GUEST"; "$LKVM" run -m 16 --hide other -k "$GUEST"; echo "status $?"
 * expect="^status 3$"
 * expect="^status 125$"
 * expect-stderr="^lkvm: hidden from the guest: .+[/].ssh$"
 * expect-stderr="^lkvm: hidden from the guest: .+[/].config/gh$"
 * expect-stderr="^lkvm: hidden from the guest: .ssh/.[.]/other$"
 * expect-stderr="^lkvm: --hide none: No such file or directory$"
 * expect-stderr="there is nothing to use --hide for$"
 * [somebody_else]
 * cmd=[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP not root"; exit; }; unset XDG_RUNTIME_DIR; chmod 777 .; mkdir share; mkfifo in
 *	echo secret >secret; chmod 600 secret; cp "$GUEST" kernel; chmod 600 kernel
 *	exec 8< <(exec "$LKVM" run --as nobody -m 16 --name as-$$ --tty 1,file:out --device virtio-fs,share,tag=a -k kernel <in); vm=$!; exec 9>in; read -u 8 -r
 *	grep -hE '^(Uid|Groups|CapPrm)' /proc/$vm/status | tr -s '\t ' ' '; stat -c %U out
 *	"$LKVM" list | grep -c as-$$; setpriv --reuid nobody --clear-groups "$LKVM" list | grep -c "as-$$.*running"
 *	setpriv --reuid nobody --clear-groups "$LKVM" reset as-$$; read -u 8 -r; echo "$REPLY again"; echo -n x >&9; wait $vm; echo "status $?"
 *	"$LKVM" run --as nobody -m 16 --device virtio-blk,secret -k kernel; echo "disk $?"; ls /tmp/lkvm-$(id -u nobody)
 * expect="^(1..0|Uid: 65534 65534 65534 65534)"
 * expect="^(1..0|nobody$)"
 * expect="^(1..0|start again$)"
 * expect="^(1..0|status 3$)"
 * expect="^(1..0|disk 125$)"
 * reject="^as-"
 * [a_peer_stays_over_a_reboot]
 * cmd="$LKVM" run -m 16 --tty 0,unix:sock -k "$GUEST" & vm=$!
 *	until [ -S sock ]; do :; done
 *	perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(Peer => "sock") or die;
 *		for (1..3) { print $s "r"; $s->flush; $_ = <$s>; $_ = <$s> unless /start/; print; } print $s "x"; $s->flush; <$s>'
 *	wait $vm; echo "status $?"
 * expect="^start$"
 * expect="^status 3$"
 * [reset]
 * cmd=export XDG_RUNTIME_DIR=$PWD; mkfifo in
 *	exec 8< <(exec "$LKVM" run -m 16 --name vm -k "$GUEST" <in); vm=$!; exec 9>in; read -u 8 -r
 *	for n in 1 2 3 4; do
 *		[ $n = 3 ] && "$LKVM" pause vm
 *		"$LKVM" reset vm && read -u 8 -r && echo "$REPLY again"
 *	done; "$LKVM" list
 *	echo -n x >&9; wait $vm; echo "status $?"
 * expect="^start again$"
 * expect="^vm +[0-9]+  running$"
 * expect="^status 3$"
 * [hundred_reboots_leave_nothing_behind]
 * cmd=state() {	# kinds of descriptors, threads; KiB resident in mappings that are not the guest's RAM
 *		find /proc/$vm/fd -type l -printf '%l\n' | sed 's,:\[.*,,; s,kvm-vcpu:.*,kvm-vcpu,' | sort | uniq -c
 *		ls /proc/$vm/task | wc -l
 *		awk '/^Size/ { size = $2 } /^Rss/ && size < 65536 { sum += $2 } END { print sum }' /proc/$vm/smaps >$1
 *	}
 *	export XDG_RUNTIME_DIR=$PWD; mkfifo in
 *	exec 8< <(exec "$LKVM" run -m 128 -c 2 --device virtio-console,console=null --max-reboots 100 -k "$GUEST" <in); vm=$!; exec 9>in
 *	read -u 8 -r; echo -n r >&9; read -u 8 -r; state rss1 >state1
 *	for i in {2..100}; do echo -n r >&9; read -u 8 -r; done; state rss2 >state2
 *	echo -n r >&9; wait $vm; echo "status $?"
 *	cat state1 rss1; grep -c 'kvm-vm$' state1; diff state1 state2 && echo "nothing remains"
 *	[ $(($(<rss2) - $(<rss1))) -lt 128 ] && echo "nothing remains in memory" || cat rss2
 * expect="^status 0$"
 * expect=" 2 anon_inode:kvm-vcpu$"
 * expect="^1$"
 * expect="^nothing remains$"
 * expect="^nothing remains in memory$"
 * timeout=90
 * [no_reset_without_reboot]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <(exec "$LKVM" run -m 16 --no-reboot --name vm -k "$GUEST"); read -u 8 -r
 *	"$LKVM" reset vm; echo "reset $?"; "$LKVM" stop -f vm
 * expect="^reset 1$"
 * expect-stderr="no-reboot"
 * [list_waits_once_for_all_that_are_stopped]
 * cmd=export XDG_RUNTIME_DIR=$PWD; pids=
 *	for n in a b c d; do exec {f}< <(exec "$LKVM" run -m 16 --name $n -k "$GUEST"); pids+=" $!"; read -u $f -r; done
 *	set -- $pids; kill -STOP $1 $2 $3; "$LKVM" list; kill -CONT $1 $2 $3; "$LKVM" stop -f -a
 * expect="^a +-  unknown$"
 * expect="^c +-  unknown$"
 * expect="^d +[0-9]+  running$"
 * expect-stderr="^lkvm: warning: a: it does not answer$"
 * timeout=20
 * [debug]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <(exec "$LKVM" run -m 16 -c 2 --name vm -k "$GUEST"); read -u 8 -r
 *	"$LKVM" debug vm; echo "dump $?"; "$LKVM" debug -d --vcpu 1 vm | grep -c vCPU
 *	"$LKVM" debug --vcpu 2 vm; echo "no vCPU $?"; "$LKVM" debug --sysrq t vm; echo "deaf $?"
 *	"$LKVM" debug --sysrq tt vm; echo "two $?"; "$LKVM" debug --nmi 2 vm; echo "no nmi $?"
 *	"$LKVM" list; "$LKVM" pause vm; "$LKVM" debug vm | grep -c rip; "$LKVM" list; "$LKVM" stop -f vm
 * expect="^vCPU 0:$"
 * expect="^  rip [0-9a-f]{4}:[0-9a-f]{16} "
 * expect="^vCPU 1:$"
 * expect="^dump 0$"
 * expect="^1$"
 * expect="^no vCPU 1$"
 * expect="^deaf 1$"
 * expect="^two 2$"
 * expect="^no nmi 1$"
 * expect="^vm +[0-9]+  running$"
 * expect="^vm +[0-9]+  paused$"
 * expect-stderr="^lkvm: vm: it has vCPUs 0 to 1$"
 * expect-stderr="^lkvm: vm: it does not listen on its serial console$"
 * [a_timeout_shows_the_registers]
 * cmd="$LKVM" run -m 16 -c 2 --timeout 1s -k "$GUEST" </dev/null
 * status=124
 * expect-stderr="^vCPU 0:$"
 * expect-stderr="^  rip [0-9a-f]{4}:[0-9a-f]{16} "
 * expect-stderr="^vCPU 1:$"
 * expect-stderr="^lkvm: the time of --timeout is over$"
 * [one_that_is_stopped_delays_no_other]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 7< <(exec "$LKVM" run -m 16 --name a -k "$GUEST"); a=$!; exec 8< <(exec "$LKVM" run -m 16 --name b -k "$GUEST"); b=$!
 *	read -u 7 -r; read -u 8 -r; kill -STOP $a; "$LKVM" stop -f a b & stop=$!
 *	wait $b; echo "status $?"; kill -CONT $a; wait $stop; echo "stop $?"
 * expect="^status 143$"
 * expect="^stop 0$"
 * timeout=15
 * [a_full_disk_is_an_error]
 * cmd=for c in list help version kconfig "help run" "run --device help" "run --help"; do "$LKVM" $c >/dev/full; echo "status $?"; done
 * reject="^status 0$"
 * expect="^status 1$"
 * expect-stderr="^lkvm: stdout: No space left on device$"
 * [names]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <(exec "$LKVM" run -m 16 --name vm -k "$GUEST"); read -u 8 -r
 *	"$LKVM" run -m 16 --name vm -k "$GUEST"; echo "taken $?"
 *	"$LKVM" run -m 16 --name a/b -k "$GUEST"; echo "slash $?"
 *	"$LKVM" pause; echo "which $?"; "$LKVM" stop -f vm
 * expect="^taken 125$"
 * expect="^slash 125$"
 * expect="^which 2$"
 * expect-stderr="^lkvm: --name vm: a machine called .vm. is running: choose another --name"
 * expect-stderr="^lkvm: --name a/b: a machine's name has no slashes"
 * expect-stderr="^lkvm: pause: which machine[?]"
 * [a_killed_machine_is_not_in_the_way]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <(exec "$LKVM" run -m 16 --name vm -k "$GUEST"); vm=$!; read -u 8 -r
 *	kill -KILL $vm; wait $vm; ls lkvm
 *	echo -n x | "$LKVM" run -m 16 --name vm -k "$GUEST"; echo "status $?"; ls lkvm | wc -l
 * expect="^vm.sock$"
 * expect="^status 3$"
 * expect="^0$"
 * [kvm_s_counters]
 * cmd=export XDG_RUNTIME_DIR=$PWD
 *	exec 8< <(exec "$LKVM" run -m 16 -c 2 --name vm -k "$GUEST"); read -u 8 -r
 *	"$LKVM" stat --json vm | python3 -c 'import json, sys; print("json", json.load(sys.stdin)["counters"]["exits"] > 0)'
 *	"$LKVM" stat --interval 1 vm vm; "$LKVM" stat vm; "$LKVM" stat --vcpu 1 vm; "$LKVM" stat --vcpu 2 vm; echo "status $?"; "$LKVM" stop -f vm
 * expect="^vm:$"
 * expect="^ +[1-9][0-9]*  exits$"
 * expect="^status 1$"
 * expect-stderr="^lkvm: vm: it has vCPUs 0 to 1$"
 * expect="^json True$"
 * expect-stderr="^lkvm: stat: --interval: of one machine"
 * [exits_are_counted]
 * cmd=echo -n abx | "$LKVM" run -m 16 --trace exits=counts --trace phases -k "$GUEST"; echo " status $?"; cat counts
 * expect=" status 3$"
 * expect="^exits to lkvm: [0-9]+$"
 * expect="^ +[0-9]+  I/O port$"
 * expect="^ +[0-9]+  read  port 0x3fd  serial0$"
 * expect="^ +1  write port 0xf4  debug-exit$"
 * expect-stderr="^ +[0-9]+\.[0-9] ms  the guest$"
 * expect-stderr="^ +[0-9]+\.[0-9] ms  all$"
 */
#include <linux/serial_reg.h>

#include "guest.h"

int main(void)
{
	char text[2] = "";

	/* The port takes nothing in before a driver is there for it. */
	outb(PORT_SERIAL + UART_MCR, UART_MCR_DTR | UART_MCR_RTS);
	print("start\n");
	for (;;) {
		if (!(inb(PORT_SERIAL + UART_LSR) & UART_LSR_DR))
			continue;
		text[0] = inb(PORT_SERIAL + UART_RX);
		if (*text == 'x')
			outb(PORT_EXIT, 1);
		if (*text == 'r')
			outb(0xcf9, 0x06);
		++*text;
		print(text);
	}
}
