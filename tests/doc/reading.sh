# SPDX-License-Identifier: GPL-2.0
#
# Every stop of the tour, ``file:function`` in Documentation/reading.rst, is
# there; and so is every file that a document names.

bad=0
for stop in $(grep -ho '``[a-z0-9/_]*\.[chS]:[a-zA-Z0-9_]*``' Documentation/*.rst | tr -d '`' | sort -u); do
	file=${stop%%:*} name=${stop##*:}
	if ! grep -Eqs "^(static |const |extern |struct |#define |[a-z].*\b)?.*\b$name\b" "$file"; then
		echo "# $stop"
		bad=$((bad + 1))
	fi
done
if [ ! -e Documentation/reading.rst ]; then echo "not ok - every_stop_exists # there is no Documentation/reading.rst"
elif [ $bad = 0 ]; then echo "ok - every_stop_exists"
else echo "not ok - every_stop_exists # $bad do not"; fi

bad=0
for f in $(grep -hoE '``[a-z0-9_.-]+/[a-zA-Z0-9_./-]*``' README Documentation/*.rst 2>/dev/null | tr -d '`' | sort -u); do
	case $f in
	builtin/*|config/*|hw/*|include/*|tests/*|util/*|virtio/*|x86/*) ;;
	*) continue ;;
	esac
	if [ ! -e "$f" ]; then
		echo "# $f"
		bad=$((bad + 1))
	fi
done
if [ $bad = 0 ]; then echo "ok - every_named_file_exists"
else echo "not ok - every_named_file_exists # $bad do not"; fi
