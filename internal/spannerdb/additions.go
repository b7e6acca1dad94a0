package spannerdb

import (
	"errors"
	"fmt"
	"strings"

	// Spanner's grammar, as the Spanner community's tools read it.
	"github.com/cloudspannerecosystem/memefish"
	"github.com/cloudspannerecosystem/memefish/ast"
)

// Additions are the statements that bring a database from its schema to the declared one, in the order of the declaration. They only add:
// tables, indexes, and columns that may be NULL or have a default, because the release before goes on reading and writing meanwhile.
//
// Anything else is an error that names the statement, one for each: a table, a column or an index that is declared otherwise than it is
// there, or is there and no longer declared. A schema shrinks in three steps: a release that doesn't use the column, its removal by hand, a
// release that doesn't declare it (docs/deploy.md).
func Additions(current, declared []string) ([]string, error) {
	is, err := parse(current)
	if err != nil {
		return nil, fmt.Errorf("the database's schema: %w", err)
	}
	want, err := parse(declared)
	if err != nil {
		return nil, fmt.Errorf("the declared schema: %w", err)
	}
	var added []string
	var refused []error
	for _, name := range want.order {
		if table, ok := want.tables[name]; ok {
			columns, err := tableAdditions(is.tables[name], table)
			added, refused = append(added, columns...), append(refused, err...)
			continue
		}
		switch index, there := want.indexes[name].SQL(), is.indexes[name]; {
		case there == nil:
			added = append(added, index)
		case there.SQL() != index:
			refused = append(refused, fmt.Errorf("index %s is declared otherwise than it is: %s; it is: %s; make one of another name beside it", name, index, there.SQL()))
		}
	}
	for _, name := range is.order {
		if _, table := is.tables[name]; table && want.tables[name] == nil {
			refused = append(refused, undeclared("table "+name))
		} else if !table && want.indexes[name] == nil {
			refused = append(refused, undeclared("index "+name))
		}
	}
	if len(refused) > 0 {
		return nil, fmt.Errorf("the schema can only be added to: %w", errors.Join(refused...))
	}
	return added, nil
}

// tableAdditions are a table's; is is nil where it isn't there.
func tableAdditions(is, want *ast.CreateTable) (added []string, refused []error) {
	if is == nil {
		return []string{want.SQL()}, nil
	}
	name := want.Name.SQL()
	there := map[string]*ast.ColumnDef{}
	for _, column := range is.Columns {
		there[column.Name.Name] = column
	}
	for _, column := range want.Columns {
		was := there[column.Name.Name]
		delete(there, column.Name.Name)
		switch {
		case was == nil && column.NotNull && column.DefaultSemantics == nil:
			refused = append(refused, fmt.Errorf("column %s.%s is NOT NULL without a default, and the release before writes rows without it: %s", name, column.Name.Name, column.SQL()))
		case was == nil:
			added = append(added, "ALTER TABLE "+name+" ADD COLUMN "+column.SQL())
		case was.SQL() != column.SQL():
			refused = append(refused, fmt.Errorf("column %s.%s is declared otherwise than it is: %s; it is: %s", name, column.Name.Name, column.SQL(), was.SQL()))
		}
	}
	for _, column := range is.Columns {
		if there[column.Name.Name] != nil {
			refused = append(refused, undeclared("column "+name+"."+column.Name.Name))
		}
	}
	if was, now := frame(is), frame(want); was != now {
		refused = append(refused, fmt.Errorf("table %s is declared otherwise than it is: %s; it is: %s", name, now, was))
	}
	return added, refused
}

func undeclared(what string) error {
	return fmt.Errorf("%s is there and isn't declared: once no release uses it, drop it by hand", what)
}

// frame is a table without its columns: its key, what it lies in, when its rows are deleted.
func frame(table *ast.CreateTable) string {
	bare := *table
	bare.Columns = nil
	return strings.Join(strings.Fields(bare.SQL()), " ")
}

// schema is tables and indexes by name.
type schema struct {
	tables  map[string]*ast.CreateTable
	indexes map[string]*ast.CreateIndex
	order   []string
}

// parse reads statements. What is neither a table nor an index is a fault in a declaration of ours; in a database it is Terraform's (ALTER
// DATABASE) or its owner's (roles, change streams), and none of this schema's business.
func parse(statements []string) (schema, error) {
	s := schema{tables: map[string]*ast.CreateTable{}, indexes: map[string]*ast.CreateIndex{}}
	for _, statement := range statements {
		parsed, err := memefish.ParseDDL("", statement)
		if err != nil {
			return schema{}, fmt.Errorf("%w in: %s", err, statement)
		}
		switch d := parsed.(type) {
		case *ast.CreateTable:
			plain(d.PrimaryKeys)
			s.tables[d.Name.SQL()] = d
			s.order = append(s.order, d.Name.SQL())
		case *ast.CreateIndex:
			plain(d.Keys)
			s.indexes[d.Name.SQL()] = d
			s.order = append(s.order, d.Name.SQL())
		}
	}
	return s, nil
}

// plain takes away the ASC that some write and others don't.
func plain(keys []*ast.IndexKey) {
	for _, key := range keys {
		if key.Dir == ast.DirectionAsc {
			key.Dir = ""
		}
	}
}
