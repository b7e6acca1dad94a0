package main

import (
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest"
)

// fault is a change of a file, and the finding that must come of it: where the change is, unless at says another line's words.
type fault struct {
	file, old, new string
	says           string
	at             string
}

const (
	mainFile    = "cloudbuild.yaml"
	builderFile = "delivery/builder/Dockerfile"
	page        = "docs/deploy.md"
)

// faults break a rule each.
var faults = []fault{
	// Fields, by Cloud Build's own messages.
	{file: mainFile, old: "    args: [bash, delivery/push.sh]", new: "    arg: [bash, delivery/push.sh]", says: `BuildStep has no field "arg"`},
	{file: mainFile, old: "  logging: CLOUD_LOGGING_ONLY", new: "  logs: CLOUD_LOGGING_ONLY", says: `BuildOptions has no field "logs"`},
	{file: mainFile, old: "timeout: 10800s", new: "time_out: 10800s", says: `Build has no field "time_out"`},
	{file: mainFile, old: "timeout: 10800s", new: "timeout: 3h", says: `"3h" is no duration`},
	{file: mainFile, old: "timeout: 10800s", new: "timeout: 10800s\nstatus: SUCCESS", says: `"status" is what Cloud Build tells`, at: "status: SUCCESS"},
	{file: mainFile, old: "timeout: 10800s", new: "timeout: 10800s\ntimeout: 10s", says: `"timeout" is there twice`, at: "timeout: 10s"},
	{file: mainFile, old: "E2_HIGHCPU_8", new: "E2_HIGHCPU_9", says: `MachineType has no "E2_HIGHCPU_9"`},
	{file: mainFile, old: "    waitFor: [plan, sbom]", new: "    waitFor: plan", says: `"waitFor" is a list`},
	{file: mainFile, old: "_SHARES: '5,25,50'", new: "_SHARES: 5", says: "5 is no text: quote it"},
	{file: mainFile, old: "    args: [bash, delivery/push.sh]", new: "    args: [bash, delivery/push.sh]\n    allowFailure: often", says: `"often" is neither true nor false`, at: "allowFailure"},
	{file: mainFile, old: "  - id: push\n    name: ${_BUILDER}", new: "  - id: push", says: `the image "" is named without a digest`, at: "  - id: push"},
	// Order.
	{file: mainFile, old: "    waitFor: [plan, sbom]", new: "    waitFor: [plan, sbon]", says: `pin waits for "sbon", and no step above it has that id`},
	{file: mainFile, old: "    waitFor: [plan, sbom]", new: "    waitFor: [apply]", says: `pin waits for "apply", and no step above it`},
	{file: mainFile, old: "    waitFor: [plan, sbom]\n", new: "", says: "pin doesn't say what it waits for", at: "  - id: pin"},
	{file: mainFile, old: "  - id: sbom", new: "  - id: push", says: `a step needs an id of its own, and this one's is "push"`},
	// Substitutions.
	{file: mainFile, old: "  _REGION: ''\n", new: "", says: "${_REGION} is neither Cloud Build's nor among the substitutions", at: "larder/user:"},
	{file: mainFile, old: "RELEASE=$SHORT_SHA", new: "RELEASE=$SHORTSHA", says: "$SHORTSHA is neither Cloud Build's"},
	{file: mainFile, old: "  _WATCH: 10m", new: "  _WATCH: 10m\n  _WAIT: 10m", says: "nothing uses _WAIT", at: "_WAIT"},
	{file: mainFile, old: "  _WATCH: 10m", new: "  _WATCH: 10m\n  WAIT: 10m", says: `"WAIT" is no name of a substitution`, at: "  WAIT"},
	// What steps run in, and run.
	{file: mainFile, old: "  - id: check\n    name: ${_BUILDER}", new: "  - id: check\n    name: golang:1.26", says: `the image "golang:1.26" is named without a digest`, at: "name: golang"},
	{file: mainFile, old: "_BUILDER: ''", new: "_BUILDER: 'golang:1.26'", says: `the image "${_BUILDER}" is named without a digest`, at: "name: ${_BUILDER}"},
	{file: mainFile, old: "delivery/push.sh", new: "delivery/pull.sh", says: "there is no script delivery/pull.sh"},
	{file: mainFile, old: "./delivery/rollout", new: "./delivery/rollback", says: "there is no program ./delivery/rollback"},
	{file: mainFile, old: "[make, check, check-faults]", new: "[make, checks]", says: "the Makefile has no target checks"},
	{file: mainFile, old: "[make, check, check-faults]", new: "[sh, -c, make check]", says: `this runs ["sh" "-c" "make check"]`},
	{file: "Makefile", old: "\ncheck-migrations:", new: "\nmigrations:", says: "the Makefile has no target check-migrations", at: mainFile},
	// Images.
	{file: mainFile, old: "/larder/relay:$SHORT_SHA", new: "/larder/relay:latest", says: "larder/relay:latest is no image of a program of ours"},
	{file: mainFile, old: "  - ${_REGION}-docker.pkg.dev/$PROJECT_ID/larder/relay:$SHORT_SHA\n", new: "", says: "the image of relay is missing", at: "larder/user:"},
	{file: "Dockerfile", old: "@sha256:", new: "@sha25:", says: "is named without a digest", at: "FROM ${BASE}"},
	{file: "Dockerfile", old: "USER 65532:65532", new: "USER 0:0", says: "its program runs as root", at: "# The image"},
	{file: "pipelines/Dockerfile", old: "ARG LAUNCHER\n", new: "ARG LAUNCHER=example/launcher:latest\n", says: `the base "example/launcher:latest" is named without a digest`, at: "FROM ${LAUNCHER}"},
	{file: builderFile, old: "golang:1.26.8-bookworm@sha256:", new: "golang:1.26.8-bookworm@sha256:x", says: "is named without a digest"},
	{file: "Dockerfile", old: "@sha256:f", new: "@sha256:0", says: "the base isn't the one of Dockerfile, gcr.io/distroless/static-debian12:nonroot@sha256:0", at: page},
	// Versions.
	{file: builderFile, old: "golang:1.26.8-bookworm@", new: "golang:1.25.1-bookworm@", says: "the version 1.25.1 isn't 1.26.8, which go.mod has"},
	{file: page, old: "debezium/server:3.6.0.Final@", new: "debezium/server:3.5.0.Final@", says: "the version 3.5.0.Final isn't 3.6.0.Final"},
	{file: page, old: "elasticsearch/elasticsearch:8.19.8@sha256:", new: "elasticsearch/elasticsearch:8.19.8@sha256:x", says: "no version by digest is like", at: "# Deploying"},
	{file: "local/components/elasticsearch.sh", old: "version=8.19.8", new: "version=8.20.0", says: "the version 8.19.8 isn't 8.20.0", at: page},
	// Pages.
	{file: page, old: "gcloud run jobs execute migrate", new: "gcloud run jobs execute migrates", says: "there is no job migrates"},
	{file: page, old: "gcloud builds triggers run main", new: "gcloud builds triggers run trunk", says: "there is no trigger trunk"},
	{file: page, old: "-target=google_artifact_registry_repository.larder", new: "-target=google_artifact_registry_repository.images", says: "there is no Terraform address google_artifact_registry_repository.images"},
	{file: page, old: "-var=project_id=", new: "-var=project=", says: "there is no variable of Terraform project"},
	{file: page, old: "gcloud secrets versions add stripe-api-key", new: "gcloud secrets versions add stripe-key", says: "there is no secret stripe-key"},
	{file: page, old: "gcloud scheduler jobs run reconcilepayments", new: "gcloud scheduler jobs run reconcile", says: "there is no scheduled function reconcile"},
	{file: page, old: "gcloud run worker-pools update debezium", new: "gcloud run worker-pools update debezum", says: "there is no worker pool debezum"},
	{file: page, old: "go run ./delivery/rollout back", new: "go run ./delivery/rolout back", says: "there is no program delivery/rolout"},
	{file: page, old: "delivery/programs.sh", new: "delivery/program.sh", says: "there is no script delivery/program.sh"},
	{file: page, old: "make check-migrations", new: "make check-migration", says: "there is no make target check-migration"},
	{file: page, old: "(terraform.md", new: "(terrafrom.md", says: "there is no docs/terrafrom.md to lead to"},
}

