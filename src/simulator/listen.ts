import type { AddressInfo, Server } from "node:net";

/** By default, the simulation is reachable from this machine only. */
export const LOOPBACK = "127.0.0.1";

/** Addresses that stand for all addresses of a machine, each with the one that clients on this machine use instead. */
const EVERY_ADDRESS = new Map([
  ["0.0.0.0", LOOPBACK],
  ["::", "::1"],
]);

/** Port 0: any free port. */
interface ListenOptions {
  readonly port?: number;
  readonly host?: string;
}

/** Resolves as soon as `server` listens, to its URL for clients on this machine. Rejects with Node's error. */
export async function listen(server: Server, { port = 0, host = LOOPBACK }: ListenOptions = {}): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve());
  });
  return urlOf(server.address() as AddressInfo);
}

/** The URL of an address for clients on this machine. */
export function urlOf({ address, port }: Pick<AddressInfo, "address" | "port">, scheme = "http"): string {
  const reachable = EVERY_ADDRESS.get(address) ?? address;
  return `${scheme}://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

export function isEveryAddress(host: string): boolean {
  return EVERY_ADDRESS.has(host);
}
