import type { DrainDetails, PastDrain } from "./reports.ts";

/** Why the service has not answered as requested. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.name = "Refused";
    this.status = status;
  }

  /** The credential is not accepted, so that another attempt is useless. */
  get isSignIn(): boolean {
    return this.status === 401 || this.status === 403 || this.status === 429;
  }
}

export interface ListQuery {
  readonly limit: number;
  readonly status: string;
  readonly node: string;
  /** The id of the drain after which the list continues. Empty: it begins with the newest. */
  readonly before: string;
}

/** The API of the service that has sent the page. The credential is sent as a header, and is in no URL. */
export class Api {
  readonly #credential: string;

  constructor(credential: string) {
    this.#credential = credential;
  }

  /** Throws `Refused`, or the error of `fetch` if the service can't be reached. */
  async events(signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const { body } = await this.#ask("overview/events", { signal });
    if (body === null) throw new Refused(502, "the answer is empty");
    return body;
  }

  async drains({ limit, status, node, before }: ListQuery, signal: AbortSignal): Promise<readonly PastDrain[]> {
    const query = new URLSearchParams({ limit: String(limit), status });
    if (node !== "") query.set("node", node);
    if (before !== "") query.set("before", before);
    const answer = await this.#ask(`drains?${query}`, { signal });
    return ((await answer.json()) as { readonly drains: readonly PastDrain[] }).drains;
  }

  async drain(id: string, signal: AbortSignal): Promise<DrainDetails> {
    return (await this.#ask(`drains/${encodeURIComponent(id)}`, { signal })).json() as Promise<DrainDetails>;
  }

  /** Resolves when all targets are registered again. It is also carried out if the page is closed. */
  async cancel(id: string): Promise<void> {
    await this.#ask(`drains/${encodeURIComponent(id)}`, { method: "DELETE" });
  }

  async #ask(path: string, init: RequestInit): Promise<Response> {
    const headers = { authorization: `Bearer ${headerText(this.#credential)}` };
    const answer = await fetch(path, { ...init, headers, cache: "no-store", redirect: "error" });
    if (answer.ok) return answer;
    throw new Refused(answer.status, await detailOf(answer));
  }
}

/** A header takes bytes as characters, and a secret may have any characters. */
function headerText(credential: string): string {
  return [...new TextEncoder().encode(credential)].map((byte) => String.fromCharCode(byte)).join("");
}

/** A proxy between the browser and the service may answer without problem details. */
async function detailOf(answer: Response): Promise<string> {
  try {
    const { detail } = (await answer.json()) as { readonly detail?: unknown };
    if (typeof detail === "string" && detail !== "") return detail;
  } catch {
    // No JSON.
  }
  return `the service answered ${answer.status} ${answer.statusText}`.trimEnd();
}
