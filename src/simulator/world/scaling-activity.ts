/** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Activity.html */
export type ActivityStatus =
  | "PreInService"
  | "InProgress"
  | "WaitingForELBConnectionDraining"
  | "MidLifecycleAction"
  | "Successful";

/** One thing that an Auto Scaling group does to one instance. Times are milliseconds since the epoch. */
export interface ScalingActivity {
  readonly id: string;
  /** `Terminating EC2 instance: i-…` */
  readonly description: string;
  readonly cause: string;
  readonly zone: string;
  readonly startedAt: number;
  /** When it is over, as far as is known: it may lie ahead. */
  readonly endsAt: () => number | undefined;
  /** What it is doing until then. */
  readonly progress: (now: number) => ActivityStatus;
  /** How far AWS says that it is until then. Default: 0. */
  readonly percentUntilThen?: number;
}

/** AWS tells of activities for so long. */
const KEPT_MS = 42 * 24 * 3_600_000;

/** What one group has done, and does. */
export class ScalingActivities {
  #all: readonly ScalingActivity[] = [];

  record(activity: ScalingActivity): void {
    this.#all = [...this.asOf(activity.startedAt), activity];
  }

  /** Those that AWS still tells of, the latest one last. */
  asOf(now: number): readonly ScalingActivity[] {
    return this.#all.filter(({ startedAt }) => now < startedAt + KEPT_MS);
  }
}

export function statusOf({ endsAt, progress }: ScalingActivity, now: number): ActivityStatus {
  return now < (endsAt() ?? Number.POSITIVE_INFINITY) ? progress(now) : "Successful";
}
