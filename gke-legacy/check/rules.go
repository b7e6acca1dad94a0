package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// keepRules are what no API knows: that images are named by digest, that an overlay's values are there and are of one project and region,
// and that what an object names is there.
func keepRules(p *profile) []finding {
	var found []finding
	for _, keep := range []func(*profile) []finding{keepImages, keepAccounts, keepVariables, keepReferences, keepRush} {
		found = append(found, keep(p)...)
	}
	return found
}

var (
	digest      = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)
	placeholder = regexp.MustCompile(`@sha256:(0{64}|f{64})$`)
	registry    = regexp.MustCompile(`^([a-z0-9-]+)-docker\.pkg\.dev/([^/]+)/`)
	region      = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]$`)
)

// keepImages: what runs is named by digest, and comes from one registry, which is the project's. The mesh's own proxy is put in by the mesh.
func keepImages(p *profile) (found []finding) {
	platform, _ := p.platform()
	attributes := platform["OTEL_RESOURCE_ATTRIBUTES"].value
	for _, o := range p.objects {
		walk(o.node, nil, func(path []string, n *yaml.Node) {
			if len(path) == 0 || path[len(path)-1] != "image" || n.Kind != yaml.ScalarNode || o.kind() == "ConfigMap" {
				return
			}
			image, where := n.Value, p.imageAt(o, path, n.Value)
			if image == "auto" && o.text("spec", "template", "metadata", "annotations", "inject.istio.io/templates") == "gateway" {
				return
			}
			if !digest.MatchString(image) || placeholder.MatchString(image) {
				where.says = fmt.Sprintf("%s %s runs by no digest: %s", o.kind(), o.name(), image)
				found = append(found, where)
				return
			}
			of := registry.FindStringSubmatch(image)
			switch {
			case of == nil || platform == nil:
			case !region.MatchString(of[1]):
				where.says = of[1] + " is no region"
				found = append(found, where)
			case !strings.Contains(attributes+",", "cloud.region="+of[1]+","):
				where.says = fmt.Sprintf("the image is in %s, and platform.env's OTEL_RESOURCE_ATTRIBUTES say another cloud.region", of[1])
				found = append(found, where)
			case of[2] != platform["GOOGLE_CLOUD_PROJECT"].value:
				where.says = fmt.Sprintf("the image is in the project %s, and platform.env's is %s", of[2], platform["GOOGLE_CLOUD_PROJECT"].value)
				found = append(found, where)
			}
		})
	}
	return found
}

// imageAt is where a kustomization says what an image is, or else where the image is named.
func (p *profile) imageAt(o *object, path []string, image string) finding {
	last := image[strings.LastIndex(image, "/")+1:]
	last, _, _ = strings.Cut(last, "@")
	last, _, _ = strings.Cut(last, ":")
	for _, s := range p.sources {
		if filepath.Base(s.file) != "kustomization.yaml" {
			continue
		}
		var value struct{ Images []yaml.Node }
		if s.node.Decode(&value) != nil {
			continue
		}
		for i := range value.Images {
			if scalar(&value.Images[i], "name") == "larder/"+last {
				return finding{file: s.file, line: value.Images[i].Line}
			}
		}
	}
	return p.blameAt(o, path, "")
}

// keepAccounts: each service is an account of the project.
func keepAccounts(p *profile) (found []finding) {
	const identity = "iam.gke.io/gcp-service-account"
	_, domain := p.platform()
	for _, o := range p.objects {
		if o.kind() != "ServiceAccount" || o.namespace() != "larder" {
			continue
		}
		if got, want := o.text("metadata", "annotations", identity), "larder-"+o.name()+"@"+domain; got != want {
			found = append(found, p.blameAt(o, []string{"metadata", "annotations", identity}, "%s runs as %q, want %s", o.name(), got, want))
		}
	}
	return found
}

// setting is a line of platform.env.
type setting struct {
	value string
	line  int
}

const envFile = "gke-legacy/overlays/autopilot/platform.env"

// platform is platform.env, for an overlay that has the ConfigMap of it; and the domain of the project's accounts.
func (p *profile) platform() (settings map[string]setting, domain string) {
	if !slices.ContainsFunc(p.objects, func(o *object) bool { return o.kind() == "ConfigMap" && named(o.name(), "platform") }) {
		return nil, ""
	}
	text, err := os.ReadFile(filepath.Join(p.root, envFile))
	if err != nil {
		return nil, ""
	}
	settings = map[string]setting{}
	for i, line := range strings.Split(string(text), "\n") {
		if name, value, ok := strings.Cut(line, "="); ok {
			settings[name] = setting{value, i + 1}
		}
	}
	return settings, settings["GOOGLE_CLOUD_PROJECT"].value + ".iam.gserviceaccount.com"
}

// common are the variables that every program of ours reads; those of one are in services.json.
var common = []string{
	"GOOGLE_CLOUD_PROJECT", "SERVICE_ACCOUNT_DOMAIN", "TRUSTED_ADDRESSES", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_LOGS_EXPORTER", "OTEL_TRACES_SAMPLER",
	"OTEL_TRACES_SAMPLER_ARG", "OTEL_RESOURCE_ATTRIBUTES",
}

// keepVariables: every service is there; what it reads is given, and is all of one project.
func keepVariables(p *profile) (found []finding) {
	platform, domain := p.platform()
	if platform == nil {
		return nil
	}
	wanted := map[string]string{}
	for _, name := range common {
		wanted[name] = "every service"
	}
	var services []struct {
		Name      string
		Spanner   bool
		Variables []string
	}
	text, err := os.ReadFile(filepath.Join(p.root, "gke-legacy", "services.json"))
	if err == nil {
		err = json.Unmarshal(text, &services)
	}
	if err != nil {
		return []finding{{"gke-legacy/services.json", 1, err.Error()}}
	}
	for _, s := range services {
		if !slices.ContainsFunc(p.objects, func(o *object) bool { return o.kind() == "Deployment" && o.name() == s.Name }) {
			found = append(found, finding{"gke-legacy/base/kustomization.yaml", 1, "there is no Deployment " + s.Name})
		}
		for _, name := range s.Variables {
			wanted[name] = s.Name
		}
		if s.Spanner {
			wanted["SPANNER_DATABASE"] = s.Name
		}
	}
	for _, o := range p.objects {
		walk(o.node, nil, func(_ []string, n *yaml.Node) {
			for _, used := range usedVariable.FindAllStringSubmatch(n.Value, -1) {
				wanted[used[1]] = o.name()
			}
		})
	}
	for name, who := range wanted {
		if platform[name].value == "" {
			found = append(found, finding{envFile, max(1, platform[name].line), fmt.Sprintf("there is no %s, which %s reads", name, who)})
		}
	}
	for name, want := range map[string]string{
		"SERVICE_ACCOUNT_DOMAIN": domain,
		"SPANNER_DATABASE":       "projects/" + platform["GOOGLE_CLOUD_PROJECT"].value + "/instances/larder/databases/larder",
	} {
		if got := platform[name]; got.value != "" && got.value != want {
			found = append(found, finding{envFile, got.line, fmt.Sprintf("%s is %s, want %s", name, got.value, want)})
		}
	}
	return found
}

var usedVariable = regexp.MustCompile(`\$\((\w+)\)`)

// edgeCertificate is the one secret that a person makes, as docs/gke.md says.
const edgeCertificate = "edge"

// keepReferences: accounts, configuration, workloads and services that are named are there, and what selects pods selects some. istioctl looks
// at what a mesh resource names only where it reads a cluster.
func keepReferences(p *profile) (found []finding) {
	there := map[string]bool{}
	var pods []map[string]any // labels
	for _, o := range p.objects {
		there[o.kind()+" "+o.namespace()+"/"+o.name()] = true
		if labels, _ := at(o.value, "spec", "template", "metadata", "labels").(map[string]any); labels != nil {
			pods = append(pods, labels)
		}
	}
	missing := func(o *object, kind, name string, path ...string) {
		if name != "" && !there[kind+" "+o.namespace()+"/"+name] {
			found = append(found, p.blameAt(o, path, "%s %s names the %s %s, which isn't there", o.kind(), o.name(), kind, name))
		}
	}
	for _, o := range p.objects {
		switch o.kind() {
		case "Deployment":
			missing(o, "ServiceAccount", o.text("spec", "template", "spec", "serviceAccountName"), "spec", "template", "spec", "serviceAccountName")
			walk(o.node, nil, func(path []string, n *yaml.Node) {
				if n.Kind == yaml.MappingNode && len(path) > 0 && path[len(path)-1] == "configMapRef" {
					missing(o, "ConfigMap", scalar(n, "name"), path...)
				}
			})
		case "HorizontalPodAutoscaler":
			missing(o, o.text("spec", "scaleTargetRef", "kind"), o.text("spec", "scaleTargetRef", "name"), "spec", "scaleTargetRef")
		case "Service":
			found = append(found, p.selects(o, pods, "spec", "selector")...)
		case "PodDisruptionBudget":
			found = append(found, p.selects(o, pods, "spec", "selector", "matchLabels")...)
		case "VirtualService":
			walk(o.node, nil, func(path []string, n *yaml.Node) {
				if n.Kind == yaml.MappingNode && len(path) > 0 && path[len(path)-1] == "destination" {
					missing(o, "Service", scalar(n, "host"), path...)
				}
			})
		case "Gateway":
			found = append(found, p.selects(o, pods, "spec", "selector")...)
			walk(o.node, nil, func(path []string, n *yaml.Node) {
				if len(path) > 0 && path[len(path)-1] == "credentialName" && n.Value != edgeCertificate {
					found = append(found, p.blameAt(o, path, "Gateway %s wants the certificate %s, want %s (docs/gke.md)", o.name(), n.Value, edgeCertificate))
				}
			})
		}
	}
	return found
}

// selects: some pod has the labels at a path. Those that an operator makes have its own.
func (p *profile) selects(o *object, pods []map[string]any, path ...string) []finding {
	wanted, _ := at(o.value, path...).(map[string]any)
	for name := range wanted {
		if strings.HasSuffix(strings.Split(name, "/")[0], ".elastic.co") {
			return nil
		}
	}
	for _, labels := range pods {
		all := len(wanted) > 0
		for name, value := range wanted {
			all = all && labels[name] == value
		}
		if all {
			return nil
		}
	}
	return []finding{p.blameAt(o, path, "%s %s selects no pod", o.kind(), o.name())}
}

// keepRush: what a TestRun sets, its script reads.
func keepRush(p *profile) (found []finding) {
	for _, o := range p.objects {
		if o.kind() != "TestRun" {
			continue
		}
		script := ""
		for _, other := range p.objects {
			if other.kind() == "ConfigMap" && other.name() == o.text("spec", "script", "configMap", "name") {
				script = other.text("data", o.text("spec", "script", "configMap", "file"))
			}
		}
		if script == "" {
			found = append(found, p.blameAt(o, []string{"spec", "script", "configMap", "file"}, "there is no such script"))
		}
		read := map[string]bool{}
		for _, match := range readVariable.FindAllStringSubmatch(script, -1) {
			read[match[1]] = true
		}
		variables, _ := at(o.value, "spec", "runner", "env").([]any)
		for i, variable := range variables {
			if name, _ := at(variable, "name").(string); !read[name] {
				found = append(found, p.blameAt(o, []string{"spec", "runner", "env", strconv.Itoa(i)}, "the script doesn't read %s", name))
			}
		}
	}
	return found
}

var readVariable = regexp.MustCompile(`__ENV\.(\w+)`)
