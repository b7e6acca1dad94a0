package main

import (
	"regexp"
	"strings"
)

// versions are said in two places: where an image is named by its digest, and where the same version is tested.
var versions = []struct {
	file   string
	image  *regexp.Regexp // its first group is the version
	tested string
	by     *regexp.Regexp
}{
	{"docs/deploy.md", regexp.MustCompile(`quay\.io/debezium/server:(\S+)@sha256:[0-9a-f]{64} `), "local/components/debezium.sh", regexp.MustCompile(`(?m)^version=(\S+)$`)},
	{"docs/deploy.md", regexp.MustCompile(`docker\.elastic\.co/elasticsearch/elasticsearch:(\S+)@sha256:[0-9a-f]{64} `), "local/components/elasticsearch.sh", regexp.MustCompile(`(?m)^version=(\S+)$`)},
	{"delivery/builder/Dockerfile", regexp.MustCompile(`golang:(\S+)-bookworm@sha256:[0-9a-f]{64} `), "go.mod", regexp.MustCompile(`(?m)^go (\S+)$`)},
}

// base is the services' image's, which docs/deploy.md shows with the others.
var base = regexp.MustCompile(`gcr\.io/distroless/\S+@sha256:[0-9a-f]{64}`)

// keepVersions: what is delivered is what was tested, and a page names the digest that is built on.
func keepVersions(r repository) {
	for _, v := range versions {
		text := r.read(v.file)
		named, tested := v.image.FindStringSubmatchIndex(text), v.by.FindStringSubmatch(r.read(v.tested))
		if named == nil || tested == nil {
			r.report(v.file, 1, "no version by digest is like %s, or none in %s like %s", v.image, v.tested, v.by)
			continue
		}
		if version := text[named[2]:named[3]]; version != tested[1] {
			r.report(v.file, 1+strings.Count(text[:named[0]], "\n"), "the version %s isn't %s, which %s has", version, tested[1], v.tested)
		}
	}
	page, built := r.read("docs/deploy.md"), base.FindString(r.read("Dockerfile"))
	if before, _, _ := strings.Cut(page, "gcr.io/distroless/"); !strings.Contains(page, built) {
		r.report("docs/deploy.md", 1+strings.Count(before, "\n"), "the base isn't the one of Dockerfile, %s", built)
	}
}
