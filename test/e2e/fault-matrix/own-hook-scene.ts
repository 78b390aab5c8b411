import { UnmeteredCaller } from "../../../src/aws/unmetered-caller.ts";
import { newAbort } from "../../../src/drain/abort.ts";
import type { DrainError } from "../../../src/drain/errors.ts";
import { LifecycleHooks } from "../../../src/sources/lifecycle-hooks.ts";
import type { HookEvent } from "../../../src/sources/source-events.ts";
import { TerminationHook } from "../../../src/sources/termination-hook.ts";
import { Breaking } from "./breaking.ts";
import { autoScalingOf, type HookScene, hookScene } from "./queue-scene.ts";
import { type Cell, OPTIONS } from "./scene.ts";

/** `a minute`: every call of the first minute. */
export const OWN_HOOK_MOMENTS = ["first", "a minute", "every"] as const;
export type OwnHookCell = Cell<(typeof OWN_HOOK_MOMENTS)[number]>;

/** What came of it. */
export interface OwnHookResult {
  readonly scene: HookScene;
  readonly told: readonly HookEvent["type"][];
  readonly failures: readonly DrainError[];
  readonly struck: number;
  readonly tooSoon: readonly string[];
}

const FAULT_MS = 60_000;
const ALL_MS = 600_000;

/** A machine drains itself and answers its own group's hook, while one call about it fails in one way. */
export async function runOwnHookCell({ call, fault, moment }: OwnHookCell): Promise<OwnHookResult> {
  const scene = hookScene();
  const { region, node } = scene;
  const { clock } = region;
  const autoScaling = await autoScalingOf(region);
  const tooSoon: string[] = [];
  region.intercept = ({ action }) => {
    if (action === "CompleteLifecycleAction") tooSoon.push(...scene.obstacles());
    return undefined;
  };
  const breaking = new Breaking(region, call, fault);
  breaking.begin(moment === "first" ? "first" : "every");
  const told: HookEvent["type"][] = [];
  const failures: DrainError[] = [];
  const [abandon, drained] = [newAbort(), newAbort()];
  const shared = { autoScaling, caller: new UnmeteredCaller({ clock }), clock };
  const hook = new TerminationHook({
    ...shared,
    hookName: "drain",
    hooks: new LifecycleHooks({ ...shared, onEvent: ({ type }) => void told.push(type) }),
    abandon: abandon.signal,
    onFailure: (error) => void failures.push(error),
  });
  const waiting = { action: hook.action, instanceId: node.id };
  const heartbeats = hook.sendHeartbeats(waiting, 0, drained.signal);
  const { drainer } = region.wholeEngine(OPTIONS);
  const request = { node: { by: "id", value: node.id }, dryRun: false } as const;
  const settled = drainer.drain(request, abandon.signal).then(async () => {
    drained.abort();
    await heartbeats;
    await hook.complete(waiting, abandon.signal);
  });
  if (moment === "a minute") {
    await clock.advance(FAULT_MS);
    breaking.end();
  }
  await clock.advance(ALL_MS);
  abandon.abort();
  await clock.run(settled.catch(() => {})); // AWS has denied it, or it was abandoned.
  return { scene, told, failures, struck: breaking.struck, tooSoon };
}
