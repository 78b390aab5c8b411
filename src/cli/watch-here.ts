import { hookResult, openHooks, openRecommendations } from "../app/announced.ts";
import { openEngine } from "../app/places.ts";
import { pump } from "../app/pump.ts";
import { heardBy } from "../app/tracing.ts";
import { type Config, ConfigError } from "../config/config.ts";
import type { Drainer } from "../drain/drainer.ts";
import type { ConnectionReport } from "../drain/early-release.ts";
import type { DrainError } from "../drain/errors.ts";
import type { CloudCall } from "../drain/events.ts";
import { MemoryLedger } from "../ledger/memory-ledger.ts";
import { drainLog, logWithoutDrain, lookupLog } from "../observe/logging.ts";
import { InstanceMetadata } from "../sources/instance-metadata.ts";
import type { InstanceIdentity } from "../sources/metadata/metadata-kind.ts";
import { TerminationHook } from "../sources/termination-hook.ts";
import type { Watching } from "./watching.ts";

/** Drains this machine itself, with its own credentials. Resolves when it is stopped and every drain has ended. */
export async function watchHere(config: Config, watching: Watching): Promise<void> {
  const { log, metrics, clock, time, watch, stop, abandon } = watching;
  const identity = await watch.identity(stop);
  const region = regionOf(config, identity);
  const ledger = new MemoryLedger();
  const { observers, called } = heardBy(watching.tracing);
  const onCall = (call: Omit<CloudCall, "purpose">) => {
    called(call);
    metrics?.countCall(call);
  };
  const { drainer, checkAccess } = await openEngine(
    { ...config, region },
    {
      ...{ clock, time, ledger },
      observers: [...observers, drainLog(log)],
      onLookupFailed: lookupLog(log),
      onCall,
    },
  );
  log("watch started", { node: identity.instanceId, region, dryRun: config.dryRun });
  // It is better to know this now than in the last two minutes.
  const checking = checkAccess(stop).then(
    (problems) => {
      for (const { error } of problems) log("access check failed", { code: error.code, error: error.message });
    },
    () => {}, // It was stopped.
  );
  const counting = countHere(drainer, identity, watching);
  const hook = hookOf({ ...config, region }, { ...watching, onCall });
  const recommendations = openRecommendations(config, { clock, log, ledger, drainer, abandon });
  const source = new InstanceMetadata({
    watch,
    identity,
    clock,
    abandon,
    dryRun: config.dryRun,
    ...(recommendations && { recommendations }),
    ...(hook && { hook }),
  });
  await pump(source, drainer, {
    stop,
    abandon,
    onSettled: (outcome, { request }) => logWithoutDrain(log, outcome, request),
    onUnsettled: (_, error) => log("answer failed", { error: String(error) }),
  });
  await Promise.all([checking, counting]);
}

/** The code that counts connections is loaded only if it is configured. Never rejects. */
async function countHere(
  { earlyRelease }: Pick<Drainer, "earlyRelease">,
  identity: InstanceIdentity,
  watching: Watching,
): Promise<void> {
  if (earlyRelease === undefined) return;
  const { countConnections } = await import("./count-connections.ts");
  const exchange = async (report: ConnectionReport) => earlyRelease.report(identity.instanceId, report);
  await countConnections(identity, exchange, watching);
}

/** A dry run completes no hook. */
function hookOf(
  config: Config,
  {
    clock,
    time,
    log,
    metrics,
    abandon,
    onCall,
  }: Watching & { readonly onCall: (call: Omit<CloudCall, "purpose">) => void },
): TerminationHook | undefined {
  const { terminationHook: hookName, dryRun } = config;
  if (hookName === undefined || dryRun) return undefined;
  const { hooks, ...calls } = openHooks(config, {
    ...{ clock, time, log, onCall },
    onHook: (event) => {
      const result = hookResult(event);
      if (result !== undefined) metrics?.countHook(result);
    },
  });
  const onFailure = ({ code, message, isPassing }: DrainError) =>
    log(isPassing ? "hook read failed" : "hook left to time out", { hook: hookName, code, error: message });
  return new TerminationHook({ ...calls, hookName, hooks, abandon, onFailure });
}

/** The region of the machine, whatever the environment says. */
function regionOf({ region = undefined, givenBy }: Config, identity: InstanceIdentity): string {
  if (region === undefined || region === identity.region) return identity.region;
  throw new ConfigError([
    `${givenBy.region} is ${region}, and this machine is in ${identity.region}: leave it out, it is found by itself`,
  ]);
}
