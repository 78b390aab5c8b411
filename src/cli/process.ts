import { newAbort } from "../drain/abort.ts";
import { type Clock, SystemClock } from "../drain/clock.ts";
import type { Environment, Streams } from "./call.ts";

type Run = (given: readonly string[], environment: Environment, streams: Streams) => Promise<number>;

/** Runs with this process's arguments, environment, streams and signals. The process ends with the run. */
export async function runAsProcess(run: Run): Promise<never> {
  const { stdout, stderr } = process;
  const clock = new SystemClock();
  // A reader that closes the pipe (`| head`) must not end a drain.
  for (const stream of [stdout, stderr]) stream.on("error", () => {});
  const streams = {
    // Node opens it when it is first read.
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
  // The caller that waits for the exit waits for the answer. Aborted calls and their timers must not delay it.
  await Promise.all([stdout, stderr].map((stream) => new Promise((resolve) => stream.write("", resolve))));
  await leaveOrDie(clock);
  process.exit(exitCode);
}

/** The longest time for the last calls to a file system. */
const LAST_CALLS_MS = 1_000;
const LOOK_MS = 50;

/**
 * At its exit, Node.js waits for every call to a file system. If a disk hangs, it never answers, and the process would
 * stay. So the process kills itself.
 */
async function leaveOrDie(clock: Clock): Promise<void> {
  const hangs = () => process.getActiveResourcesInfo().some((what) => what.startsWith("FSReq"));
  for (const until = clock.now() + LAST_CALLS_MS; hangs(); await clock.sleep(LOOK_MS, newAbort().signal))
    if (clock.now() > until) process.kill(process.pid, "SIGKILL");
}

/** https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/ */
const PLUG_IN = /(?:^|\/)kubectl-[^/]+$/;

/**
 * The environment of a run that kubectl has started as its plug-in: the cluster is kubectl's own, unless KUBERNETES
 * names another. `program`: the path by which it was started.
 */
export function environmentOf(program: string | undefined, environment: Environment): Environment {
  const { KUBERNETES, KUBECONFIG, HOME } = environment;
  if (!PLUG_IN.test(program ?? "") || (KUBERNETES ?? "") !== "") return environment;
  const path = KUBECONFIG || (HOME ? `${HOME}/.kube/config` : undefined);
  return path === undefined ? environment : { ...environment, KUBERNETES: path };
}
