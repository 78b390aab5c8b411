import { mixOf } from "./mix.ts";
import { bareRun, type Run, type ServiceRun, serviceRun } from "./run.ts";

/** The sizes of Karpenter's own benchmark of its interruption queue, and how often each is run: medians are told. */
export const SIZES: readonly { readonly messages: number; readonly runs: number }[] = [
  { messages: 100, runs: 5 },
  { messages: 1_000, runs: 5 },
  { messages: 5_000, runs: 3 },
  { messages: 15_000, runs: 3 },
];

export interface MessagesRow {
  readonly messages: number;
  readonly nodes: number;
  /** Requests that joined a drain which ran. */
  readonly joined: number;
  readonly seconds: number;
  readonly bareSeconds: number;
  readonly ratioToBare: number;
  /** Of the processes' own time on the processors, which depends less on what else the machine is at. */
  readonly cpuSeconds: number;
  readonly cpuRatioToBare: number;
  readonly beforeMiB: number;
  readonly peakMiB: number;
  readonly barePeakMiB: number;
  /** From the moment when all messages were there to a node's first deregistration. */
  readonly firstDeregisterSeconds: number;
  readonly medianDeregisterSeconds: number;
  readonly p95DeregisterSeconds: number;
  /** The same for one message to a service that has nothing else to do. */
  readonly aloneMs: number;
}

/** One size, service and bare loop in turns. Throws where a run has lost something, or done it twice. */
export async function messagesRow(
  { messages, runs }: (typeof SIZES)[number],
  progress: (line: string) => void,
): Promise<MessagesRow> {
  const mix = mixOf(messages);
  const bare: Run[] = [];
  const service: ServiceRun[] = [];
  for (let run = 1; run <= runs; run++) {
    bare.push(await bareRun(mix, messages));
    service.push(await serviceRun(mix, messages));
    const [own, least] = [service, bare].map((some) => some.at(-1)?.seconds.toFixed(2));
    progress(`${messages} messages, run ${run} of ${runs}: ${own} s, bare ${least} s`);
  }
  const of = <R>(some: readonly R[], value: (one: R) => number) => median(some.map(value));
  const [seconds, bareSeconds] = [of(service, (one) => one.seconds), of(bare, (one) => one.seconds)];
  const [cpuSeconds, bareCpuSeconds] = [of(service, (one) => one.cpuSeconds), of(bare, (one) => one.cpuSeconds)];
  const waited = (share: number) => of(service, ({ deregisterMs }) => quantile(deregisterMs, share)) / 1_000;
  return {
    messages,
    nodes: mix.nodes.length,
    joined: of(service, (one) => one.joined),
    seconds,
    bareSeconds,
    ratioToBare: seconds / bareSeconds,
    cpuSeconds,
    cpuRatioToBare: cpuSeconds / bareCpuSeconds,
    beforeMiB: of(service, (one) => one.beforeMiB),
    peakMiB: of(service, (one) => one.peakMiB),
    barePeakMiB: of(bare, (one) => one.peakMiB),
    firstDeregisterSeconds: waited(0),
    medianDeregisterSeconds: waited(0.5),
    p95DeregisterSeconds: waited(0.95),
    aloneMs: median(service.flatMap((one) => one.aloneMs)),
  };
}

function median(values: readonly number[]): number {
  return quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

/** The smallest of the sorted values that such a share of them does not exceed. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
