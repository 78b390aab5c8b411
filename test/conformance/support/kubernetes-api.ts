import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";

/** What the API server has answered. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  /** JSON where it was JSON, else text. */
  readonly body: unknown;
}

export interface KubernetesObject {
  readonly metadata: {
    readonly name: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
    readonly managedFields?: readonly { readonly manager: string; readonly operation: string }[];
  };
}

export interface WatchEvent<T extends KubernetesObject = KubernetesObject> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: T;
}

type PatchType = "apply-patch+yaml" | "merge-patch+json" | "strategic-merge-patch+json" | "json-patch+json";

/** What tests themselves ask of an API server, beside the programs that they test: nothing but HTTP and JSON. */
export class KubernetesApi {
  readonly #url: string;
  readonly #ca: string;
  readonly #token: string;
  readonly #agent = new Agent({ keepAlive: true });

  constructor({ url, ca, token }: { readonly url: string; readonly ca: string; readonly token: string }) {
    this.#url = url;
    this.#ca = ca;
    this.#token = token;
  }

  /** Whatever the status is. */
  async call(method: string, path: string, body?: unknown, contentType = "application/json"): Promise<ApiAnswer> {
    const response = await this.#send(method, path, { body, contentType });
    const answer = await text(response);
    const isJson = response.headers["content-type"]?.startsWith("application/json") === true;
    return { status: response.statusCode ?? 0, headers: response.headers, body: isJson ? JSON.parse(answer) : answer };
  }

  get<T = KubernetesObject>(path: string): Promise<T> {
    return this.#must("GET", path);
  }

  post<T = KubernetesObject>(path: string, body: unknown): Promise<T> {
    return this.#must("POST", path, body);
  }

  patch<T = KubernetesObject>(path: string, body: unknown, type: PatchType = "merge-patch+json"): Promise<T> {
    return this.#must("PATCH", path, body, `application/${type}`);
  }

  delete(path: string): Promise<unknown> {
    return this.#must("DELETE", path);
  }

  /** Makes the object, or makes it be so. Its name is the last part of the path. */
  async apply(path: string, object: Readonly<Record<string, unknown>>): Promise<void> {
    const whole = { ...object, metadata: { name: path.split("/").at(-1) } };
    await this.patch(`${path}?fieldManager=test&force=true`, whole, "apply-patch+yaml");
  }

  /**
   * The events of a list from now on, or from what `path` asks for, until the connection ends, the caller leaves, or
   * `signal` aborts, which is thrown.
   */
  async *watch<T extends KubernetesObject = KubernetesObject>(
    path: string,
    signal?: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>> {
    const response = await this.#send("GET", `${path}${path.includes("?") ? "&" : "?"}watch=true`, { signal });
    if (response.statusCode !== 200) throw new Error(`GET ${path}: ${response.statusCode}: ${await text(response)}`);
    try {
      for await (const line of createInterface(response)) yield JSON.parse(line);
    } finally {
      response.destroy();
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #must<T>(method: string, path: string, body?: unknown, contentType?: string): Promise<T> {
    const answer = await this.call(method, path, body, contentType);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body as T;
  }

  async #send(
    method: string,
    path: string,
    { body, contentType = "application/json", signal }: SendOptions,
  ): Promise<IncomingMessage> {
    const text = body === undefined ? "" : JSON.stringify(body);
    const sent = request(this.#url + path, {
      method,
      signal,
      agent: this.#agent,
      ca: this.#ca,
      headers: {
        authorization: `Bearer ${this.#token}`,
        "content-type": contentType,
        // Node sends the body of a DELETE without its length, and the server takes it for the next request.
        "content-length": Buffer.byteLength(text),
      },
    });
    sent.end(text);
    const [response] = await once(sent, "response");
    return response as IncomingMessage;
  }
}

interface SendOptions {
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
}
