import { defaultAttributes, SECONDS_MAX } from "../world/target-group-attributes.ts";
import { DEFAULT_VPC, machineNames } from "./machines.ts";
import { type Found, findAll, type Problem } from "./problem.ts";
import { scalingProblems } from "./scaling-consistency.ts";
import { OF_ONE_MACHINE } from "./schema.ts";

/** With a data plane, each instance is a process. */
const DATA_PLANE_INSTANCES_MAX = 50;

/**
 * Finds the problems that a schema can't find: names that do not exist or are given twice, and values that AWS would
 * refuse. Accepts data of any shape and checks the parts that have the right shape, so that all problems of a scenario
 * are reported at once.
 */
export function inconsistencies(data: unknown): readonly Problem[] {
  return [
    ...danglingReferences(data),
    ...repetitions(data),
    ...sharedGroups(data),
    ...findAll(data, "targetGroups", "*").flatMap(groupProblems),
    ...scalingProblems(data),
    ...findAll(data, "instances", "*").flatMap(countedProblems),
    ...tooManyProcesses(data),
  ];
}

function danglingReferences(data: unknown): readonly Problem[] {
  const groups = textsAt(data, "targetGroups", "*", "name");
  const classics = textsAt(data, "classicLoadBalancers", "*", "name");
  const instances = [
    ...textsAt(data, "instances", "*", "name"),
    ...machines(data).flatMap(({ value }) => (typeof value === "string" ? [value] : [])),
  ];
  const vpcs = textsAt(data, "vpcs", "*", "id");
  const listeners = ["loadBalancers", "*", "listeners", "*"];
  const forward = ["action", "forward", "*", "group"];
  const kinds: readonly { readonly what: string; readonly names: readonly string[]; readonly at: string[][] }[] = [
    {
      what: "target group",
      names: groups,
      at: [
        [...listeners, ...forward],
        [...listeners, "rules", "*", ...forward],
      ],
    },
    { what: "target group", names: groups, at: [["controllers", "*", "targetGroups", "*"]] },
    { what: "target group", names: groups, at: [["autoScalingGroups", "*", "targetGroups", "*"]] },
    {
      what: "classic load balancer",
      names: classics,
      at: ["controllers", "autoScalingGroups"].map((list) => [list, "*", "classicLoadBalancers", "*"]),
    },
    { what: "instance", names: instances, at: [["autoScalingGroups", "*", "instances", "*"]] },
    {
      what: "instance",
      names: instances,
      at: [
        ...["interruptions", "rebalanceRecommendations", "rootVolumeReplacements", "scheduledEvents"].map((list) => [
          list,
          "*",
          "instances",
          "*",
        ]),
        ["instanceMetadata", "instances", "*"],
      ],
    },
    {
      what: "Auto Scaling group",
      names: textsAt(data, "autoScalingGroups", "*", "name"),
      at: [["controllers", "*", "autoScalingGroups", "*"]],
    },
    { what: "instance", names: instances, at: [["classicLoadBalancers", "*", "instances", "*"]] },
    { what: "instance", names: instances, at: [["targetGroups", "*", "targets", "*", "instances", "*"]] },
    {
      what: "VPC",
      names: vpcs.length === 0 ? [DEFAULT_VPC] : vpcs,
      at: [
        ...["instances", "targetGroups", "loadBalancers", "classicLoadBalancers"].map((list) => [list, "*", "vpc"]),
        ["instances", "*", "interfaces", "*", "vpc"],
        ["instances", "*", "interfaces", "*", "branches", "*", "vpc"],
      ],
    },
  ];
  return kinds.flatMap(({ what, names, at }) =>
    at
      .flatMap((keys) => findAll(data, ...keys))
      .filter(({ value }) => typeof value === "string" && !names.includes(value))
      .map(({ value, path }) => ({ path, message: `there is no ${what} '${value}'` })),
  );
}

function repetitions(data: unknown): readonly Problem[] {
  // The data plane identifies load balancers of both APIs by their names.
  const balancers = [
    ...findAll(data, "loadBalancers", "*", "name"),
    ...findAll(data, "classicLoadBalancers", "*", "name"),
  ];
  const listeners = [...findAll(data, "loadBalancers", "*"), ...findAll(data, "classicLoadBalancers", "*")];
  return [
    ...repeated(findAll(data, "vpcs", "*", "id")),
    ...repeated(machines(data)),
    ...repeated(findAll(data, "instances", "*", "firstId")),
    ...repeated(findAll(data, "targetGroups", "*", "name")),
    ...repeated(balancers),
    ...repeated(findAll(data, "policies", "*", "accessKeyId")),
    ...repeated(findAll(data, "autoScalingGroups", "*", "name")),
    ...findAll(data, "autoScalingGroups", "*").flatMap(({ value, path }) =>
      under(path, repeated(findAll(value, "hooks", "*", "name"))),
    ),
    ...listeners.flatMap(({ value, path }) => under(path, repeated(findAll(value, "listeners", "*", "port")))),
    ...findAll(data, "loadBalancers", "*", "listeners", "*").flatMap(({ value, path }) =>
      under(path, repeated(findAll(value, "rules", "*", "priority"))),
    ),
  ];
}

