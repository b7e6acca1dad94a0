package main

import (
	"context"
	"fmt"
	"time"

	"larder.dev/internal/identity"
	"larder.dev/internal/user"
	"larder.dev/internal/user/postgres"
)

// demoPassword is known to everybody: these accounts exist on local platforms only.
const demoPassword = "larder-demo-1"

var accounts = []struct{ email, name, role string }{
	{"operator@larder.example", "Operator", identity.RoleOperator},
	{"merchandiser@larder.example", "Merchandiser", identity.RoleMerchandiser},
}

// provisionAccounts is the step -accounts.
func (s *seeder) provisionAccounts(ctx context.Context) (string, error) {
	// No tries are counted, and it signs no tokens, which would have issuer and audience.
	service := user.New(user.Config{Passwords: s.config.Passwords}, postgres.New(s.pool), nil, "", "", time.Now)
	for _, a := range accounts {
		if _, err := service.Provision(ctx, a.email, demoPassword, a.name, []string{a.role}); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d accounts with roles", len(accounts)), nil
}
