import type { ApiServer } from "./api-server.ts";
import { asClusterError } from "./errors.ts";
import type { KubernetesObject } from "./objects.ts";

const TOKEN_REVIEWS = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview" };
const ACCESS_REVIEWS = { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview" };
/** The API group of the permissions of callers. The cluster stores nothing of it, because RBAC needs only names. */
const GROUP = "hasta-la-vista.io";
/** Since Kubernetes 1.32: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/ */
const NODE_NAME = "authentication.kubernetes.io/node-name";
/** For one call. Both calls together take less time than a caller is kept waiting. */
const TIMEOUT_MS = 2_000;

/** What a caller wants to do, in the words of RBAC. */
export interface Access {
  readonly verb: string;
  readonly resource: string;
}

export interface TokenReviewsOptions {
  readonly server: Pick<ApiServer, "request">;
  /** The audience of accepted tokens. */
  readonly audience: string;
}

/** A user that the API server knows. https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/ */
interface UserInfo {
  readonly username?: unknown;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

interface TokenReview extends KubernetesObject {
  readonly status?: {
    readonly authenticated?: unknown;
    readonly user?: UserInfo;
    readonly audiences?: readonly unknown[];
  };
}

interface SubjectAccessReview extends KubernetesObject {
  readonly status?: { readonly allowed?: unknown };
}

/**
 * Asks the API server for the user of a token, and for the permissions of that user. Nothing is kept, and no failure
 * quotes the token.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#webhook-token-authentication
 */
export class TokenReviews {
  readonly #options: TokenReviewsOptions;

  constructor(options: TokenReviewsOptions) {
    this.#options = options;
  }

  /**
   * Undefined: the token is not valid, or is for another audience. Throws `DrainError` if the API server can't be
   * asked.
   */
  async review(token: string, signal: AbortSignal): Promise<ReviewedUser | undefined> {
    const { audience } = this.#options;
    const { status } = await this.#created<TokenReview>(TOKEN_REVIEWS, { token, audiences: [audience] }, signal);
    const { user = {}, authenticated, audiences } = status ?? {};
    // An authenticator that does not know audiences names none, and has accepted a token that is only for the API
    // server.
    const isMeant = Array.isArray(audiences) && audiences.includes(audience);
    if (authenticated !== true || !isMeant || typeof user.username !== "string" || user.username === "")
      return undefined;
    const { username } = user;
    const nodeName = user.extra?.[NODE_NAME]?.[0];
    return {
      username,
      ...(nodeName !== undefined && { nodeName }),
      may: (access, within) => this.#may({ ...user, username }, access, within),
    };
  }

  async #may({ username, uid, groups, extra }: UserInfo, access: Access, signal: AbortSignal): Promise<boolean> {
    const resourceAttributes = { group: GROUP, ...access };
    const spec = { user: username, uid, groups, extra, resourceAttributes };
    const { status } = await this.#created<SubjectAccessReview>(ACCESS_REVIEWS, spec, signal);
    return status?.allowed === true;
  }

  async #created<T>(kind: typeof TOKEN_REVIEWS, spec: object, signal: AbortSignal): Promise<T> {
    const path = `/apis/${kind.apiVersion}/${kind.kind.toLowerCase()}s`;
    const body = { ...kind, spec };
    try {
      return await this.#options.server.request<T>({ method: "POST", path, body, timeoutMs: TIMEOUT_MS }, signal);
    } catch (error) {
      throw asClusterError(error);
    }
  }
}

/** A user whose token is valid. */
export interface ReviewedUser {
  /** Such as `system:serviceaccount:ci:deployer`. */
  readonly username: string;
  /**
   * The node of the pod that the token was issued for. Absent: it was not issued for a pod, or the API server does not
   * say.
   */
  readonly nodeName?: string;
  /** Whether the cluster's authorization allows it. Throws `DrainError` if the API server can't be asked. */
  may(access: Access, signal: AbortSignal): Promise<boolean>;
}
