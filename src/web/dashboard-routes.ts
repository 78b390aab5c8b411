import type { Context, Hono } from "hono";
import type { DashboardFile } from "./dashboard-files.ts";
import { problem, send } from "./problem.ts";

/** By their names. */
export type DashboardFiles = ReadonlyMap<string, DashboardFile>;

const PAGE = "index.html";
/** Their names contain a digest of their content. */
const ASSET_CACHED = "public, max-age=31536000, immutable";

/** Everything comes from the service itself, no code is inline, and no other page may embed it. */
const POLICY = [
  ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self'"],
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"],
].join("; ");

const HEADERS = {
  "content-security-policy": POLICY,
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  vary: "accept-encoding",
};

/**
 * The dashboard's page and its files, which contain nothing of the cluster. `read`: called when the page is first
 * requested, and again if that has failed. `onError`: called with the reason if it could not be read.
 */
export function addDashboardRoutes(
  app: Hono,
  { read, onError }: { readonly read: () => Promise<DashboardFiles>; readonly onError: (error: unknown) => void },
): void {
  let files: Promise<DashboardFiles> | undefined;
  const answer = async (context: Context, name: string, cached: string) => {
    files ??= read();
    const found = await files.catch((error: unknown) => {
      files = undefined;
      onError(error);
      return new Map<string, DashboardFile>();
    });
    const file = found.get(name);
    if (file === undefined) return send(problem(404, "the dashboard has no such file: load the page again"));
    const isGzipped = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:\s*,|\s*$))/.test(context.req.header("accept-encoding") ?? "");
    return new Response(isGzipped ? file.gzipped : file.content, {
      headers: {
        ...HEADERS,
        "cache-control": cached,
        "content-type": file.type,
        ...(isGzipped && { "content-encoding": "gzip" }),
      },
    });
  };
  app.get("/", (context) => answer(context, PAGE, "no-store"));
  app.get("/assets/:asset", async (context) => {
    const name = context.req.param("asset");
    return answer(context, name === PAGE ? "" : name, ASSET_CACHED);
  });
}
