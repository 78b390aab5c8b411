import type { Call } from "./call.ts";
import { bashScript } from "./completion/bash.ts";
import { completedVerb } from "./completion/completed-verb.ts";
import { fishScript } from "./completion/fish.ts";
import { zshScript } from "./completion/zsh.ts";
import { EXIT } from "./exit-codes.ts";
import type { SHELLS } from "./verbs/completion.ts";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** Prints the script for the verbs and flags of this program. */
export async function runCompletion({ args: [shell], command, streams: { stdout } }: Call): Promise<number> {
  const verbs = (command.parent?.commands ?? []).map(completedVerb);
  stdout.write(SCRIPTS[shell as (typeof SHELLS)[number]](verbs));
  return EXIT.done;
}
