# SPDX-License-Identifier: GPL-2.0
# The shells complete what lkvm's tables have: real shells run the scripts.

lkvm=${LKVM:-./lkvm}

# result NAME WANTED GOT
result()
{
	if [ "$2" = "$3" ]; then
		echo "ok - $1"
	else
		printf '# wanted: %s\n# got: %s\n' "$2" "$3"
		echo "not ok - $1"
	fi
}

words()
{
	"$lkvm" completion words -- "$@" | sort | tr '\n' ' '
}

result commands "stat stop " "$(words st)"
result options "--confine --console " "$(words run --con)"
result values_behind_a_blank "serial virtio " "$(words run --console "")"
result values_behind_an_equals_sign "--console=serial --console=virtio " "$(words run --console=)"
result values_as_bash_divides_them "virtio " "$(words run --console = v)"
result files_of_an_option ":files " "$(words run -k /boot/vm)"
result subcommands "check convert create " "$(words disk c)"
result the_guests_command ":commands " "$(words run "")"
result behind_the_command ":files " "$(words run -- make --con)"
result devices "virtio-blk " "$(words run --device virtio-bl)"
result nothing_for_nonsense "" "$(words nothing "" 2>&1)"

result bash "stop|--no-stdin|virtio|" "$(bash --norc -c '
	compopt() { :; }
	eval "$("$1" completion bash)"
	try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lkvm; printf "%s|" "${COMPREPLY[@]}"; }
	try "$1" sto; try "$1" run --no-s; try "$1" run --console = v' bash "$lkvm")"

if command -v zsh >/dev/null; then
	result zsh "stop|--no-stdin|--console=virtio|" "$(zsh -f -c '
		compdef() { :; }; compadd() { printf "%s|" "$2"; }
		eval "$("$1" completion zsh)"
		try() { words=("$@"); CURRENT=$#; _lkvm; }
		try "$1" sto; try "$1" run --no-s; try "$1" run --console=v' zsh "$lkvm")"
else
	echo "ok - zsh # SKIP no zsh here"
fi
if command -v fish >/dev/null; then
	result fish_reads_its_script "" "$("$lkvm" completion fish | fish --no-execute 2>&1)"
else
	echo "ok - fish # SKIP no fish here"
fi
