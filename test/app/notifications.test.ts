import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { account, ID, OTHER_ID } from "../support/account.ts";
import { runHere, serveHere } from "../support/run-here.ts";

const SECRET = "a-secret-of-notifications";
const ADDRESS_SECRET = "a-part-of-the-address-that-is-secret";
const WITHIN = { timeout: 60_000 };

interface Got {
  readonly event: string;
  readonly node: { readonly id: string };
  readonly result?: string;
  readonly targets: readonly { readonly state: string }[];
}

async function receiver(isBroken: () => boolean) {
  const got: Got[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      body += chunk;
    });
    request.once("end", () => {
      response.statusCode = isBroken() ? 503 : 200;
      if (!isBroken()) got.push(JSON.parse(body) as Got);
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { got, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${ADDRESS_SECRET}` };
}

function file(name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "notifications-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

const asked = (url: string, id: string, more = "") =>
  fetch(`${url}/drain?id=${id}&reason=by-hand${more}`, {
    method: "POST",
    headers: { authorization: `Bearer ${SECRET}` },
  });

test("a webhook hears of drains as they begin and end, and a receiver that fails delays none of them", async () => {
  const { env } = await account();
  let isBroken = true;
  const { got, url: webhook } = await receiver(() => isBroken);
  const urlFile = file("url", `${webhook}\n`);
  const NOTIFICATIONS_FILE = file("receivers.yaml", `receivers: [{ name: ops, webhook: { urlFile: ${urlFile} } }]`);
  const { child, url } = await serveHere({ ...env, SECRET, NOTIFICATIONS_FILE });
  expect((await asked(url, ID)).status).toBe(200);
  expect(got).toEqual([]);
  await child.line(/"msg":"notification failed"/);
  isBroken = false;
  await vi.waitFor(() => expect(got).toHaveLength(2), WITHIN);
  expect(got).toMatchObject([
    { event: "started", node: { id: ID }, reason: "by-hand" },
    { event: "done", node: { id: ID }, result: "drained" },
  ]);
  expect(got[1]?.targets.map(({ state }) => state)).toEqual(["released", "released", "released"]);
  await child.line(/"msg":"notifications recovered"/);
  expect((await asked(url, OTHER_ID)).status).toBe(409);
  await vi.waitFor(() => expect(got).toHaveLength(4), WITHIN);
  expect(got[3]).toMatchObject({ event: "refused", node: { id: OTHER_ID }, level: "warning" });
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toContain('hasta_la_vista_notifications_total{receiver="ops",result="sent"} 4');
  expect(metrics).toContain('hasta_la_vista_notifications_total{receiver="ops",result="dropped"} 0');
  expect(child.output).not.toContain(ADDRESS_SECRET);
});

test("what has ended when the service stops is told before it does", async () => {
  const { env } = await account();
  const { got, url: webhook } = await receiver(() => false);
  const NOTIFICATIONS_FILE = file("receivers.yaml", `receivers: [{ name: ops, webhook: { url: "${webhook}" } }]`);
  const { child, url } = await serveHere({ ...env, SECRET, NOTIFICATIONS_FILE });
  const answer = asked(url, ID);
  await child.line(/"msg":"drain started"/);
  child.signal("SIGTERM");
  expect((await answer).status).toBe(200);
  await child.finished;
  expect(got.map(({ event }) => event)).toEqual(["started", "done"]);
});

test("the service does not start with a receiver whose address can't be read", async () => {
  const NOTIFICATIONS_FILE = file("receivers.yaml", "receivers: [{ name: ops, slack: { urlFile: /no/such/file } }]");
  const { code, stderr } = await runHere(
    [],
    { CLOUDPROVIDER: "aws", SECRET, NOTIFICATIONS_FILE },
    { program: "service" },
  );
  expect(code).toBe(2);
  expect(stderr).toContain(
    `NOTIFICATIONS_FILE is '${NOTIFICATIONS_FILE}', which can't be used: receiver 'ops': /no/such/file: there is no such file (ENOENT)`,
  );
});
