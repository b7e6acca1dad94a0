package pgdb_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"larder.dev/internal/pgdb"
	"larder.dev/internal/pgdb/pgtest"
	productpg "larder.dev/internal/product/postgres"
	userpg "larder.dev/internal/user/postgres"
)

// Roles that only use what another one migrated get what they need, and nothing of another room's. They are roles that every server has.
func TestGrant(t *testing.T) {
	at := pgtest.URL(t, userpg.Schema(), productpg.Schema())
	grants := pgdb.Grants{Users: []string{"pg_monitor"}, Products: []string{"pg_signal_backend"}, Outbox: []string{"pg_read_all_stats"}, Replication: "pg_checkpoint"}
	for range 2 { // again, it changes nothing
		if err := pgdb.Grant(t.Context(), at, grants); err != nil {
			t.Fatal(err)
		}
	}
	pool, err := pgdb.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for _, row := range []struct {
		role, table, right string
		want               bool
	}{
		{"pg_monitor", "users.accounts", "insert", true},
		{"pg_monitor", "users.migrations", "select", true},
		{"pg_monitor", "users.accounts", "truncate", false},
		{"pg_monitor", "products.products", "select", false},
		{"pg_signal_backend", "products.products", "update", true},
		{"pg_signal_backend", "users.accounts", "select", false},
		{"pg_read_all_stats", "users.outbox", "select", true},
		{"pg_read_all_stats", "users.outbox", "update", false},
		{"pg_read_all_stats", "users.accounts", "select", false},
		{"pg_checkpoint", "products.catalog_documents", "select", true},
		{"pg_checkpoint", "products.catalog_documents", "delete", false},
		{"pg_checkpoint", "products.products", "select", false},
	} {
		var has bool
		if err := pool.QueryRow(t.Context(), "select has_table_privilege($1, $2, $3)", row.role, row.table, row.right).Scan(&has); err != nil || has != row.want {
			t.Errorf("%s may %s %s: %v, %v; want %v", row.role, row.right, row.table, has, err, row.want)
		}
	}
	if err := pgdb.Grant(t.Context(), at, pgdb.Grants{Users: []string{"nobody-of-this-name"}}); err == nil {
		t.Error("a role that isn't there got rights")
	}
}

// With iam_login the password is the token that the metadata server gives.
func TestIAMLogin(t *testing.T) {
	at, err := url.Parse(pgtest.URL(t, userpg.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	token, _ := at.User.Password()
	at.User = url.User(at.User.Username())
	query := at.Query()
	query.Set("iam_login", "true")
	at.RawQuery = query.Encode()
	asked, away := 0, false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Metadata-Flavor", "Google")
		if away || !strings.HasSuffix(r.URL.Path, "/instance/service-accounts/default/token") || !strings.Contains(r.URL.RawQuery, "sqlservice.login") {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(`{"access_token":"` + token + `","expires_in":3599,"token_type":"Bearer"}`))
	}))
	defer server.Close()
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(server.URL, "http://"))

	pool, err := pgdb.Open(t.Context(), at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if err := pool.Ping(t.Context()); err != nil || asked == 0 {
		t.Errorf("signed in by %d tokens: %v", asked, err)
	}
	if n, err := pgdb.Migrate(t.Context(), at.String(), userpg.Schema()); err != nil || n != 0 {
		t.Errorf("a migration that has nothing to do: %d, %v", n, err)
	}
	away = true
	if _, err := pgdb.Migrate(t.Context(), at.String(), userpg.Schema()); err == nil {
		t.Error("signed in without a token")
	}
}
