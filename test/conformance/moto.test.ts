import { StopInstancesCommand, TerminateInstancesCommand } from "@aws-sdk/client-ec2";
import { RegisterInstancesWithLoadBalancerCommand } from "@aws-sdk/client-elastic-load-balancing";
import { DescribeTagsCommand, RegisterTargetsCommand } from "@aws-sdk/client-elastic-load-balancing-v2";
import { expect, test } from "vitest";
import type { Registration } from "../../src/drain/cloud-provider.ts";
import { awsProvider } from "../support/provider-calls.ts";
import { never } from "../support/simulated-region.ts";
import { Moto } from "./support/moto.ts";
import { describeWith } from "./support/programs.ts";

/** moto's page; AWS's are of 400. */
const PAGE = 50;

async function nodeInGroup(type: "application" | "network" = "application") {
  const moto = await Moto.start();
  const node = await moto.node();
  const group = await moto.group("web", node.vpcId);
  await moto.loadBalancer("web-lb", type, group);
  const register = (...Ports: number[]) =>
    moto.clients.v2.send(
      new RegisterTargetsCommand({ TargetGroupArn: group, Targets: Ports.map((Port) => ({ Id: node.id, Port })) }),
    );
  return { moto, node, group, register };
}

const shown = (registrations: readonly Registration[]) =>
  registrations.map(({ target, pool, state, detail }) => ({ target, kind: pool.kind, state, detail }));

