package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"larder.dev/internal/contract"
)

// folder is where a program's configuration is.
func folder(r resource) string {
	name := r.text("name")
	switch {
	case r.environment()["FUNCTION_TARGET"] != "":
		return "functions/" + name
	case name == "productreindex":
		return "pipelines/" + name
	default:
		return "run/" + name
	}
}

func keepVariables(p planned, report func(string, ...any)) {
	for _, r := range p.programs(report) {
		if r.text("name") == "debezium" {
			continue // Java reads anything
		}
		reads, err := variables(p.root, folder(r), "")
		if err != nil {
			report("%s: %v", r.text("name"), err)
			continue
		}
		reads["FUNCTION_TARGET"] = folder(r) == "functions/"+r.text("name")
		given := r.environment()
		if cpu := r.text("template.0.containers.0.resources.0.limits.cpu"); given["GOMAXPROCS"] == cpu {
			delete(given, "GOMAXPROCS") // Go's runtime reads it; a job has no limit at this path, and none of these
		} else {
			report("%s has %s processors, and GOMAXPROCS=%s", r.text("name"), cpu, given["GOMAXPROCS"])
		}
		for name, required := range reads {
			if _, ok := given[name]; required && !ok {
				report("%s doesn't get %s", r.text("name"), name)
			}
		}
		for name := range given {
			if _, ok := reads[name]; !ok {
				report("%s gets %s, which it doesn't read", r.text("name"), name)
			}
		}
	}
}

// variables are the environment variables that the structs of a folder's package read, and whether they must be given. With a type's name
// it is only that struct's, and what it has in it.
func variables(root, folder, name string) (map[string]bool, error) {
	files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	structs := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return nil, err
		}
		imports := map[string]string{}
		for _, i := range parsed.Imports {
			path, _ := strconv.Unquote(i.Path.Value)
			short := path[strings.LastIndex(path, "/")+1:]
			if i.Name != nil {
				short = i.Name.Name
			}
			imports[short] = path
		}
		for _, declared := range parsed.Decls {
			general, ok := declared.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range general.Specs {
				typed, ok := spec.(*ast.TypeSpec)
				if !ok || name != "" && typed.Name.Name != name {
					continue
				}
				body, ok := typed.Type.(*ast.StructType)
				if !ok {
					continue
				}
				structs++
				for _, field := range body.Fields.List {
					if err := read(root, folder, imports, field, name == "" && typed.Name.Name != "config", found); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	if structs == 0 {
		return nil, fmt.Errorf("%s has no struct %s", folder, name)
	}
	return found, nil
}

// read adds what one field reads. Of a package's structs, those that aren't its configuration only count by their own tags.
func read(root, folder string, imports map[string]string, field *ast.Field, flat bool, found map[string]bool) error {
	if field.Tag != nil {
		text, err := strconv.Unquote(field.Tag.Value)
		if err != nil {
			return err
		}
		if tag := reflect.StructTag(text).Get("env"); tag != "" {
			name, options, _ := strings.Cut(tag, ",")
			found[name] = slices.Contains(strings.Split(options, ","), "required")
			return nil
		}
	}
	var inner map[string]bool
	var err error
	switch kind := field.Type.(type) {
	case *ast.Ident: // of this package
		if flat || !ast.IsExported(kind.Name) {
			return nil
		}
		inner, err = variables(root, folder, kind.Name)
		if err != nil {
			return nil //nolint:nilerr // no struct: nothing is read
		}
	case *ast.SelectorExpr:
		pack, _ := kind.X.(*ast.Ident)
		path, ours := strings.CutPrefix(imports[pack.Name], "larder.dev/")
		if !ours || !strings.HasSuffix(kind.Sel.Name, "onfig") && kind.Sel.Name != "Options" && kind.Sel.Name != "Grants" {
			return nil
		}
		inner, err = variables(root, path, kind.Sel.Name)
	}
	if err != nil {
		return err
	}
	for name, required := range inner {
		found[name] = required
	}
	return nil
}

func keepCallers(p planned, report func(string, ...any)) {
	given := map[string]map[string]string{}
	for _, r := range p.programs(report) {
		given[r.text("name")] = r.environment()
	}
	rules := 0
	for _, method := range contract.Methods() {
		address := strings.ToUpper(method.Server) + "_ADDR"
		for _, caller := range method.Rule.GetServices() {
			rules++
			if _, ok := given[caller][address]; !ok {
				report("%s may be called by %s, which doesn't get %s", method.FullName(), caller, address)
			}
		}
	}
	if rules == 0 {
		report("no access rule names a caller")
	}
}
