package main

import (
	"path"
	"regexp"
	"strings"
)

// pages are those that people follow command by command.
var pages = []string{"docs/deploy.md", "docs/terraform.md", "docs/dataflow.md", "docs/playbooks/*.md"}

// names are what a page may name, and how it does. A name in capitals stands for any.
var names = []struct {
	what    string
	pattern *regexp.Regexp
	known   func(k known, name string) bool
}{
	{"make target", regexp.MustCompile("(?m)(?:^|`)make ([a-z][a-z-]*)"), func(k known, name string) bool { return k.targets[name] }},
	{"job", regexp.MustCompile(`gcloud run jobs [a-z]+ ([a-z][a-z-]*)`), func(k known, name string) bool { return k.deployed["job"][name] }},
	{"service", regexp.MustCompile(`gcloud run services [a-z-]+ ([a-z][a-z-]*)`), func(k known, name string) bool { return k.deployed["service"][name] || k.deployed["function"][name] }},
	{"worker pool", regexp.MustCompile(`gcloud run worker-pools [a-z-]+ ([a-z][a-z-]*)`), func(k known, name string) bool { return k.deployed["worker"][name] }},
	{"scheduled function", regexp.MustCompile(`gcloud scheduler jobs [a-z]+ ([a-z][a-z-]*)`), func(k known, name string) bool { return k.deployed["function"][name] }},
	{"trigger", regexp.MustCompile(`gcloud builds triggers [a-z]+ ([a-z][a-z-]*)`), func(k known, name string) bool {
		return regexp.MustCompile(`\n    ` + name + ` += \{`).MatchString(k.terraform)
	}},
	{"secret", regexp.MustCompile(`gcloud secrets versions [a-z]+ ([a-z][a-z-]*)`), func(k known, name string) bool { return strings.Contains(k.terraform, `"`+name+`"`) }},
	{"Terraform address", regexp.MustCompile(`-(?:target|replace)='?([a-z][A-Za-z0-9_.]+)`), func(k known, name string) bool { return k.address(name) }},
	{"variable of Terraform", regexp.MustCompile(`-var='?([a-z_]+)=`), func(k known, name string) bool { return strings.Contains(k.terraform, `variable "`+name+`"`) }},
	{"program", regexp.MustCompile(`go run \./([a-z/-]+)`), func(k known, name string) bool { return k.has(name + "/main.go") }},
	{"script", regexp.MustCompile("(?m)(?:^|[` ])((?:delivery|local|pipelines|tools)/[a-z/-]+\\.sh)"), func(k known, name string) bool { return k.has(name) }},
}

// link is one within the repository.
var link = regexp.MustCompile(`\]\(([^):#]+)(?:#[^)]*)?\)`)

// keepPages: what a page names is there.
func keepPages(r repository) {
	k := r.known()
	for _, page := range r.glob(pages...) {
		text := r.read(page)
		at := func(offset int) int { return 1 + strings.Count(text[:offset], "\n") }
		for _, n := range names {
			for _, match := range n.pattern.FindAllStringSubmatchIndex(text, -1) {
				if name := text[match[2]:match[3]]; !n.known(k, name) {
					r.report(page, at(match[2]), "there is no %s %s", n.what, name)
				}
			}
		}
		for _, match := range link.FindAllStringSubmatchIndex(text, -1) {
			if to := path.Join(path.Dir(page), text[match[2]:match[3]]); !r.has(to) {
				r.report(page, at(match[2]), "there is no %s to lead to", to)
			}
		}
	}
}

// known is what there is to be named.
type known struct {
	repository
	targets   map[string]bool
	terraform string                     // all of it
	deployed  map[string]map[string]bool // names by the module that makes them: job, service, function, worker
}

var (
	block = regexp.MustCompile(`(?ms)^module "[a-z_]+" \{.*?\n\}`)
	kind  = regexp.MustCompile(`source\s+= "./modules/([a-z]+)"`)
	named = regexp.MustCompile(`(?:name|target)\s+= "([A-Za-z-]+)"`)
)

func (r repository) known() known {
	k := known{repository: r, targets: r.targets(), deployed: map[string]map[string]bool{}}
	for _, file := range r.glob("terraform/*.tf") {
		k.terraform += r.read(file)
	}
	for _, module := range block.FindAllString(k.terraform, -1) {
		of, name := kind.FindStringSubmatch(module), named.FindStringSubmatch(module)
		if of == nil || name == nil {
			continue
		}
		if k.deployed[of[1]] == nil {
			k.deployed[of[1]] = map[string]bool{}
		}
		k.deployed[of[1]][strings.ToLower(name[1])] = true
	}
	return k
}

// address: module.name, or type.name.
func (k known) address(name string) bool {
	parts := strings.Split(name, ".")
	if parts[0] == "module" {
		return len(parts) > 1 && strings.Contains(k.terraform, `module "`+parts[1]+`" {`)
	}
	return len(parts) == 2 && strings.Contains(k.terraform, `resource "`+parts[0]+`" "`+parts[1]+`" {`)
}
