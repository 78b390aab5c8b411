import type { TLSSocket } from "node:tls";
import type { HttpBindings } from "@hono/node-server";
import type { Context, MiddlewareHandler } from "hono";
import type { Clock } from "../drain/clock.ts";
import { clientAddress } from "./asker.ts";
import { queryOf } from "./parameters.ts";
import { type Answer, problem, send } from "./problem.ts";
import type { SecretMask } from "./secret-mask.ts";
import { refuseSecretInUrl, type SecretCheck } from "./secrets.ts";
import { WrongSecrets } from "./wrong-secrets.ts";

export interface SecretGuardOptions {
  readonly isSecret: SecretCheck;
  /** The same secrets, and those that were replaced not long ago. They must not stand anywhere else. */
  readonly secrets: () => SecretMask;
  /** Whether the secret may come as `pw` in the query too. */
  readonly querySecret: boolean;
  /** Whether a verified client certificate is needed besides. */
  readonly clientCertificate: boolean;
  readonly clock: Clock;
  /** Hears of the first right secret that comes in a query, and where from. */
  readonly onQuerySecret: (client: string) => void;
  /** Hears of each client, once until it is quiet again, whose wrong secrets are no longer looked into one by one. */
  readonly onLimited: (client: string) => void;
}

/**
 * Lets only those pass who have the secret. A right one always passes, whatever came before it. Throws `BadRequest`
 * where it stands in the URL as well.
 */
export function needSecret(options: SecretGuardOptions): MiddlewareHandler {
  const { isSecret, querySecret, clientCertificate, clock, onLimited } = options;
  const wrongSecrets = new WrongSecrets(clock);
  let onQuerySecret: SecretGuardOptions["onQuerySecret"] | undefined = options.onQuerySecret;

  return async (context, next) => {
    const refusal = refusalOf(context);
    if (refusal === undefined) {
      refuseSecretInUrl(options.secrets(), context);
      return next();
    }
    return send(refusal);
  };

  function refusalOf(context: Context): Answer | undefined {
    // First: a client without a certificate must not learn whether a secret is right.
    // Another replica has shown the service's own.
    if (clientCertificate && !hasCertificate(context) && context.get("ofReplica") === undefined) {
      return problem(
        403,
        "no valid client certificate was presented: use one that an authority in TLS_CLIENT_CA_FILE has issued",
      );
    }
    const { secret, isQuery } = sentIn(context);
    if (isQuery && !querySecret) return unauthorized("send the secret: 'Authorization: Bearer …', not in the query");
    if (secret === "") {
      return unauthorized(`send the secret: 'Authorization: Bearer …'${querySecret ? ", or 'pw' in the query" : ""}`);
    }
    if (!isSecret(secret)) return refused(context, secret);
    if (isQuery) {
      onQuerySecret?.(clientAddress(context));
      onQuerySecret = undefined;
    }
    return undefined;
  }

  function refused(context: Context, secret: string): Answer {
    const client = clientAddress(context);
    const { waitMs, isFirst } = wrongSecrets.count(client);
    if (waitMs > 0) {
      if (isFirst) onLimited(client);
      // A connection for each guess: there it costs the guesser most.
      const headers = { "retry-after": `${Math.ceil(waitMs / 1_000)}`, connection: "close" };
      return problem(
        429,
        "too many wrong secrets came from this address: send the right secret, which is accepted at once, or wait",
        {
          headers,
        },
      );
    }
    // Several headers come as one, with commas between them.
    const hint = /, *(Bearer|Basic) /i.test(secret) ? ": several Authorization headers were sent, send one" : "";
    return problem(403, `the secret is wrong${hint}`);
  }
}

/** The secret comes as a bearer token or, as it always did, as `pw` in the query. */
function sentIn(context: Context): { readonly secret: string; readonly isQuery: boolean } {
  const authorization = context.req.header("authorization");
  if (authorization === undefined) {
    const secret = queryOf(context).get("pw") ?? "";
    return { secret, isQuery: secret !== "" };
  }
  // Node hands headers over as if they were latin1.
  const header = Buffer.from(authorization, "latin1").toString("utf8");
  return { secret: /^Bearer (.+)$/i.exec(header)?.[1] ?? "", isQuery: false };
}

function unauthorized(detail: string): Answer {
  return problem(401, detail, { headers: { "www-authenticate": "Bearer" } });
}

function hasCertificate(context: Context): boolean {
  const { incoming } = (context.env ?? {}) as Partial<HttpBindings>;
  return (incoming?.socket as Partial<TLSSocket> | undefined)?.authorized === true;
}
