#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The user-mode network and pasta, natively and without a guest: the host's own TCP in a
# network namespace is the guest of each. Processor time of the network's process alone,
# which other work on the machine disturbs little, and rates, which it does. The two
# alternate, BENCH_PAIRS times.
#
# Needs root, iperf3, and pasta (Debian: passt) to compare with.

cd "$(dirname "$0")/../.." || exit 1
net_tap=${LKVM_TESTS:-$PWD/tests/build}/bench/net_tap net=$PWD/tests/lib/net.py
work=$(mktemp -d) || exit 1
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT
mkfifo "$work/done" "$work/go"

exec 8< <(exec python3 "$net" serve 39480)
server=$!
read -u 8 -r
iperf3 -s -p 39481 >/dev/null 2>&1 &
gateway=$(ip -4 route show default | awk '{ print $3; exit }')

# ticks PROCESS WORK COMMAND ...: run WORK in COMMAND's namespace, print its own processor time.
ticks() {
	local name=$1 text=$2 pid
	shift 2
	timeout 120 "$@" sh -c "$text >$work/out 2>&1; echo >$work/done; read -r line <$work/go" >/dev/null 2>&1 </dev/null &
	read -r <"$work/done"
	pid=$(pgrep -n -x "$name")
	awk -v hz="$(getconf CLK_TCK)" '{ printf "%6.2f s", ($14 + $15) / hz }' "/proc/$pid/stat"
	echo >"$work/go"
	wait $!
	tail -n 1 "$work/out" | sed 's/.*Bytes *//; s/ *receiver.*//; s/^/   /'
}

row() {	# TITLE WORK, with HOST for the other end
	local i
	for ((i = 0; i < ${BENCH_PAIRS:-3}; i++)); do
		printf '%-28s lkvm  ' "$1"
		ticks net_tap "${2//HOST/192.168.33.1}" "$net_tap" user,host=loopback --
		command -v pasta >/dev/null && [ -n "$gateway" ] || continue
		printf '%-28s pasta ' "$1"
		ticks 'pas(ta|st)(\.avx2)?' "${2//HOST/$gateway}" unshare -Ur pasta -f --config-net --
	done
}

row "1 GiB out" "iperf3 -c HOST -p 39481 -n 1G | grep receiver"
row "1 GiB in" "iperf3 -c HOST -p 39481 -n 1G -R | grep receiver"
row "1 GiB out, 8 streams" "iperf3 -c HOST -p 39481 -n 1G -P 8 | grep SUM.*receiver"
row "2000 connections" "python3 $net sequential HOST 39480 2000"
row "5000 questions" "python3 $net latency HOST 39480 5000"
row "datagrams for 2 s" "python3 $net datagrams HOST 39480 2"
kill $server
