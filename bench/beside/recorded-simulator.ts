import type { ApiRequest } from "../../src/simulator/api/answer.ts";
import type { DeliveredAnswer } from "../../src/simulator/faults/delivery.ts";
import { AWS_QUOTAS } from "../../src/simulator/quotas/quotas.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import type { World } from "../../src/simulator/world/world.ts";

/** Of the older one of the two versions of Elastic Load Balancing. */
const CLASSIC_VERSION = "2012-06-01";

/** A call that one program has made. */
export interface RecordedCall {
  /** In milliseconds since the epoch. */
  readonly at: number;
  /** `elasticloadbalancing:DescribeTargetHealth`; of classic load balancers `classic:DescribeLoadBalancers`. */
  readonly action: string;
  readonly requestId: string;
  readonly status: number;
  /** The ARN of the target group that it is about. */
  readonly group: string | undefined;
}

/** AWS at its documented quotas, which keeps every call that is made of it. */
export class RecordedSimulator extends Simulator {
  readonly recorded: RecordedCall[] = [];

  constructor(world: World) {
    super(world);
    this.limit(AWS_QUOTAS);
  }

  override answer(request: ApiRequest): DeliveredAnswer {
    const at = this.world.clock.now();
    const answered = super.answer(request);
    const { action = "none", headers, status } = answered;
    const isClassic = request.body.includes(`Version=${CLASSIC_VERSION}`);
    this.recorded.push({
      at,
      action: isClassic ? action.replace(/^\w+:/, "classic:") : action,
      requestId: headers["x-amzn-requestid"] ?? "",
      status,
      group: new URLSearchParams(request.body).get("TargetGroupArn") ?? undefined,
    });
    return answered;
  }
}