/** On AWS, a target group serves at most one load balancer. */
function sharedGroups(data: unknown): readonly Problem[] {
  const users = new Map<unknown, number>();
  return findAll(data, "loadBalancers", "*").flatMap(({ value, path }, index) => {
    const forwards = [
      ...findAll(value, "listeners", "*", "action", "forward", "*", "group"),
      ...findAll(value, "listeners", "*", "rules", "*", "action", "forward", "*", "group"),
    ];
    const shared = forwards.filter(({ value: group }) => (users.get(group) ?? index) !== index);
    for (const { value: group } of forwards) if (!users.has(group)) users.set(group, index);
    return under(
      path,
      shared.map((found) => ({ path: found.path, message: `'${found.value}' serves another load balancer already` })),
    );
  });
}

function groupProblems({ value, path }: Found): readonly Problem[] {
  const [protocol] = textsAt(value, "protocol");
  const known = defaultAttributes(protocol ?? "TCP", textsAt(value, "targetType")[0] ?? "instance");
  const [attributes] = findAll(value, "attributes");
  const given = Object.entries(typeof attributes?.value === "object" ? (attributes.value ?? {}) : {});
  const unknown = given.filter(([key]) => !known.has(key));
  const beyond = given.flatMap(([key, seconds]) => {
    const max = SECONDS_MAX.get(key);
    return max === undefined || (Number(seconds) >= 0 && Number(seconds) <= max) ? [] : [{ key, max }];
  });
  const isOfInstances = textsAt(value, "targetType")[0] !== "ip";
  return under(path, [
    ...unknown.map(([key]) => ({
      path: ["attributes", key],
      message: `a group for ${protocol} has no such attribute`,
    })),
    ...beyond.map(({ key, max }) => ({ path: ["attributes", key], message: `give seconds from 0 to ${max}` })),
    ...findAll(value, "targets", "*", "addresses")
      .filter(() => isOfInstances)
      .map((found) => ({ path: found.path, message: "the group takes instances: give targetType: ip" })),
  ]);
}

/** The machines of an entry differ only by number, so they can't have settings that are for one machine only. */
function countedProblems({ value, path }: Found): readonly Problem[] {
  const [count] = findAll(value, "count");
  if (count === undefined || count.value === 1) return [];
  const message = "only one machine can have this: remove count, or give each machine its own entry";
  return under(
    path,
    OF_ONE_MACHINE.flatMap((key) => findAll(value, key)).map((found) => ({ path: found.path, message })),
  );
}

function tooManyProcesses(data: unknown): readonly Problem[] {
  const isOff = findAll(data, "dataPlane").some(({ value }) => value === false);
  const count = machines(data).length;
  if (isOff || count <= DATA_PLANE_INSTANCES_MAX) return [];
  const message = `at most ${DATA_PLANE_INSTANCES_MAX} of ${count} instances can have processes: give dataPlane: false`;
  return [{ path: ["instances"], message }];
}

/** The names of all machines, each with the path of its entry. */
function machines(data: unknown): readonly Found[] {
  return findAll(data, "instances", "*").flatMap(({ value, path }) => {
    const [name] = textsAt(value, "name");
    const [count] = findAll(value, "count");
    if (name === undefined || (count !== undefined && !isCount(count.value))) return [];
    const names = machineNames({ name, ...(count === undefined ? {} : { count: Number(count.value) }) });
    return names.map((machine) => ({ value: machine, path: [...path, "name"] }));
  });
}

/** The limit bounds the work. The schema reports a greater number. */
function isCount(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 10_000;
}

function repeated(found: readonly Found[]): readonly Problem[] {
  const seen = new Set<unknown>();
  return found.flatMap(({ value, path }) => {
    if (!seen.has(value)) {
      seen.add(value);
      return [];
    }
    return [{ path, message: `'${value}' is given twice` }];
  });
}

function under(path: readonly PropertyKey[], problems: readonly Problem[]): readonly Problem[] {
  return problems.map((problem) => ({ ...problem, path: [...path, ...problem.path] }));
}

function textsAt(data: unknown, ...keys: readonly string[]): readonly string[] {
  return findAll(data, ...keys).flatMap(({ value }) => (typeof value === "string" ? [value] : []));
}
