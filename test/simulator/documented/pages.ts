const AWS = "https://docs.aws.amazon.com";

// The references of the APIs, and the guides.
export const ELBV2 = `${AWS}/elasticloadbalancing/latest/APIReference`;
export const CLASSIC = `${AWS}/elasticloadbalancing/2012-06-01/APIReference`;
export const EC2 = `${AWS}/AWSEC2/latest/APIReference`;
export const SCALING = `${AWS}/autoscaling/ec2/APIReference`;
export const ALB_GUIDE = `${AWS}/elasticloadbalancing/latest/application`;
export const NLB_GUIDE = `${AWS}/elasticloadbalancing/latest/network`;
export const GWLB_GUIDE = `${AWS}/elasticloadbalancing/latest/gateway`;
export const CLASSIC_GUIDE = `${AWS}/elasticloadbalancing/latest/classic`;
export const EC2_GUIDE = `${AWS}/AWSEC2/latest/UserGuide`;
export const SCALING_GUIDE = `${AWS}/autoscaling/ec2/userguide`;
