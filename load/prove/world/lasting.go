package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"github.com/jackc/pgx/v5"
)

// What the platform is called here.
const (
	project       = "larder-local"
	accounts      = "larder-local.iam.gserviceaccount.com"
	providerKey   = "sk_test_larder"
	webhookSecret = "whsec_larder"
	databaseURL   = "postgres://larder:larder@127.0.0.1:%d/larder?sslmode=disable"
	database      = "projects/" + project + "/instances/larder/databases/larder"
)

// variables are environment variables.
type variables map[string]string

// environment is that of a program of ours: what all have, and its own. Later ones win.
func (w *World) environment(name, account string, port int, own ...variables) []string {
	all := variables{
		"LARDER_SUPERVISED": w.config.Dir, "PC_PROC_NAME": name, // local/bin/survivors.sh finds processes by them
		"PORT": fmt.Sprint(port), "SERVICE_ACCOUNT": account + "@" + accounts, "SERVICE_ACCOUNT_DOMAIN": accounts,
		"GOOGLE_CLOUD_PROJECT": project, "INSECURE_CALLS": "true", "GCE_METADATA_HOST": at(metadataPort, 0), "LOG_LEVEL": "INFO",
		"JWKS_URL":         "http://" + at(userPort, 0) + "/.well-known/jwks.json",
		"SERVICE_JWKS_URL": "http://" + at(metadataPort, 0) + "/oauth2/v3/certs",
		"DATABASE_URL":     fmt.Sprintf(databaseURL, number(postgresPort, 0)),
		// Many processes share few cores, and there is memory enough: collect garbage seldom.
		"GOGC": "400", "GOMEMLIMIT": "200MiB",
		// The emulator breaks under concurrent multiplexed sessions, which the client would choose by itself.
		"GOOGLE_CLOUD_SPANNER_MULTIPLEXED_SESSIONS":                 "false",
		"GOOGLE_CLOUD_SPANNER_MULTIPLEXED_SESSIONS_FOR_RW":          "false",
		"GOOGLE_CLOUD_SPANNER_MULTIPLEXED_SESSIONS_PARTITIONED_OPS": "false",
	}
	for service, port := range map[string]int{
		"USER": userPort, "PRODUCT": productPort, "CART": cartsPort, "CHECKOUT": checkoutPort, "ORDER": orderPort,
		"PAYMENT": paymentPort, "SEARCH": nobodyPort, "OUTBOX": nobodyPort, "STOREFRONT": nobodyPort, "CONSOLE": nobodyPort,
	} {
		all[service+"_ADDR"] = at(port, 0)
	}
	for _, more := range own {
		maps.Copy(all, more)
	}
	env := outer()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		env = append(env, name+"="+all[name])
	}
	return env
}

func (w *World) bin(name string) string { return filepath.Join(w.config.Dir, "bin", name) }

// lasting is a program of ours that lasts for all rounds.
func (w *World) lasting(name string, port int, own variables) program {
	return program{
		name: name, command: func() []string { return []string{w.bin(name)} }, dir: w.config.Dir,
		env: w.environment(name, name, number(port, 0), own), log: filepath.Join(w.config.Dir, "log", name+".log"),
		ready: answers("http://" + at(port, 0) + "/readyz"),
	}
}

// crowds lets many sign in at once from one place: all of them are the prover's. Tries are counted in the round's carts' Redis, or not at all
// while that is away.
var crowds = variables{
	"LIMIT_REDIS_ADDR": at(cartPort, 0), "SIGN_INS_PER_ACCOUNT": "100000", "MAILS_PER_ADDRESS": "100000", "ACCOUNT_CALLS_PER_CALLER": "1000000",
	"PASSWORD_MEMORY_KIB": "19456", "PASSWORD_PASSES": "2", "PASSWORD_LANES": "1",
}

// startLasting starts what lasts, and fills the catalogue. The stock's ledger stays empty: what is in it, the shop puts there.
func (w *World) startLasting(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(w.config.Dir, "log"), 0o755); err != nil {
		return fmt.Errorf("make the logs' folder: %w", err)
	}
	url := fmt.Sprintf(databaseURL, number(postgresPort, 0))
	postgres := w.start(program{
		name: "postgres",
		// PostgreSQL takes another account than root's, and with it loses the signal of its parent's death: the pipe's end does instead. The
		// shell ends with it.
		command: func() []string {
			return []string{"bash", "-c", `local/components/postgres.sh start </dev/null & server=$!
				while kill -0 $server; do read -r -t 1 _; [ $? -gt 128 ] || break; done; kill -INT $server; wait $server`}
		},
		dir: w.config.Root, log: filepath.Join(w.config.Dir, "log", "postgres.log"), piped: true,
		env: w.environment("postgres", "", number(postgresPort, 0), variables{"LARDER_STATE": w.config.Dir}),
		ready: func(ctx context.Context) error {
			conn, err := pgx.Connect(ctx, url)
			if err != nil {
				return err
			}
			return conn.Close(ctx)
		},
	})
	metadata := w.lasting("metadata", metadataPort, variables{"METADATA_KEY_FILE": filepath.Join(w.config.Dir, "metadata.pem")})
	metadata.ready = answers("http://" + at(metadataPort, 0) + "/healthz")
	signer := w.start(metadata)
	// migrate wants Spanner too. The first emulator is for that alone; each round has its own.
	spanner := w.start(w.spannerEmulator(0))
	if err := ready(ctx, postgres, signer, spanner); err != nil {
		return err
	}
	for _, step := range [][]string{{"migrate"}, {"seed", "-catalogue", "-accounts"}} {
		if err := w.setUp(ctx, 0, step[0], step[1:]...); err != nil {
			return err
		}
	}
	spanner.end(true)
	return ready(ctx, w.start(w.lasting("user", userPort, crowds)), w.start(w.lasting("product", productPort, nil)))
}

// setUp runs one of our programs to its end, against the emulator of a round and not through the proxy.
func (w *World) setUp(ctx context.Context, round int, name string, args ...string) error {
	cmd := w.command(ctx, w.bin(name), args...)
	cmd.Env = w.environment(name, name, 0, variables{"SPANNER_DATABASE": database, "SPANNER_EMULATOR_HOST": at(spannerPort, 1)})
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s for round %d: %w\n%s", name, round, err, output)
	}
	return nil
}

// start runs a program as long as the world lasts.
func (w *World) start(p program) *process {
	running := w.sup.run(p)
	w.processes = append(w.processes, running)
	return running
}

// ready waits until all processes answer.
func ready(ctx context.Context, all ...*process) error {
	var faults []error
	for _, p := range all {
		faults = append(faults, p.waitUp(ctx))
	}
	return errors.Join(faults...)
}

// answers is a probe by HTTP.
func answers(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		resp, err := probes.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection can be used again
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, resp.Status)
		}
		return nil
	}
}

// probes keeps no connection: a process that is killed, or stopped, would have it still.
var probes = &http.Client{Timeout: probeTimeout, Transport: &http.Transport{DisableKeepAlives: true}}

// roundLog is where a process of a round writes.
func (w *World) roundLog(round int, name string) string {
	return filepath.Join(w.roundDir(round), "log", name+".log")
}

func (w *World) roundDir(round int) string {
	return filepath.Join(w.config.Dir, fmt.Sprintf("round-%d", round))
}
