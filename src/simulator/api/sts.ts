import { createHash } from "node:crypto";
import { AwsError } from "../aws-error.ts";
import type { ApiActions } from "./action.ts";

/** The actions of the Security Token Service 2011-06-15. */
export const securityTokenActions: ApiActions = {
  /**
   * Every caller is a user of the account, with the name in its policy or its access key as name. It needs no
   * permission for this call. https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
   */
  GetCallerIdentity(_params, world, { accessKeyId, user = accessKeyId }) {
    if (user === undefined)
      throw new AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403);
    return { Arn: world.arn("iam", `user/${user}`), UserId: userIdOf(user), Account: world.accountId };
  },
};

/** Of users they begin with AIDA. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html */
function userIdOf(user: string): string {
  const digits = createHash("sha256").update(user).digest("hex").toUpperCase();
  return `AIDA${digits.slice(0, 17)}`;
}
