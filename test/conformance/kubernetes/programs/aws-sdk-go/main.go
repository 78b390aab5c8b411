// What programs in Go do first at AWS, by aws-sdk-go-v2's own paginators and waiters: one JSON object a line on stdout for
// each. The endpoint, the region and the credentials come from the environment, as for any program.
package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// The waiters' own delays are seconds; the simulated time passes faster.
const (
	minDelay = 50 * time.Millisecond
	maxDelay = 200 * time.Millisecond
	waitMax  = 2 * time.Minute
)

// A page of each call is this long, so that there is a second one.
var pageSize = aws.Int32(2)

type result struct {
	Name  string `json:"name"`
	Pages int    `json:"pages,omitempty"`
	Items int    `json:"items,omitempty"`
	Error string `json:"error,omitempty"`
}

var output = json.NewEncoder(os.Stdout)

func report(done result, err error) {
	if err != nil {
		done.Error = err.Error()
	}
	_ = output.Encode(done)
}

type pager[Page, Options any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*Options)) (*Page, error)
}

func pages[Page, Options any](name string, all pager[Page, Options], count func(*Page) int) {
	done := result{Name: name}
	for all.HasMorePages() {
		page, err := all.NextPage(context.Background())
		if err != nil {
			report(done, err)
			return
		}
		done.Pages++
		done.Items += count(page)
	}
	report(done, nil)
}

type waiter[Input, Options any] interface {
	Wait(context.Context, *Input, time.Duration, ...func(*Options)) error
}

func wait[Input, Options any](name string, until waiter[Input, Options], input *Input) {
	report(result{Name: name}, until.Wait(context.Background(), input, waitMax))
}

// A call that has to succeed before the next waiter has anything to wait for.
func call[Output any](name string, _ *Output, err error) {
	report(result{Name: name}, err)
}

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		report(result{Name: "configuration"}, err)
		os.Exit(1)
	}
	identity, err := sts.NewFromConfig(cfg).GetCallerIdentity(context.Background(), nil)
	call("sts GetCallerIdentity", identity, err)
	names := strings.Split(os.Getenv("NODES"), ",")
	instances(ec2.NewFromConfig(cfg))
	targetGroups(elbv2.NewFromConfig(cfg), names[0])
	classic(elb.NewFromConfig(cfg), names[0])
	groups(autoscaling.NewFromConfig(cfg))
	power(ec2.NewFromConfig(cfg), names[1])
}

func instances(client *ec2.Client) {
	pages("ec2 DescribeInstances", ec2.NewDescribeInstancesPaginator(client, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(5)}),
		func(page *ec2.DescribeInstancesOutput) (found int) {
			for _, reservation := range page.Reservations {
				found += len(reservation.Instances)
			}
			return found
		})
	pages("ec2 DescribeInstanceStatus", ec2.NewDescribeInstanceStatusPaginator(client, &ec2.DescribeInstanceStatusInput{MaxResults: aws.Int32(5)}),
		func(page *ec2.DescribeInstanceStatusOutput) int { return len(page.InstanceStatuses) })
	pages("ec2 DescribeTags", ec2.NewDescribeTagsPaginator(client, &ec2.DescribeTagsInput{MaxResults: aws.Int32(5)}),
		func(page *ec2.DescribeTagsOutput) int { return len(page.Tags) })
	pages("ec2 DescribeSubnets", ec2.NewDescribeSubnetsPaginator(client, &ec2.DescribeSubnetsInput{MaxResults: aws.Int32(5)}),
		func(page *ec2.DescribeSubnetsOutput) int { return len(page.Subnets) })
	pages("ec2 DescribeVpcs", ec2.NewDescribeVpcsPaginator(client, &ec2.DescribeVpcsInput{MaxResults: aws.Int32(5)}),
		func(page *ec2.DescribeVpcsOutput) int { return len(page.Vpcs) })
	pages("ec2 DescribeNetworkInterfaces", ec2.NewDescribeNetworkInterfacesPaginator(client, &ec2.DescribeNetworkInterfacesInput{MaxResults: aws.Int32(5)}),
		func(page *ec2.DescribeNetworkInterfacesOutput) int { return len(page.NetworkInterfaces) })
	pages("ec2 DescribeSecurityGroups", ec2.NewDescribeSecurityGroupsPaginator(client, &ec2.DescribeSecurityGroupsInput{MaxResults: aws.Int32(5)}),
		func(page *ec2.DescribeSecurityGroupsOutput) int { return len(page.SecurityGroups) })
	pages("ec2 DescribeRouteTables", ec2.NewDescribeRouteTablesPaginator(client, &ec2.DescribeRouteTablesInput{MaxResults: aws.Int32(5)}),
		func(page *ec2.DescribeRouteTablesOutput) int { return len(page.RouteTables) })
}

