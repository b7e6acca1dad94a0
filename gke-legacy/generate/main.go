// Command generate writes the manifests of the GKE profile: one file a service from services.json; who may call what from the protos' access rules; the public routes from terraform/routes.json.
//
//	go run ./gke-legacy/generate           writes gke-legacy/base, and the list of what Chaos Mesh kills
//	go run ./gke-legacy/generate -check    says which files aren't what would be written, and exits with 1
package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"larder.dev/internal/contract"
)

//go:embed *.tmpl
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{"upper": strings.ToUpper}).ParseFS(files, "*.tmpl"))

// service is a line of services.json, and what follows from it.
type service struct {
	Name      string   `json:"name"`
	Public    bool     `json:"public"`
	Calls     []string `json:"calls"`
	Postgres  int      `json:"postgres"` // connections a process; 0 for none
	Spanner   bool     `json:"spanner"`
	Variables []string `json:"variables"` // from the ConfigMap platform
	Secrets   []string `json:"secrets"`
	Min       int      `json:"min"`
	Max       int      `json:"max"`
	CPU       string   `json:"cpu"`
	Memory    string   `json:"memory"`
	Timeout   int      `json:"timeout"` // of a request, seconds

	Served bool     `json:"-"` // somebody calls it
	Grace  int      `json:"-"` // seconds from SIGTERM to SIGKILL
	From   []string `json:"-"` // who may open a connection
	Rules  []rule   `json:"-"`
	Safe   []string `json:"-"` // methods that may be called twice
}

// rule lets a principal of the mesh call paths.
type rule struct {
	Principal string
	Paths     []string
}

type route struct{ Path, Service string }

func main() {
	checking := flag.Bool("check", false, "compare instead of writing")
	root := flag.String("root", ".", "of the repository")
	flag.Parse()
	if err := run(*root, *checking); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(root string, checking bool) error {
	manifests, err := generate(root)
	if err != nil {
		return err
	}
	var differ []error
	for name, text := range manifests {
		path := filepath.Join(root, "gke-legacy", "base", name)
		if !checking {
			differ = append(differ, os.WriteFile(path, text, 0o600))
			continue
		}
		committed, err := os.ReadFile(path)
		if err != nil {
			differ = append(differ, err)
		} else if line := firstDifference(committed, text); line > 0 {
			differ = append(differ, fmt.Errorf("%s:%d: isn't what services.json, routes.json and the protos give: go run ./gke-legacy/generate", path, line))
		}
	}
	return errors.Join(differ...)
}

// firstDifference is the first line that differs, from 1; 0 if none does.
func firstDifference(a, b []byte) int {
	if bytes.Equal(a, b) {
		return 0
	}
	old, wanted := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range min(len(old), len(wanted)) {
		if !bytes.Equal(old[i], wanted[i]) {
			return i + 1
		}
	}
	return min(len(old), len(wanted)) + 1
}

// generate gives the manifests by their file, as base/ names it.
func generate(root string) (map[string][]byte, error) {
	var services []*service
	if err := read(filepath.Join(root, "gke-legacy", "services.json"), &services); err != nil {
		return nil, err
	}
	var routes []route
	if err := read(filepath.Join(root, "terraform", "routes.json"), &routes); err != nil {
		return nil, err
	}
	byName := map[string]*service{}
	for _, s := range services {
		byName[s.Name] = s
		s.Served, s.Grace = s.Public, s.Timeout+15
	}
	addGateway(byName, append(slices.Clone(routes), unknown))
	addCallers(byName)

	manifests := map[string][]byte{}
	for _, s := range services {
		var text bytes.Buffer
		if err := templates.ExecuteTemplate(&text, "workload.yaml.tmpl", s); err != nil {
			return nil, err
		}
		manifests[s.Name+".yaml"] = text.Bytes()
	}
	var text bytes.Buffer
	if err := templates.ExecuteTemplate(&text, "edge.yaml.tmpl", edge(services, routes)); err != nil {
		return nil, err
	}
	manifests["edge.yaml"] = text.Bytes()
	var kills bytes.Buffer
	if err := templates.ExecuteTemplate(&kills, "kill.yaml.tmpl", services); err != nil {
		return nil, err
	}
	manifests["../overlays/standard-chaos/kill.yaml"] = kills.Bytes()
	return manifests, nil
}

// read refuses fields that aren't known: a word that is spelled wrongly would be a default.
func read(name string, into any) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		line := 1 + bytes.Count(text[:min(decoder.InputOffset(), int64(len(text)))], []byte("\n"))
		return fmt.Errorf("%s:%d: %w", name, line, err)
	}
	return nil
}

