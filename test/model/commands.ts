import type { NodeReference } from "../../src/drain/request.ts";
import type { FaultSpec } from "./faults.ts";
import type { ModelCase } from "./model-case.ts";

/** Numbers of nodes, pools, ports and callers: what is beyond the last counts from the first again. */
export type Command =
  | {
      readonly type: "ask";
      readonly node: number;
      readonly by: NodeReference["by"];
      readonly deadlineMs?: number | undefined;
      readonly timeoutMs?: number | undefined;
      /** With a signal of its own, by which it may leave. */
      readonly isOwn?: boolean;
      readonly isVoluntary?: boolean;
      readonly force?: boolean;
    }
  | { readonly type: "leave"; readonly caller: number }
  /** Counted from the last drain back; beyond the first one it is unknown. */
  | { readonly type: "cancel"; readonly drain: number }
  | { readonly type: "wait"; readonly ms: number }
  /** A controller registers a node, perhaps again. */
  | { readonly type: "register"; readonly pool: number; readonly node: number; readonly port: number }
  /** Somebody else deregisters it. */
  | { readonly type: "takeOut"; readonly pool: number; readonly node: number }
  /** Both, so soon after one another that nobody may have looked. */
  | { readonly type: "flap"; readonly pool: number; readonly node: number; readonly port: number; readonly ms: number }
  /** All that the node has in the pool passes its health checks from now on, or fails them. */
  | { readonly type: "fare"; readonly pool: number; readonly node: number; readonly isHealthy: boolean }
  | { readonly type: "vanish"; readonly pool: number }
  | { readonly type: "terminate"; readonly node: number }
  | { readonly type: "move"; readonly from: number; readonly to: number }
  /** An address moves, and its new owner is registered by it where the old one was. */
  | { readonly type: "reuse"; readonly from: number; readonly to: number; readonly pool: number; readonly ms: number }
  | { readonly type: "fault"; readonly fault: FaultSpec }
  | { readonly type: "crash"; readonly gapMs: number }
  | { readonly type: "stop"; readonly gapMs: number };

type Does<T extends Command["type"]> = (model: ModelCase, command: Extract<Command, { type: T }>) => unknown;

/** What each command does to a case. A new one: a member of `Command`, a line here, one in `arbitraries.ts`. */
const DOES: { readonly [T in Command["type"]]: Does<T> } = {
  ask(model, { node: number, by, deadlineMs, timeoutMs, isOwn = false, isVoluntary, force }) {
    const { world, clock } = model;
    const { id } = world.node(number);
    const [address = ""] = world.addressesOf(world.node(number), clock.now());
    const value = { id, ip: address, name: `${id}.internal` }[by];
    const request = {
      node: { by, value },
      dryRun: false,
      ...(deadlineMs === undefined ? {} : { deadline: clock.now() + deadlineMs }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(isVoluntary === undefined ? {} : { isVoluntary }),
      ...(force === undefined ? {} : { force }),
    };
    model.ask(request, id, isOwn);
  },
  leave({ leaving }, { caller }) {
    const own = [...leaving.values()];
    own[caller % Math.max(1, own.length)]?.abort();
  },
  cancel(model, { drain }) {
    model.cancel([...model.drains.all.keys()].at(-1 - drain) ?? "unknown");
  },
  wait: ({ clock }, { ms }) => clock.advance(ms),
  register({ world, clock }, { pool, node, port }) {
    world.register(world.pool(pool), world.node(node), port, clock.now());
  },
  takeOut({ world, clock }, { pool, node }) {
    const now = clock.now();
    for (const target of world.targetsOf(world.pool(pool), world.node(node), now)) world.deregister(target, now);
  },
  async flap(model, { ms, ...what }) {
    await DOES.register(model, { ...what, type: "register" });
    await model.clock.advance(ms);
    await DOES.takeOut(model, { ...what, type: "takeOut" });
  },
  fare({ world, clock }, { pool, node, isHealthy }) {
    const now = clock.now();
    for (const target of world.targetsOf(world.pool(pool), world.node(node), now)) world.fares(target, isHealthy, now);
  },
  vanish: ({ world, clock }, { pool }) => world.vanish(world.pool(pool), clock.now()),
  terminate: ({ world, clock }, { node }) => world.terminate(world.node(node), clock.now()),
  move: ({ world, clock }, { from, to }) => world.move(world.node(from), world.node(to), clock.now()),
  async reuse(model, { from, to, pool, ms }) {
    const { world, clock } = model;
    const before = world.targetsOf(world.pool(pool), world.node(from), clock.now());
    await DOES.move(model, { type: "move", from, to });
    await clock.advance(ms);
    const now = clock.now();
    for (const target of before) if (world.ownerOf(target, now) === world.node(to)) world.registerAgain(target, now);
  },
  fault: ({ faults, clock }, { fault }) => faults.add(fault, clock.now()),
  crash: (model, { gapMs }) => model.crash(gapMs),
  stop: (model, { gapMs }) => model.stop(gapMs),
};

export async function run(model: ModelCase, command: Command): Promise<void> {
  await (DOES[command.type] as Does<Command["type"]>)(model, command as never);
  await model.clock.advance(0);
}