func targetGroups(client *elbv2.Client, node string) {
	pages("elbv2 DescribeAccountLimits", elbv2.NewDescribeAccountLimitsPaginator(client, &elbv2.DescribeAccountLimitsInput{PageSize: pageSize}),
		func(page *elbv2.DescribeAccountLimitsOutput) int { return len(page.Limits) })
	var loadBalancers []string
	pages("elbv2 DescribeLoadBalancers", elbv2.NewDescribeLoadBalancersPaginator(client, &elbv2.DescribeLoadBalancersInput{PageSize: pageSize}),
		func(page *elbv2.DescribeLoadBalancersOutput) int {
			for _, one := range page.LoadBalancers {
				loadBalancers = append(loadBalancers, *one.LoadBalancerArn)
			}
			return len(page.LoadBalancers)
		})
	var first *string
	pages("elbv2 DescribeTargetGroups", elbv2.NewDescribeTargetGroupsPaginator(client, &elbv2.DescribeTargetGroupsInput{PageSize: pageSize}),
		func(page *elbv2.DescribeTargetGroupsOutput) int {
			if first == nil {
				first = page.TargetGroups[0].TargetGroupArn
			}
			return len(page.TargetGroups)
		})
	arn := aws.String(loadBalancers[0])
	var listener *string
	pages("elbv2 DescribeListeners", elbv2.NewDescribeListenersPaginator(client, &elbv2.DescribeListenersInput{LoadBalancerArn: arn, PageSize: pageSize}),
		func(page *elbv2.DescribeListenersOutput) int {
			if listener == nil {
				listener = page.Listeners[0].ListenerArn
			}
			return len(page.Listeners)
		})
	pages("elbv2 DescribeRules", elbv2.NewDescribeRulesPaginator(client, &elbv2.DescribeRulesInput{ListenerArn: listener, PageSize: pageSize}),
		func(page *elbv2.DescribeRulesOutput) int { return len(page.Rules) })
	described := &elbv2.DescribeLoadBalancersInput{LoadBalancerArns: loadBalancers[:1]}
	wait("elbv2 LoadBalancerExists", elbv2.NewLoadBalancerExistsWaiter(client, func(o *elbv2.LoadBalancerExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = minDelay, maxDelay
	}), described)
	wait("elbv2 LoadBalancerAvailable", elbv2.NewLoadBalancerAvailableWaiter(client, func(o *elbv2.LoadBalancerAvailableWaiterOptions) {
		o.MinDelay, o.MaxDelay = minDelay, maxDelay
	}), described)

	targets := []elbv2types.TargetDescription{{Id: &node}}
	health := &elbv2.DescribeTargetHealthInput{TargetGroupArn: first, Targets: targets}
	left, err := client.DeregisterTargets(context.Background(), &elbv2.DeregisterTargetsInput{TargetGroupArn: first, Targets: targets})
	call("elbv2 DeregisterTargets", left, err)
	wait("elbv2 TargetDeregistered", elbv2.NewTargetDeregisteredWaiter(client, func(o *elbv2.TargetDeregisteredWaiterOptions) {
		o.MinDelay, o.MaxDelay = minDelay, maxDelay
	}), health)
	joined, err := client.RegisterTargets(context.Background(), &elbv2.RegisterTargetsInput{TargetGroupArn: first, Targets: targets})
	call("elbv2 RegisterTargets", joined, err)
	wait("elbv2 TargetInService", elbv2.NewTargetInServiceWaiter(client, func(o *elbv2.TargetInServiceWaiterOptions) {
		o.MinDelay, o.MaxDelay = minDelay, maxDelay
	}), health)

	last := loadBalancers[len(loadBalancers)-1]
	deleted, err := client.DeleteLoadBalancer(context.Background(), &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: &last})
	call("elbv2 DeleteLoadBalancer", deleted, err)
	wait("elbv2 LoadBalancersDeleted", elbv2.NewLoadBalancersDeletedWaiter(client, func(o *elbv2.LoadBalancersDeletedWaiterOptions) {
		o.MinDelay, o.MaxDelay = minDelay, maxDelay
	}), &elbv2.DescribeLoadBalancersInput{LoadBalancerArns: []string{last}})
}

