/**
 * Of the Kubernetes library we use what reads a kubeconfig. Its index also loads the clients and models of every API and
 * the means to make requests, two thirds of a megabyte that esbuild can't prove to be free of side effects. The helpers of
 * the removed auth-providers, which are refused, load a library that evaluates expressions. By the path of each file, what
 * stands in its place.
 */
export const KUBECONFIG_ALONE = /** @type {const} */ ([
  [/@kubernetes[\\/]client-node[\\/]dist[\\/]index\.js$/, 'export { KubeConfig } from "./config.js";'],
  [
    /@kubernetes[\\/]client-node[\\/]dist[\\/]gen[\\/]index\.js$/,
    "export class ServerConfiguration {} export function createConfiguration() {}",
  ],
  [/node_modules[\\/]node-fetch[\\/]lib[\\/]index\.m?js$/, "export const Headers = globalThis.Headers;"],
  [/node_modules[\\/]jsonpath-plus[\\/]dist[\\/]index-node-esm\.js$/, "export function JSONPath() {}"],
]);