// missedFaults plants each fault in turn, and tells of those that nothing is said of.
func missedFaults(root fs.FS) []string {
	var missed []string
	if found := check(root); len(found) > 0 {
		return []string{fmt.Sprintf("there are faults before any is planted: %v", found)}
	}
	for _, f := range faults {
		text, err := fs.ReadFile(root, f.file)
		if err != nil || !strings.Contains(string(text), f.old) {
			missed = append(missed, fmt.Sprintf("%s has no %q to plant a fault in (%v)", f.file, f.old, err))
			continue
		}
		changed := strings.Replace(string(text), f.old, f.new, 1)
		found := check(over{FS: root, name: f.file, file: fstest.MapFS{f.file: {Data: []byte(changed)}}})
		if !f.in(found, changed) {
			missed = append(missed, fmt.Sprintf("%s with %q in place of %q: nothing says %q at the right line, but: %v", f.file, f.new, f.old, f.says, found))
		}
	}
	return missed
}

// in: there is a finding that says it, in the line where it is.
func (f fault) in(found []finding, changed string) bool {
	words := f.at
	if words == "" {
		words = strings.TrimSpace(strings.SplitN(f.new, "\n", 2)[0])
	}
	for _, each := range found {
		if !strings.Contains(each.says, f.says) {
			continue
		}
		if each.file != f.file {
			return each.file == f.at // the fault shows in another file
		}
		if lines := strings.Split(changed, "\n"); each.line >= 1 && each.line <= len(lines) && strings.Contains(lines[each.line-1], words) {
			return true
		}
	}
	return false
}

// over is a tree with another text of one file.
type over struct {
	fs.FS
	name string
	file fs.FS
}

func (o over) Open(name string) (fs.File, error) {
	if name == o.name {
		return o.file.Open(name)
	}
	return o.FS.Open(name)
}
