/** A refused request of the control API, with the reason. */
export class ControlProblem extends Error {
  readonly status: 400 | 404 | 405 | 409 | 413 | 500 | 503;
  /** If there are several problems: each with its place. */
  readonly problems: readonly string[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: ControlProblem["status"],
    detail: string,
    more: { readonly problems?: readonly string[]; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(detail);
    this.name = "ControlProblem";
    this.status = status;
    this.problems = more.problems ?? [];
    this.headers = more.headers ?? {};
  }

  /** In the form of RFC 9457. */
  body(): object {
    const { status, problems, message: detail } = this;
    return {
      type: "about:blank",
      title: TITLES[status],
      status,
      detail,
      ...(problems.length > 0 && { problems }),
    };
  }
}

const TITLES: Readonly<Record<ControlProblem["status"], string>> = {
  400: "Bad request",
  404: "Not found",
  405: "Method not allowed",
  409: "Conflict",
  413: "Body too large",
  500: "Internal error",
  503: "Unavailable",
};
