# SPDX-License-Identifier: Apache-2.0
# bash completion for sockade: source <(sockade completion bash)
_sockade() {
	local cur=${COMP_WORDS[COMP_CWORD]} last out
	mapfile -t out < <("${1/#\~\//$HOME/}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	((${#out[@]})) || return
	last=${out[-1]}
	unset 'out[-1]'
	COMPREPLY=("${out[@]}")
	case $last in
	:nospace) compopt -o nospace ;;
	:files)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "${cur#=}") ;;
	':command '*)
		if declare -F _command_offset >/dev/null; then
			_command_offset $((${last#* } + 1))
		elif ((COMP_CWORD == ${last#* } + 1)); then
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		else
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi ;;
	esac
}
complete -F _sockade sockade
