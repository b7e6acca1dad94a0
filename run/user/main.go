// Command user is the service of accounts, sessions, profiles and addresses.
package main

import (
	"context"
	"fmt"
	"time"

	"larder.dev/api"
	userpb "larder.dev/api/user/v1"
	"larder.dev/internal/pgdb"
	"larder.dev/internal/serve"
	"larder.dev/internal/user"
	"larder.dev/internal/user/postgres"
	userredis "larder.dev/internal/user/redis"
)

type config struct {
	serve.Config
	Database pgdb.Config
	Users    user.Config
	// LimitRedisAddr is the Redis server that tries are counted in, as package redisdb reads it. Nothing is lost with what it holds.
	LimitRedisAddr string `env:"LIMIT_REDIS_ADDR,required"`
}

func main() {
	var c config
	serve.Main("user", &c, func(ctx context.Context, app *serve.App) error {
		if err := c.Users.Passwords.Check(); err != nil {
			return err
		}
		if _, err := pgdb.Migrate(ctx, c.Database.URL, postgres.Schema()); err != nil {
			return err
		}
		pool, err := pgdb.Open(ctx, c.Database.URL)
		if err != nil {
			return err
		}
		app.Close(func(context.Context) error { pool.Close(); return nil })
		app.Ready("PostgreSQL", pool.Ping)

		limits, err := userredis.Open(c.LimitRedisAddr) // not asked for readiness: without it, all tries are let through
		if err != nil {
			return fmt.Errorf("LIMIT_REDIS_ADDR: %w", err)
		}
		app.Close(func(context.Context) error { return limits.Close() })

		service := user.New(c.Users, postgres.New(pool), userredis.New(limits, "user"), c.Identity.Issuer, c.Identity.Audience, time.Now)
		if _, err := service.PublicKeys(ctx); err != nil {
			return fmt.Errorf("signing keys: %w", err)
		}
		app.Handle("GET /openapi.yaml", api.OpenAPI()) // of all services: one of them has to answer it
		return app.Register(ctx, &userpb.UserService_ServiceDesc, user.NewServer(service, app.ClientAddress), user.Gateway)
	})
}
