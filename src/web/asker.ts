import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import { shown } from "../drain/errors.ts";
import type { Asker, DrainRequest } from "../drain/request.ts";
import type { SecretCheck } from "./secrets.ts";

const AGENT_CHARACTERS_MAX = 200;
/** What a secret may stand between. */
const WORD = /[^\s,;()"'/=:]+/g;

/** Who sends a request: what the connection and its `User-Agent` say, which prove nothing. */
export function askerOf(context: Context, isSecret: SecretCheck): Asker {
  // Absent where the app is called as a function.
  const address = (context.env as Partial<HttpBindings> | undefined)?.incoming?.socket.remoteAddress;
  const agent = context.req.header("user-agent");
  return {
    via: "http",
    ...(address === undefined ? {} : { address }),
    ...(agent === undefined ? {} : { agent: masked(shown(agent, AGENT_CHARACTERS_MAX), isSecret) }),
  };
}

/** The reason is kept for good, and somebody may have put the secret into it. */
export function withoutSecret(request: DrainRequest, isSecret: SecretCheck): DrainRequest {
  return request.reason === undefined ? request : { ...request, reason: masked(request.reason, isSecret) };
}

function masked(text: string, isSecret: SecretCheck): string {
  return isSecret(text) ? "…" : text.replace(WORD, (word) => (isSecret(word) ? "…" : word));
}
