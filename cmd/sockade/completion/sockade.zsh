#compdef sockade
# SPDX-License-Identifier: Apache-2.0
# zsh completion for sockade: source <(sockade completion zsh), after compinit
_sockade() {
	local -a out
	local last
	out=("${(@f)$("${(Q)words[1]/#\~\//$HOME/}" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
	last=$out[-1]
	out[-1]=()
	case $last in
	:nospace) compadd -S '' -- $out ;;
	:files)
		[[ $PREFIX == --*=* ]] && compset -P '*='
		_files ;;
	':command '*)
		shift $((${last#* } + 1)) words
		((CURRENT -= ${last#* } + 1))
		_normal ;;
	*) compadd -- $out ;;
	esac
}
if [[ $funcstack[1] == _sockade ]]; then _sockade "$@"; else compdef _sockade sockade; fi
