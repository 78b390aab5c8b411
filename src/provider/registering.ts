import { RegisterInstancesWithLoadBalancerCommand } from "@aws-sdk/client-elastic-load-balancing";
import { RegisterTargetsCommand } from "@aws-sdk/client-elastic-load-balancing-v2";
import type { AwsAccess, AwsAction } from "../aws/aws-caller.ts";
import { isNamedIn, isPoolGone, isTargetGone } from "../aws/errors.ts";
import { type CallFor, idOf, type Pool, type Registration } from "../drain/cloud-provider.ts";
import { asDrainError, DrainError } from "../drain/errors.ts";
import { unlessListed } from "./listed-pools.ts";
import { inParts, targetsOf } from "./target-groups.ts";

const REGISTER_TARGETS: AwsAction = {
  name: "elasticloadbalancing:RegisterTargets",
  bucket: "v2-register",
};
const REGISTER_INSTANCES: AwsAction = {
  name: "elasticloadbalancing:RegisterInstancesWithLoadBalancer",
  bucket: "classic-register",
};
const TARGETS_PER_CALL_MAX = 100;

interface Registering {
  readonly aws: AwsAccess;
  readonly pool: Pool;
  readonly by: CallFor;
}

/** See `CloudProvider.register`. One target that AWS does not take refuses the call for all: then in parts. */
export async function registerIn(
  aws: AwsAccess,
  pool: Pool,
  take: (max: number) => Promise<readonly Registration[]>,
  by: CallFor,
): Promise<void> {
  let chosen: readonly Registration[] | undefined;
  const gathered = async () => {
    chosen ??= await take(TARGETS_PER_CALL_MAX);
    return chosen;
  };
  await registerAll({ aws, pool, by }, gathered);
}

async function registerAll(
  { aws, pool, by }: Registering,
  gathered: () => Promise<readonly Registration[]>,
): Promise<void> {
  let batch: readonly Registration[] = [];
  const isClassic = pool.kind === "classic";
  try {
    await aws.caller.call(isClassic ? REGISTER_INSTANCES : REGISTER_TARGETS, by, async () => {
      batch = await gathered();
      if (batch.length === 0) return undefined;
      return unlessListed<unknown>(aws, pool.id, by, () =>
        isClassic ? sendInstances(aws, pool, batch, by) : sendTargets(aws, pool, batch, by),
      );
    });
  } catch (error) {
    if (isPoolGone(error)) throw new DrainError("not-registered", `${pool.name} no longer exists`, { cause: error });
    if (!isTargetGone(error)) throw error;
    const isNamed = ({ target }: Registration) => batch.length === 1 || isNamedIn(error, idOf(target));
    const refused = batch.filter(isNamed).map(({ target }) => target);
    const why = new DrainError("not-registered", `AWS refused it: ${asDrainError(error).message}`, { cause: error });
    const parts = inParts(batch, isNamed);
    // A part without those that AWS has named is all that is left; halves are tried each by itself.
    if (parts.length < 2) by.refuses?.(refused, why);
    for (const part of parts) await registerAll({ aws, pool, by }, async () => part);
  }
}

/** Each target as AWS had listed it: id, port, zone and its other fields. */
function sendTargets({ v2 }: AwsAccess, { id }: Pool, batch: readonly Registration[], { signal }: CallFor) {
  const input = { TargetGroupArn: id, Targets: batch.flatMap(targetsOf) };
  return v2.send(new RegisterTargetsCommand(input), { abortSignal: signal });
}

function sendInstances({ classic }: AwsAccess, { id }: Pool, batch: readonly Registration[], { signal }: CallFor) {
  const input = { LoadBalancerName: id, Instances: batch.map(({ target }) => ({ InstanceId: target })) };
  return classic.send(new RegisterInstancesWithLoadBalancerCommand(input), { abortSignal: signal });
}
