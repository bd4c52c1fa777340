# Completion of fanfare in bash. In ~/.bashrc: source <(fanfare completion bash)
_fanfare() {
  local words word about current prefix
  # Not COMP_WORDS, which are split at each colon of a URL.
  read -ra words <<< "${COMP_LINE:0:COMP_POINT}"
  [[ ${COMP_LINE:COMP_POINT-1:1} == [[:space:]] ]] && words+=('')
  current=${words[${#words[@]}-1]}
  # bash replaces what follows the last of these.
  prefix=${current%"${current##*[:=@]}"}
  COMPREPLY=()
  while IFS=$'\t' read -r word about; do
    case $word in
      :files)
        compopt -o filenames 2>/dev/null
        while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$current")
        ;;
      :directories)
        compopt -o filenames 2>/dev/null
        while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -d -- "$current")
        ;;
      *) COMPREPLY+=("$(printf %q "${word#"$prefix"}")") ;;
    esac
  done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
}
complete -F _fanfare fanfare
