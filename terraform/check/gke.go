package main

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// manifest is a document of the GKE profile, as far as Cloud Run has the same.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		MinReplicas int `yaml:"minReplicas"`
		MaxReplicas int `yaml:"maxReplicas"`
		Template    struct {
			Spec struct{ Containers []container }
		}
		HTTP []struct{ Timeout string }
	}
}

type container struct {
	Ports []struct {
		ContainerPort int `yaml:"containerPort"`
	}
	Env []struct {
		Name, Value string
		ValueFrom   any `yaml:"valueFrom"`
	}
	Resources     struct{ Limits map[string]string }
	StartupProbe  probe `yaml:"startupProbe"`
	LivenessProbe probe `yaml:"livenessProbe"`
}

type probe struct {
	HTTPGet struct{ Path string } `yaml:"httpGet"`
}

// workload is what Cloud Run and GKE must have alike.
type workload struct {
	variables, secrets []string
	port               int
	cpu, memory        string
	least, most        int
	timeout            string // of a request; "" for what nobody calls
	started, lives     string // paths of probes
}

// onlyGKE are variables that Cloud Run has no need of: there, calls are encrypted by its own front, and TRUSTED_PROXIES is the default.
var onlyGKE = []string{"INSECURE_CALLS", "TRUSTED_PROXIES"}

