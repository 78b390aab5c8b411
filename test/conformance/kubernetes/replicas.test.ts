import { beforeAll, expect, onTestFinished, test } from "vitest";
import { newAbort, whenAborted } from "../../../src/drain/abort.ts";
import { SystemClock } from "../../../src/drain/clock.ts";
import type { Leadership } from "../../../src/drain/leadership.ts";
import { ChunkLog } from "../../../src/kubernetes/chunk-log.ts";
import type { Lease } from "../../../src/kubernetes/lease.ts";
import { LeaseElector } from "../../../src/kubernetes/lease-elector.ts";
import type { ConfigMap } from "../../../src/kubernetes/ledger-chunk.ts";
import { connectBy } from "../../support/api-client.ts";
import { never } from "../../support/simulated-region.ts";
import type { KubernetesCluster } from "../support/kubernetes-cluster.ts";
import { RunningKubernetesProgram } from "../support/kubernetes-programs.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

const LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
const MAPS = "/api/v1/namespaces/default/configmaps";
const RULES = [
  { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "create", "update"] },
  { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "create", "delete"] },
];
/** A lease of 15 s that nobody renews, on a busy machine. */
const PATIENCE = { timeout: 90_000, interval: 100 };
/** What every component writes beside its leadership. */
const SPEC_FIELDS = ["acquireTime", "holderIdentity", "leaseDurationSeconds", "leaseTransitions", "renewTime"];

let token = "";

async function serverOf(cluster: KubernetesCluster) {
  return connectBy(cluster.kubeconfigFor("replica", token), new SystemClock());
}

/** A replica that leads until it is told to stop, or its term is over. */
async function replica(cluster: KubernetesCluster, name: string, identity: string) {
  const failures: string[] = [];
  const elector = new LeaseElector({
    ...{ server: await serverOf(cluster), clock: new SystemClock(), namespace: "default", name, identity },
    self: () => ({ address: `http://${identity}:8080` }),
    onState: (state) => state.kind === "failing" && failures.push(state.error.message),
  });
  const stop = newAbort();
  const terms: Leadership[] = [];
  const lead = async (term: Leadership) => {
    terms.push(term);
    await Promise.race([term.over, stop.signal].map(whenAborted)).catch(() => {});
  };
  const ended = elector.run(lead, stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await ended;
  });
  const isLeading = () => terms.at(-1)?.over.aborted === false;
  return { elector, stop, terms, failures, ended, isLeading };
}

/** Kubernetes' own controllers, which are nothing but a user of client-go here. The caller ends it. */
function controllers(cluster: KubernetesCluster, lease: string): RunningKubernetesProgram {
  const program = new RunningKubernetesProgram("kube-controller-manager", [
    ...[`--kubeconfig=${cluster.kubeconfig}`, "--controllers=namespace-controller", "--secure-port=0"],
    ...["--leader-elect=true", "--leader-elect-resource-namespace=default", `--leader-elect-resource-name=${lease}`],
  ]);
  onTestFinished(() => program.kill());
  return program;
}

async function taken(log: ChunkLog): Promise<string> {
  const parts: Buffer[] = [];
  for await (const piece of (await log.takeOver(never)).pieces)
    parts.push("bytes" in piece ? piece.bytes : Buffer.from(`[${piece.damage}]`));
  return Buffer.concat(parts).toString("utf8");
}

async function logOf(cluster: KubernetesCluster, name: string) {
  const notDeleted: string[] = [];
  const server = await serverOf(cluster);
  const log = new ChunkLog({
    ...{ server, clock: new SystemClock(), namespace: "default", name, identity: "pod" },
    onNotDeleted: ({ message }) => notDeleted.push(message),
  });
  return { log, notDeleted };
}

const failed = (work: Promise<unknown>) =>
  work.then(
    () => "kept",
    (error: Error) => error.message,
  );

