package postgres

import (
	"embed"
	"io/fs"

	"larder.dev/internal/pgdb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the room's tables, functions and triggers.
func Schema() pgdb.Schema {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil { // only for a malformed path
		panic(err)
	}
	return pgdb.Schema{Name: "products", Migrations: files}
}