// keepGKE: the GKE profile has the programs of Cloud Run, with the same variables, secrets, ports, probes, sizes and times as in prod.
func keepGKE(p planned, report func(string, ...any)) {
	if !p.prod() {
		return
	}
	profile, err := readProfile(p.root)
	if err != nil {
		report("%v", err)
		return
	}
	text, err := os.ReadFile(filepath.Join(p.root, "gke-legacy", "overlays", "autopilot", "platform.env"))
	if err != nil {
		report("%v", err)
	}
	given := map[string]bool{}
	for line := range strings.SplitSeq(string(text), "\n") {
		if name, _, ok := strings.Cut(line, "="); ok {
			given[name] = true
		}
	}
	used := map[string]bool{"SQL_HOST": true}
	for _, r := range p.services(report) {
		name := r.text("name")
		gke := profile[name]
		delete(profile, name)
		if gke == nil {
			report("%s isn't in the GKE profile", name)
			continue
		}
		run := onCloudRun(r)
		for _, variable := range run.variables {
			used[variable] = true
			if !given[variable] && !slices.Contains(gke.variables, variable) {
				report("%s gets %s on Cloud Run, and not on GKE", name, variable)
			}
		}
		for _, variable := range gke.variables {
			if !slices.Contains(run.variables, variable) && !slices.Contains(onlyGKE, variable) {
				report("%s gets %s on GKE, and not on Cloud Run", name, variable)
			}
		}
		if !slices.Equal(run.secrets, gke.secrets) {
			report("%s gets the secrets %v on Cloud Run, and %v on GKE", name, run.secrets, gke.secrets)
		}
		run.variables, run.secrets, gke.variables, gke.secrets = nil, nil, nil, nil
		for _, same := range []struct {
			what     string
			run, gke any
		}{
			{"port", run.port, gke.port}, {"CPU", run.cpu, gke.cpu}, {"memory", run.memory, gke.memory},
			{"fewest instances", run.least, gke.least}, {"most instances", run.most, gke.most}, {"time of a request", run.timeout, gke.timeout},
			{"startup probe", run.started, gke.started}, {"liveness probe", run.lives, gke.lives},
		} {
			if same.run != same.gke {
				report("%s: %s: %v on Cloud Run, and %v on GKE", name, same.what, same.run, same.gke)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(profile)) {
		report("%s is in the GKE profile, and not on Cloud Run", name)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !used[name] {
			report("platform.env has %s, which no service gets on Cloud Run", name)
		}
	}
}

// services are the programs that GKE has too: not functions, and not Debezium.
func (p planned) services(report func(string, ...any)) []resource {
	return slices.DeleteFunc(slices.Concat(p.of("google_cloud_run_v2_service", report), p.of("google_cloud_run_v2_worker_pool", report)), func(r resource) bool {
		return r.environment()["FUNCTION_TARGET"] != "" || r.text("name") == "debezium"
	})
}

func onCloudRun(r resource) workload {
	w := workload{
		port: 8080, cpu: r.text("template.0.containers.0.resources.0.limits.cpu"), memory: r.text("template.0.containers.0.resources.0.limits.memory"),
		timeout: r.text("template.0.timeout"), started: "/readyz", lives: "/livez",
		least: whole(r.at("template.0.scaling.0.min_instance_count")), most: whole(r.at("template.0.scaling.0.max_instance_count")),
	}
	if r.Type == "google_cloud_run_v2_worker_pool" {
		// A pool is asked nothing by Cloud Run, so it has neither port nor probes there.
		w.least, w.most = whole(r.at("scaling.0.manual_instance_count")), whole(r.at("scaling.0.manual_instance_count"))
	} else {
		w.port = whole(r.at("template.0.containers.0.ports.0.container_port"))
		w.started = r.text("template.0.containers.0.startup_probe.0.http_get.0.path")
		w.lives = r.text("template.0.containers.0.liveness_probe.0.http_get.0.path")
	}
	for _, each := range r.list("template.0.containers.0.env") {
		e, _ := each.(map[string]any)
		name, _ := e["name"].(string)
		if from, _ := e["value_source"].([]any); len(from) > 0 {
			w.secrets = append(w.secrets, name)
		} else {
			w.variables = append(w.variables, name)
		}
	}
	slices.Sort(w.secrets)
	return w
}

// whole is a number of a plan.
func whole(v any) int {
	n, _ := v.(float64)
	return int(n)
}

// readProfile reads the manifests of gke-legacy/base, by the program's name.
func readProfile(root string) (map[string]*workload, error) {
	files, err := filepath.Glob(filepath.Join(root, "gke-legacy", "base", "*.yaml"))
	if err != nil {
		return nil, err
	}
	all := map[string]*workload{}
	of := func(name string) *workload {
		if all[name] == nil {
			all[name] = &workload{}
		}
		return all[name]
	}
	for _, file := range files {
		if slices.Contains([]string{"kustomization.yaml", "mesh.yaml", "edge.yaml"}, filepath.Base(file)) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		documents := yaml.NewDecoder(bytes.NewReader(text))
		for {
			var m manifest
			err := documents.Decode(&m)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil && m.Kind == "Deployment" {
				return nil, err
			}
			switch m.Kind {
			case "Deployment":
				of(m.Metadata.Name).take(m.Spec.Template.Spec.Containers[0])
			case "HorizontalPodAutoscaler":
				of(m.Metadata.Name).least, of(m.Metadata.Name).most = m.Spec.MinReplicas, m.Spec.MaxReplicas
			case "VirtualService":
				of(m.Metadata.Name).timeout = m.Spec.HTTP[len(m.Spec.HTTP)-1].Timeout
			}
		}
	}
	return all, nil
}

func (w *workload) take(c container) {
	w.port, w.cpu, w.memory = c.Ports[0].ContainerPort, c.Resources.Limits["cpu"], c.Resources.Limits["memory"]
	w.started, w.lives = c.StartupProbe.HTTPGet.Path, c.LivenessProbe.HTTPGet.Path
	for _, e := range c.Env {
		if e.ValueFrom != nil {
			w.secrets = append(w.secrets, e.Name)
		} else {
			w.variables = append(w.variables, e.Name)
		}
	}
	slices.Sort(w.secrets)
}

// keepMails: mails lead to the shop's own pages, not to those that the function names by default.
func keepMails(p planned, report func(string, ...any)) {
	for _, r := range p.programs(report) {
		if r.text("name") != "notifyshopper" {
			continue
		}
		for _, name := range []string{"MAIL_VERIFY_URL", "MAIL_RESET_URL"} {
			if _, ok := r.environment()[name]; !ok {
				report("notifyshopper doesn't get %s", name)
			}
		}
	}
}