async function* of(...parts: readonly string[]): AsyncGenerator<Buffer> {
  for (const part of parts) yield Buffer.from(part);
}

describeOnKubernetes("replicas, on a real API server,", ["kube-controller-manager"], (cluster) => {
  beforeAll(async () => {
    token = await cluster().tokenFor("replica", RULES);
  });

  const leaseOf = (name: string) =>
    cluster().api.get<Lease & { metadata: { name: string; resourceVersion: string } }>(`${LEASES}/${name}`);
  const mapsOf = async (name: string) => {
    const { items } = await cluster().api.get<
      { items: ConfigMap[] } & { metadata: { name: string; resourceVersion: string } }
    >(`${MAPS}?labelSelector=hasta-la-vista.io/ledger=${name}`);
    return items.map(({ metadata }) => metadata?.name ?? "");
  };

  test("elect one of them, and hand over when it stops, with no more rights than they need", async () => {
    const [one, other] = [await replica(cluster(), "handover", "one"), await replica(cluster(), "handover", "other")];
    await expect.poll(() => one.isLeading() || other.isLeading(), PATIENCE).toBe(true);
    const [first, second] = one.isLeading() ? [one, other] : [other, one];
    await expect.poll(() => second.elector.leader?.address, PATIENCE).toBe(`http://${first.elector.identity}:8080`);
    first.stop.abort();
    await first.ended;
    await expect.poll(second.isLeading, PATIENCE).toBe(true);
    expect([first.terms, second.terms].map(({ length }) => length)).toEqual([1, 1]);
    expect(second.terms[0]?.number).toBe((first.terms[0]?.number ?? 0) + 1);
    expect([...first.failures, ...second.failures]).toEqual([]);
  });

  test("stand by while a component of Kubernetes holds the Lease, write it as that one does, and lead once it is gone", async () => {
    const program = controllers(cluster(), "shared");
    await expect
      .poll(async () => (await leaseOf("shared").catch(() => undefined))?.spec?.holderIdentity, PATIENCE)
      .toBeTruthy();
    const ours = await replica(cluster(), "shared", "ours");
    await expect.poll(() => ours.elector.leader?.identity, PATIENCE).toBeTruthy();
    const before = await leaseOf("shared");
    expect(ours.elector.leader).toEqual({ identity: before.spec?.holderIdentity });
    // So many renewals that a lease which is not believed would have ended.
    const renewals = new Set<string>();
    await expect
      .poll(async () => renewals.add((await leaseOf("shared")).spec?.renewTime ?? "").size, PATIENCE)
      .toBeGreaterThan(9);
    expect(ours.terms).toEqual([]);
    await program.kill();
    await expect.poll(ours.isLeading, PATIENCE).toBe(true);
    const after = await leaseOf("shared");
    for (const lease of [before, after]) expect(Object.keys(lease.spec ?? {}).sort()).toEqual(SPEC_FIELDS);
    expect(after.spec).toMatchObject({
      holderIdentity: "ours",
      leaseDurationSeconds: before.spec?.leaseDurationSeconds,
    });
    expect(after.spec?.leaseTransitions).toBe((before.spec?.leaseTransitions ?? 0) + 1);
    for (const { spec } of [before, after]) expect(spec?.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  });

  test("leave the Lease to a component of Kubernetes as soon as they stop", async () => {
    const ours = await replica(cluster(), "released", "ours");
    await expect.poll(ours.isLeading, PATIENCE).toBe(true);
    const program = controllers(cluster(), "released");
    await expect.poll(() => program.output, PATIENCE).toMatch(/Attempting to acquire leader lease/);
    expect(ours.isLeading()).toBe(true);
    ours.stop.abort();
    await ours.ended;
    await expect.poll(async () => (await leaseOf("released")).spec?.holderIdentity, PATIENCE).toMatch(/./);
    expect((await leaseOf("released")).spec?.holderIdentity).not.toBe("ours");
  });

  test("end their term while the API server is away, and one of them leads when it is back", async () => {
    const [one, other] = [await replica(cluster(), "away", "one"), await replica(cluster(), "away", "other")];
    await expect.poll(() => one.isLeading() || other.isLeading(), PATIENCE).toBe(true);
    await cluster().kill9();
    await expect.poll(() => one.isLeading() || other.isLeading(), PATIENCE).toBe(false);
    await cluster().restart();
    await expect.poll(() => one.isLeading() !== other.isLeading(), PATIENCE).toBe(true);
  });

  test("name the permission that is missing for the Lease, and lead once they have it", async () => {
    await cluster().allow("replica", RULES.slice(1));
    const ours = await replica(cluster(), "refused", "ours");
    await expect
      .poll(() => ours.failures, PATIENCE)
      .toEqual([
        expect.stringMatching(
          /403 Forbidden: leases\.coordination\.k8s\.io "refused" is forbidden: .*rbac' prints the role$/,
        ),
      ]);
    await cluster().allow("replica", RULES);
    await expect.poll(ours.isLeading, PATIENCE).toBe(true);
  });

  test("keep the ledger in ConfigMaps: one writer at a time, whole generations, and nothing left of what is over", async () => {
    const { log: first, notDeleted } = await logOf(cluster(), "ledger");
    expect(await taken(first)).toBe("");
    const small = '{"drain":"d-1","text":"ä€😀\\u0000"}\n';
    const large = `${JSON.stringify({ text: "x".repeat(3_000_000) })}\n`;
    await first.append(Buffer.from(small), never);
    await first.append(Buffer.from(large), never);
    const { log: second } = await logOf(cluster(), "ledger");
    expect(await taken(second)).toBe(small + large);
    expect(await failed(first.append(Buffer.from("late\n"), never))).toMatch(
      /^another replica has taken the ledger over: pod\//,
    );
    await second.replace(of(large, small), never);
    // The generation, the marks of both takeovers, and the chunk before the second one.
    await expect.poll(() => mapsOf("ledger"), PATIENCE).toHaveLength(9);
    await second.append(Buffer.from(small), never);
    const { log: third } = await logOf(cluster(), "ledger");
    expect(await taken(third)).toBe(large + small + small);
    expect(notDeleted).toEqual([]);
  });

  test("refuse changes of the ledger's ConfigMaps, and find those that are deleted", async () => {
    const { log } = await logOf(cluster(), "damaged");
    await taken(log);
    for (const text of ["a\n", "b\n", "c\n"]) await log.append(Buffer.from(text), never);
    const [, , third = ""] = await mapsOf("damaged");
    const changed = await cluster().api.call(
      "PATCH",
      `${MAPS}/${third}`,
      { data: { entries: "B\n" } },
      "application/merge-patch+json",
    );
    expect(changed).toMatchObject({ status: 422, body: { message: expect.stringContaining("field is immutable") } });
    await cluster().api.delete(`${MAPS}/${third}`);
    const { log: next } = await logOf(cluster(), "damaged");
    expect(await taken(next)).toBe(`a\n[the ConfigMap default/${third} was deleted by another program]c\n`);
  });

  test("store an append once, though the API server is killed while it is under way", async () => {
    const { log } = await logOf(cluster(), "killed");
    await taken(log);
    const ends = new Set<string>();
    let text = "";
    for (let number = 1; number <= 3; number++) {
      const line = `${number}\n`;
      await cluster().pause();
      const under = failed(log.append(Buffer.from(line), never));
      await cluster().kill9();
      ends.add(await under);
      await cluster().restart();
      text += line;
      await log.append(Buffer.from(`${line}then\n`), never);
      text += "then\n";
    }
    const { log: next } = await logOf(cluster(), "killed");
    expect(await taken(next)).toBe(text);
    expect(ends).not.toContain("kept");
  });
});
