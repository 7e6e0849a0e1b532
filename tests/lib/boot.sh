# SPDX-License-Identifier: GPL-2.0
#
# The folder tests/boot, to be sourced by tests/run: stanzas that are run here, where
# this machine can, and in nested rigs.

# Called for each stanza of tests/boot, for one of two places to run it in, or to learn
# which belong into the rig.
boot_stanza() {
	local name=${stanza_file#boot/}/$S_name key
	stanza_wanted || return
	key=${name//\//.}
	if [ "$boot_place" = native ]; then
		[ "$S_native" = yes ] && rig_native || return
		stanza_run "$name"
		return
	fi
	if [ "$boot_place" = list ]; then
		! { [ "$S_native" = yes ] && rig_native; } || return
		# The rig has no network: what is to be fetched is fetched now
		[ -z "$S_kernel" ] || rig_kernel "$S_kernel" >/dev/null 2>&1
		[ -z "$S_with" ] || "tests/lib/$S_with.sh" >/dev/null 2>&1
		boot_keys+=("$key") boot_names[$key]=$name
		[ $boot_longest -gt "$S_timeout" ] || boot_longest=$S_timeout
	elif grep -qxF -- "$key" "$boot_shared/tests" &&
	     ln -s "$LKVM_TEST_RIG" "$boot_shared/claims/$key" 2>/dev/null; then
		boot_claimed=1
		stanza_run "$name" > "$boot_shared/$LKVM_TEST_RIG/result"
		mv "$boot_shared/$LKVM_TEST_RIG/result" "$boot_shared/results/$key"
	fi
}

boot_each() {
	local f
	boot_place=$1
	for f in tests/boot/*.conf; do
		[ -e "$f" ] || continue
		stanza_file=boot/$(basename "$f" .conf)
		! wanted "$stanza_file" || stanza_each "$f" boot_stanza || return
	done
}

run_boot() {
	local why boot_keys=() boot_longest=0
	local -A boot_names=()
	{ ! rig_native || { boot_each native; echo "status $?"; }; } 2>&1 | tap_some boot
	boot_each list 2>"$work/list" || { { cat "$work/list"; echo "status 1"; } | tap boot; return; }
	[ ${#boot_keys[@]} != 0 ] || return
	if ! why=$(rig_lacks); then
		skip boot "no nested rig: $why"
		return
	fi
	{ boot_in_rigs; echo "status $?"; } 2>&1 | tap boot
}

# In a rig, which runs this script with its own job: run tests that nobody has run, until
# there are none.
boot_rig() {
	boot_claimed=1
	while [ $boot_claimed = 1 ]; do
		boot_claimed=0
		boot_each rig || return
	done
}

# The rigs, one for each processor of the host, two at most, share a folder, $boot_shared:
# the one that makes the link claims/TEST runs that test, and leaves results/TEST. A rig
# that is lost is started again. Its test is repeated, as is one that failed by a fault of
# the rig. Three numbers have a bound: the turns of a test, the repetitions in all, and the
# starts without a result. A test that had no result by then has failed, and says why.
boot_in_rigs() (
	boot_shared=$work/rigs boot_turns=3 boot_repeats=12 boot_starts=8 running='' rig_end=''
	declare -A boot_turn=() boot_said=() boot_done=() boot_at=() boot_since=()
	rigs=$(boot_rigs)
	trap 'for n in $running; do rig_stop "$n"; done' EXIT
	trap 'exit 130' INT TERM HUP
	mkdir -p "$boot_shared/claims" "$boot_shared/results" || exit
	printf '%s\n' "${boot_keys[@]}" > "$boot_shared/tests"
	cat > "$work/rig.sh" <<EOF
export LKVM='$LKVM' LKVM_TESTS='$LKVM_TESTS' LKVM_TEST_CACHE='$rig_cache' LKVM_TEST_VERBOSE='$verbose'
export LKVM_NATIVE=no LKVM_SMALL_KERNEL='$LKVM_SMALL_KERNEL' boot_shared='$boot_shared'
export LKVM_TEST_LONG='$LKVM_TEST_LONG'
export LKVM_TEST_RIG=\$1 LKVM_TEST_CLOCK=$boot_shared/\$1/clock
exec bash '$PWD/tests/run' ${asked[*]@Q}
EOF
	while [ ${#boot_done[@]} -lt ${#boot_keys[@]} ]; do
		for n in $rigs; do
			[[ " $running " == *" $n "* ]] || ! boot_to_do || boot_start "$n"
		done
		sleep 1
		for n in $running; do
			boot_watch "$n"
		done
	done
)

# The names of the rigs: one, or two where there are two processors and 4 GiB for each.
boot_rigs() {
	local room
	room=$(awk '$1 == "MemAvailable:" { print int($2 / 4718592) }' /proc/meminfo)
	[ "$(nproc)" -gt 1 ] && [ "${room:-0}" -gt 1 ] && echo a b || echo a
}

# TEST RIG for each claim.
boot_claims() {
	find "$boot_shared/claims" -type l -printf '%f %l\n'
}

# Are there more tests to be claimed than rigs that are about to?
boot_to_do() {
	local key rig free=$((${#boot_keys[@]} - ${#boot_done[@]}))
	while read -r key rig; do
		[ -n "${boot_done[$key]}" ] || free=$((free - 1))
	done < <(boot_claims)
	for rig in $running; do
		[ -n "${boot_at[$rig]}" ] || free=$((free - 1))
	done
	[ $free -gt 0 ]
}

boot_start() {
	if [ $boot_starts = 0 ]; then
		[ -n "$running" ] || boot_give_up
		return 0
	fi
	boot_starts=$((boot_starts - 1)) running+=" $1" boot_at[$1]='' boot_since[$1]=0
	rig_start "$boot_shared" "$1" "$work/rig.sh" 4096 ||
		rig_end="it cannot be started" running=${running/ $1}
}

boot_watch() {	# RIG
	local key rig at=''
	rig_tick "$boot_shared" "$1" || running=${running/ $1}
	boot_collect
	while read -r key rig; do
		[ "$rig" != "$1" ] || [ -n "${boot_done[$key]}" ] || at=$key
	done < <(boot_claims)
	[ "$at" = "${boot_at[$1]}" ] || boot_at[$1]=$at boot_since[$1]=${rig_time[$1]}
	if [[ " $running " != *" $1 "* ]]; then
		[ -z "$at" ] || boot_again "$at" "the rig was lost: $rig_end" ||
			boot_result "$at" "not ok - ${boot_names[$at]} # the rig was lost: $rig_end"
	elif [ $((rig_time[$1] - boot_since[$1])) -gt $(((boot_longest + 60) * 100)) ]; then
		echo "no test came to its end" >> "$boot_shared/$1/qemu"
		rig_stop "$1"	# the next tick sees it
	fi
}

# Take the results that have come.
boot_collect() {
	local file key rig text why
	for file in "$boot_shared"/results/*; do
		key=${file##*/}
		[ -n "${boot_names[$key]}" ] || continue
		text=$(grep -a . "$file") rig=$(readlink "$boot_shared/claims/$key")
		rm "$file"
		boot_starts=8
		! why=$(boot_rigs_fault "$text" "$boot_shared/$rig") || ! boot_again "$key" "$why" || continue
		boot_result "$key" "$text"
	done
}

# Print why the rig may be to blame for a failure, false if the failure is the guest's. A
# guest in it stands still, dies of a triple fault or loses its kernel when the emulated
# processor takes the page tables of the wrong level (Documentation/testing.rst). A guest
# that does so by its own fault does it in every turn.
boot_rigs_fault() {	# TEXT RIG
	[[ $1 == *"not ok - "* ]] || return
	grep -aoEm 1 'no end, the limit .*' <<< "$1" ||
		grep -aoEm 1 'triple fault|Oops|BUG: .*|general protection fault|Kernel panic.*' <<< "$1" ||
		rig_ill "$2"
}

# Have test KEY claimed again. False if it, or all of them, had enough turns.
boot_again() {	# KEY WHY
	local turn=${boot_turn[$1]:-1}
	[ "$turn" -lt $boot_turns ] && [ $boot_repeats != 0 ] || return
	boot_repeats=$((boot_repeats - 1)) boot_turn[$1]=$((turn + 1)) boot_said[$1]+="; turn $turn: $2"
	rm "$boot_shared/claims/$1"
}

boot_result() {	# KEY TEXT; the result line is the last, and says what happened before
	boot_done[$1]=1
	[[ $2 == *"ok - "* ]] || set -- "$1" "$2"$'\n'"not ok - ${boot_names[$1]} # no result"
	printf '%s%s\n' "$2" "${boot_said[$1]:+, in turn ${boot_turn[$1]}${boot_said[$1]}}"
}

boot_give_up() {
	local key
	for key in "${boot_keys[@]}"; do
		[ -n "${boot_done[$key]}" ] ||
			boot_result "$key" "not ok - ${boot_names[$key]} # no rig comes to a result: $rig_end"
	done
}
