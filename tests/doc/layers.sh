# SPDX-License-Identifier: GPL-2.0
#
# The layers of config/layers against the #include lines, private headers, and what else holds
# for the whole source: architectures in their directory only, nobody sleeps,
# exit() in builtin/ only.

files=$(find util hw virtio x86 builtin -name '*.[chS]' | sort)

report() {	# report NAME: what was found is read from stdin, nothing is good
	local found
	found=$(cat)
	if [ -z "$found" ]; then
		echo "ok - $1"
	else
		printf '%s\n' "$found" | sed 's/^/# /'
		echo "not ok - $1 # $(printf '%s\n' "$found" | wc -l) places"
	fi
}

for f in $files; do
	grep -n '^#include <kvm/' "$f" | sed "s,^,$f:,"
done | awk -F'[:<>]' '
	function fits(file, pattern) {
		gsub(/\./, "\\.", pattern)
		gsub(/\*/, ".*", pattern)
		return file ~ "^" pattern "$"
	}
	BEGIN {
		while ((getline line < "config/layers") > 0) {
			if (line ~ /^#/ || line !~ /:/)
				continue
			split(line, part, /: */)
			if (part[1] == "base") { base = " " part[2] " "; continue }
			n = split(part[1], pattern, / +/)
			for (i = 1; i <= n; i++) {
				rules++
				rule[rules] = pattern[i]
				choice = part[2]
				if (sub(/.*one\(/, "", choice)) sub(/\).*/, "", choice)
				else choice = ""
				sub(/one\(.*\)/, "", part[2])
				allowed[rules] = " " part[2] " "
				one[rules] = " " choice " "
			}
		}
	}
	{
		header = $4
		sub(/^kvm\//, "", header)
		sub(/\.h$/, "", header)
		word = " " header " "
		if (index(base, word))
			next
		for (r = 1; r <= rules && !fits($1, rule[r]); r++)
			;
		if (r <= rules && index(allowed[r], word))
			next
		if (r <= rules && index(one[r], word) && !($1 in chosen)) {
			chosen[$1] = header
			next
		}
		printf "%s:%s: <kvm/%s.h> is not for this layer%s\n", $1, $2, header,
			($1 in chosen) ? ", besides " chosen[$1] : ""
	}' | report includes_keep_to_the_layers

# A private header lies beside what includes it, or in the room around that; PID 1 has its architecture's.
for f in $files; do
	grep -n '^#include "' "$f" | sed "s,^,$f:,"
done | while IFS=: read -r f line include; do
	name=$(expr "$include" : '#include "\(.*\)"')
	case $name in
	*/*) [ "$name" = "../$(basename "$name")" ] && [ -e "$(dirname "$f")/$name" ] && continue ;;
	init-arch.h) continue ;;
	*) [ -e "$(dirname "$f")/$name" ] && continue ;;
	esac
	echo "$f:$line: \"$name\" is not for this room"
done | report private_headers_stay_in_their_room

# shellcheck disable=SC2086
{
grep -nE '__x86_64__|__i386__|__aarch64__|\basm\b *(volatile)? *\(("[^"]|$)' $files | grep -v '^x86/' | report no_architecture_outside_its_directory
grep -nE '\b(sleep|usleep|nanosleep) *\(' $files | report nobody_sleeps
# hw/net/script.c: a child that has not become the user's program
grep -nE '\b(exit|_exit|abort|die) *\(' $files | grep -vE '^builtin/|^(hw/net/script|virtio/remote_keeper).c:.*_exit|^[^:]*:[0-9]*:\s*(/?\*|//)' | report only_commands_exit
grep -nE '\balloca *\(|\bstrcat *\(|\bsprintf *\(|\bgets *\(' $files | report nothing_unbounded
}

# The board's numbers are the board's: none of them stands in a chip. Those of two digits, and
# round ones, may mean something else.
bad=$(sed -n 's/^#define \(PORT\|LAYOUT\)_[A-Z0-9_]*[ \t]*\(0x[0-9a-f]\{3,\}\)\(ULL\)\{0,1\}\([^0-9a-fA-F].*\)\{0,1\}$/\2/p' x86/layout.h |
	grep -v -e '^0x.000$' -e '^0x.00000$' | sort -u |
	while read -r number; do grep -nw -e "$number" -e "${number}ULL" hw/*.c hw/*/*.c virtio/*.c; done)
if [ -z "$bad" ]; then echo "ok - numbers_of_the_board_are_in_its_layout"
else
	printf '%s\n' "$bad" | sed 's/^/# /'
	echo "not ok - numbers_of_the_board_are_in_its_layout # $(printf '%s\n' "$bad" | wc -l) in chips"
fi
