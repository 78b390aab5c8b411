import { writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Clock } from "../../src/simulator/clock.ts";
import { folder } from "./api-client.ts";
import { Authority } from "./certificates.ts";
import { evictionReview } from "./eviction-review.ts";
import { never } from "./simulated-region.ts";

export interface GateAnswer {
  readonly isAllowed: boolean;
  readonly retryAfterSeconds?: number;
}

/** What an API server is to the eviction gate: it knows its authority, and posts reviews. */
export class GateClient {
  readonly #authority = new Authority("the gate's authority");
  readonly #folder = folder();
  #port = 0;
  #host = "127.0.0.1";

  constructor() {
    this.renew();
  }

  /** Gives the gate another certificate of the same authority, in the same files. */
  renew(): void {
    const { cert, key } = this.#authority.sign("gate");
    writeFileSync(this.options.EVICTION_GATE_CERT_FILE, cert);
    writeFileSync(this.options.EVICTION_GATE_KEY_FILE, key);
  }

  /** What turns the gate of a service on. */
  get options() {
    return {
      EVICTION_GATE: "true",
      EVICTION_GATE_PORT: "0",
      EVICTION_GATE_CERT_FILE: join(this.#folder, "tls.crt"),
      EVICTION_GATE_KEY_FILE: join(this.#folder, "tls.key"),
    } as const;
  }

  /** Resolves once the gate listens. */
  async connect(child: { line(pattern: RegExp): Promise<string> }, host = "127.0.0.1"): Promise<void> {
    this.#host = host;
    this.#port = JSON.parse(await child.line(/"eviction gate listening"/)).port;
  }

  /** What the gate says of an eviction. Rejects where it does not answer: the API server lets it pass then. */
  async review(asked: Readonly<Record<string, unknown>>): Promise<GateAnswer> {
    const { status, body } = await this.post("/evictions", JSON.stringify(evictionReview(asked)));
    if (status !== 200) throw new Error(`${status}: ${body}`);
    const { allowed, status: refusal } = JSON.parse(body).response;
    const { retryAfterSeconds } = refusal?.details ?? {};
    return { isAllowed: allowed, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) };
  }

  async post(path: string, body: string): Promise<{ readonly status: number; readonly body: string }> {
    const { cert: ca } = this.#authority;
    return new Promise((resolve, reject) => {
      const sent = request({
        ...{ host: this.#host, servername: "localhost", port: this.#port },
        ...{ path, method: "POST", ca, agent: false },
      });
      sent.once("error", reject);
      sent.once("response", (response) => {
        text(response).then((read) => resolve({ status: response.statusCode ?? 0, body: read }), reject);
      });
      sent.end(body);
    });
  }
}

/** Karpenter 1.15 tries again after 0.1 s, 0.2 s, 0.4 s and so on, and after 10 s at most. */
const FIRST_MS = 100;
const LONGEST_MS = 10_000;
/** Kubernetes' own client, below it, tries so often within a call where it is told when. */
const REPEATS_MAX = 10;

/** Asks until the eviction is allowed, as Karpenter does. */
export async function untilEvicted(ask: () => Promise<GateAnswer>, clock: Clock): Promise<void> {
  for (let waitMs = FIRST_MS; ; waitMs = Math.min(LONGEST_MS, waitMs * 2)) {
    for (let repeats = 0; ; repeats++) {
      const { isAllowed, retryAfterSeconds } = await ask();
      if (isAllowed) return;
      if (retryAfterSeconds === undefined || repeats === REPEATS_MAX) break;
      await clock.sleep(retryAfterSeconds * 1_000, never);
    }
    await clock.sleep(waitMs, never);
  }
}
