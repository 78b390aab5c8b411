import type { CompletedFlag, CompletedVerb } from "./completed-verb.ts";

/** For bash from 3.2 on, without the package bash-completion. */
export function bashScript(verbs: readonly CompletedVerb[]): string {
  const names = verbs.map(({ name }) => name).join(" ");
  return `# Completion of hasta-la-vista for bash. Add to ~/.bashrc: source <(hasta-la-vista completion bash)
_hasta_la_vista() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" verb="" word
  # bash splits --flag=value into three words.
  if [ "$cur" = "=" ]; then
    cur=""
  elif [ "$prev" = "=" ]; then
    prev="\${COMP_WORDS[COMP_CWORD-2]}"
  fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) verb="$word"; break ;; esac
  done
  COMPREPLY=()
  case "$verb" in
    "") _hasta_la_vista_words "${names} help --help --version" ;;
    help) _hasta_la_vista_words "${names}" ;;
${verbs.map(verbCase).join("\n")}
  esac
}

# Of the words in $1 those that begin as what is typed.
_hasta_la_vista_words() {
  local word
  for word in $1; do
    case "$word" in "$cur"*) COMPREPLY[\${#COMPREPLY[@]}]="$word" ;; esac
  done
}

_hasta_la_vista_files() {
  local file
  type compopt >/dev/null 2>&1 && compopt -o filenames
  while IFS= read -r file; do COMPREPLY[\${#COMPREPLY[@]}]="$file"; done < <(compgen -f -- "$cur")
}

complete -F _hasta_la_vista hasta-la-vista
`;
}

function verbCase({ name, flags, words }: CompletedVerb): string {
  const valued = flags.filter(({ value }) => value !== undefined);
  const ofFiles = valued.filter(({ value }) => value?.isFile === true);
  const ofWords = valued.filter(({ value }) => (value?.words.length ?? 0) > 0);
  const ofAny = valued.filter((flag) => !ofFiles.includes(flag) && !ofWords.includes(flag));
  const cases = [
    ...ofWords.map((flag) => `${pattern([flag])}) _hasta_la_vista_words "${flag.value?.words.join(" ")}" ;;`),
    ...(ofFiles.length > 0 ? [`${pattern(ofFiles)}) _hasta_la_vista_files ;;`] : []),
    ...(ofAny.length > 0 ? [`${pattern(ofAny)}) ;;`] : []),
    `*) case "$cur" in -*) _hasta_la_vista_words "${flags.flatMap(spellings).join(" ")}" ;; *) _hasta_la_vista_words "${words.join(" ")}" ;; esac ;;`,
  ];
  return `    ${name})\n      case "$prev" in\n${cases.map((each) => `        ${each}`).join("\n")}\n      esac ;;`;
}

function pattern(flags: readonly CompletedFlag[]): string {
  return flags.flatMap(spellings).join("|");
}

function spellings({ long, short }: CompletedFlag): readonly string[] {
  return short === undefined ? [long] : [short, long];
}