describeWith("moto_server", "moto as another control plane", () => {
  test("has nodes found by id and by name, and their target groups by VPC and by tag", async () => {
    const { moto, node, register } = await nodeInGroup();
    await register(30080);
    const byName = await moto.provider.resolve({ by: "name", value: node.name }, never);
    expect(byName.id).toBe(node.id);
    const expected = [{ target: `${node.id}:30080`, kind: "alb", state: "live", detail: "healthy" }];
    const byVpc = await moto.find(node);
    expect(shown(byVpc.registrations)).toEqual(expected);
    const pool = byVpc.registrations[0]?.pool;
    expect(pool).toMatchObject({ name: "web", loadBalancer: "web-lb" });
    expect(pool && (await moto.provider.describe(pool, never))).toMatchObject({ drainMs: 300_000 });
    const byTag = awsProvider(moto.clients, { discovery: "tag", clusterName: "demo" });
    expect(shown((await moto.find(node, byTag)).registrations)).toEqual(expected);
  });

  test("has target groups and classic load balancers read to the last page, and their tags 20 at a time", async () => {
    const moto = await Moto.start();
    const node = await moto.node();
    const numbers = Array.from({ length: PAGE + 10 }, (_, number) => String(number).padStart(2, "0"));
    for (const number of numbers) {
      const group = await moto.group(`group-${number}`, node.vpcId);
      await moto.clients.v2.send(new RegisterTargetsCommand({ TargetGroupArn: group, Targets: [{ Id: node.id }] }));
      await moto.classic(`classic-${number}`);
    }
    const { pages, tagged } = withoutPageSizes(moto);
    const provider = awsProvider(moto.clients, { discovery: "tag", clusterName: "demo" });
    const { registrations } = await moto.find(node, provider);
    const names = registrations.map(({ pool }) => pool.name).sort();
    // moto says nothing clear of an instance that isn't in a classic load balancer, so it counts as registered.
    expect(names).toEqual([...numbers.map((n) => `classic-${n}`), ...numbers.map((n) => `group-${n}`)]);
    expect(pages.classic).toBe(2);
    // moto gives all target groups at once.
    expect(pages.v2).toBe(1);
    expect(tagged).toEqual([20, 20, 20, 20, 20, 20]);
  });

  test("accepts tags of 21 resources in a call and of unknown ones, which AWS refuses", async () => {
    const { moto, group } = await nodeInGroup();
    const unknown = group.replace(/[^/]+$/, "0123456789abcdef");
    const ResourceArns = [...Array(20).fill(group), unknown];
    const { TagDescriptions } = await moto.clients.v2.send(new DescribeTagsCommand({ ResourceArns }));
    expect(TagDescriptions?.at(-1)).toMatchObject({ ResourceArn: unknown, Tags: [] });
  });

  test("lets a target go at once, with no draining to hold for", async () => {
    const { moto, node, register } = await nodeInGroup();
    await register(30080);
    const [registration] = (await moto.find(node)).registrations;
    if (registration === undefined) throw new Error("nothing found");
    const { pool, target } = registration;
    await moto.provider.deregister(pool, [registration], never);
    expect(await moto.provider.observe(pool, [registration], never)).toEqual(new Map([[target, "absent"]]));
    // Here moto answers InvalidTarget, where AWS answers with success.
    await moto.provider.deregister(pool, [registration], never);
  });

  test("refuses all targets of a call for one that is gone, whereupon each of them gets a call of its own", async () => {
    const { moto, node, group, register } = await nodeInGroup();
    await register(30080);
    const other = await moto.node();
    const Targets = [{ Id: other.id }];
    await moto.clients.v2.send(new RegisterTargetsCommand({ TargetGroupArn: group, Targets }));
    const found = [...(await moto.find(other)).registrations, ...(await moto.find(node)).registrations];
    const [first, second] = found;
    if (first === undefined || second === undefined) throw new Error("nothing found");
    await moto.provider.deregister(first.pool, [first], never);
    await moto.provider.deregister(first.pool, [first, second], never);
    const states = await moto.provider.observe(first.pool, [first, second], never);
    expect([...states.values()]).toEqual(["absent", "absent"]);
  });

  test("keeps one target for each instance, the last port registered, where AWS keeps one for each port", async () => {
    const { moto, node, register } = await nodeInGroup();
    await register(30080, 30090);
    expect(shown((await moto.find(node)).registrations)).toMatchObject([{ target: `${node.id}:30090` }]);
  });

  test("names network load balancers like application ones, so that their groups pass for an ALB's", async () => {
    const { moto, node, register } = await nodeInGroup("network");
    await register(30080);
    expect(shown((await moto.find(node)).registrations)).toMatchObject([{ kind: "alb" }]);
  });

  test("shows a stopped instance as registered, and lists a terminated one no more", async () => {
    const { moto, node, register } = await nodeInGroup();
    await register(30080);
    const { ec2 } = moto.clients;
    await ec2.send(new StopInstancesCommand({ InstanceIds: [node.id] }));
    expect(shown((await moto.find(node)).registrations)).toMatchObject([
      { state: "live", detail: "unused (Target.InvalidState)" },
    ]);
    const resolved = await moto.provider.resolve({ by: "id", value: node.id }, never);
    expect(await moto.provider.findTerminated([resolved], never)).toEqual(new Set());
    await ec2.send(new TerminateInstancesCommand({ InstanceIds: [node.id] }));
    expect(await moto.provider.findTerminated([resolved], never)).toEqual(new Set([node.id]));
    expect((await moto.provider.findRegistrations(resolved, never)).registrations).toEqual([]);
    await expect(moto.find(node)).rejects.toMatchObject({ code: "instance-gone" });
  });

  test("says `Unknown` of an instance that left a classic load balancer, where AWS says `OutOfService`", async () => {
    const moto = await Moto.start();
    const node = await moto.node();
    const LoadBalancerName = await moto.classic("classic");
    const Instances = [{ InstanceId: node.id }];
    await moto.clients.classic.send(new RegisterInstancesWithLoadBalancerCommand({ LoadBalancerName, Instances }));
    const [registration] = (await moto.find(node)).registrations;
    if (registration === undefined) throw new Error("nothing found");
    expect(shown([registration])).toMatchObject([{ kind: "classic", state: "live", target: node.id }]);
    await moto.provider.deregister(registration.pool, [registration], never);
    const states = await moto.provider.observe(registration.pool, [registration], never);
    expect([...states.values()]).toEqual(["live"]);
  });

  test("has vanished target groups and classic load balancers passed over", async () => {
    const { moto, node, register } = await nodeInGroup();
    await register(30080);
    const [registration] = (await moto.find(node)).registrations;
    if (registration === undefined) throw new Error("nothing found");
    const pool = { ...registration.pool, id: registration.pool.id.replace(/[^/]+$/, "0123456789abcdef") };
    await moto.provider.deregister(pool, [registration], never);
    const states = await moto.provider.observe(pool, [registration], never);
    expect([...states.values()]).toEqual(["absent"]);
    const classic = { ...pool, kind: "classic", id: "gone" } as const;
    const instance = { ...registration, target: node.id };
    expect([...(await moto.provider.observe(classic, [instance], never)).values()]).toEqual(["absent"]);
  });
});

/** Makes the provider's listings ask for no size of page, and counts them, and how many resources' tags it asks for. */
function withoutPageSizes({ clients }: Moto) {
  const pages = { classic: 0, v2: 0 };
  const tagged: number[] = [];
  const count = (api: "classic" | "v2") => (next: (args: never) => unknown) => (args: { readonly input: object }) => {
    const { PageSize, ...input } = args.input as Listing;
    if (PageSize !== undefined) pages[api] += 1;
    const asked = input.ResourceArns ?? input.LoadBalancerNames;
    if (asked !== undefined) tagged.push(asked.length);
    return next({ ...args, input } as never);
  };
  clients.classic.middlewareStack.add(count("classic") as never, { step: "initialize" });
  clients.v2.middlewareStack.add(count("v2") as never, { step: "initialize" });
  return { pages, tagged };
}

interface Listing {
  readonly PageSize?: number;
  readonly ResourceArns?: readonly string[];
  readonly LoadBalancerNames?: readonly string[];
}
