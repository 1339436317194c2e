# SPDX-License-Identifier: Apache-2.0
# fish completion for sockade: sockade completion fish | source
function __sockade_complete
	set -l words (commandline -opc)
	set -l current (commandline -ct)
	set -l out ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
	set -l last $out[-1]
	set -e out[-1]
	switch $last
		case ':command *'
			set -l at (math (string replace ':command ' '' -- $last) + 2)
			complete -C (string join ' ' -- (string escape -- $words[$at..-1]) "$current")
		case :files
			set -l before (string match -r '^--[^=]*=' -- $current)
			string replace -r -- '^' "$before" (__fish_complete_path (string replace -- "$before" '' "$current"))
		case '*'
			printf '%s\n' $out
	end
end
complete -c sockade -f -a '(__sockade_complete)'
