/** An error of AWS's API. The texts are AWS's own if they are known. */
export class AwsError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.name = "AwsError";
    this.code = code;
    this.status = status;
  }
}

/** For what AWS accepts and the simulator does not have: with a code and a status that AWS does not use for it. */
export const notSimulated = (message: string) => new AwsError("NotSimulated", message, 501);

export const validationError = (message: string) => new AwsError("ValidationError", message);

/** AWS's form of message for a parameter that violates a constraint of its model. */
export const constraintError = (value: string, parameter: string, constraint: string) =>
  validationError(
    `1 validation error detected: Value ${value} at '${parameter}' failed to satisfy constraint: ${constraint}`,
  );

export const missingParameter = (name: string) =>
  constraintError("null", name.charAt(0).toLowerCase() + name.slice(1), "Member must not be null");

/** AWS gives this error for an ARN of another Region too (https://github.com/aws/aws-cli/issues/3673). */
export const invalidArn = (arn: string, kind: string) => validationError(`'${arn}' is not a valid ${kind} ARN`);

export const targetGroupNotFound = () => new AwsError("TargetGroupNotFound", "One or more target groups not found");
export const loadBalancerNotFound = () => new AwsError("LoadBalancerNotFound", "One or more load balancers not found");
export const listenerNotFound = () => new AwsError("ListenerNotFound", "One or more listeners not found");
export const ruleNotFound = () => new AwsError("RuleNotFound", "One or more rules not found");
export const invalidSecurityGroup = (id: string) =>
  new AwsError("InvalidSecurityGroup", `One or more security groups are invalid: ${id}`);
export const invalidTarget = (message: string) => new AwsError("InvalidTarget", message);

export const classicNotFound = (name: string) =>
  new AwsError("LoadBalancerNotFound", `There is no ACTIVE Load Balancer named '${name}'`);
export const invalidInstance = (id: string) => new AwsError("InvalidInstance", `Could not find EC2 instance ${id}.`);
