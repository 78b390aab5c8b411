import type { CompletedFlag, CompletedVerb } from "./completed-verb.ts";

/** For zsh from 5 on: to be sourced below compinit, or saved as _hasta-la-vista in a folder of fpath. */
export function zshScript(verbs: readonly CompletedVerb[]): string {
  const described = verbs.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  return `#compdef hasta-la-vista
# Completion of hasta-la-vista for zsh. Add to ~/.zshrc, below compinit: source <(hasta-la-vista completion zsh)
_hasta-la-vista() {
  local -a verbs
  verbs=(
${described.join("\n")}
    ${quoted("help:display help for command")}
  )
  if (( CURRENT == 2 )); then
    _describe -t commands command verbs
    return
  fi
  local verb="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$verb" in
    help) _describe -t commands command verbs ;;
${verbs.map(verbCase).join("\n")}
  esac
}

if [ "\${funcstack[1]}" = "_hasta-la-vista" ]; then
  _hasta-la-vista "$@"
else
  compdef _hasta-la-vista hasta-la-vista
fi
`;
}

function verbCase({ name, flags, words }: CompletedVerb): string {
  const given = words.length > 0 ? [quoted(`1:${name}:(${words.join(" ")})`)] : [quoted("*: :")];
  const all = [...flags.flatMap(specs), ...given];
  return `    ${name})\n      _arguments \\\n${all.map((spec) => `        ${spec}`).join(" \\\n")} ;;`;
}

/** https://zsh.sourceforge.io/Doc/Release/Completion-System.html#Completion-Functions */
function specs({ long, short, summary, value }: CompletedFlag): readonly string[] {
  const about = `[${summary.replace(/[[\]\\]/g, "\\$&").replaceAll(":", "\\:")}]`;
  const takes = value === undefined ? "" : `:${value.name.replaceAll(":", "")}:${completions(value)}`;
  const other = (spelling: string) => (short === undefined ? "" : `(${spelling === long ? short : long})`);
  const long_ = quoted(`${other(long)}${long}${value === undefined ? "" : "="}${about}${takes}`);
  return short === undefined ? [long_] : [long_, quoted(`${other(short)}${short}${about}${takes}`)];
}

function completions({ words, isFile }: NonNullable<CompletedFlag["value"]>): string {
  if (words.length > 0) return `(${words.join(" ")})`;
  return isFile ? "_files" : " ";
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
