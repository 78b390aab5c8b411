import type { AddressInfo, Server } from "node:net";

/** The simulation is reachable from this machine only, by default. */
export const LOOPBACK = "127.0.0.1";

/** What stands for every address of this machine, and the one of them that its own clients use. */
const EVERY_ADDRESS = new Map([
  ["0.0.0.0", LOOPBACK],
  ["::", "::1"],
]);

/** Port 0: any free one. */
interface ListenOptions {
  readonly port?: number;
  readonly host?: string;
}

/** Resolves once `server` listens, to the URL that clients on this machine reach it by. Rejects as Node does. */
export async function listen(server: Server, { port = 0, host = LOOPBACK }: ListenOptions = {}): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve());
  });
  return urlOf(server.address() as AddressInfo);
}

/** For clients on this machine. */
export function urlOf({ address, port }: Pick<AddressInfo, "address" | "port">, scheme = "http"): string {
  const reachable = EVERY_ADDRESS.get(address) ?? address;
  return `${scheme}://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

export function isEveryAddress(host: string): boolean {
  return EVERY_ADDRESS.has(host);
}
