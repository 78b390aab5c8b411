import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { fileProblem } from "../../src/config/files.ts";
import { newAbort } from "../../src/drain/abort.ts";
import type { Clock } from "../../src/drain/clock.ts";
import type { ApiServer } from "../../src/kubernetes/api-server.ts";
import { type ConnectOptions, connect } from "../../src/kubernetes/connect.ts";
import { KubernetesError } from "../../src/kubernetes/errors.ts";
import { type FakeApiServer, TOKEN } from "./fake-api-server.ts";

/** A folder for the length of a test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "kubernetes-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Something that watches, until the test's end. */
export function runUntilTestEnds(watching: { run(signal: AbortSignal): Promise<void> }): void {
  const stop = newAbort();
  const running = watching.run(stop.signal).catch(() => {});
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
}

export interface KubeconfigParts {
  readonly server: string;
  readonly ca: string;
  readonly user?: object;
  readonly cluster?: object;
}

/** A kubeconfig of one context. JSON is YAML. */
export function kubeconfig({ server, ca, user = { token: TOKEN }, cluster = {} }: KubeconfigParts): string {
  const caData = Buffer.from(ca).toString("base64");
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "production",
    contexts: [{ name: "production", context: { cluster: "production", user: "us" } }],
    clusters: [{ name: "production", cluster: { server, "certificate-authority-data": caData, ...cluster } }],
    users: [{ name: "us", user }],
  });
}

/** Connects as the file at `path` says. */
export async function connectBy(path: string, clock: Clock, more: Partial<ConnectOptions> = {}): Promise<ApiServer> {
  const server = await connect({
    clock,
    source: { kind: "kubeconfig", path },
    environment: {},
    names: { source: "KUBERNETES", context: "KUBERNETES_CONTEXT" },
    // In one turn of the event loop, so that virtual time can't pass meanwhile.
    files: { read: async (file) => readFileSync(file, "utf8"), problem: fileProblem },
    ...more,
  });
  onTestFinished(() => server.close());
  return server;
}

/** A client of a fake server, by a kubeconfig with its token or as `user` says. */
export async function clientOf(
  fake: FakeApiServer,
  clock: Clock,
  user?: object,
  more: Partial<ConnectOptions> = {},
): Promise<ApiServer> {
  const path = join(folder(), "config");
  writeFileSync(path, kubeconfig({ server: fake.url, ca: fake.ca, ...(user === undefined ? {} : { user }) }));
  return connectBy(path, clock, more);
}

/** The error that the work ends with. */
export function failure(work: Promise<unknown>): Promise<KubernetesError> {
  return work.then(
    () => expect.unreachable("it succeeded"),
    (error) => {
      expect(error).toBeInstanceOf(KubernetesError);
      return error;
    },
  );
}
