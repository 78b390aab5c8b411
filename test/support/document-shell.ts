import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { onTestFinished } from "vitest";
import { Child } from "./child-process.ts";
import type { Environment, Finished } from "./program-run.ts";

/** The address that documents give a service. */
export const SERVICE = "http://localhost:8080";

/** The machine's own. Nothing else of it can be reached from a document's commands. */
const TOOLS = ["cat", "curl", "flock", "grep", "kill", "mv", "node", "sed", "seq", "sh", "sleep"];

/** What would reach the machine's own programs. */
const WAY_OUT = /\bPATH=|(?:^|[\s;&|(`])(?:\.{0,2}\/[\w./-]*bin\/)/m;

/** Programs that need more than this machine: they write down what they were called with, and are content. There is one Secret. */
const RECORDED = ["aws", "docker", "helm", "kubectl", "npm", "systemctl", "zip"];
const RECORD = `#!/bin/sh
[ -p /dev/stdin ] && cat >/dev/null
echo "\${0##*/} $*" >>"$HOME/calls"
case $* in "get secret "*) printf a-long-api-key-of-yours ;; esac
`;

/** The address that documents give a simulated region, and its first load balancer. */
export const SIMULATED = "http://localhost:4566";
const FIRST_ENTRANCE = 4_600;

/**
 * Words of a command with real addresses in them: of the service, of the region and of its load balancers. Of a region that does
 * not run yet nothing answers, whatever else this machine runs.
 */
const READDRESS = `
for word; do
  shift
  case $word in *localhost*|4566|${FIRST_ENTRANCE}) word=$(printf %s "$word" | sed -f "$HOME/readdress") ;; esac
  set -- "$@" "$word"
done
`;
const NOT_RUNNING = `s,${SIMULATED},http://127.0.0.1:1,g\ns,^4566$,0,\ns,^${FIRST_ENTRANCE}$,0,\n`;

/** The built program, as an installation has it in PATH. `serve` and `simulate` run on beside the commands that follow. */
const PROGRAM = `#!/bin/sh
${READDRESS}
case $1 in
  serve) sign='"listening"' ;;
  simulate) sign='Ctrl-C ends it' ;;
  *) exec "$REAL_NODE" "$CLI" "$@" ;;
esac
echo "$*" >>"$HOME/started"
log=$HOME/$1.log
HOST=127.0.0.1 PORT=0 "$REAL_NODE" "$CLI" "$@" >"$log" &
echo $! >>"$HOME/running"
until grep -q "$sign" "$log"; do kill -0 $! || exit 1; sleep 0.1; done
port=$(sed -n 's/.*"port":\\([0-9]*\\).*"listening".*/\\1/p' "$log")
[ -z "$port" ] || echo "s,${SERVICE},http://127.0.0.1:$port,g" >>"$HOME/readdress"
[ "$1" = simulate ] || exit 0
{
  sed -n 's|^export AWS_ENDPOINT_URL=\\(.*\\)|s,${SIMULATED},\\1,g|p' "$log"
  number=${FIRST_ENTRANCE}
  grep ' load balancer .*: http' "$log" | sed 's/.*: //' | while read -r url; do
    echo "s,http://localhost:$number,$url,g"
    number=$((number + 1))
  done
  cat "$HOME/readdress"
} >"$HOME/readdress.new"
mv "$HOME/readdress.new" "$HOME/readdress"
`;

/** The built program, as a clone has it. */
const CLONE = `#!/bin/sh
[ "$1" = dist/cli.js ] || { echo "node: no $1 here" >&2; exit 127; }
shift
exec hasta-la-vista "$@"
`;

/** Fails for an answer that is an error, and then shows it. */
const CURL = `#!/bin/sh
${READDRESS}
exec "$CURL" --silent --show-error --fail-with-body "$@"
`;

/** Ends what runs on; the shell has ended once that has. */
const SCRIPT = 'trap \'[ -e "$HOME/running" ] && kill $(cat "$HOME/running")\' EXIT\n';

export interface Ran extends Finished {
  /** The calls of programs that are not here: `kubectl cordon …`. */
  readonly recorded: readonly string[];
}

/**
 * Runs commands of a document as they stand there, in a shell that stops at the first one that fails. `others`: scripts
 * in place of programs, by their names.
 */
export async function runCommands(
  commands: string,
  environment: Environment = {},
  serviceUrl?: string,
  others: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  if (WAY_OUT.test(commands)) throw new Error(`programs by their names alone, and no other PATH, in:\n${commands}`);
  const home = await mkdtemp(join(tmpdir(), "commands-"));
  onTestFinished(() => rm(home, { recursive: true }));
  const bin = Object.keys(others).length === 0 ? await usualPrograms() : await programsIn(join(home, "bin"), others);
  const service = serviceUrl === undefined ? "" : `s,${SERVICE},${serviceUrl},g\n`;
  await writeFile(join(home, "readdress"), service + NOT_RUNNING);

  const shell = { command: [placeOf("sh"), "-euc"], options: {} };
  const env = {
    ...environment,
    HOME: home,
    PATH: bin,
    CLI: resolve("dist/cli.js"),
    REAL_NODE: process.execPath,
    CURL: placeOf("curl"),
  };
  onTestFinished(() => endRunning(home));
  const finished = await new Child(shell, [SCRIPT + commands], env).finished;
  return { ...finished, recorded: await linesOf(join(home, "calls")) };
}

/** Of this worker. */
const FOLDER = mkdtempSync(join(tmpdir(), "programs-"));
process.once("exit", () => rmSync(FOLDER, { recursive: true, force: true }));
let usual: Promise<string> | undefined;

/** A folder with the programs that commands find where a test has none of its own. Commands write to their home alone. */
function usualPrograms(): Promise<string> {
  usual ??= programsIn(join(FOLDER, "bin"), {});
  return usual;
}

async function programsIn(bin: string, others: Readonly<Record<string, string>>): Promise<string> {
  await mkdir(bin);
  const programs = {
    "hasta-la-vista": PROGRAM,
    node: CLONE,
    curl: CURL,
    ...Object.fromEntries(RECORDED.map((name) => [name, RECORD])),
    ...others,
  };
  for (const [name, text] of Object.entries(programs)) await writeFile(join(bin, name), text, { mode: 0o755 });
  for (const tool of TOOLS) if (!(tool in programs)) await symlink(placeOf(tool), join(bin, tool));
  return bin;
}

/** For a test that was given up. */
async function endRunning(home: string): Promise<void> {
  for (const pid of await linesOf(join(home, "running"))) {
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // It has ended, as it should.
    }
  }
}

async function linesOf(file: string): Promise<readonly string[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}

function placeOf(tool: string): string {
  if (tool === "node") return process.execPath;
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const place = join(folder, tool);
    try {
      accessSync(place, constants.X_OK);
      return place;
    } catch {
      // Looked for in the next folder.
    }
  }
  throw new Error(`the documents' commands need ${tool}, which this machine does not have`);
}
