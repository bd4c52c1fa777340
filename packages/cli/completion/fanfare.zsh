#compdef fanfare
# Completion of fanfare in zsh. In ~/.zshrc, after compinit: source <(fanfare completion zsh)
_fanfare() {
  local word about
  local -a found
  while IFS=$'\t' read -r word about; do
    case $word in
      :files) _files; return ;;
      :directories) _files -/; return ;;
      *) found+=("${word//:/\:}:$about") ;;
    esac
  done < <("${words[1]}" __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
  _describe fanfare found
}
if [[ ${funcstack[1]} == _fanfare ]]; then _fanfare "$@"; else compdef _fanfare fanfare; fi
