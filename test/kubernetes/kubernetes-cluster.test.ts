import { describe, expect, test } from "vitest";
import { AUTOSCALER_TAINT, EXCLUDE_LABEL, OWN_TAINT_VALUE } from "../../src/drain/cluster.ts";
import { KubernetesCluster } from "../../src/kubernetes/kubernetes-cluster.ts";
import { clusterNode } from "../../src/kubernetes/nodes.ts";
import type { Node } from "../../src/kubernetes/objects.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { clientOf } from "../support/api-client.ts";
import { FakeApiServer, refusal } from "../support/fake-api-server.ts";
import { never } from "../support/simulated-region.ts";

const NODES = "/api/v1/nodes";
const ID = "i-0123456789abcdef0";
const MEMBER = { id: ID, name: "ip-10-0-0-1.internal" };

/** A cluster with one node of that instance. */
async function scene({
  name = MEMBER.name,
  labels = {} as Record<string, string>,
  providerID = `aws:///eu-west-1a/${ID}`,
  taints = undefined as readonly Taint[] | undefined,
} = {}) {
  const clock = new VirtualClock();
  const fake = await FakeApiServer.start(clock);
  fake.put(NODES, { metadata: { name, labels }, spec: { providerID, ...(taints && { taints }) } } as Node);
  const server = await clientOf(fake, clock);
  const label = async () => {
    const node = await server.get<Node>(`${NODES}/${name}`, never);
    return node.metadata?.labels?.[EXCLUDE_LABEL];
  };
  const object = () => server.get<Node>(`${NODES}/${name}`, never);
  return { fake, server, cluster: new KubernetesCluster({ server, clock }), label, object };
}

/** Does something when the next patch has come, before it is applied. */
function beforePatch(fake: FakeApiServer, change: () => void): void {
  fake.intercept = ({ method }) => {
    if (method !== "PATCH") return undefined;
    fake.intercept = () => undefined;
    change();
    return undefined;
  };
}

type Taint = { readonly key: string; readonly effect: string; readonly value?: string };
const OWN: Taint = { key: AUTOSCALER_TAINT, value: OWN_TAINT_VALUE, effect: "NoSchedule" };
const DEDICATED: Taint = { key: "dedicated", value: "gpu", effect: "NoSchedule" };

test("a node is excluded by its label, and that label is taken back", async () => {
  const { cluster, label } = await scene();
  expect(await cluster.exclude(MEMBER, never)).toBe(MEMBER.name);
  expect(await cluster.exclude(MEMBER, never)).toBe(MEMBER.name);
  expect(await label()).toBe("true");
  expect(await cluster.include(MEMBER, never)).toBe(MEMBER.name);
  expect(await label()).toBeUndefined();
  expect(await cluster.include(MEMBER, never)).toBe(MEMBER.name);
});

test("a node whose object has another name than its machine is found by its provider id", async () => {
  const { cluster, label } = await scene({ name: "worker-7" });
  expect(await cluster.exclude(MEMBER, never)).toBe("worker-7");
  expect(await label()).toBe("true");
});

test.each(["karpenter", "true", ""])("a label '%s' that another program has set is left as it is", async (value) => {
  const { cluster, label } = await scene({ labels: { [EXCLUDE_LABEL]: value } });
  expect(await cluster.exclude(MEMBER, never)).toBe(MEMBER.name);
  await cluster.include(MEMBER, never);
  expect(await label()).toBe(value);
});

test.each(["false", "0", "F"])("a label '%s', which some controllers read as included, is replaced", async (value) => {
  const { cluster, label } = await scene({ labels: { [EXCLUDE_LABEL]: value } });
  await cluster.exclude(MEMBER, never);
  expect(await label()).toBe("true");
});

test.each([
  ["of another cloud", "gce://project/zone/instance"],
  ["of another instance", "aws:///eu-west-1a/i-0fedcba9876543210"],
  ["of Fargate", "aws:///eu-west-1a/0123abcd-fargate-ip-10-0-0-1"],
])("a node %s is not the machine's, though it has its name", async (_, providerID) => {
  const { cluster, label } = await scene({ providerID });
  expect(await cluster.exclude(MEMBER, never)).toBeUndefined();
  expect(await label()).toBeUndefined();
});

test("a conflict with a manager whose name has 'uid' in it is no sign of another node", async () => {
  const { fake, cluster, label } = await scene({ labels: { [EXCLUDE_LABEL]: "false" } });
  fake.intercept = ({ method }) => {
    if (method !== "PATCH") return undefined;
    fake.intercept = () => undefined;
    return refusal(409, "Conflict", 'Apply failed with 1 conflict: conflict with "druid-operator": .metadata.labels');
  };
  expect(await cluster.exclude(MEMBER, never)).toBe(MEMBER.name);
  expect(await label()).toBe("true");
});

