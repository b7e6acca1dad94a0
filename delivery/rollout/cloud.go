package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"time"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/monitoring/v3"
	"google.golang.org/api/option"
	"google.golang.org/api/run/v2"
)

// cloud is Cloud Run and Cloud Monitoring, as far as a rollout needs them.
type cloud struct {
	run             *run.Service
	monitoring      *monitoring.Service
	project, parent string
}

func newCloud(ctx context.Context, project, region string, options ...option.ClientOption) (*cloud, error) {
	runs, err := run.NewService(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to Cloud Run: %w", err)
	}
	watches, err := monitoring.NewService(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to Cloud Monitoring: %w", err)
	}
	return &cloud{run: runs, monitoring: watches, project: project, parent: "projects/" + project + "/locations/" + region}, nil
}

// service is a Cloud Run service. Revisions are named without their path.
type service struct {
	name          string
	newest, ready string           // the newest revision, and the newest that is ready
	traffic       map[string]int64 // percent, by revision
	pinned        bool             // no part of the traffic follows the newest
}

const byRevision, byLatest = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"

func (c *cloud) services(ctx context.Context) ([]service, error) {
	var all []service
	err := c.run.Projects.Locations.Services.List(c.parent).Pages(ctx, func(page *run.GoogleCloudRunV2ListServicesResponse) error {
		for _, s := range page.Services {
			found := service{name: path.Base(s.Name), newest: path.Base(s.LatestCreatedRevision), ready: path.Base(s.LatestReadyRevision), traffic: map[string]int64{}, pinned: true}
			for _, target := range s.Traffic {
				revision := path.Base(target.Revision)
				if target.Type == byLatest {
					revision, found.pinned = found.ready, false
				}
				found.traffic[revision] += target.Percent
			}
			if len(s.Traffic) == 0 { // Cloud Run's default
				found.traffic[found.ready], found.pinned = 100, false
			}
			all = append(all, found)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the services: %w", err)
	}
	return all, nil
}

// revisionShares is a split of the traffic: so much for the new revision, the rest for the old one.
func revisionShares(from, to string, share int64) []*run.GoogleCloudRunV2TrafficTarget {
	var targets []*run.GoogleCloudRunV2TrafficTarget
	if share < 100 {
		targets = append(targets, &run.GoogleCloudRunV2TrafficTarget{Type: byRevision, Revision: from, Percent: 100 - share})
	}
	if share > 0 {
		targets = append(targets, &run.GoogleCloudRunV2TrafficTarget{Type: byRevision, Revision: to, Percent: share})
	}
	return targets
}

// give changes a service's traffic and nothing else of it, and waits until it is so.
func (c *cloud) give(ctx context.Context, name string, traffic []*run.GoogleCloudRunV2TrafficTarget) error {
	change := &run.GoogleCloudRunV2Service{Traffic: traffic}
	operation, err := c.run.Projects.Locations.Services.Patch(c.parent+"/services/"+name, change).UpdateMask("traffic").Context(ctx).Do()
	for err == nil && !operation.Done {
		operation, err = c.run.Projects.Locations.Operations.Wait(operation.Name, &run.GoogleLongrunningWaitOperationRequest{Timeout: "30s"}).Context(ctx).Do()
	}
	if err == nil && operation.Error != nil {
		err = errors.New(operation.Error.Message)
	}
	if err != nil {
		return fmt.Errorf("change the traffic of %s: %w", name, err)
	}
	return nil
}

// objectives are a service's: the names of all, and what its availability is counted by.
type objectives struct {
	names    []string
	goal     float64
	bad, all string // filters of metrics
}

// unstated is the goal of a service that has none, a function: of a hundred answers one may be bad.
const unstated = 0.99

// objectives are Terraform's (slo.tf), as Cloud Monitoring has them.
func (c *cloud) objectives(ctx context.Context, service string) (objectives, error) {
	requests := fmt.Sprintf(`metric.type="run.googleapis.com/request_count" AND resource.type="cloud_run_revision" AND resource.labels.service_name=%q`, service)
	found := objectives{goal: unstated, all: requests, bad: requests + ` AND metric.labels.response_code_class="5xx"`}
	parent := "projects/" + c.project + "/services/" + service
	err := c.monitoring.Services.ServiceLevelObjectives.List(parent).Pages(ctx, func(page *monitoring.ListServiceLevelObjectivesResponse) error {
		for _, objective := range page.ServiceLevelObjectives {
			found.names = append(found.names, objective.Name)
			indicator := objective.ServiceLevelIndicator
			if indicator == nil || indicator.RequestBased == nil || indicator.RequestBased.GoodTotalRatio == nil {
				continue
			}
			ratio := indicator.RequestBased.GoodTotalRatio
			found.goal, found.bad, found.all = objective.Goal, ratio.BadServiceFilter, ratio.TotalServiceFilter
		}
		return nil
	})
	var answer *googleapi.Error
	if errors.As(err, &answer) && answer.Code == http.StatusNotFound {
		return found, nil
	}
	if err != nil {
		return objectives{}, fmt.Errorf("read the objectives of %s: %w", service, err)
	}
	return found, nil
}

// burnRate is how many times as fast as it may an objective's budget is used up, over the last five minutes; 0 without requests.
func (c *cloud) burnRate(ctx context.Context, objective string) (float64, error) {
	now := time.Now()
	latest, at := 0.0, ""
	err := c.list(fmt.Sprintf(`select_slo_burn_rate(%q, "300s")`, objective), now.Add(-5*time.Minute), now).
		Pages(ctx, func(page *monitoring.ListTimeSeriesResponse) error {
			for _, point := range points(page) {
				if end := point.Interval.EndTime; end > at { // RFC 3339, all in UTC
					latest, at = number(point.Value), end
				}
			}
			return nil
		})
	if err != nil {
		return 0, fmt.Errorf("read the burn rate of %s: %w", objective, err)
	}
	return latest, nil
}

// count is how many answers a revision gave that match a filter.
func (c *cloud) count(ctx context.Context, filter, revision string, since time.Time) (float64, error) {
	now := time.Now()
	window := max(now.Sub(since).Truncate(time.Minute)+time.Minute, 2*time.Minute) // Cloud Run counts by the minute
	sum := 0.0
	err := c.list(fmt.Sprintf("%s AND resource.labels.revision_name=%q", filter, revision), now.Add(-window), now).
		AggregationAlignmentPeriod(fmt.Sprintf("%.0fs", window.Seconds())).AggregationPerSeriesAligner("ALIGN_DELTA").AggregationCrossSeriesReducer("REDUCE_SUM").
		Pages(ctx, func(page *monitoring.ListTimeSeriesResponse) error {
			for _, point := range points(page) {
				sum += number(point.Value)
			}
			return nil
		})
	if err != nil {
		return 0, fmt.Errorf("count the answers of %s: %w", revision, err)
	}
	return sum, nil
}

func (c *cloud) list(filter string, from, to time.Time) *monitoring.ProjectsTimeSeriesListCall {
	return c.monitoring.Projects.TimeSeries.List("projects/" + c.project).Filter(filter).
		IntervalStartTime(from.UTC().Format(time.RFC3339)).IntervalEndTime(to.UTC().Format(time.RFC3339))
}

func points(page *monitoring.ListTimeSeriesResponse) []*monitoring.Point {
	var all []*monitoring.Point
	for _, series := range page.TimeSeries {
		for _, point := range series.Points {
			if point.Value != nil && point.Interval != nil {
				all = append(all, point)
			}
		}
	}
	return all
}

func number(value *monitoring.TypedValue) float64 {
	switch {
	case value.DoubleValue != nil:
		return *value.DoubleValue
	case value.Int64Value != nil:
		return float64(*value.Int64Value)
	}
	return 0
}
