package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// jobDeadline bounds one run, as Cloud Scheduler does by default.
const jobDeadline = 3 * time.Minute

// job is a line of the schedule. The periods of local/schedule.json are short, so that their effects can be watched; on Google Cloud
// they are longer, and Cloud Scheduler's shortest is a minute.
type job struct {
	function string
	every    time.Duration
	turn     chan struct{} // held by the run under way: a job never overlaps with itself

	mu   sync.Mutex
	told report
}

// report is what /status tells of a job.
type report struct {
	Function string `json:"function"`
	Every    string `json:"every"`
	Running  bool   `json:"running"`
	Runs     int    `json:"runs"`
	Failures int    `json:"failures"`
	// Last is the last run that ended.
	Last *outcome `json:"last,omitempty"`
}

// outcome is how a run went.
type outcome struct {
	Began      time.Time `json:"began"`
	TookMillis int64     `json:"took_ms"`
	OK         bool      `json:"ok"`
	// Status is the function's, 0 if it didn't answer.
	Status int `json:"status"`
	// Report is the function's answer; Error, why there is none.
	Report json.RawMessage `json:"report,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// loadSchedule reads [{"function": "FoldLedger", "every": "30s"}]. All faults are reported at once.
func loadSchedule(path string, functions []string) ([]*job, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("schedule: %w", err)
	}
	var lines []struct{ Function, Every string }
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&lines); err != nil {
		return nil, fmt.Errorf("schedule: %s: %w", path, err)
	}
	var jobs []*job
	var faults []error
	for i, line := range lines {
		every, err := time.ParseDuration(line.Every)
		switch {
		case err != nil || every < time.Second:
			faults = append(faults, fmt.Errorf("schedule: %s: entry %d: every %q is no duration of a second or more", path, i+1, line.Every))
		case !slices.Contains(functions, line.Function):
			faults = append(faults, fmt.Errorf("schedule: %s: entry %d: there is no function %q", path, i+1, line.Function))
		case slices.ContainsFunc(jobs, func(j *job) bool { return j.function == line.Function }):
			faults = append(faults, fmt.Errorf("schedule: %s: entry %d: %s stands there twice", path, i+1, line.Function))
		default:
			jobs = append(jobs, &job{
				function: line.Function, every: every, turn: make(chan struct{}, 1),
				told: report{Function: line.Function, Every: line.Every},
			})
		}
	}
	return jobs, errors.Join(faults...)
}

// schedule runs jobs.
type schedule struct {
	jobs   []*job
	caller *caller
	soon   time.Duration // the pause before a second try, doubled before each further one
	log    *slog.Logger
}

func newSchedule(jobs []*job, caller *caller, log *slog.Logger) *schedule {
	return &schedule{jobs, caller, time.Second, log}
}

// run runs every job in its period until ctx ends; a run under way is cut off then.
func (s *schedule) run(ctx context.Context) {
	var all sync.WaitGroup
	for _, j := range s.jobs {
		all.Go(func() { s.repeat(ctx, j) })
	}
	all.Wait()
}

// repeat runs one job: first when its function is ready, and then with a pause of the period, a tenth more or less, so that jobs
// don't keep step with each other. A run that fails is made up for sooner: what it needs may just be starting.
func (s *schedule) repeat(ctx context.Context, j *job) {
	pause, again := time.Duration(rand.Int64N(int64(min(j.every, 5*s.soon)))), s.soon
	for wait(ctx, pause) {
		if !s.caller.ready(ctx, j.function) {
			pause = s.soon
			continue
		}
		got, err := s.once(ctx, j) // told in the log and by /status
		if err == nil && got.ok() {
			pause, again = j.every, s.soon
		} else {
			again = min(2*again, j.every)
			pause = again
		}
		pause += time.Duration((rand.Float64() - 0.5) * 0.2 * float64(pause))
	}
}

// wait returns false when ctx ends before the pause does.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// once makes a run, when the one under way has ended.
func (s *schedule) once(ctx context.Context, j *job) (*answer, error) {
	select {
	case j.turn <- struct{}{}:
		defer func() { <-j.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	began := time.Now()
	j.begin()
	ctx, cancel := context.WithTimeout(ctx, jobDeadline)
	defer cancel()
	got, err := s.caller.post(ctx, schedulerAccount, j.function, http.Header{
		"User-Agent": {"larder-invoker (as Cloud Scheduler)"}, "X-Cloudscheduler": {"true"}, "X-Cloudscheduler-Jobname": {lower(j.function)},
	}, nil)
	how := outcome{Began: began, TookMillis: time.Since(began).Milliseconds()}
	if err != nil {
		how.Error = err.Error()
	} else {
		how.Status, how.OK, how.Report = got.status, got.ok(), asJSON(got.body)
	}
	before := j.end(how)
	switch level := slog.LevelError; {
	case how.OK:
		s.log.Debug("job ran", "function", j.function, "took_ms", how.TookMillis)
	default:
		if !before || errors.Is(err, context.Canceled) { // the platform is still starting, or stopping
			level = slog.LevelInfo
		}
		s.log.Log(ctx, level, "job failed", "function", j.function, "status", how.Status, "error", how.Error, "report", string(how.Report))
	}
	return got, err
}

func (j *job) begin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.told.Running = true
}

// end records a run. It tells whether any run before had succeeded.
func (j *job) end(how outcome) (succeeded bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	succeeded = j.told.Runs > j.told.Failures
	j.told.Running = false
	j.told.Runs++
	if !how.OK {
		j.told.Failures++
	}
	j.told.Last = &how
	return succeeded
}

// asJSON is a function's answer as a value inside JSON: as it is, or as a string.
func asJSON(body []byte) json.RawMessage {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if json.Valid(body) {
		return body
	}
	text, _ := json.Marshal(string(body)) // a string never fails
	return text
}

// runNow answers what the function does.
func (s *schedule) runNow(w http.ResponseWriter, r *http.Request) {
	for _, j := range s.jobs {
		if !strings.EqualFold(j.function, r.PathValue("function")) {
			continue
		}
		got, err := s.once(r.Context(), j)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		got.pass(w)
		return
	}
	http.Error(w, "no such function is in the schedule", http.StatusNotFound)
}

// status lists the jobs in the schedule's order.
func (s *schedule) status(w http.ResponseWriter, _ *http.Request) {
	all := make([]report, len(s.jobs))
	for i, j := range s.jobs {
		j.mu.Lock()
		all[i] = j.told
		j.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"jobs": all}) // fails only if the caller is gone
}
