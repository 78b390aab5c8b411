import type { AutoScalingGroup } from "../../../src/simulator/world/auto-scaling-group.ts";
import type { RefreshPreferences } from "../../../src/simulator/world/instance-refresh.ts";
import type { LifecycleHook } from "../../../src/simulator/world/lifecycle-action.ts";
import type { Json } from "./example.ts";
import { addInstances, nameSubnets } from "./network-scene.ts";
import { idsIn, objectsWith, type Scene, textsIn } from "./scene.ts";

const HOUR_MS = 3_600_000;
/** Of a refresh of two instances, one of which is replaced and warm, and the other one replaced and not warm yet. */
const HALF_REFRESHED_MS = 300_000;
const LAUNCH_MS = 1_000;
/** From two members to one, or from one back to two. */
const RESIZING = ["DetachInstances", "EnterStandby", "ExitStandby"];

/** The Auto Scaling group of a call, with its members, pools, hooks and tags. */
export async function buildScaling(scene: Scene): Promise<void> {
  const { example } = scene;
  nameSubnets(scene);
  const targetGroups = arnsIn([example.input, example.output], "targetgroup").map((arn) => {
    const [, name = ""] = /:targetgroup\/([^/]+)\//.exec(arn) ?? [];
    const about = { vpcId: scene.vpcId, protocol: "HTTP", port: 80, targetType: "instance" } as const;
    const made = scene.world.addTargetGroup({ name, ...about });
    scene.call(arn, made.arn);
    return made;
  });
  if (example.action === "CreateAutoScalingGroup") return;

  const classics = objectsWith(example.output["LoadBalancers"] ?? [], "LoadBalancerName").map(({ LoadBalancerName }) =>
    scene.region.classic({ name: String(LoadBalancerName), vpcId: scene.vpcId }),
  );
  const members = membersBefore(scene);
  const [shown] = objectsWith(example.output["AutoScalingGroups"] ?? [], "MinSize");
  const group = scene.world.addAutoScalingGroup({
    name: groupName(scene),
    instanceIds: members,
    minSize: Number(shown?.["MinSize"] ?? 0),
    maxSize: Number(shown?.["MaxSize"] ?? 4),
    desiredCapacity: Number(shown?.["DesiredCapacity"] ?? members.length),
    hooks: hooksBefore(scene),
    targetGroups,
    classics,
    launchMs: LAUNCH_MS,
    blueprint: { vpcId: scene.vpcId, tags: new Map(), isSpot: false },
  });
  for (const arn of arnsIn(example.output, "autoScalingGroup")) scene.call(arn, group.arn);
  for (const { Key, Value } of objectsWith([example.output["Tags"] ?? [], tagsToDelete(scene)], "Key"))
    group.tags.set(String(Key), String(Value));
  await PREPARATIONS[example.action]?.(scene, group);
}

/** What must have happened before a call. */
const PREPARATIONS: Readonly<Record<string, (scene: Scene, group: AutoScalingGroup) => void | Promise<void>>> = {
  CompleteLifecycleAction: beginLifecycleAction,
  RecordLifecycleActionHeartbeat: beginLifecycleAction,

  ExitStandby({ world, example }, group) {
    for (const id of idsIn(example.input, "i")) {
      const instance = world.instance(id);
      if (instance !== undefined) world.scaling.enterStandby(group, instance, world.clock.now());
      group.desiredCapacity -= 1;
    }
  },

  CancelInstanceRefresh(scene, group) {
    startRefresh(scene, group, {});
  },

  async DescribeInstanceRefreshes(scene, group) {
    const [shown] = objectsWith(scene.example.output, "MinHealthyPercentage");
    const preferences = {
      minHealthyPercentage: Number(shown?.["MinHealthyPercentage"]),
      instanceWarmupSeconds: Number(shown?.["InstanceWarmup"]),
      skipMatching: shown?.["SkipMatching"] === true,
      standbyInstances: "Ignore",
      scaleInProtectedInstances: "Ignore",
    } as const;
    startRefresh(scene, group, preferences);
    await scene.region.clock.advance(HOUR_MS);
    startRefresh(scene, group, preferences);
    await scene.region.clock.advance(HALF_REFRESHED_MS);
  },

  async DescribeScalingActivities({ world, region }, group) {
    world.scaling.setCapacity(group, 1, world.clock.now(), "created an AutoScalingGroup");
    await region.clock.advance(HOUR_MS);
  },
};

