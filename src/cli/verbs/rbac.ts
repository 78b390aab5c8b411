import type { Command } from "commander";
import { matching } from "../../config/values.ts";
import { addOptions, kindOf, wordOf } from "../options.ts";

/** The verbs that may call a Kubernetes API server. */
export const CLUSTER_PURPOSES = ["serve", "drain", "plan", "doctor"] as const;
const readPurpose = wordOf("--for", CLUSTER_PURPOSES);
/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
const NAME = matching(/^(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, "at most 63 lower-case letters, digits and -");

export function declareRbac(program: Command): Command {
  const command = program
    .command("rbac")
    .summary("print the Kubernetes role that the program needs")
    .description(
      "Prints the minimal ClusterRole for the given configuration and its ClusterRoleBinding, and with --lease a Role and its RoleBinding, as YAML for `kubectl apply --filename -`. Does not call Kubernetes.",
    );
  command
    .option(
      "--for <verb>",
      `use of the role: ${CLUSTER_PURPOSES.join(", ")}; plan and doctor only read`,
      readPurpose,
      "serve",
    )
    .option("--doctor", "also allow what 'doctor' reads, so that the service answers GET /doctor in full")
    .option(
      "--name <name>",
      "name of the roles, of their bindings and of the service account",
      kindOf("--name", NAME),
      "hasta-la-vista",
    )
    .option(
      "--namespace <name>",
      "namespace of the service account and of the Lease",
      kindOf("--namespace", NAME),
      "kube-system",
    )
    .option("--disable-eviction", "also allow to delete pods, for 'drain --disable-eviction'; not for plan")
    .option("--service-account", "print the ServiceAccount too");
  return addOptions(command, "rbac").addHelpText(
    "after",
    [
      "",
      "Without --service-account the binding names a ServiceAccount that exists, such",
      "as that of the chart, which makes the same role by itself. Applying another one",
      "of the same name would remove its annotation for the IAM role.",
    ].join("\n"),
  );
}