func classic(client *elb.Client, node string) {
	var first *string
	pages("elb DescribeLoadBalancers", elb.NewDescribeLoadBalancersPaginator(client, &elb.DescribeLoadBalancersInput{PageSize: pageSize}),
		func(page *elb.DescribeLoadBalancersOutput) int {
			if first == nil {
				first = page.LoadBalancerDescriptions[0].LoadBalancerName
			}
			return len(page.LoadBalancerDescriptions)
		})
	instances := []elbtypes.Instance{{InstanceId: &node}}
	health := &elb.DescribeInstanceHealthInput{LoadBalancerName: first, Instances: instances}
	left, err := client.DeregisterInstancesFromLoadBalancer(context.Background(),
		&elb.DeregisterInstancesFromLoadBalancerInput{LoadBalancerName: first, Instances: instances})
	call("elb DeregisterInstancesFromLoadBalancer", left, err)
	wait("elb InstanceDeregistered", elb.NewInstanceDeregisteredWaiter(client, func(o *elb.InstanceDeregisteredWaiterOptions) {
		o.MinDelay, o.MaxDelay = minDelay, maxDelay
	}), health)
	joined, err := client.RegisterInstancesWithLoadBalancer(context.Background(),
		&elb.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: first, Instances: instances})
	call("elb RegisterInstancesWithLoadBalancer", joined, err)
	wait("elb InstanceInService", elb.NewInstanceInServiceWaiter(client, func(o *elb.InstanceInServiceWaiterOptions) {
		o.MinDelay, o.MaxDelay = minDelay, maxDelay
	}), health)
	wait("elb AnyInstanceInService", elb.NewAnyInstanceInServiceWaiter(client, func(o *elb.AnyInstanceInServiceWaiterOptions) {
		o.MinDelay, o.MaxDelay = minDelay, maxDelay
	}), &elb.DescribeInstanceHealthInput{LoadBalancerName: first})
}