/** One that waits for the caller, with the token that the example names. */
function beginLifecycleAction(scene: Scene, group: AutoScalingGroup): void {
  const { world, example } = scene;
  const [member] = group.members(world.clock.now());
  if (member === undefined) throw new Error("no member can leave");
  const [action] = world.beginScaleIn(group, member.instance).activeActions(world.clock.now());
  scene.call(String(example.input["LifecycleActionToken"]), action?.token ?? "");
}

function startRefresh({ world }: Scene, group: AutoScalingGroup, preferences: Partial<RefreshPreferences>): void {
  const defaults = {
    minHealthyPercentage: 90,
    instanceWarmupSeconds: 300,
    skipMatching: false,
    standbyInstances: "Wait",
    scaleInProtectedInstances: "Wait",
    checkpointPercentages: [],
    checkpointDelaySeconds: 3_600,
    bakeSeconds: 0,
  } as const;
  world.catchUp();
  const wanted = { strategy: "Rolling", preferences: { ...defaults, ...preferences }, desired: undefined } as const;
  world.scaling.refreshes.start(group, wanted, world.clock.now());
  world.catchUp();
}

function groupName({ example: { input, output } }: Scene): string {
  const [tag] = objectsWith(input["Tags"] ?? [], "ResourceId");
  const [filter] = objectsWith(input["Filters"] ?? [], "Values");
  const [shown] = objectsWith(output, "AutoScalingGroupName");
  const named = input["AutoScalingGroupName"] ?? input["AutoScalingGroupNames"] ?? tag?.["ResourceId"];
  return textsIn(named ?? filter?.["Values"] ?? shown?.["AutoScalingGroupName"] ?? "any")[0] ?? "";
}

/** Instances that are named exist. All of them are members, but for those that are about to be. */
function membersBefore(scene: Scene): readonly string[] {
  const { input, output, action } = scene.example;
  // A launched one has an id that no world decides.
  const isLaunch = action === "DescribeScalingActivities" || action === "DescribeInstanceRefreshes";
  const named = isLaunch ? [] : idsIn([input, output], "i");
  const others = ["i-00000000000000001", "i-00000000000000002"];
  addInstances(scene, [...named, ...others]);
  if (action === "AttachInstances" || action === "DescribeScalingActivities") return [];
  if (action === "DescribeInstanceRefreshes") return others;
  if (action === "DeleteAutoScalingGroup") return input["ForceDelete"] === true ? others : [];
  if (action.startsWith("Describe")) return named;
  return named.length === 0 || RESIZING.includes(action) ? [...named, ...others.slice(0, 1)] : named;
}

function hooksBefore({ example: { input, output, action } }: Scene): readonly LifecycleHook[] {
  const shown = objectsWith(output["LifecycleHooks"] ?? [], "LifecycleHookName").map((hook) => ({
    name: String(hook["LifecycleHookName"]),
    transition: hook["LifecycleTransition"] as LifecycleHook["transition"],
    heartbeatTimeoutSeconds: Number(hook["HeartbeatTimeout"]),
    defaultResult: hook["DefaultResult"] as LifecycleHook["defaultResult"],
    notificationTarget: String(hook["NotificationTargetARN"]),
    role: String(hook["RoleARN"]),
  }));
  const name = input["LifecycleHookName"];
  if (typeof name !== "string" || action === "PutLifecycleHook") return shown;
  const transition = "autoscaling:EC2_INSTANCE_TERMINATING";
  return [...shown, { name, transition, heartbeatTimeoutSeconds: 3_600, defaultResult: "ABANDON" }];
}

function tagsToDelete({ example: { input, action } }: Scene): Json {
  return action === "DeleteTags" ? (input["Tags"] ?? []) : [];
}

function arnsIn(value: Json, kind: "targetgroup" | "autoScalingGroup"): readonly string[] {
  const pattern = new RegExp(`^arn:aws:(elasticloadbalancing|autoscaling):[^:]+:\\d{12}:${kind}[:/]`);
  return [...new Set(textsIn(value).filter((text) => pattern.test(text)))];
}
