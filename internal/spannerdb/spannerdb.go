// Package spannerdb opens the Spanner database that checkout, order, payment and relay share, and holds its schema.
package spannerdb

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"cloud.google.com/go/spanner"
	database "cloud.google.com/go/spanner/admin/database/apiv1"
	"cloud.google.com/go/spanner/admin/database/apiv1/databasepb"
	instance "cloud.google.com/go/spanner/admin/instance/apiv1"
	"cloud.google.com/go/spanner/admin/instance/apiv1/instancepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Schema is every table, in the order of their creation.
//
//go:embed schema.sql
var Schema string

// Open connects to a database ("projects/p/instances/i/databases/d"). With SPANNER_EMULATOR_HOST set it is the emulator's.
func Open(ctx context.Context, name string) (*spanner.Client, error) {
	client, err := spanner.NewClientWithConfig(ctx, name, spanner.ClientConfig{
		SessionPoolConfig: spanner.SessionPoolConfig{MinOpened: 4, MaxOpened: 100},
		// Metrics of the client library go to Cloud Monitoring only, which a machine of one's own doesn't have.
		DisableNativeMetrics: true,
		Logger:               slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return client, nil
}

// Reader is a transaction, read-only or read-write.
type Reader interface {
	ReadRow(ctx context.Context, table string, key spanner.Key, columns []string) (*spanner.Row, error)
	Read(ctx context.Context, table string, keys spanner.KeySet, columns []string) *spanner.RowIterator
}

// Ping reads nothing from the database.
func Ping(client *spanner.Client) func(context.Context) error {
	return func(ctx context.Context) error {
		rows := client.Single().Query(ctx, spanner.NewStatement("SELECT 1"))
		defer rows.Stop()
		_, err := rows.Next()
		return err
	}
}

// Migrate brings a database to the schema, by adding what it lacks; what would be more than that is refused (Additions). On the emulator it
// makes instance and database too; a real database was made by Terraform. Running it again changes nothing; concurrent runs
// wait for each other.
func Migrate(ctx context.Context, name string) error {
	if os.Getenv("SPANNER_EMULATOR_HOST") != "" {
		if err := CreateOnEmulator(ctx, name); err != nil {
			return err
		}
	}
	return MigrateTo(ctx, name, Statements())
}

// MigrateTo is Migrate of an existing database, to a schema that is given statement by statement.
func MigrateTo(ctx context.Context, name string, declared []string) error {
	databases, err := database.NewDatabaseAdminClient(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database admin: %w", err)
	}
	defer func() { _ = databases.Close() }()
	lacks := func() ([]string, error) {
		current, err := databases.GetDatabaseDdl(ctx, &databasepb.GetDatabaseDdlRequest{Database: name})
		if err != nil {
			return nil, fmt.Errorf("read the schema of %s: %w", name, err)
		}
		return Additions(current.GetStatements(), declared)
	}
	for {
		added, err := lacks()
		if err != nil || len(added) == 0 {
			return err
		}
		change, err := databases.UpdateDatabaseDdl(ctx, &databasepb.UpdateDatabaseDdlRequest{Database: name, Statements: added})
		if err == nil {
			err = change.Wait(ctx)
		}
		if err == nil {
			return nil
		}
		if left, again := lacks(); again == nil && len(left) == 0 {
			return nil // another run has added it
		}
		// The emulator doesn't let one change wait for the other, as Spanner does.
		if !strings.Contains(err.Error(), "concurrent schema change") {
			return fmt.Errorf("add to the schema of %s: %w", name, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for another change of the schema of %s: %w", name, context.Cause(ctx))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// CreateOnEmulator makes instance and database, with the schema, where they are missing; there was an emulator's restart
// if they are. Safe for concurrent callers.
func CreateOnEmulator(ctx context.Context, name string) error {
	project, instanceName, databaseName, err := split(name)
	if err != nil {
		return err
	}
	instances, err := instance.NewInstanceAdminClient(ctx)
	if err != nil {
		return fmt.Errorf("connect to the instance admin: %w", err)
	}
	defer func() { _ = instances.Close() }()
	creation, err := instances.CreateInstance(ctx, &instancepb.CreateInstanceRequest{
		Parent: "projects/" + project, InstanceId: instanceName,
		Instance: &instancepb.Instance{Config: "projects/" + project + "/instanceConfigs/emulator-config", DisplayName: instanceName, NodeCount: 1},
	})
	if err == nil {
		_, err = creation.Wait(ctx)
	}
	if err != nil && status.Code(err) != codes.AlreadyExists {
		return fmt.Errorf("create instance %s: %w", instanceName, err)
	}
	databases, err := database.NewDatabaseAdminClient(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database admin: %w", err)
	}
	defer func() { _ = databases.Close() }()
	making, err := databases.CreateDatabase(ctx, &databasepb.CreateDatabaseRequest{
		Parent:          fmt.Sprintf("projects/%s/instances/%s", project, instanceName),
		CreateStatement: "CREATE DATABASE `" + databaseName + "`",
		ExtraStatements: Statements(),
	})
	if err == nil {
		_, err = making.Wait(ctx)
	}
	if err != nil && status.Code(err) != codes.AlreadyExists {
		return fmt.Errorf("create database %s: %w", databaseName, err)
	}
	return nil
}

// Drop deletes a database, for tests.
func Drop(ctx context.Context, name string) error {
	databases, err := database.NewDatabaseAdminClient(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database admin: %w", err)
	}
	defer func() { _ = databases.Close() }()
	if err := databases.DropDatabase(ctx, &databasepb.DropDatabaseRequest{Database: name}); err != nil {
		return fmt.Errorf("drop %s: %w", name, err)
	}
	return nil
}

// Statements are the schema's statements one by one, without comments.
func Statements() []string { return SplitStatements(Schema) }

// SplitStatements are the statements of a file of DDL, without comments.
func SplitStatements(ddl string) []string {
	var code strings.Builder
	for line := range strings.Lines(ddl) {
		if !strings.HasPrefix(strings.TrimSpace(line), "--") {
			code.WriteString(line)
		}
	}
	var statements []string
	for statement := range strings.SplitSeq(code.String(), ";") {
		if statement = strings.TrimSpace(statement); statement != "" {
			statements = append(statements, statement)
		}
	}
	return statements
}

func split(name string) (project, instanceName, databaseName string, err error) {
	parts := strings.Split(name, "/")
	if len(parts) != 6 || parts[0] != "projects" || parts[2] != "instances" || parts[4] != "databases" {
		return "", "", "", fmt.Errorf("%q is not projects/p/instances/i/databases/d", name)
	}
	return parts[1], parts[3], parts[5], nil
}
