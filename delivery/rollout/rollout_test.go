package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/api/monitoring/v3"
	"google.golang.org/api/option"
	"google.golang.org/api/run/v2"
)

const parent = "projects/larder-check/locations/europe-west2"

// google is a server of the two APIs. cart has objectives, capturepayment has none. Every new revision is asked 1,000 times in each look.
type google struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	services map[string]*run.GoogleCloudRunV2Service
	shares   map[string][]string // each service's splits, in the order they were given
	asked    []string            // filters of metrics

	bad       func(service string, share int64) int // bad answers of a new revision
	burn      float64                               // of cart's objectives
	blind     bool                                  // Cloud Monitoring answers 503
	refuses   string                                // a split of cart that fails
	onTraffic func()
}

func newGoogle(t *testing.T) *google {
	g := &google{t: t, shares: map[string][]string{}, services: map[string]*run.GoogleCloudRunV2Service{}, bad: func(string, int64) int { return 0 }, onTraffic: func() {}}
	for _, name := range []string{"cart", "capturepayment"} {
		g.services[name] = &run.GoogleCloudRunV2Service{
			Name: parent + "/services/" + name, LatestCreatedRevision: name + "-00002-b", LatestReadyRevision: name + "-00002-b",
			Traffic: revisionShares(name+"-00001-a", "", 0),
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2/"+parent+"/services", g.list)
	mux.HandleFunc("PATCH /v2/"+parent+"/services/{name}", g.patch)
	mux.HandleFunc("POST /v2/"+parent+"/operations/{name}", g.wait)
	mux.HandleFunc("GET /v3/projects/larder-check/services/{name}/serviceLevelObjectives", g.objectives)
	mux.HandleFunc("GET /v3/projects/larder-check/timeSeries", g.timeSeries)
	g.Server = httptest.NewServer(mux)
	t.Cleanup(g.Close)
	return g
}

func (g *google) answer(w http.ResponseWriter, with any) {
	if err := json.NewEncoder(w).Encode(with); err != nil {
		g.t.Error(err)
	}
}

func (g *google) list(w http.ResponseWriter, _ *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answer(w, run.GoogleCloudRunV2ListServicesResponse{Services: []*run.GoogleCloudRunV2Service{g.services["capturepayment"], g.services["cart"]}})
}

func (g *google) patch(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var change run.GoogleCloudRunV2Service
	if err := json.NewDecoder(r.Body).Decode(&change); err != nil || r.URL.Query().Get("updateMask") != "traffic" {
		g.t.Errorf("a change of more than the traffic: %v %v", r.URL, err)
	}
	name := r.PathValue("name")
	var split []string
	for _, target := range change.Traffic {
		split = append(split, fmt.Sprintf("%s=%d", strings.TrimPrefix(target.Revision, name+"-"), target.Percent))
	}
	g.shares[name] = append(g.shares[name], strings.Join(split, " "))
	g.onTraffic()
	operation := &run.GoogleLongrunningOperation{Name: parent + "/operations/" + name}
	if name == "cart" && g.refuses != "" && strings.Join(split, " ") == g.refuses {
		operation.Done, operation.Error = true, &run.GoogleRpcStatus{Message: "planted"}
	} else {
		g.services[name].Traffic = change.Traffic
	}
	g.answer(w, operation)
}

func (g *google) wait(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.PathValue("name"), ":wait") {
		g.t.Errorf("asked for %v", r.URL)
	}
	g.answer(w, run.GoogleLongrunningOperation{Name: parent + "/operations/x", Done: true})
}

func (g *google) objectives(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("name") != "cart" {
		http.Error(w, `{"error":{"code":404,"message":"no such service"}}`, http.StatusNotFound)
		return
	}
	at := "projects/larder-check/services/cart/serviceLevelObjectives/cart-"
	g.answer(w, monitoring.ListServiceLevelObjectivesResponse{ServiceLevelObjectives: []*monitoring.ServiceLevelObjective{
		{Name: at + "quick", Goal: 0.9, ServiceLevelIndicator: &monitoring.ServiceLevelIndicator{RequestBased: &monitoring.RequestBasedSli{DistributionCut: &monitoring.DistributionCut{}}}},
		{Name: at + "available", Goal: 0.999, ServiceLevelIndicator: &monitoring.ServiceLevelIndicator{RequestBased: &monitoring.RequestBasedSli{
			GoodTotalRatio: &monitoring.TimeSeriesRatio{BadServiceFilter: "the objective's bad 5xx", TotalServiceFilter: "the objective's total"},
		}}},
	}})
}

func (g *google) timeSeries(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	filter := r.URL.Query().Get("filter")
	if !slices.Contains(g.asked, filter) {
		g.asked = append(g.asked, filter)
	}
	if g.blind {
		http.Error(w, `{"error":{"code":400,"message":"planted"}}`, http.StatusBadRequest)
		return
	}
	point := func(at string, v float64) *monitoring.Point {
		return &monitoring.Point{Interval: &monitoring.TimeInterval{EndTime: at}, Value: &monitoring.TypedValue{DoubleValue: &v}}
	}
	if strings.HasPrefix(filter, "select_slo_burn_rate(") {
		// The newest comes first.
		g.answer(w, monitoring.ListTimeSeriesResponse{TimeSeries: []*monitoring.TimeSeries{{Points: []*monitoring.Point{point("2026-01-02T00:00:00Z", g.burn), point("2026-01-01T00:00:00Z", 99)}}}})
		return
	}
	service := "cart"
	if strings.Contains(filter, "capturepayment") {
		service = "capturepayment"
	}
	share := int64(0)
	for _, target := range g.services[service].Traffic {
		if target.Revision == service+"-00002-b" {
			share = target.Percent
		}
	}
	count := int64(1000)
	if strings.Contains(filter, "5xx") {
		count = int64(g.bad(service, share))
	}
	series := &monitoring.TimeSeries{Points: []*monitoring.Point{{Interval: &monitoring.TimeInterval{}, Value: &monitoring.TypedValue{Int64Value: &count}}}}
	g.answer(w, monitoring.ListTimeSeriesResponse{TimeSeries: []*monitoring.TimeSeries{series}})
}

func (g *google) rollout(t *testing.T) *rollout {
	t.Helper()
	platform, err := newCloud(t.Context(), "larder-check", "europe-west2", option.WithEndpoint(g.URL), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	return &rollout{cloud: platform, config: config{Shares: []int64{5, 25}, Watch: 20 * time.Millisecond, Every: 5 * time.Millisecond, Burn: 14.4}}
}

var before = revisions{"cart": "cart-00001-a", "capturepayment": "capturepayment-00001-a"}

func TestShift(t *testing.T) {
	whole, away := []string{"00001-a=95 00002-b=5", "00001-a=75 00002-b=25", "00002-b=100"}, "00001-a=100"
	for name, row := range map[string]struct {
		plant func(*google)
		cart  []string // its splits
		says  string   // "" where it ends well
	}{
		"well":                   {cart: whole},
		"few bad answers":        {plant: func(g *google) { g.bad = func(string, int64) int { return 2 } }, cart: whole},
		"bad within the budget":  {plant: func(g *google) { g.bad = func(string, int64) int { return 14 } }, cart: whole},
		"bad of an unstated one": {plant: func(g *google) { g.bad = only("capturepayment", 5, 140) }, cart: whole},
		"bad at the first share": {plant: func(g *google) { g.bad = only("cart", 5, 15) }, cart: []string{whole[0], away}, says: "at 5 %: cart-00002-b, with 15 bad of 1000 answers, burns its budget 15.0 times"},
		"bad at the second":      {plant: func(g *google) { g.bad = only("cart", 25, 1000) }, cart: []string{whole[0], whole[1], away}, says: "at 25 %"},
		"bad with all":           {plant: func(g *google) { g.bad = only("cart", 100, 1000) }, cart: append(slices.Clone(whole), away), says: "at 100 %"},
		"a function is bad":      {plant: func(g *google) { g.bad = only("capturepayment", 5, 150) }, cart: []string{whole[0], away}, says: "capturepayment-00002-b, with 150 bad"},
		"an objective burns": {plant: func(g *google) { g.onTraffic = func() { g.burn = 20 } }, cart: []string{whole[0], away},
			says: "at 5 %: projects/larder-check/services/cart/serviceLevelObjectives/cart-quick burns its budget 20.0 times"},
		"it burned before": {plant: func(g *google) { g.burn = 20 }, says: "not begun: "},
		"nobody can see":   {plant: func(g *google) { g.onTraffic = func() { g.blind = true } }, cart: []string{whole[0], away}, says: "planted"},
		"a refused split":  {plant: func(g *google) { g.refuses = whole[1] }, cart: []string{whole[0], whole[1], away}, says: "change the traffic of cart: planted"},
		"not ready": {plant: func(g *google) { g.services["cart"].LatestCreatedRevision = "cart-00003-c" },
			says: "cart isn't ready: its newest revision is cart-00003-c"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGoogle(t)
			if row.plant != nil {
				row.plant(g)
			}
			err := g.rollout(t).shift(t.Context(), before)
			if got := fmt.Sprint(err); (err == nil) != (row.says == "") || !strings.Contains(got, row.says) {
				t.Errorf("it ends with %v, want %q", err, row.says)
			}
			if got := g.shares["cart"]; !slices.Equal(got, row.cart) {
				t.Errorf("cart's splits are %q, want %q", got, row.cart)
			}
			if got := g.shares["capturepayment"]; len(got) != len(row.cart) {
				t.Errorf("capturepayment's splits are %q, cart's %q: they move together", got, row.cart)
			}
		})
	}
}

// only has so many bad answers for a service at a share.
func only(service string, share int64, bad int) func(string, int64) int {
	return func(of string, at int64) int {
		if of == service && at == share {
			return bad
		}
		return 0
	}
}

// What is asked of Cloud Monitoring is what the objectives say, of the new revision alone.
func TestShiftAsksByTheObjectives(t *testing.T) {
	g := newGoogle(t)
	g.bad = func(string, int64) int { return 3 }
	if err := g.rollout(t).shift(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`select_slo_burn_rate("projects/larder-check/services/cart/serviceLevelObjectives/cart-quick", "300s")`,
		`select_slo_burn_rate("projects/larder-check/services/cart/serviceLevelObjectives/cart-available", "300s")`,
		`the objective's bad 5xx AND resource.labels.revision_name="cart-00002-b"`,
		`the objective's total AND resource.labels.revision_name="cart-00002-b"`,
		`metric.type="run.googleapis.com/request_count" AND resource.type="cloud_run_revision" AND resource.labels.service_name="capturepayment" AND metric.labels.response_code_class="5xx" AND resource.labels.revision_name="capturepayment-00002-b"`,
	} {
		if !slices.Contains(g.asked, want) {
			t.Errorf("nobody asked for %s, but for %q", want, g.asked)
		}
	}
}

func TestShiftOfNothing(t *testing.T) {
	g := newGoogle(t)
	now := revisions{"cart": "cart-00002-b"} // and capturepayment is new
	if err := g.rollout(t).shift(t.Context(), now); err != nil || len(g.shares) > 0 {
		t.Errorf("got %v and splits %v, want none", err, g.shares)
	}
}

func TestCancelledShiftGoesBack(t *testing.T) {
	g := newGoogle(t)
	ctx, cancel := context.WithCancel(t.Context())
	g.onTraffic = cancel
	if err := g.rollout(t).shift(ctx, before); err == nil {
		t.Error("a cancelled rollout ends well")
	}
	for name, service := range g.services {
		if got := service.Traffic; len(got) != 1 || got[0].Revision != before[name] || got[0].Percent != 100 {
			t.Errorf("the traffic of %s is %+v", name, got)
		}
	}
}

func TestPin(t *testing.T) {
	latest := []*run.GoogleCloudRunV2TrafficTarget{{Type: byLatest, Percent: 100}}
	for name, row := range map[string]struct {
		traffic []*run.GoogleCloudRunV2TrafficTarget
		want    string
		changes bool
	}{
		"by name":       {traffic: revisionShares("cart-00001-a", "", 0), want: "cart-00001-a"},
		"the newest":    {traffic: latest, want: "cart-00002-b", changes: true},
		"said nothing":  {want: "cart-00002-b", changes: true},
		"a split":       {traffic: revisionShares("cart-00001-a", "cart-00002-b", 25), want: "cart-00001-a", changes: true},
		"an even split": {traffic: revisionShares("cart-00001-a", "cart-00002-b", 50), want: "cart-00001-a", changes: true},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGoogle(t)
			g.services["cart"].Traffic = row.traffic
			got, err := g.rollout(t).pin(t.Context())
			if want := (revisions{"cart": row.want, "capturepayment": "capturepayment-00001-a"}); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, %v; want %v", got, err, want)
			}
			if changed := len(g.shares["cart"]) > 0; changed != row.changes || len(g.shares["capturepayment"]) > 0 {
				t.Errorf("it changed %v", g.shares)
			}
			if now := g.services["cart"].Traffic; len(now) != 1 || now[0].Revision != row.want || now[0].Type != byRevision {
				t.Errorf("the traffic is %+v", now)
			}
		})
	}
}

// Whatever is wrong is told before anything is asked for.
func TestRunRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "before.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_CLOUD_PROJECT", "larder-check")
	for name, row := range map[string]struct {
		shares    string
		arguments []string
		says      string
	}{
		"no command":    {says: "usage: "},
		"falling":       {shares: "25,5", arguments: []string{"shift", file}, says: "ROLLOUT_SHARES is [25 5]"},
		"all":           {shares: "100", arguments: []string{"shift", file}, says: "ROLLOUT_SHARES is [100]"},
		"without order": {shares: "a", arguments: []string{"shift", file}, says: `field "Shares"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("REGION", "europe-west2")
			t.Setenv("ROLLOUT_SHARES", row.shares)
			if err := perform(t.Context(), row.arguments); err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v, want %q", err, row.says)
			}
		})
	}
}
