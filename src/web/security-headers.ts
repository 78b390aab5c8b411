/**
 * What every answer tells a browser, whoever it is that makes one ask: nothing here is a page, nothing may be kept,
 * guessed at, framed, or read by another site. An answer with a header of its own by one of these names keeps that.
 */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};
