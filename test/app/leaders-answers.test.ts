import { expect, onTestFinished, test } from "vitest";
import { LeaderRoute } from "../../src/app/leader-route.ts";
import { openDrains } from "../../src/app/ledger.ts";
import { ReplicaWeb } from "../../src/app/replica-web.ts";
import { readConfig } from "../../src/config/config.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { type Clock, SystemClock } from "../../src/drain/clock.ts";
import { DrainError } from "../../src/drain/errors.ts";
import { Metrics } from "../../src/observe/metrics.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { stateDir } from "../support/ledger-entries.ts";

const SECRET = "a-secret-of-the-replicas";
const CLUSTER = { KUBERNETES: "in-cluster", LEASE: "drains", POD_NAME: "pod-1", POD_NAMESPACE: "kube-system" };
const ENVIRONMENT = {
  ...{ SECRET, CLOUDPROVIDER: "aws", AWS_REGION: "eu-west-1", HOST: "127.0.0.1", PORT: "0" },
  ...{ ...CLUSTER, POD_IP: "127.0.0.1", NODE_NAME: "node-1", UNDO: "true" },
};

/** The HTTP server of one replica, on a port of its own. */
async function openReplica(
  { clock, identity }: { readonly clock: Clock; readonly identity: string },
  options: Readonly<Record<string, string>> = {},
) {
  const config = readConfig({
    verb: "serve",
    environment: { ...ENVIRONMENT, STATE_DIR: await stateDir(), ...options },
  });
  const metrics = new Metrics({ version: "1", now: () => clock.now() });
  const route = new LeaderRoute<never>(clock, identity);
  let port = 0;
  const log = (_message: string, fields: { readonly port?: number } = {}) => {
    port = fields.port ?? port;
  };
  const { signal } = newAbort();
  const program = { clock, log, metrics, stop: signal, abandon: signal, version: "1", environment: {}, clocks: {} };
  const web = new ReplicaWeb(config, program as never, {
    ...{ identity, route, isLeading: () => route.term !== undefined, onReplica: () => {} },
  });
  await web.listen();
  onTestFinished(() => (clock instanceof VirtualClock ? clock.run(web.close()) : web.close()));
  return { web, route, port };
}

test.each([
  ["with EARLY_RELEASE, the leader takes", "true", 200, 1],
  ["without EARLY_RELEASE, the leader refuses", "false", 409, 0],
])("%s what the agent on a node has counted", async (_, EARLY_RELEASE, status, count) => {
  const { route, port } = await openReplica({ clock: new SystemClock(), identity: "pod-1" }, { EARLY_RELEASE });
  const taken: string[] = [];
  const takeConnections = (instanceId: string) => {
    taken.push(instanceId);
    return { isDraining: false, ports: [], turn: "t", afterMs: 15_000 };
  };
  route.lead({ over: newAbort().signal, answering: { takeConnections } } as never);
  const answer = await fetch(`http://127.0.0.1:${port}/nodes/i-0123456789abcdef0/connections`, {
    method: "POST",
    headers: { authorization: `Bearer ${SECRET}`, "content-type": "application/json" },
    body: JSON.stringify({ tables: [], ports: [] }),
  });
  expect([answer.status, taken.length]).toEqual([status, count]);
});

test("a term that ends while its ledger is opened is over, and nothing is wrong with the configuration", async () => {
  const over = newAbort();
  const reason = new DrainError("not-leader", "this replica is not the leader any more");
  const takeOver = (signal: AbortSignal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const config = readConfig({ verb: "serve", environment: { ...ENVIRONMENT, STATE_DIR: await stateDir() } });
  const clock = new SystemClock();
  const opened = openDrains(config, {
    clocks: { clock } as never,
    metrics: new Metrics({ version: "1", now: () => clock.now() }),
    log: () => {},
    shared: { log: { pieceCount: 0, takeOver } as never, over: over.signal },
  });
  setImmediate(() => over.abort(reason));
  await expect(opened).rejects.toBe(reason);
});

test("a replica whose leader answers, and leads no more, is not ready when half a minute has passed", async () => {
  const clock = new VirtualClock();
  const standby = await openReplica({ clock, identity: "pod-2" });
  const leader = await openReplica({ clock, identity: "pod-1" });
  const over = newAbort();
  leader.route.lead({ over: over.signal, answering: {} } as never);
  standby.route.heard({ identity: "pod-1", address: `http://127.0.0.1:${leader.port}` });
  const stop = newAbort();
  const asking = standby.web.askLeader(stop.signal);
  const isReady = async () => (await fetch(`http://127.0.0.1:${standby.port}/ready`)).status === 200;
  await clock.advance(60_000);
  expect(await isReady()).toBe(true);
  leader.route.lead(undefined);
  await clock.advance(60_000);
  expect(await isReady()).toBe(false);
  leader.route.lead({ over: over.signal, answering: {} } as never);
  await clock.advance(10_000);
  expect(await isReady()).toBe(true);
  stop.abort();
  await clock.run(asking);
});
