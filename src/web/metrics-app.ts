import { Hono } from "hono";
import type { Clock } from "../drain/clock.ts";
import { constantJson, paced } from "./kept-answers.ts";
import { problem, send } from "./problem.ts";

export interface MetricsAppOptions {
  readonly clock: Clock;
  /** What Prometheus reads. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
}

const PATHS: readonly string[] = ["/health", "/metrics"];

/** The server of a program without an API: its health and its metrics. Neither needs a secret. */
export function createMetricsApp({ clock, metrics }: MetricsAppOptions): Hono {
  const app = new Hono();
  app.get("/health", constantJson({ status: "ok" }));
  const exposition = paced(clock, async () => {
    const { contentType, body } = await metrics();
    return { contentType, body: Buffer.from(body) };
  });
  app.get("/metrics", async () => {
    const { contentType, body } = await exposition();
    return new Response(body, { headers: { "content-type": contentType } });
  });
  app.notFound(({ req: { path, method } }) => {
    if (!PATHS.includes(path)) return send(problem(404, `no such path: this port has ${PATHS.join(" and ")} only`));
    return send(problem(405, `${path} takes GET, HEAD, not ${method}`, { headers: { allow: "GET, HEAD" } }));
  });
  return app;
}
