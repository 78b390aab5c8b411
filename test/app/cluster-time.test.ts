import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SystemClock } from "../../src/drain/clock.ts";
import type { KubernetesObject } from "../../src/kubernetes/objects.ts";
import { account, ID } from "../support/account.ts";
import { folder, kubeconfig } from "../support/api-client.ts";
import { FakeApiServer } from "../support/fake-api-server.ts";
import { serveHere } from "../support/run-here.ts";

const SECRET = "a-secret-of-cluster-time";
const HOUR_MS = 3_600_000;
const SECOND_MS = 1_000;

test.each([-HOUR_MS, HOUR_MS])(
  "a drain ends at the time that its NodeClaim states by the cluster's clock, which is %i ms ahead of the service's",
  async (aheadMs) => {
    const { env } = await account();
    const clock = new SystemClock();
    const fake = await FakeApiServer.start(clock);
    fake.aheadMs = aheadMs;
    const endsAt = clock.now() + 300 * SECOND_MS;
    const annotations = {
      "karpenter.sh/nodeclaim-termination-timestamp": new Date(endsAt + aheadMs).toISOString(),
    };
    fake.put("/apis/karpenter.sh/v1/nodeclaims", { metadata: { name: "claim-1", annotations } });
    fake.put("/api/v1/nodes", {
      metadata: { name: "blue-1", ownerReferences: [{ kind: "NodeClaim", name: "claim-1" }] },
      spec: {
        providerID: `aws:///eu-west-1a/${ID}`,
        taints: [{ key: "karpenter.sh/disrupted", effect: "NoSchedule" }],
      },
    } as unknown as KubernetesObject);
    const path = join(folder(), "config");
    writeFileSync(path, kubeconfig({ server: fake.url, ca: fake.ca }));
    const { child, url } = await serveHere({ ...env, SECRET, UNDO: "true", KUBERNETES: path });
    const { drain } = JSON.parse(await child.line(/"msg":"drain completed"/)) as { readonly drain: string };
    const answer = await fetch(`${url}/drains/${drain}`, { headers: { authorization: `Bearer ${SECRET}` } });
    const [request] = ((await answer.json()) as { readonly requests: readonly { readonly deadline: string }[] })
      .requests;
    // The Date of an answer has whole seconds.
    expect(Math.abs(Date.parse(request?.deadline ?? "") - endsAt)).toBeLessThanOrEqual(2 * SECOND_MS);
  },
);
