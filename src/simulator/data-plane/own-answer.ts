import { type ServerResponse, STATUS_CODES } from "node:http";

/** The answer of a load balancer without a target, or instead of one. */
export interface OwnAnswer {
  readonly status: number;
  /** Absent: the load balancer's page for the status. */
  readonly body?: string;
  /** Of that body. Default: `text/plain`. */
  readonly contentType?: string | undefined;
  /** Of a redirect. */
  readonly location?: string;
}

/** The names of statuses that load balancers use, if they differ from Node's. */
const TITLES: Readonly<Record<number, string>> = {
  405: "Not Allowed",
  503: "Service Temporarily Unavailable",
  504: "Gateway Time-out",
};

export const SERVER = "awselb/2.0";

/** What follows the status line and the headers: a page that names the status, or the text of a fixed response. */
export function contentOf({ status, body, contentType = "text/plain" }: OwnAnswer): {
  readonly type: string;
  readonly text: string;
} {
  if (body !== undefined) return { type: `${contentType}; charset=utf-8`, text: body };
  const title = `${status} ${TITLES[status] ?? STATUS_CODES[status] ?? ""}`.trimEnd();
  const lines = [
    "<html>",
    `<head><title>${title}</title></head>`,
    "<body>",
    `<center><h1>${title}</h1></center>`,
    "</body>",
    "</html>",
    "",
  ];
  return { type: "text/html", text: lines.join("\r\n") };
}

/** `namesServer`: the listener's attribute `routing.http.response.server.enabled`. */
export function sendOwn(response: ServerResponse, answer: OwnAnswer, namesServer: boolean): void {
  if (response.headersSent || response.destroyed) return;
  const { type, text } = contentOf(answer);
  if (namesServer) response.setHeader("server", SERVER);
  if (answer.location !== undefined) response.setHeader("location", answer.location);
  response.writeHead(answer.status, { "content-type": type, "content-length": Buffer.byteLength(text) }).end(text);
}
