import { newAbort } from "../drain/abort.ts";
import { type Clock, SystemClock } from "../drain/clock.ts";
import type { Environment, Streams } from "./call.ts";

type Run = (given: readonly string[], environment: Environment, streams: Streams) => Promise<number>;

/** Gives a run this process: its arguments, environment, streams and signals. The process ends with the run. */
export async function runAsProcess(run: Run): Promise<never> {
  const { stdout, stderr } = process;
  const clock = new SystemClock();
  // A reader that leaves (`| head`) must not end a drain.
  for (const stream of [stdout, stderr]) stream.on("error", () => {});
  const streams = {
    // Node opens it when it is first asked for.
    get stdin() {
      return process.stdin;
    },
    stdout,
    stderr,
    signals: process,
    clock,
  };
  const [, program, ...given] = process.argv;
  const exitCode = await run(given, environmentOf(program, process.env), streams);
  // The caller that waits for the exit waits for the answer: aborted calls and their timers must not delay it.
  await Promise.all([stdout, stderr].map((stream) => new Promise((resolve) => stream.write("", resolve))));
  await leaveOrDie(clock);
  process.exit(exitCode);
}

/** For how long the last calls to a file system may take. */
const LAST_CALLS_MS = 1_000;
const LOOK_MS = 50;

/**
 * Node.js waits at its exit for every call to a file system, and a disk that hangs never answers: such a process would
 * stay. It is killed, as the operating system would have to.
 */
async function leaveOrDie(clock: Clock): Promise<void> {
  const hangs = () => process.getActiveResourcesInfo().some((what) => what.startsWith("FSReq"));
  for (const until = clock.now() + LAST_CALLS_MS; hangs(); await clock.sleep(LOOK_MS, newAbort().signal))
    if (clock.now() > until) process.kill(process.pid, "SIGKILL");
}

/** https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/ */
const PLUG_IN = /(?:^|\/)kubectl-[^/]+$/;

/**
 * What a run goes by where kubectl has started it as its plug-in: the cluster that kubectl itself would ask, unless
 * KUBERNETES says otherwise. `program`: the path by which it was started.
 */
export function environmentOf(program: string | undefined, environment: Environment): Environment {
  const { KUBERNETES, KUBECONFIG, HOME } = environment;
  if (!PLUG_IN.test(program ?? "") || (KUBERNETES ?? "") !== "") return environment;
  const path = KUBECONFIG || (HOME ? `${HOME}/.kube/config` : undefined);
  return path === undefined ? environment : { ...environment, KUBERNETES: path };
}