// variable is {name=*}, a segment, or {name=**}, all that comes.
var variable = regexp.MustCompile(`\{\w+=(\*+)\}`)

// addGateway lets the public gateway call what the public routes lead to. The services tell people apart themselves.
func addGateway(services map[string]*service, routes []route) {
	for _, r := range routes {
		s := services[r.Service]
		if s == nil {
			continue // a function, which stays on Cloud Run
		}
		if len(s.Rules) == 0 {
			s.From = append(s.From, "gateway")
			s.Rules = append(s.Rules, rule{Principal: "cluster.local/ns/larder-edge/sa/larder-gateway"})
		}
		s.Rules[0].Paths = append(s.Rules[0].Paths, `"`+variable.ReplaceAllString(r.Path, "{$1}")+`"`)
	}
}

// addCallers lets services call the methods whose access rules name them, and everybody who verifies people get the keys of their tokens.
func addCallers(services map[string]*service) {
	paths := map[string]map[string][]string{} // by service and caller
	for _, method := range contract.Methods() {
		server := services[method.Server]
		if server == nil {
			continue
		}
		path := fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name())
		if safe(string(method.Name())) && !method.IsStreamingServer() {
			server.Safe = append(server.Safe, path)
		}
		for _, caller := range method.Rule.GetServices() {
			if services[caller] == nil {
				continue
			}
			if paths[method.Server] == nil {
				paths[method.Server] = map[string][]string{}
			}
			paths[method.Server][caller] = append(paths[method.Server][caller], path)
		}
	}
	for name, s := range services {
		slices.Sort(s.Safe)
		callers := paths[name]
		if name == "user" {
			callers = map[string][]string{}
			for other := range services {
				callers[other] = []string{"/.well-known/jwks.json"}
			}
		}
		for caller, called := range callers {
			slices.Sort(called)
			s.From = append(s.From, caller)
			s.Rules = append(s.Rules, rule{"cluster.local/ns/larder/sa/" + caller, called})
		}
		slices.Sort(s.From)
		slices.SortFunc(s.Rules, func(a, b rule) int { return strings.Compare(a.Principal, b.Principal) })
	}
}

// safe: the standard methods that read (AIP-131, 132, 231) change nothing, so a second try does no harm. No other is tried again.
func safe(method string) bool {
	return strings.HasPrefix(method, "Get") || strings.HasPrefix(method, "List") || strings.HasPrefix(method, "BatchGet")
}

// destination is a service as the public gateway routes to it.
type destination struct {
	Name, Service string
	Timeout       int
	Patterns      []string
}

// unknown is what is for programs and isn't there: user answers it with 404 ROUTE_NOT_FOUND.
var unknown = route{Path: "/v1/{path=**}", Service: "user"}

// edge is where the public routes lead, service by service. No route hides another's, a variable is one segment; those that take all that
// comes stand behind, the longest first.
func edge(services []*service, routes []route) []destination {
	var found, pages []destination
	for _, s := range services {
		to := destination{Name: s.Name, Service: s.Name, Timeout: s.Timeout}
		for _, r := range routes {
			switch {
			case r.Service != s.Name:
			case strings.HasSuffix(r.Path, "=**}"):
				pages = append(pages, destination{s.Name + "-pages", s.Name, s.Timeout, []string{pattern(r.Path)}})
			default:
				to.Patterns = append(to.Patterns, pattern(r.Path))
			}
		}
		if len(to.Patterns) > 0 {
			found = append(found, to)
		}
		if s.Name == unknown.Service {
			pages = append(pages, destination{"unknown", s.Name, s.Timeout, []string{pattern(unknown.Path)}})
		}
	}
	slices.SortStableFunc(pages, func(a, b destination) int { return len(b.Patterns[0]) - len(a.Patterns[0]) })
	return append(found, pages...)
}

// pattern is a path's regular expression, as YAML has it between quotes.
func pattern(path string) string {
	literals := variable.Split(path, -1)
	var out strings.Builder
	for i, stars := range append(variable.FindAllStringSubmatch(path, -1), nil) {
		out.WriteString(strings.ReplaceAll(regexp.QuoteMeta(literals[i]), `\`, `\\`))
		switch {
		case stars == nil:
		case stars[1] == "**":
			out.WriteString(".*")
		default:
			out.WriteString("[^/]+")
		}
	}
	return out.String()
}
