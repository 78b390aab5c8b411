import type { Config } from "../config/config.ts";
import { type ClusterNeeds, roleText } from "../kubernetes/rbac.ts";
import type { Call } from "./call.ts";
import { EXIT } from "./exit-codes.ts";
import { configFrom } from "./options.ts";
import type { CLUSTER_PURPOSES } from "./verbs/rbac.ts";

type ClusterPurpose = (typeof CLUSTER_PURPOSES)[number];

interface RbacOptions {
  readonly for: ClusterPurpose;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount?: true;
  readonly disableEviction?: true;
}

/** Prints the role as YAML. */
export async function runRbac(call: Call): Promise<number> {
  const { for: purpose, name, namespace, serviceAccount, disableEviction } = call.options as unknown as RbacOptions;
  const needs = { ...clusterNeeds(configFrom(call, "rbac"), purpose), deletesPods: disableEviction === true };
  const printsServiceAccount = serviceAccount === true;
  call.streams.stdout.write(roleText({ needs, name, namespace, printsServiceAccount }));
  return EXIT.done;
}

/** What a verb with this configuration does in the cluster. A feature's option is read here. */
export function clusterNeeds({ evict, evictionGate, tokenReview }: Config, purpose: ClusterPurpose): ClusterNeeds {
  const watches = purpose === "serve";
  const evicts = !watches || evict !== "never";
  return {
    writes: purpose !== "plan",
    watches,
    evicts,
    gates: watches && evictionGate,
    reviewsTokens: watches && tokenReview,
  };
}
