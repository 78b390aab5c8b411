/** What STS was asked. */
export interface AssumedRole {
  readonly roleArn: string;
  readonly externalId: string | undefined;
  readonly sessionName: string;
  /** The region whose endpoint was called, as the signature has it. */
  readonly region: string;
  /** Whose request it was. */
  readonly by: string;
}

/** The scope of a request's signature: who calls which service of which region. */
export interface SignedFor {
  readonly accessKeyId: string;
  readonly region: string;
  readonly service: string;
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
export function signedFor(authorization = ""): SignedFor {
  const [, accessKeyId = "", region = "", service = ""] =
    /Credential=([^/]+)\/\d+\/([^/]+)\/([^/]+)\//.exec(authorization) ?? [];
  return { accessKeyId, region, service };
}

export interface TrustedRole {
  readonly arn: string;
  /** The only access key that may assume it. Absent: any. */
  readonly trusts?: string;
  /** What the caller must give. Absent: it need not give any. */
  readonly externalId?: string;
}

/**
 * AssumeRole over the wire, for roles that trust the caller: hands out an access key of the role's account for an hour, and
 * remembers what it was asked.
 */
export class SecurityTokenService {
  readonly asked: AssumedRole[] = [];
  /** How long the credentials are valid that it gives out. */
  validForMs = 3_600_000;
  /** Set it to fail instead. */
  failure: { readonly status: number; readonly code: string } | undefined;
  readonly #roles: readonly TrustedRole[];
  readonly #accounts = new Map<string, string>();

  constructor(roles: readonly TrustedRole[]) {
    this.#roles = roles;
  }

  /** The account of an access key that it has given out. */
  accountOf(accessKeyId: string): string | undefined {
    return this.#accounts.get(accessKeyId);
  }

  /** `accessKeyId`: what it has given out. */
  answer(
    body: string,
    { accessKeyId: by, region }: SignedFor,
  ): { readonly status: number; readonly body: string; readonly accessKeyId?: string } {
    const params = new URLSearchParams(body);
    const roleArn = params.get("RoleArn") ?? "";
    const externalId = params.get("ExternalId") ?? undefined;
    this.asked.push({ roleArn, externalId, sessionName: params.get("RoleSessionName") ?? "", region, by });
    if (this.failure !== undefined) return failed(this.failure.status, this.failure.code, "STS is out of order");
    const role = this.#roles.find(({ arn }) => arn === roleArn);
    const isTrusted =
      role !== undefined &&
      (role.trusts ?? by) === by &&
      (role.externalId === undefined || role.externalId === externalId);
    if (!isTrusted) {
      const sentence = `User: arn:aws:sts::123456789012:assumed-role/own/pod is not authorized to perform: sts:AssumeRole on resource: ${roleArn}`;
      return failed(403, "AccessDenied", sentence);
    }
    const key = `ASSUMED${this.asked.length}`;
    this.#accounts.set(key, roleArn.split(":")[4] ?? "");
    const expiration = new Date(Date.now() + this.validForMs).toISOString();
    const credentials = `<Credentials><AccessKeyId>${key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>${expiration}</Expiration></Credentials>`;
    const xmlns = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"';
    return {
      status: 200,
      accessKeyId: key,
      body: `<AssumeRoleResponse ${xmlns}><AssumeRoleResult>${credentials}</AssumeRoleResult></AssumeRoleResponse>`,
    };
  }
}

function failed(status: number, code: string, message: string) {
  const type = status >= 500 ? "Receiver" : "Sender";
  return {
    status,
    body: `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>${type}</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
  };
}
