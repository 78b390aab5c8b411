import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { KubernetesObject, Node, Pod } from "../../src/kubernetes/objects.ts";
import { account, ID, OTHER_ID } from "./account.ts";
import { folder, kubeconfig } from "./api-client.ts";
import { FakeApiServer } from "./fake-api-server.ts";
import { FakePods, pod } from "./fake-pods.ts";

export const NODES = "/api/v1/nodes";

/** The account's two nodes in a cluster, with pods that end at once. `speed`: see `account`. */
export async function accountInKubernetes(
  pods: readonly Pod[] = [pod("web-1", { grace: 0, node: "blue-1" })],
  speed = 10,
) {
  const made = await account(undefined, speed);
  const { clock } = made;
  const fake = await FakeApiServer.start(clock);
  const nodes = [
    ["blue-1", ID],
    ["blue-2", OTHER_ID],
  ] as const;
  for (const [name, id] of nodes) {
    const spec = { providerID: `aws:///eu-west-1a/${id}` };
    fake.put(NODES, { metadata: { name, labels: { pool: "blue" } }, spec } as KubernetesObject);
  }
  const running = new FakePods(fake, clock, pods);
  const path = join(folder(), "config");
  writeFileSync(path, kubeconfig({ server: fake.url, ca: fake.ca }));
  const applied = () =>
    fake.requests
      .filter(({ method, path: at }) => method === "PATCH" && at.startsWith(NODES))
      .map(({ body }) => body as Node);
  const { world } = made;
  /** What the load balancers list of a node that is not on its way out, each as `POOL ID`. */
  const registered = (id: string): readonly string[] => {
    const now = world.clock.now();
    const groups = [...world.targetGroups.values()].flatMap((group) =>
      group
        .listed(now)
        .filter((target) => target.id === id && group.apiHealth(target, now).state !== "draining")
        .map(() => group.name),
    );
    const classics = [...world.classics.values()].filter((one) => one.registered(now).includes(id));
    return [...groups, ...classics.map(({ name }) => name)].sort();
  };
  return { ...made, env: { ...made.env, KUBERNETES: path }, fake, running, applied, registered };
}
