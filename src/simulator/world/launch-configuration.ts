/**
 * What a group launches by, as a caller has described it: a `LaunchTemplate` or a `MixedInstancesPolicy` in Auto Scaling's
 * own fields. No launch template exists here: only whether two are the same matters.
 */
export interface LaunchConfiguration {
  readonly [name: string]: LaunchSetting;
}

export type LaunchSetting = string | readonly LaunchSetting[] | LaunchConfiguration | undefined;

export function isSameConfiguration(a: LaunchConfiguration | undefined, b: LaunchConfiguration | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
