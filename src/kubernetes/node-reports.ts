import { newAbort, onAbort, WOKEN } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import type { ClusterNode } from "../drain/cluster.ts";
import type { DrainEvent } from "../drain/events.ts";
import type { ApiServer } from "./api-server.ts";
import type { KubernetesError } from "./errors.ts";
import type { KnownNodes } from "./kubernetes-cluster.ts";
import { type NodeReport, type NodeState, NodeStory } from "./node-story.ts";
import { applyToNode } from "./nodes.ts";

/** Owns the annotations with the state of a node. */
const STATUS_MANAGER = "hasta-la-vista-status";
const CONTROLLER = "hasta-la-vista";
/** The path of the Events of objects without a namespace. */
const EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events";
/** The number of reports that may wait. Beyond it, the oldest are dropped. */
const QUEUE_MAX = 1_000;
const TIMEOUT_MS = 10_000;
const PAUSE_AFTER_FAILURE_MS = 5_000;

export interface NodeReportsOptions {
  readonly server: ApiServer;
  readonly clock: Clock;
  readonly nodes: KnownNodes;
  /** The name of this machine or pod, at most 128 characters. */
  readonly instance: string;
  /** Called once until a request succeeds. A failed report is not repeated. */
  readonly onTrouble: (error: KubernetesError) => void;
}

interface Waiting {
  readonly instanceId: string;
  readonly report: NodeReport;
  readonly at: number;
}

/**
 * Reports each drain as Events of the Node object, and as annotations with its state. It only listens: nothing waits
 * for it, and a report that the API server does not accept is lost.
 */
export class NodeReports {
  readonly #options: NodeReportsOptions;
  readonly #story = new NodeStory();
  readonly #waiting: Waiting[] = [];
  #woken = newAbort();
  /** The kinds of objects that could not be written the last time. */
  readonly #troubles = new Set<string>();
  #isSending = false;
  #sent = 0;

  constructor(options: NodeReportsOptions) {
    this.#options = options;
  }

  readonly observe = (event: DrainEvent): void => {
    const at = this.#options.clock.now();
    for (const report of this.#story.of(event)) this.#waiting.push({ instanceId: event.node.id, report, at });
    this.#waiting.splice(0, this.#waiting.length - QUEUE_MAX);
    this.#woken.abort(WOKEN);
  };

  /** No report waits to be sent. */
  get isIdle(): boolean {
    return this.#waiting.length === 0 && !this.#isSending;
  }

  /** Sends the reports one after the other, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const next = this.#waiting.shift();
      if (next === undefined) {
        this.#woken = newAbort();
        await aborted(this.#woken.signal, signal);
        continue;
      }
      this.#isSending = true;
      await this.#send(next, signal);
      this.#isSending = false;
    }
  }

  async #send({ instanceId, report, at }: Waiting, signal: AbortSignal): Promise<void> {
    const node = this.#options.nodes.byInstance(instanceId);
    if (node === undefined) return;
    const { state, event } = report;
    if (state !== undefined) await this.#try("annotation", () => this.#annotate(node, state, signal), signal);
    if (event !== undefined) await this.#try("event", () => this.#record(node, event, at, signal), signal);
  }

  async #try(what: "annotation" | "event", send: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
    try {
      await send();
      this.#troubles.delete(what);
    } catch (thrown) {
      if (signal.aborted) return;
      if (!this.#troubles.has(what)) this.#options.onTrouble(thrown as KubernetesError);
      this.#troubles.add(what);
      await this.#options.clock.sleep(PAUSE_AFTER_FAILURE_MS, signal).catch(() => {});
    }
  }

  #annotate(node: ClusterNode, state: NodeState | "none", signal: AbortSignal): Promise<void> {
    const annotations: Record<string, string> = {};
    for (const [key, value] of Object.entries(state === "none" ? {} : state))
      annotations[`hasta-la-vista.io/${key}`] = value;
    const options = { fieldManager: STATUS_MANAGER, force: true, turn: "background", timeoutMs: TIMEOUT_MS } as const;
    return applyToNode(this.#options.server, node, { annotations }, options, signal);
  }

  #record(
    { name, uid }: ClusterNode,
    { reason, type, action, note }: NonNullable<NodeReport["event"]>,
    at: number,
    signal: AbortSignal,
  ): Promise<unknown> {
    this.#sent += 1;
    const unique = `${Math.round(at).toString(16)}.${this.#sent.toString(16)}`;
    const body = {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      // A name that no other process uses at the same moment. The API server refuses a prefix that ends with a dot.
      metadata: { generateName: `${name.slice(0, 200).replace(/[-.]+$/, "")}.${unique}-`, namespace: "default" },
      eventTime: new Date(at).toISOString().replace("Z", "000Z"),
      reportingController: CONTROLLER,
      reportingInstance: this.#options.instance.slice(0, 128),
      action,
      reason,
      type,
      note: note.slice(0, NOTE_CHARACTERS_MAX),
      regarding: { apiVersion: "v1", kind: "Node", name, uid },
    };
    return this.#options.server.create(EVENTS, body, signal, { turn: "background", timeoutMs: TIMEOUT_MS });
  }
}

/** https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/ */
const NOTE_CHARACTERS_MAX = 1_000;

/** Resolves when one of them aborts. */
function aborted(...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of signals) {
      if (signal.aborted) resolve();
      else onAbort(signal, resolve);
    }
  });
}
