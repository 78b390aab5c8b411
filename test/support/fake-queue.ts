import { newAbort, withAnyOf } from "../../src/drain/abort.ts";
import type { Clock } from "../../src/drain/clock.ts";

interface Held {
  readonly id: string;
  readonly body: string;
  readonly sentAt: number;
  visibleAt: number;
  receives: number;
  firstReceivedAt: number | undefined;
  receivedAt: number;
}

interface Entry {
  readonly Id: string;
  readonly ReceiptHandle: string;
  readonly VisibilityTimeout?: number;
}

/** As the SDK's commands have it. */
type Input = Readonly<Record<string, unknown>> & {
  readonly Entries?: readonly Entry[];
  readonly VisibilityTimeout?: number;
};

export interface QueueCall {
  /** `ReceiveMessage` */
  readonly name: string;
  readonly input: Input;
  /** Virtual milliseconds since the start. */
  readonly at: number;
}

const HOUR_MS = 3_600_000;
const never = newAbort().signal;

/** A standard queue on virtual time, in place of the SDK's client. */
export class FakeQueue {
  readonly calls: QueueCall[] = [];
  /** Answers one call in place of the queue, or throws; `undefined` leaves it to the queue. */
  intercept: (call: QueueCall) => unknown = () => undefined;
  /** AWS's clock is so far behind this machine's. */
  behindMs = 0;
  readonly #clock: Clock & { readonly elapsedMs: number };
  readonly #messages = new Map<string, Held>();
  #arrived = newAbort();

  constructor(clock: Clock & { readonly elapsedMs: number }) {
    this.#clock = clock;
  }

  /** `delaySeconds`: nobody receives it before. */
  put(body: string, delaySeconds = 0): string {
    const now = this.#clock.now();
    const id = `m-${this.#messages.size + 1}-${Math.round(this.#clock.elapsedMs)}`;
    const fresh = { receives: 0, firstReceivedAt: undefined, receivedAt: 0 };
    this.#messages.set(id, { id, body, sentAt: now, visibleAt: now + delaySeconds * 1_000, ...fresh });
    this.#arrived.abort();
    this.#arrived = newAbort();
    return id;
  }

  /** In how many seconds somebody else may have it; undefined once it is deleted. */
  hiddenSeconds(id: string): number | undefined {
    const message = this.#messages.get(id);
    return message && Math.max(0, message.visibleAt - this.#clock.now()) / 1_000;
  }

  /** Messages that are not deleted. */
  get size(): number {
    return this.#messages.size;
  }

  /** How often each message was received. */
  received(): readonly number[] {
    return [...this.#messages.values()].map(({ receives }) => receives);
  }

  /** How old the oldest message is. */
  oldestMs(): number {
    return this.#clock.now() - Math.min(...[...this.#messages.values()].map(({ sentAt }) => sentAt));
  }

  has(id: string): boolean {
    return this.#messages.has(id);
  }

  callsOf(name: string): readonly QueueCall[] {
    return this.calls.filter((call) => call.name === name);
  }

  /** What the SDK's client does. */
  readonly send = ((command: { readonly input: Input }, { abortSignal = never } = {}) =>
    this.answer(command.constructor.name.replace("Command", ""), command.input, abortSignal)) as never;

  async answer(name: string, input: Input, signal: AbortSignal): Promise<unknown> {
    const call = { name, input, at: this.#clock.elapsedMs };
    this.calls.push(call);
    const answer = this.intercept(call);
    if (answer !== undefined) return answer;
    if (name === "ReceiveMessage") return this.#receive(input, signal);
    if (name === "SendMessage")
      return { MessageId: this.put(String(input["MessageBody"]), Number(input["DelaySeconds"] ?? 0)) };
    if (name === "GetQueueUrl") return { QueueUrl: "http://127.0.0.1/000000000000/found" };
    const entries = input.Entries ?? [];
    const results = entries.map((entry) => this.#settle(name, entry));
    return {
      Successful: results.filter(({ Code }) => Code === undefined).map(({ Id }) => ({ Id })),
      Failed: results.filter(({ Code }) => Code !== undefined),
    };
  }

  async #receive({ VisibilityTimeout = 30, WaitTimeSeconds = 0 }: Input, signal: AbortSignal): Promise<object> {
    const until = this.#clock.now() + Number(WaitTimeSeconds) * 1_000;
    for (;;) {
      signal.throwIfAborted();
      const now = this.#clock.now();
      const visible = [...this.#messages.values()].filter(({ visibleAt }) => visibleAt <= now).slice(0, 10);
      if (visible.length > 0)
        return { Messages: visible.map((message) => this.#delivered(message, VisibilityTimeout)) };
      if (now >= until) return {};
      const next = Math.min(until, ...[...this.#messages.values()].map(({ visibleAt }) => visibleAt));
      await withAnyOf([signal, this.#arrived.signal], (either) => this.#clock.sleep(next - now, either)).catch(
        () => {},
      );
    }
  }

  #delivered(message: Held, visibilitySeconds: number): object {
    const now = this.#clock.now();
    message.visibleAt = now + visibilitySeconds * 1_000;
    message.receives += 1;
    message.receivedAt = now;
    message.firstReceivedAt ??= now;
    const Attributes = {
      SentTimestamp: String(message.sentAt - this.behindMs),
      ApproximateFirstReceiveTimestamp: String(message.firstReceivedAt - this.behindMs),
      ApproximateReceiveCount: String(message.receives),
    };
    return { MessageId: message.id, ReceiptHandle: handleOf(message), Body: message.body, Attributes };
  }

  #settle(name: string, { Id, ReceiptHandle, VisibilityTimeout = 0 }: Entry) {
    const message = this.#messages.get(ReceiptHandle.split("#")[0] ?? "");
    const isLatest = message !== undefined && handleOf(message) === ReceiptHandle;
    // With an older handle AWS answers that it was deleted, and it may be there all the same.
    if (name === "DeleteMessageBatch") {
      if (isLatest) this.#messages.delete(message.id);
      return { Id };
    }
    const now = this.#clock.now();
    if (!isLatest || message.visibleAt <= now) return { Id, Code: "MessageNotInflight", SenderFault: true };
    if (now + VisibilityTimeout * 1_000 > message.receivedAt + 12 * HOUR_MS)
      return {
        Id,
        Code: "InvalidParameterValue",
        Message: "Total VisibilityTimeout is beyond the limit",
        SenderFault: true,
      };
    message.visibleAt = now + VisibilityTimeout * 1_000;
    if (VisibilityTimeout === 0) {
      this.#arrived.abort();
      this.#arrived = newAbort();
    }
    return { Id };
  }
}

function handleOf({ id, receives }: Held): string {
  return `${id}#${receives}`;
}
