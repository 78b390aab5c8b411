import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { SystemClock } from "../../src/drain/clock.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { listen } from "../../src/simulator/listen.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import { World } from "../../src/simulator/world/world.ts";
import { account } from "../support/account.ts";
import { folder, kubeconfig } from "../support/api-client.ts";
import { addPools, DELAYS_SECONDS } from "../support/departure-pools.ts";
import { addNode } from "../support/departure-scene.ts";
import { FakeApiServer } from "../support/fake-api-server.ts";
import { placesEndpoint } from "../support/places-endpoint.ts";
import { restrictChildren } from "../support/printed-policy.ts";
import { runHere } from "../support/run-here.ts";

const AWS_REGION = "eu-west-1";

/** An account in which nothing is wrong, and doctor there. */
async function wellConfigured() {
  const { world, simulator, env } = await account();
  for (const classic of world.classics.values()) classic.draining = { enabled: true, timeoutSeconds: 30 };
  const doctor = async (more: Readonly<Record<string, string>>) => {
    const { code, stdout } = await runHere(["doctor", "--json"], { ...env, AWS_REGION, ...more });
    return { code, ...(JSON.parse(stdout) as { findings: readonly object[]; notLookedAt: readonly object[] }) };
  };
  return { world, simulator, doctor };
}

test("a queue whose attributes may not be read is named as not looked at, its hooks are not judged, and the exit code is 1", async () => {
  const { world, simulator, doctor } = await wellConfigured();
  const hooks = [
    {
      name: "drain",
      transition: "autoscaling:EC2_INSTANCE_TERMINATING" as const,
      heartbeatTimeoutSeconds: 120,
      defaultResult: "CONTINUE" as const,
    },
  ];
  world.addAutoScalingGroup({ name: "workers", instanceIds: [...world.instances.keys()], hooks });
  const asked: unknown[] = [];
  // As SQS refuses a call of a role without the permission.
  const sqs = createServer((request, response) => {
    asked.push(request.headers["x-amz-target"]);
    request.resume();
    const message =
      "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: sqs:getqueueattributes";
    response
      .writeHead(400, { "content-type": "application/x-amz-json-1.0", "x-amzn-query-error": "AccessDenied;Sender" })
      .end(JSON.stringify({ __type: "com.amazonaws.sqs#AccessDenied", message }));
  });
  const endpoint = await listen(sqs);
  onTestFinished(() => {
    sqs.closeAllConnections();
    sqs.close();
  });
  const QUEUE = `${endpoint}/123456789012/departures`;
  restrictChildren(simulator, { QUEUE }, { for: "doctor" });
  expect(await doctor({ QUEUE })).toMatchObject({
    code: 1,
    findings: [],
    notLookedAt: [
      {
        what: "the queue departures: its dead-letter queue, and who may send",
        why: expect.stringContaining("AWS denied sqs:GetQueueAttributes"),
      },
    ],
  });
  expect(new Set(asked)).toEqual(new Set(["AmazonSQS.GetQueueAttributes"]));
});

test.each([
  ["/apis/apps/v1/deployments", "the flags of cluster-autoscaler: Deployments"],
  ["/apis/karpenter.sh/v1/nodepools", "the grace periods of Karpenter: NodePools"],
  ["/api/v1/namespaces", "the readiness gates of pods: Namespaces"],
  ["/apis/elbv2.k8s.aws/v1beta1/targetgroupbindings", "the readiness gates of pods: TargetGroupBindings"],
  ["/api/v1/services", "Services with externalTrafficPolicy Local"],
  [
    "/apis/discovery.k8s.io/v1/endpointslices",
    "the endpoints of Services with externalTrafficPolicy Local: EndpointSlices",
  ],
])("where %s may not be listed, it is named as not looked at, and the exit code is 1", async (denied, what) => {
  const { simulator, doctor } = await wellConfigured();
  restrictChildren(simulator, {}, { for: "doctor" });
  const fake = await FakeApiServer.start(new SystemClock());
  const message = "cannot list resource at the cluster scope";
  fake.intercept = ({ path }) =>
    path === denied ? { status: 403, body: { kind: "Status", reason: "Forbidden", code: 403, message } } : undefined;
  const KUBERNETES = `${folder()}/config`;
  writeFileSync(KUBERNETES, kubeconfig({ server: fake.url, ca: fake.ca }));
  expect(await doctor({ KUBERNETES })).toMatchObject({
    code: 1,
    findings: [],
    notLookedAt: [{ what: `${what} of the Kubernetes cluster production`, why: expect.stringContaining(message) }],
  });
});

test("with AWS_PLACES, the pools and Auto Scaling groups of every account are looked at, and a finding says in which one it is", async () => {
  const HUB = "444455556666";
  const ROLE = `arn:aws:iam::${HUB}:role/drainer`;
  const clock = new ScaledClock(1);
  const [own, hub] = [new World({ clock }), new World({ clock, accountId: HUB })];
  const pools = [own, hub].map((world) =>
    addPools(world, [addNode(world, 1), addNode(world, 2)], { ...DELAYS_SECONDS, web: world === hub ? 0 : 3 }),
  );
  hub.addAutoScalingGroup({ name: "workers", instanceIds: [...hub.instances.keys()] });
  const simulators = [new Simulator(own), new Simulator(hub)] as const;
  const { url, calls } = await placesEndpoint([...simulators], [{ arn: ROLE, externalId: "blue" }], HUB);
  const AWS_PLACES = `Region=eu-west-1 Region=eu-west-1,RoleArn=${ROLE},ExternalId=blue`;
  const { code, stdout } = await runHere(["doctor", "--json"], { AWS_ENDPOINT_URL: url, AWS_PLACES });
  expect(code).toBe(3);
  const report = JSON.parse(stdout);
  expect(report).toMatchObject({ lookedAt: { targetGroups: 6, classicLoadBalancers: 2 }, notLookedAt: [] });
  const place = `${HUB}/eu-west-1`;
  expect(report.findings).toMatchObject([
    { code: "deregistration-delay-zero", resource: { id: pools[1]?.web.arn, place } },
    { code: "group-without-hook", resource: { name: "workers", place } },
  ]);
  for (const { mend } of report.findings) expect(mend[0]).toContain("--region eu-west-1");
  const text = (await runHere(["doctor"], { AWS_ENDPOINT_URL: url, AWS_PLACES })).stdout;
  const account = `Run the commands with credentials of account ${HUB}.`;
  expect(text).toContain(`auto-scaling-group workers in ${place}\n  ${account}\n  group-without-hook: `);
  expect(text.split(account)).toHaveLength(3);
  const scaling = calls.filter(({ action }) => action === "DescribeAutoScalingGroups");
  expect(scaling.map(({ accountId }) => accountId).sort()).toEqual([own.accountId, own.accountId, HUB, HUB].sort());
});