func groups(client *autoscaling.Client) {
	var names []string
	pages("autoscaling DescribeAutoScalingGroups", autoscaling.NewDescribeAutoScalingGroupsPaginator(client, &autoscaling.DescribeAutoScalingGroupsInput{MaxRecords: pageSize}),
		func(page *autoscaling.DescribeAutoScalingGroupsOutput) int {
			for _, group := range page.AutoScalingGroups {
				names = append(names, *group.AutoScalingGroupName)
			}
			return len(page.AutoScalingGroups)
		})
	pages("autoscaling DescribeAutoScalingInstances", autoscaling.NewDescribeAutoScalingInstancesPaginator(client, &autoscaling.DescribeAutoScalingInstancesInput{MaxRecords: pageSize}),
		func(page *autoscaling.DescribeAutoScalingInstancesOutput) int { return len(page.AutoScalingInstances) })
	pages("autoscaling DescribeTags", autoscaling.NewDescribeTagsPaginator(client, &autoscaling.DescribeTagsInput{MaxRecords: pageSize}),
		func(page *autoscaling.DescribeTagsOutput) int { return len(page.Tags) })
	pages("autoscaling DescribeScalingActivities", autoscaling.NewDescribeScalingActivitiesPaginator(client, &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: &names[0], MaxRecords: pageSize}),
		func(page *autoscaling.DescribeScalingActivitiesOutput) int { return len(page.Activities) })
	pages("autoscaling DescribeLoadBalancerTargetGroups", autoscaling.NewDescribeLoadBalancerTargetGroupsPaginator(client, &autoscaling.DescribeLoadBalancerTargetGroupsInput{AutoScalingGroupName: &names[0], MaxRecords: pageSize}),
		func(page *autoscaling.DescribeLoadBalancerTargetGroupsOutput) int {
			return len(page.LoadBalancerTargetGroups)
		})
	pages("autoscaling DescribeLoadBalancers", autoscaling.NewDescribeLoadBalancersPaginator(client, &autoscaling.DescribeLoadBalancersInput{AutoScalingGroupName: &names[0], MaxRecords: pageSize}),
		func(page *autoscaling.DescribeLoadBalancersOutput) int { return len(page.LoadBalancers) })
	pages("autoscaling DescribeTrafficSources", autoscaling.NewDescribeTrafficSourcesPaginator(client, &autoscaling.DescribeTrafficSourcesInput{AutoScalingGroupName: &names[0], MaxRecords: pageSize}),
		func(page *autoscaling.DescribeTrafficSourcesOutput) int { return len(page.TrafficSources) })
	pages("autoscaling DescribeInstanceRefreshes", autoscaling.NewDescribeInstanceRefreshesPaginator(client, &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: &names[0], MaxRecords: pageSize}),
		func(page *autoscaling.DescribeInstanceRefreshesOutput) int { return len(page.InstanceRefreshes) })
	described := &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: names[:1]}
	wait("autoscaling GroupExists", autoscaling.NewGroupExistsWaiter(client, func(o *autoscaling.GroupExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = minDelay, maxDelay
	}), described)
	wait("autoscaling GroupInService", autoscaling.NewGroupInServiceWaiter(client, func(o *autoscaling.GroupInServiceWaiterOptions) {
		o.MinDelay, o.MaxDelay = minDelay, maxDelay
	}), described)
	wait("autoscaling GroupNotExists", autoscaling.NewGroupNotExistsWaiter(client, func(o *autoscaling.GroupNotExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = minDelay, maxDelay
	}), &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{"there-is-none"}})
}

func power(client *ec2.Client, node string) {
	ids := []string{node}
	described := &ec2.DescribeInstancesInput{InstanceIds: ids}
	wait("ec2 InstanceExists", ec2.NewInstanceExistsWaiter(client, func(o *ec2.InstanceExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = minDelay, maxDelay
	}), described)
	stopped, err := client.StopInstances(context.Background(), &ec2.StopInstancesInput{InstanceIds: ids})
	call("ec2 StopInstances", stopped, err)
	wait("ec2 InstanceStopped", ec2.NewInstanceStoppedWaiter(client, func(o *ec2.InstanceStoppedWaiterOptions) {
		o.MinDelay, o.MaxDelay = minDelay, maxDelay
	}), described)
	started, err := client.StartInstances(context.Background(), &ec2.StartInstancesInput{InstanceIds: ids})
	call("ec2 StartInstances", started, err)
	wait("ec2 InstanceRunning", ec2.NewInstanceRunningWaiter(client, func(o *ec2.InstanceRunningWaiterOptions) {
		o.MinDelay, o.MaxDelay = minDelay, maxDelay
	}), described)
	status := &ec2.DescribeInstanceStatusInput{InstanceIds: ids}
	wait("ec2 InstanceStatusOk", ec2.NewInstanceStatusOkWaiter(client, func(o *ec2.InstanceStatusOkWaiterOptions) {
		o.MinDelay, o.MaxDelay = minDelay, maxDelay
	}), status)
	wait("ec2 SystemStatusOk", ec2.NewSystemStatusOkWaiter(client, func(o *ec2.SystemStatusOkWaiterOptions) {
		o.MinDelay, o.MaxDelay = minDelay, maxDelay
	}), status)
	gone, err := client.TerminateInstances(context.Background(), &ec2.TerminateInstancesInput{InstanceIds: ids})
	call("ec2 TerminateInstances", gone, err)
	wait("ec2 InstanceTerminated", ec2.NewInstanceTerminatedWaiter(client, func(o *ec2.InstanceTerminatedWaiterOptions) {
		o.MinDelay, o.MaxDelay = minDelay, maxDelay
	}), described)
}
