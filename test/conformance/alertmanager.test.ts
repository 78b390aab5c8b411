import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { account, ID, OTHER_ID } from "../support/account.ts";
import { serveHere } from "../support/run-here.ts";
import { describeWith, RunningProgram } from "./support/programs.ts";

const SECRET = "a-secret-of-alertmanager";
const WITHIN = { timeout: 60_000 };
const CONFIG = "route: { receiver: none }\nreceivers: [{ name: none }]\n";

interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describeWith("alertmanager", "Alertmanager itself", () => {
  test("shows an alert of a drain that is refused, until a drain of the node has ended", async () => {
    const folder = await mkdtemp(join(tmpdir(), "alertmanager-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await writeFile(join(folder, "config.yml"), CONFIG);
    const port = await freePort();
    new RunningProgram("alertmanager", [
      `--config.file=${folder}/config.yml`,
      `--storage.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--cluster.listen-address=",
    ]);
    const alerts = async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/api/v2/alerts`).catch(() => undefined);
      return answer?.ok ? ((await answer.json()) as readonly Alert[]) : undefined;
    };
    await vi.waitFor(async () => expect(await alerts()).toEqual([]), WITHIN);

    const { env } = await account();
    const receivers = `receivers: [{ name: alerts, alertmanager: { url: "http://127.0.0.1:${port}", labels: { team: platform } } }]`;
    await writeFile(join(folder, "receivers.yaml"), receivers);
    const { url } = await serveHere({ ...env, SECRET, NOTIFICATIONS_FILE: join(folder, "receivers.yaml") });
    const drain = async (id: string, more = "") => {
      const headers = { authorization: `Bearer ${SECRET}` };
      return (await fetch(`${url}/drain?id=${id}${more}`, { method: "POST", headers })).status;
    };
    expect(await drain(ID)).toBe(200);
    expect(await drain(OTHER_ID)).toBe(409);
    await vi.waitFor(async () => expect(await alerts()).toHaveLength(1), WITHIN);
    const [alert] = (await alerts()) ?? [];
    expect(alert?.labels).toMatchObject({
      alertname: "HastaLaVistaNodeDrainRefused",
      severity: "warning",
      instance_id: OTHER_ID,
      team: "platform",
    });
    expect(alert?.annotations["summary"]).toContain("may not be drained");
    expect(await drain(OTHER_ID, "&force=true")).toBe(200);
    await vi.waitFor(async () => expect(await alerts()).toEqual([]), WITHIN);
  });
});
