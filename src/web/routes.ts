/** Every path there is, and the methods that it takes. A part in braces stands for any text. */
export const ROUTES = {
  "/drain": "POST",
  "/drains": "GET, HEAD",
  "/drains/{drain}": "GET, HEAD, DELETE",
  "/drains/{drain}/events": "GET, HEAD",
  "/nodes/{node}": "GET, HEAD",
  "/health": "GET, HEAD",
  "/ready": "GET, HEAD",
  "/metrics": "GET, HEAD",
  "/openapi.json": "GET, HEAD",
} as const;

export type RoutePath = keyof typeof ROUTES;

const PATTERNS = (Object.keys(ROUTES) as RoutePath[]).map((route) => {
  const pattern = route.replace(".", "\\.").replace(/\{\w+\}/g, "[^/]+");
  return [route, new RegExp(`^${pattern}$`)] as const;
});

/** The route that a request's path leads to. Whoever mistypes a URL may have put the secret into its path. */
export function routeOf(path: string): RoutePath | undefined {
  return PATTERNS.find(([, pattern]) => pattern.test(path))?.[0];
}
