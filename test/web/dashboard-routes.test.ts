import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { readDashboard } from "../../src/web/dashboard-files.ts";
import { webApp } from "../support/web-app.ts";

const served = () => webApp({ dashboard: readDashboard });

async function assetsOf({ request }: ReturnType<typeof webApp>): Promise<readonly string[]> {
  const page = await (await request("/")).text();
  return [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path);
}

describe("the dashboard's page", () => {
  test("is sent without a secret, never kept, and may load nothing but the service's own files", async () => {
    const response = await served().request("/");
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy":
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    });
    const text = await response.text();
    expect(text).not.toMatch(/ style=| on\w+=|<script>|<style|https?:/);
  });

  test("names its files relative to itself, so that a proxy may serve it below a path", async () => {
    const assets = await assetsOf(served());
    expect(assets).toHaveLength(3);
    for (const path of assets) expect(path).toMatch(/^assets\/\w+-[A-Z0-9]{8}\.(js|css|svg)$/);
  });

  test("has files that may be kept for ever, which come compressed where that is understood", async () => {
    const web = served();
    for (const path of await assetsOf(web)) {
      const plain = await web.request(`/${path}`, { headers: { "accept-encoding": "gzip;q=0" } });
      expect(plain.headers.get("content-encoding")).toBe(null);
      expect(plain.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
      const { app } = web;
      const packed = await app.request(`/${path}`, { headers: { "accept-encoding": "br, gzip" } });
      expect(packed.headers.get("content-encoding")).toBe("gzip");
      const content = gunzipSync(Buffer.from(await packed.arrayBuffer())).toString();
      expect(content).toBe(await plain.text());
      expect(content).toBe(readFileSync(path.replace(/^assets/, "dist/dashboard"), "utf8"));
    }
  });

  test.each(["/assets/nothing.js", "/assets/index.html", "/assets/..%2f..%2fpackage.json", "/assets/__proto__"])(
    "%s is not among them",
    async (path) => {
      const response = await served().request(path);
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ detail: expect.stringContaining("load the page again") });
    },
  );

  test("is 404 while its files can't be read, and there once they can", async () => {
    let isThere = false;
    const dashboard = async () => {
      if (!isThere) throw new Error("ENOENT");
      return readDashboard();
    };
    const { request, errors } = webApp({ dashboard });
    expect((await request("/")).status).toBe(404);
    expect(errors).toHaveLength(1);
    isThere = true;
    expect((await request("/")).status).toBe(200);
  });
});

describe("the bundles", () => {
  interface Output {
    readonly inputs: Readonly<Record<string, unknown>>;
  }
  const { outputs } = JSON.parse(readFileSync("dist/meta.json", "utf8")) as {
    readonly outputs: Readonly<Record<string, Output>>;
  };
  const inputsOf = (isWanted: (path: string) => boolean) =>
    Object.entries(outputs).flatMap(([path, { inputs }]) => (isWanted(path) ? Object.keys(inputs) : []));

  test("of the programs have nothing of the page", () => {
    const inputs = inputsOf((path) => !path.startsWith("dist/dashboard/"));
    expect(inputs).toContain("src/web/dashboard-routes.ts");
    expect(inputs.filter((input) => /src\/web\/dashboard\/|node_modules\/preact\//.test(input))).toEqual([]);
  });

  test("of the page have nothing of the programs", () => {
    const inputs = inputsOf((path) => path.startsWith("dist/dashboard/"));
    expect(inputs).toContain("src/web/dashboard/main.tsx");
    const own = /^src\/web\/dashboard\/|^node_modules\/(preact|eventsource-parser)\//;
    expect(inputs.filter((input) => !own.test(input))).toEqual([]);
  });
});
