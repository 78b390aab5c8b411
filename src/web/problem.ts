/** Seconds after which a refused caller may try again. Another replica may have taken over by then. */
const RETRY_AFTER_SECONDS = "5";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: object;
}

/** An error according to RFC 9457. `more` says what was done all the same. */
export function problem(
  status: number,
  detail: string,
  { headers = {}, more = {} }: { readonly headers?: Readonly<Record<string, string>>; readonly more?: object } = {},
): Answer {
  return {
    status,
    headers: { ...headers, "content-type": "application/problem+json" },
    body: { type: "about:blank", title: TITLES[status] ?? "Error", status, detail, ...more },
  };
}

/** Temporarily unavailable: `Retry-After` says when to try again. */
export function unavailable(detail: string, more: object = {}, headers: Readonly<Record<string, string>> = {}): Answer {
  return problem(503, detail, { headers: { ...headers, "retry-after": RETRY_AFTER_SECONDS }, more });
}

export function send({ status, headers, body }: Answer): Response {
  return new Response(`${JSON.stringify(body)}\n`, { status, headers });
}

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad request",
  401: "No secret",
  403: "Not allowed",
  404: "Not found",
  405: "Method not allowed",
  408: "Request too slow",
  409: "Conflict",
  413: "Body too large",
  414: "URL too long",
  417: "Expectation failed",
  429: "Too many wrong secrets",
  431: "Headers too large",
  500: "Internal error",
  502: "AWS failed",
  503: "Unavailable",
  504: "Not drained in time",
};
