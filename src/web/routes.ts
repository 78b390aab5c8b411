/** Every path there is, and the methods that it takes. A part in braces stands for any text. */
export const ROUTES = {
  "/drain": "POST",
  "/nodes/{node}": "GET, HEAD",
  "/health": "GET, HEAD",
  "/ready": "GET, HEAD",
  "/metrics": "GET, HEAD",
  "/openapi.json": "GET, HEAD",
} as const;

export type RoutePath = keyof typeof ROUTES;

/** The route that a request's path leads to. Whoever mistypes a URL may have put the secret into its path. */
export function routeOf(path: string): RoutePath | undefined {
  if (Object.hasOwn(ROUTES, path)) return path as RoutePath;
  return /^\/nodes\/[^/]+$/.test(path) ? "/nodes/{node}" : undefined;
}
