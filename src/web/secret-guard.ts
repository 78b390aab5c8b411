import type { TLSSocket } from "node:tls";
import type { HttpBindings } from "@hono/node-server";
import type { Context, MiddlewareHandler } from "hono";
import type { Clock } from "../drain/clock.ts";
import { clientAddress, secretsOf, userOf } from "./asker.ts";
import { queryOf } from "./parameters.ts";
import { type Answer, problem, send, unavailable } from "./problem.ts";
import type { SecretMask } from "./secret-mask.ts";
import { refuseSecretInUrl, type SecretCheck } from "./secrets.ts";
import type { Access, TokenChecking, TokenVerdict } from "./token-check.ts";
import { type Counted, WrongSecrets } from "./wrong-secrets.ts";

export interface SecretGuardOptions {
  readonly isSecret: SecretCheck;
  /** The same secrets, and those that were replaced not long ago. They must not appear anywhere else. */
  readonly secrets: () => SecretMask;
  /** Whether the secret may also be sent as `pw` in the query. */
  readonly querySecret: boolean;
  /** Whether a verified client certificate is required too. */
  readonly clientCertificate: boolean;
  /** Accepts tokens of the cluster. Absent: they are not accepted. */
  readonly tokens?: TokenChecking | undefined;
  readonly clock: Clock;
  /** Called for the first right secret in a query, with its client. */
  readonly onQuerySecret: (client: string) => void;
  /**
   * Called once for each client, until it is quiet again, when its wrong secrets are not checked one by one any more.
   */
  readonly onLimited: (client: string) => void;
}

/** Lets a request pass if its caller may have this access. */
export type NeedAccess = (access: Access) => MiddlewareHandler;

/**
 * Lets only callers pass that have the secret, which permits everything, or a token of the cluster whose user has the
 * access. The right secret always passes, whatever came before it, and whether or not the cluster answers. Throws
 * `BadRequest` if the secret is in the URL as well.
 */
export function secretGuard(options: SecretGuardOptions): NeedAccess {
  const { isSecret, querySecret, clientCertificate, tokens, clock, onLimited } = options;
  const wrongSecrets = new WrongSecrets(clock);
  const tokenCheck = tokens?.check({ clock, wrongSecrets });
  let onQuerySecret: SecretGuardOptions["onQuerySecret"] | undefined = options.onQuerySecret;

  return (access) => async (context, next) => {
    const refusal = await refusalOf(context, access);
    if (refusal !== undefined) return send(refusal);
    refuseSecretInUrl(secretsOf(context, options.secrets()), context);
    return next();
  };

  async function refusalOf(context: Context, access: Access): Promise<Answer | undefined> {
    // First, because a client without a certificate must not learn whether a secret is right. Another replica has
    // presented the service's own certificate.
    if (clientCertificate && !hasCertificate(context) && context.get("ofReplica") === undefined) {
      return problem(
        403,
        "no valid client certificate was presented: use one that an authority in TLS_CLIENT_CA_FILE has issued",
      );
    }
    const { secret, isQuery } = sentIn(context);
    if (isQuery && !querySecret) return unauthorized("send the secret: 'Authorization: Bearer …', not in the query");
    if (secret === "") {
      const hint = tokens && `. A Kubernetes token for the audience '${tokens.audience}' is accepted there too`;
      const ways = querySecret ? ", or 'pw' in the query" : "";
      return unauthorized(`send the secret: 'Authorization: Bearer …'${ways}${hint ?? ""}`);
    }
    if (!isSecret(secret)) {
      if (tokenCheck !== undefined && !isQuery && isToken(secret)) return tokenRefusal(context, secret, access);
      return refused(context, secret);
    }
    if (isQuery) {
      onQuerySecret?.(clientAddress(context));
      onQuerySecret = undefined;
    }
    return undefined;
  }

  async function tokenRefusal(context: Context, token: string, access: Access): Promise<Answer | undefined> {
    const client = clientAddress(context);
    const verdict = (await tokenCheck?.check(token, access, client, context.req.raw.signal)) as TokenVerdict;
    if (verdict.is === "unknown") {
      return unavailable("the API server does not say now whether the token is valid: try again, or send the secret");
    }
    if (verdict.is === "invalid") {
      const detail = `the token is not valid: it has expired, its service account or pod is gone, or it is not for the audience '${tokens?.audience}'`;
      return limited(client, verdict.counted) ?? unauthorized(detail, 'Bearer error="invalid_token"');
    }
    const { username, nodeName } = verdict;
    context.set("caller", { username, token, ...(nodeName !== undefined && { nodeName }) });
    if (verdict.is === "allowed") return undefined;
    const { verb, resource } = access;
    return problem(
      403,
      `${userOf(context)} may not '${verb}' '${resource}' of the group hasta-la-vista.io: grant it by a ClusterRole and a ClusterRoleBinding`,
    );
  }

  function refused(context: Context, secret: string): Answer {
    const client = clientAddress(context);
    // Several headers are joined by commas.
    const hint = /, *(Bearer|Basic) /i.test(secret) ? ": several Authorization headers were sent, send one" : "";
    return limited(client, wrongSecrets.count(client)) ?? problem(403, `the secret is wrong${hint}`);
  }

  /** Undefined: the client is within the limit. */
  function limited(client: string, { waitMs, isFirst }: Counted): Answer | undefined {
    if (waitMs === 0) return undefined;
    if (isFirst) onLimited(client);
    // Each guess needs a new connection, which costs the guesser most.
    const headers = { "retry-after": `${Math.ceil(waitMs / 1_000)}`, connection: "close" };
    const detail =
      "too many wrong secrets came from this address: send the right secret, which is accepted at once, or wait";
    return problem(429, detail, { headers });
  }
}

/**
 * Three parts in base64url, of which the first is a JSON object. https://www.rfc-editor.org/rfc/rfc7515#section-7.1
 */
const JSON_WEB_TOKEN = /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/;

/** Whether a text has the form of a token of the cluster. Other texts are not sent to the API server. */
function isToken(text: string): boolean {
  return JSON_WEB_TOKEN.test(text);
}

/** The secret comes as a bearer token, or as `pw` in the query as in version 1.0. */
function sentIn(context: Context): { readonly secret: string; readonly isQuery: boolean } {
  const authorization = context.req.header("authorization");
  if (authorization === undefined) {
    const secret = queryOf(context).get("pw") ?? "";
    return { secret, isQuery: secret !== "" };
  }
  // Node decodes headers as latin1.
  const header = Buffer.from(authorization, "latin1").toString("utf8");
  return { secret: /^Bearer (.+)$/i.exec(header)?.[1] ?? "", isQuery: false };
}

function unauthorized(detail: string, challenge = "Bearer"): Answer {
  return problem(401, detail, { headers: { "www-authenticate": challenge } });
}

function hasCertificate(context: Context): boolean {
  const { incoming } = (context.env ?? {}) as Partial<HttpBindings>;
  return (incoming?.socket as Partial<TLSSocket> | undefined)?.authorized === true;
}
