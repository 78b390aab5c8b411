import { ServerTime } from "../drain/server-time.ts";

/** One request, as an SDK's client sends it. Its types differ between clients. */
export type Call = (args: unknown) => Promise<{
  readonly response: {
    readonly headers: Readonly<Record<string, string | undefined>>;
    /** A stream of Node.js, if it is one. */
    readonly body?: { readonly destroyed?: boolean };
  };
}>;

/** The used part, which is the same in all clients. Their types are not. */
interface MiddlewareStack {
  add(middleware: (next: Call) => Call, options: { readonly step: "deserialize"; readonly priority: "low" }): void;
}

/** How this process's clock and AWS's differ. */
export class AwsTime extends ServerTime {
  /** Reads the time from the answers to all calls of an SDK's client. */
  watch(client: { readonly middlewareStack: unknown }): void {
    addNextToTheWire(client, (next) => async (args) => {
      const answered = this.sends();
      const result = await next(args);
      const { headers } = result.response;
      // A proxy in between has its own clock.
      if (headers["x-amzn-requestid"] !== undefined) answered(headers["date"]);
      return result;
    });
  }
}

/**
 * The position in which answers are not parsed and errors are not exceptions yet. A later middleware is closer to the
 * wire.
 */
export function addNextToTheWire(
  { middlewareStack }: { readonly middlewareStack: unknown },
  middleware: (next: Call) => Call,
): void {
  (middlewareStack as MiddlewareStack).add(middleware, { step: "deserialize", priority: "low" });
}
