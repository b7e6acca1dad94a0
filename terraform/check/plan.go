package main

import (
	"fmt"
	"strings"
)

// module is a module of a plan, as `terraform show -json` writes it.
type module struct {
	Resources []resource `json:"resources"`
	Children  []module   `json:"child_modules"`
}

func (m module) all() []resource {
	all := m.Resources
	for _, child := range m.Children {
		all = append(all, child.all()...)
	}
	return all
}

// resource is one that is made. What isn't known before it is made is missing in its values.
type resource struct {
	Address string         `json:"address"`
	Type    string         `json:"type"`
	Values  map[string]any `json:"values"`
}

// at is the value at a path, "settings.0.tier"; nil if there is none.
func (r resource) at(path string) any {
	var v any = r.Values
	for step := range strings.SplitSeq(path, ".") {
		switch inner := v.(type) {
		case map[string]any:
			v = inner[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(inner) {
				return nil
			}
			v = inner[i]
		default:
			return nil
		}
	}
	return v
}

func (r resource) text(path string) string {
	s, _ := r.at(path).(string)
	return s
}

// list is the blocks or elements at a path.
func (r resource) list(path string) []any {
	l, _ := r.at(path).([]any)
	return l
}

// account is an account's short name: "serviceAccount:larder-cart@p.iam.gserviceaccount.com" is "cart".
func account(member string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(member, "serviceAccount:"), "@")
	return strings.TrimPrefix(name, "larder-")
}

// environment is the variables that a program's container gets, with those that come from a secret.
func (r resource) environment() map[string]string {
	path := "template.0.containers.0.env"
	if r.Type == "google_cloud_run_v2_job" {
		path = "template.0.template.0.containers.0.env"
	}
	variables := map[string]string{}
	for _, each := range r.list(path) {
		e, _ := each.(map[string]any)
		name, _ := e["name"].(string)
		value, _ := e["value"].(string)
		variables[name] = value
	}
	return variables
}
