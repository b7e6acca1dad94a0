// Command generate writes docs/events/: go run ./internal/eventdocs/generate <image of buf build> api docs/events. Pages of types that
// are gone are deleted. make generate runs it; a check holds what is committed against it.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"larder.dev/internal/eventdocs"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: generate <image> <api> <docs/events>")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "eventdocs:", err)
		os.Exit(1)
	}
}

func run(image, api, into string) error {
	descriptors, err := os.ReadFile(image)
	if err != nil {
		return err
	}
	catalogue, err := eventdocs.Load(api)
	if err != nil {
		return err
	}
	pages, err := catalogue.Pages(descriptors)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	there, err := filepath.Glob(filepath.Join(into, "*.md"))
	if err != nil {
		return err
	}
	for _, page := range there {
		if _, stays := pages[filepath.Base(page)]; !stays {
			if err := os.Remove(page); err != nil {
				return err
			}
		}
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(into, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
