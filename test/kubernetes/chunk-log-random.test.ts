import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Clock } from "../../src/drain/clock.ts";
import type { SharedLog } from "../../src/drain/shared-log.ts";
import type { ApiServer } from "../../src/kubernetes/api-server.ts";
import { ChunkLog } from "../../src/kubernetes/chunk-log.ts";
import { KubernetesError } from "../../src/kubernetes/errors.ts";
import type { ConfigMap } from "../../src/kubernetes/ledger-chunk.ts";
import type { KubernetesObject } from "../../src/kubernetes/objects.ts";
import { countOfCases } from "../support/cases.ts";
import { never } from "../support/simulated-region.ts";

/**
 * What becomes of a request to write: it is done; refused; done, and its answer is lost; or it fails, and is done only
 * when another request has come. `takeOver`: another process takes the log over before it is done.
 */
const FATES = ["done", "refused", "lost", "late", "takeOver"] as const;
type Fate = (typeof FATES)[number];

type Step =
  | { readonly kind: "append"; readonly lines: number }
  | { readonly kind: "replace"; readonly kept: number }
  | { readonly kind: "takeOver" };

const STEP: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("append" as const), lines: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("replace" as const), kept: fc.integer({ min: 0, max: 6 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "takeOver" as const }) },
);
const FATE: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 12, arbitrary: fc.constant("done" as const) },
  ...FATES.slice(1).map((fate) => ({ weight: 1, arbitrary: fc.constant(fate) })),
);
/** A line has ten bytes: appends and generations have up to six parts. */
const CHUNK_BYTES = 8;
const down = () => new KubernetesError("the API server is away", { status: 500, reason: "InternalError" });
/** Waits take no time. */
const CLOCK: Clock = { now: () => 0, sleep: async () => {}, turn: async () => {} };

/** Processes that have the log one after the other, and what the newest one may find in it. */
class World {
  readonly #maps = new Map<string, ConfigMap>();
  readonly #fates: Iterator<Fate>;
  #late: ConfigMap[] = [];
  #lines = 0;
  /** The newest process, and those that were replaced. */
  #owner: SharedLog | undefined;
  readonly #replaced: SharedLog[] = [];
  /** All lines that are stored, and from which of them on: where a replacement has failed, two places are possible. */
  #stored: string[] = [];
  #cuts = new Set([0]);
  /** Given, and perhaps not stored. */
  #pending: string[] = [];
  #isTaking = false;

  constructor(fates: Iterable<Fate>) {
    this.#fates = fates[Symbol.iterator]();
  }

  async takeOver(): Promise<void> {
    this.#isTaking = true;
    const log = new ChunkLog({
      ...{ server: this.#server(), clock: CLOCK, namespace: "n", name: "l", identity: "p", chunkBytes: CHUNK_BYTES },
    });
    const found = await linesIn(log);
    this.#isTaking = false;
    const before = [...this.#stored];
    const possible = [...this.#cuts].flatMap((cut) =>
      Array.from({ length: this.#pending.length + 1 }, (_, more) => [
        ...before.slice(cut),
        ...this.#pending.slice(0, more),
      ]),
    );
    expect(possible).toContainEqual(found);
    if (this.#owner !== undefined) this.#replaced.push(this.#owner);
    [this.#owner, this.#stored, this.#cuts, this.#pending] = [log, found, new Set([0]), []];
  }

  async append(count: number): Promise<void> {
    const owner = this.#owner;
    this.#pending.push(...Array.from({ length: count }, () => `${String(++this.#lines).padStart(9, "0")}\n`));
    const given = [...this.#pending];
    const isStored = await succeeds(owner?.append(Buffer.from(given.join("")), never));
    if (owner === this.#owner && isStored) {
      this.#stored.push(...given);
      this.#pending = [];
    }
    // One that was replaced meanwhile has stored it before that, or fails.
    if (owner !== this.#owner && isStored) expect(this.#stored).toEqual(expect.arrayContaining(given));
  }

  async replace(kept: number): Promise<void> {
    const owner = this.#owner;
    const cut = Math.max(this.#stored.length - kept, ...this.#cuts);
    const lines = this.#stored.slice(cut);
    this.#cuts.add(cut);
    const isDone = await succeeds(owner?.replace(each(lines), never));
    if (owner === this.#owner && isDone) this.#cuts = new Set([cut]);
  }

  /** What was replaced can do nothing more. */
  async end(): Promise<void> {
    for (const log of this.#replaced) {
      expect(await succeeds(log.append(Buffer.from("too late\n"), never))).toBe(false);
      expect(await succeeds(log.replace(each(["too late\n"]), never))).toBe(false);
    }
    await this.takeOver();
  }

  #server(): Pick<ApiServer, "create" | "delete" | "find" | "list"> {
    const create = async (_: string, body: KubernetesObject) => {
      const fate = this.#isTaking ? "done" : this.#fates.next().value;
      if (fate === "late") this.#late.push(body);
      if (fate === "late" || fate === "refused") throw down();
      if (fate === "takeOver") await this.takeOver();
      this.#create(body);
      const late = this.#late;
      this.#late = [];
      for (const one of late) {
        try {
          this.#create(one);
        } catch {
          // Its number has another chunk.
        }
      }
      if (fate === "lost") throw down();
      return body;
    };
    const remove = async (path: string) => void this.#maps.delete(path.split("/").at(-1) ?? "");
    const find = async (path: string) => this.#maps.get(path.split("/").at(-1) ?? "");
    const list = async () => ({ items: [...this.#maps.values()], resourceVersion: "1" });
    return { create, delete: remove, find, list } as unknown as ApiServer;
  }

  #create(body: ConfigMap): void {
    const { name = "" } = body.metadata ?? {};
    if (this.#maps.has(name)) throw new KubernetesError("it exists", { status: 409, reason: "AlreadyExists" });
    this.#maps.set(name, body);
  }
}

async function linesIn(log: SharedLog): Promise<string[]> {
  const parts: Buffer[] = [];
  for await (const piece of (await log.takeOver(never)).pieces) {
    expect(piece).toHaveProperty("bytes");
    if ("bytes" in piece) parts.push(piece.bytes);
  }
  return (
    Buffer.concat(parts)
      .toString("utf8")
      .match(/.*\n|.+$/g) ?? []
  );
}

const succeeds = (work: Promise<void> | undefined) =>
  (work ?? Promise.reject()).then(
    () => true,
    () => false,
  );

async function* each(lines: readonly string[]): AsyncGenerator<Buffer> {
  for (const line of lines) yield Buffer.from(line);
}

test("whatever becomes of its requests, a log loses nothing that was stored, has it once and in order, and takes nothing of a process that was replaced", async () => {
  const scripts = fc.tuple(
    fc.array(STEP, { minLength: 1, maxLength: 15 }),
    fc.array(FATE, { minLength: 60, maxLength: 60 }),
  );
  const run = async ([steps, fates]: readonly [readonly Step[], readonly Fate[]]) => {
    const world = new World(
      (function* () {
        yield* fates;
        for (;;) yield "done" as const;
      })(),
    );
    await world.takeOver();
    for (const step of steps) {
      if (step.kind === "append") await world.append(step.lines);
      else if (step.kind === "replace") await world.replace(step.kept);
      else await world.takeOver();
    }
    await world.end();
  };
  await fc.assert(fc.asyncProperty(scripts, run), { numRuns: countOfCases(4_000) });
});
