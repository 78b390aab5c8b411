import type { Environment } from "./call.ts";

/** https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/ */
const PLUG_IN = /(?:^|\/)kubectl-[^/]+$/;

/**
 * What a run goes by where kubectl has started it as its plug-in: the cluster that kubectl itself would ask, unless
 * KUBERNETES says otherwise. `program`: the path by which it was started.
 */
export function environmentOf(program: string | undefined, environment: Environment): Environment {
  const { KUBERNETES, KUBECONFIG, HOME } = environment;
  if (!PLUG_IN.test(program ?? "") || (KUBERNETES ?? "") !== "") return environment;
  const path = KUBECONFIG || (HOME ? `${HOME}/.kube/config` : undefined);
  return path === undefined ? environment : { ...environment, KUBERNETES: path };
}
