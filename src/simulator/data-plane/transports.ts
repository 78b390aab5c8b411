import { listen } from "../listen.ts";
import type { TcpBalancer } from "./tcp-balancer.ts";
import type { UdpBalancer } from "./udp-balancer.ts";

/** A port that is free for connections may be in use for datagrams. */
const ATTEMPTS_MAX = 20;

/**
 * What a listener of an NLB or a GWLB accepts. QUIC datagrams are forwarded without being read. A GWLB accepts every
 * protocol.
 */
export function transportsOf(protocol: string): readonly ("tcp" | "udp")[] {
  switch (protocol) {
    case "UDP":
    case "QUIC":
      return ["udp"];
    case "TCP_UDP":
    case "TCP_QUIC":
    case "GENEVE":
      return ["tcp", "udp"];
    default:
      return ["tcp"];
  }
}

/**
 * Resolves with the URLs when all listen on one port: first that for connections, as HTTP, and then that for datagrams.
 * `port` 0: any free one.
 */
export async function listenForFlows(
  { tcp, udp }: { readonly tcp: TcpBalancer | undefined; readonly udp: UdpBalancer | undefined },
  { host, port }: { readonly host: string; readonly port: number },
): Promise<readonly string[]> {
  for (let attempt = 1; ; attempt++) {
    const url = tcp === undefined ? undefined : await listen(tcp.server, { host, port });
    if (udp === undefined) return url === undefined ? [] : [url];
    try {
      const datagrams = await udp.listen(url === undefined ? port : Number(new URL(url).port), host);
      return url === undefined ? [datagrams] : [url, datagrams];
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
      if (url === undefined || port !== 0 || !isTaken || attempt >= ATTEMPTS_MAX) throw error;
      await new Promise((resolve) => tcp?.server.close(resolve));
    }
  }
}
