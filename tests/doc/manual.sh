# SPDX-License-Identifier: GPL-2.0
#
# The manual against the help, which is printed from the tables of options:
# every option and command is in Documentation/lkvm.1, and no others are.

man=Documentation/lkvm.1
lkvm=${LKVM:-./lkvm}
[ -e $man ] || { echo "not ok - manual # there is no $man"; exit 0; }

plain=$(sed 's/\\-/-/g; s/\\f[A-Z]//g; s/\\&//g' $man)
commands=$($lkvm help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')
# "disk", and if that has subcommands "disk create", ...
commands=$(for c in $commands; do
	echo "$c"
	$lkvm help "$c" | sed -n "s/^  \\([a-z][a-z-]*\\) .*/$c \\1/p"
done)
[ -n "$commands" ] || { echo "not ok - manual # $lkvm help lists no commands"; exit 0; }

all=
IFS='
'
for command in $commands; do
	unset IFS
	c=$(echo "$command" | tr ' ' _)
	if printf '%s\n' "$plain" | grep -q "lkvm $command\b"; then echo "ok - command_$c"
	else echo "not ok - command_$c # it is not in $man"; fi
	# shellcheck disable=SC2086
	help=$($lkvm help $command)
	if printf '%s\n' "$help" | awk 'length > 80 { exit 1 }'; then echo "ok - help_${c}_fits_80_columns"
	else echo "not ok - help_${c}_fits_80_columns"; fi
	options=$(printf '%s\n' "$help" | sed -n 's/^  \(-., \|    \)\(--[a-z0-9][a-z0-9-]*\).*/\2/p')
	letters=$(printf '%s\n' "$help" | sed -n 's/^  \(-.\),\? .*/\1/p')
	all="$all $options"
	missing=
	for o in $options $letters; do
		printf '%s\n' "$plain" | grep -qE -- "(^|[^a-z0-9-])$o([^a-z0-9-]|\$)" || missing="$missing $o"
	done
	if [ -z "$missing" ]; then echo "ok - options_of_$c"
	else echo "not ok - options_of_$c # not in $man:$missing"; fi
done

# What the manual defines as an option (a line that begins with it) exists.
extra=
for o in $(printf '%s\n' "$plain" | grep -E '^\.B[RI]? "?(-[a-zA-Z]\b|--[a-z0-9])' |
		grep -oE -- '--[a-z0-9][a-z0-9-]*' | sort -u); do
	case " $(echo $all) --help --version " in
	*" $o "*) ;;
	*" --${o#--no-} "*) ;;
	*) extra="$extra $o" ;;
	esac
done
if [ -z "$extra" ]; then echo "ok - manual_has_no_others"
else echo "not ok - manual_has_no_others # lkvm does not have:$extra"; fi

if command -v man >/dev/null; then
	errors=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z $man 2>&1 >/dev/null)
	if [ -z "$errors" ]; then echo "ok - manual_formats"
	else printf '%s\n' "$errors" | sed 's/^/# /'; echo "not ok - manual_formats"; fi
fi
