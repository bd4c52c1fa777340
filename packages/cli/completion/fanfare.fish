# Completion of fanfare in fish: fanfare completion fish > ~/.config/fish/completions/fanfare.fish
function __fanfare_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found ($words[1] __complete $words[2..-1] 2>/dev/null)
  switch "$found[1]"
    case ':files'
      __fish_complete_path (commandline -ct)
    case ':directories'
      __fish_complete_directories (commandline -ct)
    case '*'
      printf '%s\n' $found
  end
end
complete -c fanfare -f -a '(__fanfare_complete)'
