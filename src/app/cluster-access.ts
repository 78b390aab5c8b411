import { isExcepted } from "../aws/proxy.ts";
import { type Config, ConfigError } from "../config/config.ts";
import { fileProblem, readTextFile } from "../config/files.ts";
import type { Clock } from "../drain/clock.ts";
import type { Leadership } from "../drain/leadership.ts";
import type { ServerTime } from "../drain/server-time.ts";
import type { ApiServer, RequestPace } from "../kubernetes/api-server.ts";
import type { ClusterSource } from "../kubernetes/kubeconfig.ts";

export interface ClusterAccessParts {
  readonly clock: Clock;
  /** Learns the API server's time. */
  readonly time?: ServerTime;
  /** Absent: no other process acts on the same objects. */
  readonly leadership?: Pick<Leadership, "check"> | undefined;
  /** Absent: the default of `ApiServer`. */
  readonly pace?: RequestPace;
  /** In a pod, the environment has the address of the API server. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The kubeconfig of a company may have hundreds of clusters with their certificates. */
const KUBECONFIG_BYTES_MAX = 4 * 1_024 * 1_024;

/**
 * The API server that KUBERNETES names. Undefined if it is not set. What it needs is loaded only then. Throws
 * `ConfigError` if the configuration or the credentials can't be used. Does not call the server.
 */
export async function openApiServer(config: Config, parts: ClusterAccessParts): Promise<ApiServer | undefined> {
  const source = clusterSource(config);
  if (source === undefined) return undefined;
  const { httpsProxy, noProxy, givenBy } = config;
  const { connect } = await import("../kubernetes/connect.ts");
  try {
    return await connect({
      ...parts,
      source,
      names: { source: givenBy.kubernetes, context: givenBy.kubernetesContext },
      files: {
        read: (path) => readTextFile(path, KUBECONFIG_BYTES_MAX),
        problem: fileProblem,
      },
      proxyFor: ({ hostname, port }) =>
        httpsProxy === undefined || isExcepted(hostname, Number(port || HTTPS_PORT), noProxy) ? undefined : httpsProxy,
    });
  } catch (error) {
    throw error instanceof Error && error.name === "KubernetesError" ? new ConfigError([error.message]) : error;
  }
}

const HTTPS_PORT = 443;

/** Undefined: no Kubernetes. */
function clusterSource({ kubernetes, kubernetesContext: context }: Config): ClusterSource | undefined {
  if (kubernetes === undefined) return undefined;
  if (kubernetes === IN_CLUSTER) return { kind: "in-cluster" };
  return { kind: "kubeconfig", path: kubernetes, ...(context === undefined ? {} : { context }) };
}

const IN_CLUSTER = "in-cluster";
