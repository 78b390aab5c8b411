import { machineNames } from "./machines.ts";
import { type Found, findAll, type Problem } from "./problem.ts";

/** The problems of Auto Scaling groups that AWS would refuse. Accepts data of any shape. */
export function scalingProblems(data: unknown): readonly Problem[] {
  return [
    ...groupsOfAddresses(data),
    ...membersOfTwo(data),
    ...replacedOutsideGroups(data),
    ...findAll(data, "autoScalingGroups", "*").flatMap((group) => sizeProblems(group, data)),
  ];
}

function groupsOfAddresses(data: unknown): readonly Problem[] {
  const ofAddresses = findAll(data, "targetGroups", "*")
    .filter(({ value }) => findAll(value, "targetType").some((type) => type.value === "ip"))
    .flatMap(({ value }) => findAll(value, "name").map((name) => name.value));
  return findAll(data, "autoScalingGroups", "*", "targetGroups", "*")
    .filter(({ value }) => ofAddresses.includes(value))
    .map(({ value, path }) => ({
      path,
      message: `'${value}' is of type ip, but an Auto Scaling group registers instances: give a group of type instance`,
    }));
}

function membersOfTwo(data: unknown): readonly Problem[] {
  const owners = new Map<string, number>();
  return findAll(data, "autoScalingGroups", "*").flatMap(({ value, path: [list = "", index = 0] }) =>
    findAll(value, "instances", "*").flatMap((member) =>
      machinesNamed(textOf(member.value), data).flatMap((machine) => {
        const owner = owners.get(machine) ?? Number(index);
        owners.set(machine, owner);
        const message = `'${machine}' belongs to another Auto Scaling group already`;
        return owner === index ? [] : [{ path: [list, index, ...member.path], message }];
      }),
    ),
  );
}

/** Auto Scaling only replaces the root volumes of its members. */
function replacedOutsideGroups(data: unknown): readonly Problem[] {
  const machinesAt = (...keys: readonly string[]) =>
    findAll(data, ...keys).map(({ value, path }) => ({ path, machines: machinesNamed(textOf(value), data) }));
  const members = new Set(machinesAt("autoScalingGroups", "*", "instances", "*").flatMap(({ machines }) => machines));
  return machinesAt("rootVolumeReplacements", "*", "instances", "*").flatMap(({ path, machines }) =>
    machines
      .filter((machine) => !members.has(machine))
      .map((machine) => ({ path, message: `'${machine}' belongs to no Auto Scaling group` })),
  );
}

/** Empty for all other types, which the schema reports. */
function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

function sizeProblems({ value, path }: Found, data: unknown): readonly Problem[] {
  const sizeOf = (key: string) => findAll(value, key).map((found) => Number(textOf(found.value)))[0];
  const members = findAll(value, "instances", "*").flatMap((member) => machinesNamed(textOf(member.value), data));
  const desired = sizeOf("desiredCapacity") ?? new Set(members).size;
  const min = sizeOf("minSize") ?? 0;
  const max = sizeOf("maxSize") ?? desired;
  return [
    ...(min > desired
      ? [{ path: [...path, "minSize"], message: `is more than the desired capacity, ${desired}` }]
      : []),
    ...(max < desired
      ? [{ path: [...path, "maxSize"], message: `is less than the desired capacity, ${desired}` }]
      : []),
  ];
}

/** The machines that a name stands for: one machine, or all machines of an entry. */
function machinesNamed(name: string, data: unknown): readonly string[] {
  const entries = findAll(data, "instances", "*").map(({ value }) => {
    const { name: entryName, count } = (value ?? {}) as { readonly name?: unknown; readonly count?: unknown };
    const isCounted = typeof count === "number" && Number.isInteger(count) && count >= 1 && count <= 10_000;
    return { name: String(entryName), count: isCounted ? count : 1 };
  });
  return entries.find((entry) => entry.name === name) === undefined
    ? [name]
    : entries.filter((entry) => entry.name === name).flatMap(machineNames);
}
