/**
 * The target of a redirect. Each component may contain components of the request, such as `#{host}`. The defaults keep
 * those of the request.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RedirectActionConfig.html
 */
export interface Redirect {
  readonly protocol: string;
  readonly host: string;
  readonly port: string;
  /** With its leading slash. */
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
}

export const UNCHANGED: Redirect = {
  protocol: "#{protocol}",
  host: "#{host}",
  port: "#{port}",
  path: "/#{path}",
  query: "#{query}",
};

/** Whether the redirect leads back to the URL of the request. A different query makes no difference to AWS. */
export function isLoop({ protocol, host, port, path }: Redirect): boolean {
  const { query: _, ...unchanged } = UNCHANGED;
  return Object.entries({ protocol, host, port, path }).every(
    ([name, value]) => value === unchanged[name as keyof typeof unchanged],
  );
}

/** The `Location` header for a request. It always contains the port. `request`: its components, as in `Redirect`. */
export function locationOf(changed: Partial<Redirect>, request: Redirect): string {
  const redirect = { ...UNCHANGED, ...changed };
  const withoutSlash = request.path.replace(/^\//, "");
  const components: Readonly<Record<string, string>> = {
    protocol: request.protocol.toLowerCase(),
    host: request.host,
    port: request.port,
    path: withoutSlash,
    query: request.query,
  };
  const filled = (template: string) =>
    template.replace(/#\{(protocol|host|port|path|query)\}/g, (whole, name: string) => components[name] ?? whole);
  const query = filled(redirect.query);
  const place = `${filled(redirect.protocol).toLowerCase()}://${filled(redirect.host)}:${filled(redirect.port)}`;
  return `${place}${filled(redirect.path)}${query === "" ? "" : `?${query}`}`;
}
