/** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Activity.html */
export type ActivityStatus =
  | "PreInService"
  | "InProgress"
  | "WaitingForELBConnectionDraining"
  | "MidLifecycleAction"
  | "Successful";

/** One activity of an Auto Scaling group for one instance. Times are milliseconds since the epoch. */
export interface ScalingActivity {
  readonly id: string;
  /** `Terminating EC2 instance: i-…` */
  readonly description: string;
  readonly cause: string;
  readonly zone: string;
  readonly startedAt: number;
  /** When it ends, as far as is known. This may be in the future. */
  readonly endsAt: () => number | undefined;
  /** Its status until then. */
  readonly progress: (now: number) => ActivityStatus;
  /** Its progress in percent until then. Default: 0. */
  readonly percentUntilThen?: number;
}

/** How long AWS lists activities and instance refreshes. */
export const LISTED_MS = 42 * 24 * 3_600_000;

/** The activities of one group. */
export class ScalingActivities {
  #all: readonly ScalingActivity[] = [];

  record(activity: ScalingActivity): void {
    this.#all = [...this.asOf(activity.startedAt), activity];
  }

  /** The activities that AWS lists, the latest one last. */
  asOf(now: number): readonly ScalingActivity[] {
    return this.#all.filter(({ startedAt }) => now < startedAt + LISTED_MS);
  }
}

export function statusOf({ endsAt, progress }: ScalingActivity, now: number): ActivityStatus {
  return now < (endsAt() ?? Number.POSITIVE_INFINITY) ? progress(now) : "Successful";
}
