/** One region of one AWS account whose nodes and load balancers the service handles, and the identity of its calls. */
export interface AwsPlace {
  /**
   * `444455556666/eu-west-1`, or only the region if the program's own credentials are used. It always names the same
   * place.
   */
  readonly name: string;
  readonly region: string;
  /** Absent: the program's own credentials. */
  readonly role?: AwsRole;
}

/** A role that is assumed, with the parameters of AssumeRole. */
export interface AwsRole {
  readonly arn: string;
  /** The account of the role. */
  readonly accountId: string;
  readonly externalId?: string;
  readonly sessionName?: string;
}

const PLACES_MAX = 20;
/** https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
const FIELDS: Readonly<Record<string, RegExp>> = {
  Region: /^[a-z]{2,}(-[a-z]+)+-\d+$/,
  RoleArn: /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,576}$/,
  ExternalId: /^[\w+=,.@:/-]{2,1224}$/,
  RoleSessionName: /^[\w+=,.@-]{2,64}$/,
};
/** The name of a role may have commas and equals signs. */
const BEFORE_FIELD = /,(?=\w+=)/;
export const PLACES_RANGE = `1 to ${PLACES_MAX} of Region=…[,RoleArn=…[,ExternalId=…][,RoleSessionName=…]] with spaces between them`;

/** In the shorthand syntax of the AWS CLI. Throws `RangeError` with what to give instead. */
export function awsPlaces(given: string): readonly AwsPlace[] {
  const places = given.trim().split(/\s+/).map(placeOf);
  if (places.length > PLACES_MAX) throw new RangeError(`give ${PLACES_RANGE}`);
  const names = places.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new RangeError(`${twice} is there twice: give each account and region once`);
  return places;
}

function placeOf(given: string): AwsPlace {
  const fields = new Map(given.split(BEFORE_FIELD).map((field) => field.split(/=(.*)/s) as [string, string]));
  const isWrong = [...fields].some(([key, value]) => !Object.hasOwn(FIELDS, key) || !FIELDS[key]?.test(value));
  const { Region: region, RoleArn: arn, ExternalId, RoleSessionName, ...none } = Object.fromEntries(fields);
  const hasTwo = fields.size < given.split(BEFORE_FIELD).length;
  const isWithout = arn === undefined && (ExternalId ?? RoleSessionName) !== undefined;
  if (isWrong || hasTwo || isWithout || region === undefined || Object.keys(none).length > 0)
    throw new RangeError(`give ${PLACES_RANGE}`);
  if (arn === undefined) return { name: region, region };
  const accountId = arn.split(":")[4] ?? "";
  const role = {
    arn,
    accountId,
    ...(ExternalId && { externalId: ExternalId }),
    ...(RoleSessionName && { sessionName: RoleSessionName }),
  };
  return { name: `${accountId}/${region}`, region, role };
}
