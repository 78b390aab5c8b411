import { ApiServer, type ApiServerOptions } from "./api-server.ts";
import { Credentials } from "./credentials.ts";
import type { LoadOptions } from "./kubeconfig.ts";

export type ConnectOptions = LoadOptions & Omit<ApiServerOptions, "credentials">;

/**
 * The API server of the configured cluster. It reads the configuration, and does not call the server, which may be
 * unreachable for now. Throws `KubernetesError` with the reason `Configuration` or `Credentials`, whose message says
 * what to do.
 *
 * It loads the library that reads kubeconfigs, so import this file only if a cluster is configured.
 */
export async function connect(options: ConnectOptions): Promise<ApiServer> {
  return new ApiServer({ ...options, credentials: await Credentials.open(options) });
}
