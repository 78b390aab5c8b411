/** A configured queue: by its URL, or by its name. */
export interface QueueAddress {
  readonly name: string;
  /** Absent: given by its name. */
  readonly url?: string;
  /** From the URL. Absent: the region of everything else. */
  readonly region?: string;
  /**
   * Which of AWS's own hosts the URL contains. Absent: another host, such as that of an interface endpoint in a VPC.
   */
  readonly awsHost?: "regional" | "fips" | "dualstack";
  /** From the URL. Absent: the account of the credentials. */
  readonly accountId?: string;
}

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html */
const NAME = /^[\w-]{1,80}$/;
const FIFO = ".fifo";
const ACCOUNT = /^\d{12}$/;
const REGION = /^[a-z]{2,}(-[a-z]+)+-\d+$/;
/**
 * Host names of the service itself in any partition, not of an interface endpoint in a VPC.
 * https://docs.aws.amazon.com/general/latest/gr/sqs-service.html
 */
const AWS_HOST =
  /^(?:(?:sqs|sqs-fips)\.[a-z0-9-]+|[a-z0-9-]+\.queue|queue)\.(?:amazonaws\.com(?:\.cn)?|api\.aws|api\.amazonwebservices\.com\.cn|amazonaws\.eu|api\.amazonwebservices\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)$/;
/** It contains no region. */
const OLD_HOSTS: ReadonlyMap<string, string> = new Map([["queue.amazonaws.com", "us-east-1"]]);
const ADVICE = "give the queue's URL, such as https://sqs.eu-west-1.amazonaws.com/123456789012/departures, or its name";

/** Throws `RangeError` with what to give instead. */
export function queueAddress(given: string): QueueAddress {
  if (!given.includes("/")) return { name: checkedName(given) };
  const url = URL.canParse(given) ? new URL(given) : undefined;
  const [, name, ...more] = partsOf(url);
  if (url === undefined || !/^https?:$/.test(url.protocol) || name === undefined || more.length > 0) {
    throw new RangeError(ADVICE);
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new RangeError(`${ADVICE}: without user, password, query or fragment`);
  }
  checkedName(name);
  const accountId = accountIn(given);
  const region = OLD_HOSTS.get(url.hostname) ?? url.hostname.split(".").find((label) => REGION.test(label));
  return {
    name,
    url: url.href.replace(/\/+$/, ""),
    ...(region === undefined ? {} : { region }),
    ...(region !== undefined && AWS_HOST.test(url.hostname) ? { awsHost: kindOf(url.hostname) } : {}),
    ...(accountId === undefined ? {} : { accountId }),
  };
}

function kindOf(hostname: string): NonNullable<QueueAddress["awsHost"]> {
  if (hostname.startsWith("sqs-fips.")) return "fips";
  return hostname.includes(".api.") ? "dualstack" : "regional";
}

/** The account of the queue in its URL. Undefined if the URL does not contain it. */
export function accountIn(url: string): string | undefined {
  const account = URL.canParse(url) ? partsOf(new URL(url)).at(-2) : undefined;
  return account !== undefined && ACCOUNT.test(account) ? account : undefined;
}

function partsOf(url: URL | undefined): readonly string[] {
  return url?.pathname.split("/").filter((part) => part !== "") ?? [];
}

function checkedName(name: string): string {
  if (name.endsWith(FIFO)) {
    throw new RangeError(
      "give a standard queue: Auto Scaling sends nothing to a FIFO queue, which holds events back too",
    );
  }
  if (!NAME.test(name)) throw new RangeError(ADVICE);
  return name;
}
