# SPDX-License-Identifier: GPL-2.0
#
# Stanzas, to be sourced by bash: a test is one run of lkvm and what is
# expected of it. tests/boot/*.conf holds them, and so does the comment at the
# head of each bare-metal guest in tests/guest/*.c (there each line begins
# with " * ").
#
#	[smp4]				the test's name
#	kernel=cloud			generic, cloud, small (vmlinux), small-bzimage, tiny, memtest, xen: adds -k, and
#					--modules if it has any; without it nothing is added
#	run=-c 4 -- nproc		the words after "lkvm run", quoted as in sh; or
#	cmd=$LKVM run $K -- true | wc	a bash script; a line that begins with a tab continues it
#	expect="^4$"			extended regular expressions that stdout must match,
#	expect-stderr="..."		stderr must match,
#	reject="Oops"			neither may match; all three may be repeated
#	status=0			exit status; 0 if not given
#	timeout=30			seconds; 30 if not given: see stanza_limited
#	native=no			always in the nested rig, even if this machine could do it
#	with=kselftest			what tests/lib/kselftest.sh makes; $WITH is where
#	long=yes			for "make check-long", or when it is asked for by its name
#
# Scripts have $LKVM, $K (-k KERNEL and --modules DIR), $KERNEL, $MODULES, and
# start in an empty directory of their own, $PWD. stdin is /dev/null.

stanza_clear() {
	S_name= S_kernel= S_with= S_run= S_cmd= S_status=0 S_timeout=30 S_native=yes S_long=no
	S_expect=() S_expect_stderr=() S_reject=()
}

# stanza_each FILE FUNCTION: call FUNCTION for each stanza, with S_* set.
# Returns 1, with a message, if the file cannot be understood.
stanza_each() {
	local line key value last='' nr=0
	stanza_clear
	while IFS= read -r line <&8 || [ -n "$line" ]; do
		nr=$((nr + 1))
		case $line in
		$'\t'*)
			[ "$last" = cmd ] || { echo "$1:$nr: only cmd= can be continued" >&2; return 1; }
			S_cmd+=$'\n'${line#$'\t'}
			continue ;;
		''|'#'*) continue ;;
		\[*\])
			[ -z "$S_name" ] || "$2"
			stanza_clear
			S_name=${line#[}; S_name=${S_name%]}
			continue ;;
		esac
		key=${line%%=*} value=${line#*=} last=$key
		case $key:$value in expect*:\"*\"|reject:\"*\") value=${value#\"}; value=${value%\"} ;; esac
		[ -n "$S_name" ] || { echo "$1:$nr: a [name] comes first" >&2; return 1; }
		case $key in
		kernel) S_kernel=$value ;;
		with) S_with=$value ;;
		run) S_run=$value ;;
		cmd) S_cmd=$value ;;
		expect) S_expect+=("$value") ;;
		expect-stderr) S_expect_stderr+=("$value") ;;
		reject) S_reject+=("$value") ;;
		status) S_status=$value ;;
		timeout) S_timeout=$value ;;
		native) S_native=$value ;;
		long) S_long=$value ;;
		*) echo "$1:$nr: unknown key '$key'" >&2; return 1 ;;
		esac
	done 8< <(case $1 in
		*.c) sed -n 's/^ \* \(\[.*\]\)$/\1/p; s/^ \* \([a-z-]*=.*\)$/\1/p
			s/^ \*\(\t.*\)$/\1/p' "$1" ;;
		*) cat "$1" ;;
		esac)
	[ -z "$S_name" ] || "$2"
	return 0
}

# Run the stanza's command in a process group of its own and return its status; when its
# time is over it is killed, and $dir/late is there. In a rig the time is timeout= by the
# clock of the rig, which stands still while others have the processor. Else it is twice
# that, and a second counts less when several threads want each processor.
stanza_limited() {
	local pid watch status
	(cd "$dir/cwd" && exec timeout -s KILL 0 bash -c "$S_cmd" </dev/null >"$dir/out" 2>"$dir/err") &
	pid=$!
	stanza_watch $pid >/dev/null &
	watch=$!
	wait $pid
	status=$?
	kill $watch
	return $status
} 2>/dev/null	# where the shell would say "Killed"

stanza_watch() {
	local over=$((S_timeout * 2000)) cpus wanted
	cpus=$(nproc)
	if [ -n "$LKVM_TEST_CLOCK" ]; then
		over=$(($(stanza_clock) + S_timeout))
		while [ "$(stanza_clock)" -lt $over ]; do
			sleep 1
		done
	else
		while [ $over -gt 0 ]; do
			sleep 1
			read -r _ _ _ wanted _ < /proc/loadavg
			wanted=${wanted%/*}
			over=$((over - 1000 * cpus / (wanted > cpus ? wanted : cpus)))
		done
	fi
	: > "$dir/late"
	kill -KILL -- -"$1"
}

stanza_clock() {
	until grep . "$LKVM_TEST_CLOCK"; do :; done	# it may be empty for a moment
}

# stanza_run NAME: run the stanza in S_*, print its KTAP line, with what was
# printed before it as "#" lines if it failed.
stanza_run() {
	local dir status why='' r began=$SECONDS
	export KERNEL='' MODULES='' K='' WITH=''
	if [ -n "$S_kernel" ]; then
		KERNEL=$(rig_kernel "$S_kernel" 2>&1) || { echo "ok - $1 # SKIP $KERNEL"; return; }
		K="-k $KERNEL"
		case $S_kernel in
		generic|cloud) MODULES=$(rig_modules "$S_kernel") && K="$K --modules $MODULES" ;;
		esac
	fi
	[ -z "$S_with" ] || WITH=$("tests/lib/$S_with.sh" 2>&1) || { echo "ok - $1 # SKIP $WITH"; return; }
	dir=$(mktemp -d) || return
	mkdir "$dir/cwd"
	[ -n "$S_cmd" ] || S_cmd="exec \"\$LKVM\" run $K $S_run"
	stanza_limited
	status=$?
	if [ -e "$dir/late" ]; then
		why="no end, the limit is $S_timeout s"
	elif [ $status != "$S_status" ]; then
		why="status $status instead of $S_status"
	fi
	for r in "${S_expect[@]}"; do
		[ -n "$why" ] || grep -Eaq -- "$r" "$dir/out" || why="stdout lacks /$r/"
	done
	for r in "${S_expect_stderr[@]}"; do
		[ -n "$why" ] || grep -Eaq -- "$r" "$dir/err" || why="stderr lacks /$r/"
	done
	for r in "${S_reject[@]}"; do
		[ -n "$why" ] || ! grep -Eaq -- "$r" "$dir/out" "$dir/err" || why="there is /$r/"
	done
	if [ -n "$why" ] || [ -n "$LKVM_TEST_VERBOSE" ]; then
		echo "# \$ ${S_cmd//$'\n'/$'\n# > '}"
		tail -n 60 "$dir/out" | tr -d '\r' | awk '{ print "# stdout: " $0 }'
		tail -n 60 "$dir/err" | tr -d '\r' | awk '{ print "# stderr: " $0 }'
	fi
	if [ -n "$why" ]; then
		echo "not ok - $1 # $why"
	else
		echo "ok - $1 # $((SECONDS - began)) s"
	fi
	rm -rf "$dir"
}