test("a node that is deleted meanwhile is not made again", async () => {
  const { fake, cluster } = await scene();
  fake.intercept = ({ method }) => {
    if (method === "PATCH") fake.remove(NODES, MEMBER.name);
    return undefined;
  };
  expect(await cluster.exclude(MEMBER, never)).toBeUndefined();
  expect(await cluster.include(MEMBER, never)).toBeUndefined();
});

test("a node that was deleted and made again under its name is another one", async () => {
  const { fake, cluster, label } = await scene();
  beforePatch(fake, () => {
    fake.remove(NODES, MEMBER.name);
    fake.put(NODES, { metadata: { name: MEMBER.name } });
  });
  expect(await cluster.exclude(MEMBER, never)).toBeUndefined();
  expect(await label()).toBeUndefined();
});

test.each([
  [403, "Forbidden", "access-denied", /cannot patch.*rbac/],
  [401, "Unauthorized", "no-credentials", /token/],
  [503, "ServiceUnavailable", "unavailable", /503/],
  [429, "TooManyRequests", "throttled", /429/],
  [400, "BadRequest", "cloud-error", /webhook/],
])("a refusal with %d is reported with its code", async (status, reason, code, message) => {
  const { fake, cluster } = await scene();
  const said = status === 400 ? 'admission webhook "nodes.example.com" denied the request' : "us cannot patch nodes";
  fake.intercept = ({ method }) => (method === "PATCH" ? refusal(status, reason, said) : undefined);
  await expect(cluster.exclude(MEMBER, never)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});

describe("the taint with which kube-proxy fails health checks", () => {
  test.each([
    ["a node without taints", undefined],
    ["a node with another one", [DEDICATED]],
  ])("is set on %s, once, and taken back", async (_, taints) => {
    const { fake, cluster, object } = await scene({ ...(taints && { taints }) });
    expect(await cluster.taint(MEMBER, never)).toBe(MEMBER.name);
    expect(await cluster.taint(MEMBER, never)).toBe(MEMBER.name);
    expect((await object()).spec?.taints).toEqual([...(taints ?? []), OWN]);
    expect(fake.requests.filter(({ method }) => method === "PATCH")).toHaveLength(1);
    expect(await cluster.include(MEMBER, never)).toBe(MEMBER.name);
    expect((await object()).spec?.taints).toEqual(taints ?? []);
  });

  test("is left where cluster-autoscaler has set it", async () => {
    const theirs = { ...OWN, value: "1800000000" };
    const { cluster, object } = await scene({ taints: [theirs] });
    expect(await cluster.taint(MEMBER, never)).toBe(MEMBER.name);
    expect((await object()).spec?.taints).toEqual([theirs]);
    await cluster.include(MEMBER, never);
    expect((await object()).spec?.taints).toEqual([theirs]);
  });

  test("is no departure that cluster-autoscaler announces, but another taint beside it is read", async () => {
    const { cluster, object } = await scene({ taints: [DEDICATED] });
    await cluster.taint(MEMBER, never);
    expect(clusterNode(await object()).taints).toEqual([DEDICATED]);
  });

  test("drops no taint that another program sets meanwhile", async () => {
    const { fake, cluster, object } = await scene();
    const changed = { metadata: { name: MEMBER.name }, spec: { taints: [DEDICATED] } } as Node;
    beforePatch(fake, () => fake.put(NODES, changed));
    expect(await cluster.taint(MEMBER, never)).toBe(MEMBER.name);
    expect((await object()).spec?.taints).toEqual([DEDICATED, OWN]);
  });

  test("is not set where the object changes each time, and the conflict is reported", async () => {
    const { fake, cluster } = await scene();
    fake.intercept = ({ method }) => (method === "PATCH" ? refusal(409, "Conflict", "modified") : undefined);
    await expect(cluster.taint(MEMBER, never)).rejects.toMatchObject({
      message: expect.stringMatching(/409 Conflict/),
    });
    expect(fake.requests.filter(({ method }) => method === "PATCH")).toHaveLength(5);
  });

  test("is not set on a node that was deleted and made again under its name", async () => {
    const { fake, cluster, object } = await scene();
    beforePatch(fake, () => {
      fake.remove(NODES, MEMBER.name);
      fake.put(NODES, { metadata: { name: MEMBER.name } });
    });
    expect(await cluster.taint(MEMBER, never)).toBe(MEMBER.name);
    expect((await object()).spec?.taints).toBeUndefined();
  });
});
