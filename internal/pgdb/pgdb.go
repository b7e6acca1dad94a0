// Package pgdb is the one way to PostgreSQL: opening a pool, bringing a room's schema up to date, and running a transaction.
package pgdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/exaring/otelpgx" // OpenTelemetry's conventions for PostgreSQL, recorded only within traces that are
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/propagation"

	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
)

// Config is what a service that uses PostgreSQL reads from its environment.
type Config struct {
	// URL is a connection string of libpq's form; pool_max_conns in it sets the size of the pool.
	URL string `env:"DATABASE_URL,required"`
}

// Open makes a pool of connections, lazily: an unreachable server is told by the first use, or by Ping.
func Open(ctx context.Context, url string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("DATABASE_URL is malformed") // the parser's error may quote the password
	}
	config.ConnConfig.ConnectTimeout = 5 * time.Second
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "larder"
	}
	config.MaxConnIdleTime = 5 * time.Minute
	// A statement's text would be most of a trace's bytes, and the room's files have it; parameters are never told.
	config.ConnConfig.Tracer = otelpgx.NewTracer(otelpgx.WithDisableSQLStatementInAttributes())
	if byIAM(config.ConnConfig) {
		config.BeforeConnect = signIn
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL: %w", err)
	}
	return pool, nil
}

// attempts is how often a transaction is tried that PostgreSQL ends to break a deadlock.
const attempts = 5

// InTx runs f in a READ COMMITTED transaction and commits if f returns nil. The transaction knows the caller and the trace
// (settings larder.changed_by and larder.traceparent), which triggers write down. f is run again, from the start, after a
// deadlock or a serialisation failure: it has no effects outside of the transaction.
func InTx(ctx context.Context, pool *pgxpool.Pool, f func(tx pgx.Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `select set_config('larder.changed_by', $1, true), set_config('larder.traceparent', $2, true)`,
				changedBy(ctx), traceparent(ctx))
			if err != nil {
				return fmt.Errorf("name the transaction's caller: %w", err)
			}
			return f(tx)
		})
		if attempt == attempts || !retryable(err) || ctx.Err() != nil {
			return Error(err)
		}
	}
}

// changedBy is the caller as the audit trail names it.
func changedBy(ctx context.Context) string {
	caller := identity.FromContext(ctx)
	if caller.UserID == "" {
		return caller.Actor()
	}
	return caller.Actor() + ":" + caller.UserID
}

// traceparent is the current trace in the form of W3C Trace Context, empty outside of one.
func traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// SQLSTATE codes (PostgreSQL manual, appendix A).
const (
	uniqueViolation      = "23505"
	foreignKeyViolation  = "23503"
	checkViolation       = "23514"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

// Deadlocked tells whether PostgreSQL ended a transaction to break a deadlock: nothing of it happened, and it can be tried again.
func Deadlocked(err error) bool { return codeOf(err) == deadlockDetected }

func retryable(err error) bool { return Deadlocked(err) || codeOf(err) == serializationFailure }

// Violates tells whether an error is the violation of this unique, foreign key or check constraint.
func Violates(err error, constraint string) bool {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.ConstraintName != constraint {
		return false
	}
	return refused.Code == uniqueViolation || refused.Code == foreignKeyViolation || refused.Code == checkViolation
}

func codeOf(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// Error makes UNAVAILABLE of what tells that the server is away (no connection, SQLSTATE classes 08, 53 and 57P): the
// caller can try again. Any other error stays as it is.
func Error(err error) error {
	var coded *fault.Error
	if err == nil || errors.As(err, &coded) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var connect *pgconn.ConnectError
	code := codeOf(err)
	away := errors.As(err, &connect) || pgconn.SafeToRetry(err)
	if len(code) == 5 {
		away = away || code[:2] == "08" || code[:2] == "53" || code[:3] == "57P" || retryable(err)
	}
	if !away {
		return err
	}
	return fault.Unavailable.New("the database is unavailable, try again").WithRetryAfter(time.Second).WithCause(err)
}
