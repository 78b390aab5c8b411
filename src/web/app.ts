import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { BadRequest, readDrainRequest } from "./drain-request.ts";
import { type HttpSource, NotTaken } from "./http-source.ts";
import { type Answer, answerOf, problem, stopping } from "./problem.ts";
import type { SecretCheck } from "./secrets.ts";

export interface WebOptions {
  readonly source: HttpSource;
  readonly isSecret: SecretCheck;
  /** Nothing is changed, whatever callers ask for. */
  readonly dryRun: boolean;
  /** One line a request. It never gets the query, which may hold the secret. */
  readonly onAnswered: (request: AnsweredRequest) => void;
  /** What Prometheus reads. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
  /** A fault of ours. */
  readonly onError: (error: unknown) => void;
}

export interface AnsweredRequest {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

/** Far more than a drain request needs. */
const BODY_BYTES_MAX = 16 * 1_024;
const METHODS: Readonly<Record<string, string>> = {
  "/drain": "POST",
  "/health": "GET, HEAD",
  "/metrics": "GET, HEAD",
};

/** The HTTP API. A function from requests to answers: it needs no port. */
export function createWebApp(options: WebOptions): Hono {
  const { source, isSecret, dryRun, onAnswered, onError, metrics } = options;
  const app = new Hono();

  app.use(async (context, next) => {
    await next();
    const { method, path } = context.req;
    // Whoever mistypes the URL may have put the secret into its path.
    onAnswered({ method, path: path in METHODS ? path : "unknown", status: context.res.status });
  });

  app.get("/health", (context) => context.json({ status: "ok" }));

  app.get("/metrics", async () => {
    const { contentType, body } = await metrics();
    return new Response(body, { headers: { "content-type": contentType } });
  });

  app.post(
    "/drain",
    async (context, next) => {
      const refusal = secretProblem(context, isSecret);
      return refusal === undefined ? next() : send(refusal);
    },
    bodyLimit({
      maxSize: BODY_BYTES_MAX,
      onError: () => send(problem(413, `the body is larger than ${BODY_BYTES_MAX} bytes`)),
    }),
    async (context) => {
      const query = new URL(context.req.url).searchParams;
      const request = readDrainRequest({ query, body: await context.req.text(), dryRun });
      return send(answerOf(await source.submit(request)));
    },
  );

  app.notFound((context) => {
    const { path, method } = context.req;
    const allowed = METHODS[path];
    if (allowed === undefined) {
      return send(problem(404, "there is nothing here: try POST /drain, GET /health or GET /metrics"));
    }
    return send(problem(405, `${path} takes ${allowed}, not ${method}`, { headers: { allow: allowed } }));
  });

  app.onError((error, context) => {
    if (error instanceof BadRequest) return send(problem(400, error.message));
    if (error instanceof NotTaken) return send(stopping(error.message));
    // Nobody is there any more to be answered.
    if (context.req.raw.signal.aborted) return send(problem(400, "the request was not sent to its end"));
    onError(error);
    return send(problem(500, "a fault of the service: its log has the details"));
  });

  return app;
}

/** The secret comes as a bearer token or, as it always did, as `pw` in the query. */
function secretProblem(context: Context, isSecret: SecretCheck): Answer | undefined {
  const authorization = context.req.header("authorization");
  // Node hands headers over as if they were latin1.
  const header = authorization === undefined ? undefined : Buffer.from(authorization, "latin1").toString("utf8");
  const bearer = header === undefined ? undefined : (/^Bearer (.+)$/i.exec(header)?.[1] ?? "");
  const sent = bearer ?? new URL(context.req.url).searchParams.get("pw");
  if (sent === null || sent === "") {
    const headers = { "www-authenticate": "Bearer" };
    return problem(401, "send the secret: 'Authorization: Bearer …', or 'pw' in the query", { headers });
  }
  if (isSecret(sent)) return undefined;
  // Several headers come as one, with commas between them.
  const hint = /, *(Bearer|Basic) /i.test(sent) ? ": several Authorization headers came, send one" : "";
  return problem(403, `the secret is wrong${hint}`);
}

function send({ status, headers, body }: Answer): Response {
  return new Response(`${JSON.stringify(body)}\n`, { status, headers });
}
