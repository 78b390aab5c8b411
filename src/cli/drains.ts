import { ConfigError } from "../config/config.ts";
import type { Clock } from "../drain/clock.ts";
import type { Call } from "./call.ts";
import type { ListedDrain } from "./drains-text.ts";
import { EXIT } from "./exit-codes.ts";
import { RemoteError } from "./failure.ts";
import type { Look } from "./look.ts";
import type { ServerOptions } from "./options.ts";
import { type Format, formatFrom, type OutputFlags, printResult } from "./output.ts";
import { readRecords } from "./recorded-drains.ts";
import { NOT_OURS, refusalOf } from "./remote-answer.ts";
import { remoteFrom } from "./remote-from.ts";
import { type Patient, patient, refused } from "./remote-reads.ts";
import { interruptSignal } from "./shutdown.ts";

interface DrainsOptions extends ServerOptions, OutputFlags {
  readonly status?: string;
  /** Seconds. */
  readonly since?: number;
  readonly limit?: number;
  readonly watch?: true;
}

/** How often a service is asked for changes. It answers from memory. */
const INTERVAL_MS = 2_000;

export async function runDrains(call: Call): Promise<number> {
  const options = call.options as DrainsOptions;
  const { server, watch } = options;
  const format = formatFrom(options);
  if (server === undefined) return listRecorded(options, format, call);
  const { service: asked } = await remoteFrom(call, "drains", server);
  const service = patient(asked, call);
  const interrupted = interruptSignal(call);
  const answer = await service.ask("GET", pathFor(options, call), undefined, interrupted);
  if (answer.status !== 200) return refused(answer, format, call);
  const drains = drainsIn(answer.body);
  const watching = { options, call, format, service, signal: interrupted };
  if (watch !== true) await print(drains, watching);
  else await watchDrains(drains, watching);
  return EXIT.done;
}

function pathFor({ status, since, limit }: DrainsOptions, { args: [node] }: Call): string {
  const given = { node: node?.replace(/^node\//, ""), status, since, limit };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(given)) if (value !== undefined) query.set(name, String(value));
  return query.size === 0 ? "/drains" : `/drains?${query}`;
}

function drainsIn({ drains }: Readonly<Record<string, unknown>>): readonly ListedDrain[] {
  if (!Array.isArray(drains)) throw NOT_OURS;
  return drains as readonly ListedDrain[];
}

interface Watching {
  readonly options: DrainsOptions;
  readonly call: Call;
  readonly format: Format;
  readonly service: Patient;
  readonly signal: AbortSignal;
}

async function print(drains: readonly ListedDrain[], { call, format }: Pick<Watching, "call" | "format">) {
  const { drainsText } = await import("./drains-text.ts");
  await printResult(call, format, {
    data: { drains },
    names: drains.map(({ drainId }) => drainId),
    text: (look) => drainsText(drains, { look, now: call.streams.clock.now() }),
  });
}

/** A row for each drain that begins or changes, until Ctrl-C. For programs, one object a line. */
async function watchDrains(first: readonly ListedDrain[], watching: Watching): Promise<void> {
  const { options, call, format, service, signal } = watching;
  const { clock, stdout } = call.streams;
  const known = new Map<string, string>();
  let hasHeader = false;
  let drains = first;
  try {
    for (;;) {
      const changed = drains.filter((drain) => known.get(drain.drainId) !== JSON.stringify(drain)).reverse();
      for (const drain of changed) known.set(drain.drainId, JSON.stringify(drain));
      if (format === "text" || format === "wide") {
        const { drainsText } = await import("./drains-text.ts");
        const text = (look: Look) =>
          drainsText(changed, { look, now: clock.now(), hasHeader: !hasHeader, isAligned: true });
        if (changed.length > 0) await printResult(call, format, { data: {}, names: [], text });
        hasHeader ||= changed.length > 0;
      } else
        for (const drain of changed) {
          if (format === "yaml") stdout.write("---\n");
          await printResult(call, format, { data: drain, names: [drain.drainId], text: () => "" });
        }
      drains = await untilAnswered(pathFor(options, call), { service, call, clock }, signal);
    }
  } catch (error) {
    // Ctrl-C is how it ends.
    if (!signal.aborted) throw error;
  }
}

/** Repeats the request while the service can't be reached, and reports that once. */
async function untilAnswered(
  path: string,
  { service, call, clock }: Pick<Watching, "service" | "call"> & { readonly clock: Clock },
  signal: AbortSignal,
): Promise<readonly ListedDrain[]> {
  let isTold = false;
  for (;;) {
    await clock.sleep(INTERVAL_MS, signal);
    try {
      const answer = await service.ask("GET", path, undefined, signal);
      if (answer.status !== 200) throw refusalOf(answer);
      if (isTold) call.streams.stderr.write("hasta-la-vista: reconnected to the service\n");
      return drainsIn(answer.body);
    } catch (error) {
      if (signal.aborted || !(error instanceof RemoteError) || !error.isPassing) throw error;
      if (!isTold) call.streams.stderr.write(`hasta-la-vista: ${error.message}; reconnecting\n`);
      isTold = true;
    }
  }
}

/** The drains that `cancel` and `uncordon` can undo here. */
async function listRecorded(options: DrainsOptions, format: Format, call: Call): Promise<number> {
  const { watch, status, since, limit } = options;
  const only = [watch && "--watch", status !== undefined && "--status"].filter((name) => typeof name === "string");
  if (only.length > 0)
    throw new ConfigError(only.map((name) => `${name} requires --server: give both, or leave it out`));
  const { environment, streams } = call;
  const [given] = call.args;
  const node = given?.replace(/^node\//, "");
  const records = await readRecords(environment, (problem) => streams.stderr.write(`hasta-la-vista: ${problem}\n`));
  const began = since === undefined ? 0 : streams.clock.now() - since * 1_000;
  const wanted = records.filter(
    ({ node: { id, name }, file }) =>
      (node === undefined || id === node || name === node) && (file.at ?? began) >= began,
  );
  const drains = wanted.slice(0, limit ?? 100).map(({ drainId, node: of, file }) => ({
    drainId,
    node: of,
    status: "recorded" as const,
    ...(file.at !== undefined && { recordedAt: new Date(file.at).toISOString() }),
  }));
  await print(drains, { call, format });
  return EXIT.done;
}
