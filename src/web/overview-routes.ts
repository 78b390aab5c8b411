import type { Hono, MiddlewareHandler } from "hono";
import { clientAddress } from "./asker.ts";
import { checkRecordRequest } from "./drains-request.ts";
import { NotAccepted } from "./http-source.ts";
import type { Overview } from "./overview.ts";
import { queryOf } from "./parameters.ts";
import type { NeedAccess } from "./secret-guard.ts";

/**
 * Readers at one address, which may be a proxy's, and at all addresses together. Each costs a socket and a few
 * kilobytes.
 */
const READERS_PER_CLIENT_MAX = 100;
const READERS_MAX = 1_000;
/**
 * Changes that may wait for a reader: those of half a minute. A reader with more is too slow, and reads everything
 * again.
 */
const WAITING_MAX = 30;
/** A reader that was disconnected reconnects after this time. */
const RETRY_MS = 3_000;

const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  // Some proxies buffer answers until they are large.
  "x-accel-buffering": "no",
};

export interface OverviewRoutesOptions {
  readonly needs: NeedAccess;
  /** See `relay`. */
  readonly byLeader: MiddlewareHandler;
  readonly overview: Pick<Overview, "text" | "follow">;
}

/** What the dashboard shows: everything, and then the changes. */
export function addOverviewRoutes(app: Hono, { needs, byLeader, overview }: OverviewRoutesOptions): void {
  const readers = new Readers();
  const access = needs({ verb: "list", resource: "drains" });

  app.get("/overview", access, byLeader, (context) => {
    checkRecordRequest(queryOf(context));
    return new Response(`${overview.text()}\n`, { headers: { "content-type": "application/json" } });
  });

  app.get("/overview/events", access, byLeader, (context) => {
    checkRecordRequest(queryOf(context));
    if (context.req.method === "HEAD") return new Response(null, { headers: HEADERS });
    const leave = readers.enter(clientAddress(context));
    return new Response(streamOf(overview, leave), { headers: HEADERS });
  });
}

/** Everything first, then the changes, until the reader disconnects. `left` is called once. */
function streamOf(overview: OverviewRoutesOptions["overview"], left: () => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let leave = left;
  return new ReadableStream(
    {
      start(controller) {
        const send = (event: string, text: string) =>
          controller.enqueue(encoder.encode(`event: ${event}\ndata: ${text}\n\n`));
        try {
          controller.enqueue(encoder.encode(`retry: ${RETRY_MS}\n\n`));
          send("overview", overview.text());
          const unfollow = overview.follow((text) => {
            send("changes", text);
            if ((controller.desiredSize ?? 0) > 0) return;
            controller.error(new Error("the reader is too slow"));
            leave();
          });
          leave = () => {
            unfollow();
            left();
          };
        } catch (error) {
          left();
          throw error;
        }
      },
      cancel: () => leave(),
    },
    { highWaterMark: WAITING_MAX },
  );
}

class Readers {
  readonly #of = new Map<string, number>();
  #all = 0;

  /** Throws `NotAccepted`. The returned function may be called more than once. */
  enter(client: string): () => void {
    const own = this.#of.get(client) ?? 0;
    if (own >= READERS_PER_CLIENT_MAX)
      throw new NotAccepted(
        `${READERS_PER_CLIENT_MAX} readers at this address already follow the overview: close some`,
      );
    if (this.#all >= READERS_MAX) throw new NotAccepted("too many readers follow the overview: try again later");
    this.#of.set(client, own + 1);
    this.#all += 1;
    let isHere = true;
    return () => {
      if (!isHere) return;
      isHere = false;
      this.#all -= 1;
      const left = (this.#of.get(client) ?? 1) - 1;
      if (left > 0) this.#of.set(client, left);
      else this.#of.delete(client);
    };
  }
}
