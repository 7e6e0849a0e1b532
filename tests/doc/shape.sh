# SPDX-License-Identifier: GPL-2.0
#
# The shape of the source: what is small enough to be read, what may know what.

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

files=$(find util hw virtio x86 builtin -name '*.c' | sort)

# A function is seen whole.
# shellcheck disable=SC2086
awk 'FNR == 1 { start = 0 }
	/^[a-zA-Z_].*\)$/ { name = $0 }
	/^\{$/ { start = FNR }
	/^\}/ && start { if (FNR - start - 1 > 70) print FILENAME ":" start ": " name ": " FNR - start - 1 " lines"; start = 0 }
	' $files | report functions_have_at_most_70_lines

# A file keeps one noun. One of more than 800 lines says above its first #include why
# ("... in one file, as ..."). These have not been cut yet.
uncut=' hw/fs/fuse.c hw/fs/fuse_io.c hw/fs/fuse_node.c hw/fs/host.c util/opt.c '
for f in $files; do
	[ "$(wc -l <"$f")" -gt 800 ] || continue
	sed '/^#include/q' "$f" | grep -q 'in one file, as' && continue
	case $uncut in *" $f "*) [ "$(wc -l <"$f")" -gt 1010 ] || continue ;; esac
	echo "$f: $(wc -l <"$f") lines"
done | report long_files_say_why

# What has to be read before any device or command: files, and the private headers beside them.
spine='hw/vm.c hw/life.c hw/kvm.c hw/vcpu.c hw/bus.c hw/irq.c hw/device.c hw/memory.c hw/pci.c
	virtio/core.c virtio/queue.c virtio/vring.c virtio/pci.c virtio/rng.c util/loop.c util/iov.c util/undo.c'
# shellcheck disable=SC2086
headers=$(for f in $spine; do sed -n "s,^#include \"\(.*\)\",${f%/*}/\1,p" "$f"; done | sort -u)
# shellcheck disable=SC2086
lines=$(cat $spine $headers | wc -l)
if [ "$lines" -le 4950 ]; then echo "ok - the_spine_is_short"
else echo "not ok - the_spine_is_short # $lines lines"; fi

# A file of builtin/ is a command of its name, or one of those that commands share.
for f in builtin/*.c; do
	name=$(basename "$f" .c)
	case $name in
	main|attach|client|command|completion|enter) want=0 ;;
	commands) want=2 name=help ;;	# and completion: they read the table
	*) want=1 ;;
	esac
	have=$(grep -c '^const struct command command_' "$f")
	[ "$have" = $want ] && { [ $want = 0 ] || grep -q "^const struct command command_$name = " "$f"; } ||
		echo "$f: $have commands"
done | report a_file_of_builtin_is_a_command

# A group of options of "lkvm run" knows no other: only run.c and restore.c include two of them.
groups=$(grep -l '^extern const struct opt .*_opts\[\];' builtin/run/*.h | sed 's,.*/,,')
for f in builtin/run/*.c; do
	n=0
	for g in $groups; do grep -q "^#include \"$g\"" "$f" && n=$((n + 1)); done
	[ "$f" = builtin/run/run.c ] || [ "$f" = builtin/run/restore.c ] || [ $n -le 1 ] || echo "$f: includes $n groups"
done | report groups_of_options_are_apart

# No file uses what uses it, by the symbols; arch_*() is whatever architecture there is, so
# not x86/. These circles are known, none may grow, and there is no other: a table of
# operations and their functions, one in each of two files; the switch, whose gateway is a
# wire; the pieces of one network stack.
known='hw/fs/fuse hw/fs/fuse_io
hw/fs/p9 hw/fs/p9_io
hw/net/forward hw/net/net hw/net/switch hw/net/switch_join
hw/net/user/arp hw/net/user/dhcp hw/net/user/dns hw/net/user/forward hw/net/user/icmp hw/net/user/ip hw/net/user/names hw/net/user/pairs hw/net/user/tcp hw/net/user/tcp_hash hw/net/user/tcp_host hw/net/user/tcp_out hw/net/user/udp hw/net/user/user'
build=${LKVM_TESTS:-tests/build}/source
mkdir -p "$build"
objs=$(sed -n 's/^kvm-y += //p' config/objects.mk | sed 's/\$(SRCARCH)/x86/' | grep -v 'builtin/init/')
if ! make -s O="$build" SANITIZE= DEBUG= lkvm >"$build/log" 2>&1; then
	tail -n 20 "$build/log" | sed 's/^/# /'
	echo "not ok - no_circle_of_files # it does not build"
else
	# shellcheck disable=SC2086
	(cd "$build" && nm -A $objs) | KNOWN=$known perl -e '
		my (%def, %use, %edge, %index, %low, %on, @stack, @circles);
		my $n = 0;
		while (<>) {
			next unless /^(.*)\.o:\S* *([A-Za-z]) (\S+)$/;
			my ($f, $kind, $symbol) = ($1, $2, $3);
			if ($kind eq "U") { push @{$use{$f}}, $symbol unless $symbol =~ m,^arch_, && $f !~ m,^x86/, }
			elsif (index("TDRBVW", $kind) >= 0) { $def{$symbol} = $f }
		}
		for my $f (keys %use) {
			for (@{$use{$f}}) { my $d = $def{$_}; $edge{$f}{$d} .= " $_" if $d && $d ne $f }
		}
		sub visit {	# Tarjan
			my $v = shift;
			$index{$v} = $low{$v} = $n++;
			push @stack, $v;
			$on{$v} = 1;
			for my $w (sort keys %{$edge{$v} || {}}) {
				if (!defined $index{$w}) { visit($w); $low{$v} = $low{$w} if $low{$w} < $low{$v} }
				elsif ($on{$w}) { $low{$v} = $index{$w} if $index{$w} < $low{$v} }
			}
			return if $low{$v} != $index{$v};
			my @c;
			my $w;
			do { $w = pop @stack; $on{$w} = 0; push @c, $w } while $w ne $v;
			push @circles, [sort @c] if @c > 1;
		}
		defined $index{$_} or visit($_) for sort keys %edge;
		for my $c (@circles) {
			my %in = map { $_ => 1 } @$c;
			next if grep { my %k = map { $_ => 1 } split; !grep { !$k{$_} } @$c } split /\n/, $ENV{KNOWN};
			print "@$c\n";
			for my $a (@$c) { $in{$_} and print "  $a uses $_:$edge{$a}{$_}\n" for sort keys %{$edge{$a}} }
		}' | report no_circle_of_files
fi
