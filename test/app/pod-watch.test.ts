import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { SystemClock } from "../../src/drain/clock.ts";
import type { KubernetesObject } from "../../src/kubernetes/objects.ts";
import { account, ID } from "../support/account.ts";
import { folder, kubeconfig } from "../support/api-client.ts";
import { FakeApiServer, refusal } from "../support/fake-api-server.ts";
import { pod } from "../support/fake-pods.ts";
import { serveHere } from "../support/run-here.ts";
import { VPC } from "../support/simulated-region.ts";

const [NODES, PODS] = ["/api/v1/nodes", "/api/v1/pods"];
const SECRET = "a-secret-of-the-pod-watch";

/** The account's node in a cluster with two pods, and a service that is told of it. */
async function scene({ hasPodTargets = false } = {}) {
  const { world, env } = await account();
  if (hasPodTargets) {
    const group = world.addTargetGroup({ name: "pods", vpcId: VPC, protocol: "HTTP", port: 8080, targetType: "ip" });
    group.attributes.set("deregistration_delay.timeout_seconds", "1");
    world.registerTarget(group, { id: "10.0.9.9", port: 8080 }, { settled: true });
  }
  const fake = await FakeApiServer.start(new SystemClock());
  const spec = { providerID: `aws:///eu-west-1a/${ID}` };
  fake.put(NODES, { metadata: { name: "blue-1" }, spec } as KubernetesObject);
  fake.put(PODS, pod("web-1", { node: "blue-1", ip: "10.0.9.1" }));
  const evicts: typeof fake.intercept = ({ path }) => {
    if (!path.endsWith("/eviction")) return undefined;
    fake.remove(PODS, "shop/web-1");
    return { status: 201, body: {} };
  };
  fake.intercept = evicts;
  const path = join(folder(), "config");
  writeFileSync(path, kubeconfig({ server: fake.url, ca: fake.ca }));
  const serve = (more: Readonly<Record<string, string>> = {}) =>
    serveHere({ ...env, SECRET, UNDO: "true", KUBERNETES: path, INDEX_RATE: "10", ...more });
  const until = (isSo: () => boolean) => vi.waitUntil(isSo, { timeout: 60_000, interval: 20 });
  const drain = (url: string, query: string) =>
    fetch(`${url}/drain?id=${ID}&force=true&${query}`, {
      method: "POST",
      headers: { authorization: `Bearer ${SECRET}` },
    });
  return { fake, evicts, serve, until, drain };
}

const isWatched = (fake: FakeApiServer, path: string) => fake.asked("watch", path).length > 0;

test("a service watches pods once a target group has addresses as its targets", async () => {
  const { fake, serve, until } = await scene({ hasPodTargets: true });
  await serve();
  await until(() => isWatched(fake, PODS));
});

test("a service watches no pods where no target is a pod, until an eviction is asked for", async () => {
  const { fake, serve, until, drain } = await scene();
  const { url } = await serve();
  await until(() => isWatched(fake, NODES));
  await drain(url, "dryRun=true");
  expect(isWatched(fake, PODS)).toBe(false);
  const answer = await drain(url, "evict=true&timeout=60");
  expect([answer.status, await answer.json()]).toMatchObject([200, { status: "drained", eviction: { evicted: 1 } }]);
  await until(() => isWatched(fake, PODS));
});

test("a service that evicts always watches pods from its start, and says so where it may not", async () => {
  const { fake, evicts, serve, drain } = await scene();
  fake.intercept = (request) =>
    request.path === PODS && request.query.has("watch")
      ? refusal(403, "Forbidden", 'cannot watch resource "pods"')
      : evicts(request);
  const { url, child } = await serve({ EVICT: "always" });
  const line = await child.line(/"msg":"pod watch failed"/);
  expect(JSON.parse(line)).toMatchObject({
    level: "warn",
    error: expect.stringMatching(/"pods".*hasta-la-vista rbac/),
  });
  const answer = await drain(url, "timeout=60");
  expect([answer.status, await answer.json()]).toMatchObject([200, { status: "drained", eviction: { evicted: 1 } }]);
});
