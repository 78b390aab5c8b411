import type { CloudCall } from "../drain/events.ts";
import { codeOf, isThrottled } from "./errors.ts";

type Send = (args: never) => Promise<unknown>;

/** As much of an SDK client as is needed here; the SDK's own types differ from client to client. */
interface SdkClient {
  readonly middlewareStack: {
    add(
      middleware: (next: Send, context: { readonly commandName?: string }) => Send,
      options: { readonly step: "deserialize"; readonly priority: "high"; readonly name: string },
    ): void;
  };
}

/** Reports every attempt of `client`, retries included. `service` as in IAM actions: `ec2`. */
export function observeCalls<C>(client: C, service: string, onCall: (call: CloudCall) => void): C {
  (client as unknown as SdkClient).middlewareStack.add(
    (next, { commandName = "" }) =>
      async (args) => {
        const action = `${service}:${commandName.replace(/Command$/, "")}`;
        try {
          const answered = await next(args);
          onCall({ action, result: "ok", throttled: false });
          return answered;
        } catch (error) {
          onCall({ action, result: codeOf(error) || "unknown", throttled: isThrottled(error) });
          throw error;
        }
      },
    // Outside of what reads the answer, inside of what retries: each attempt passes here.
    { step: "deserialize", priority: "high", name: "observeCalls" },
  );
  return client;
}
