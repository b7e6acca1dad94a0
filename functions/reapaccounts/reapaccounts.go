// Package reapaccounts is the function ReapAccounts: accounts whose address was never verified, and that nobody has used for 90 days, are
// deleted.
package reapaccounts

import (
	"context"
	"fmt"
	"net/http"

	userpb "larder.dev/api/user/v1"
	"larder.dev/functions/internal/function"
)

type config struct {
	function.Config
	// UserAddr is the user service, host:port.
	UserAddr string `env:"USER_ADDR,required"`
}

type report struct {
	Reaped int `json:"reaped"`
}

// New makes the function.
func New(ctx context.Context, app *function.App) (http.Handler, error) {
	var config config
	if err := app.Load(&config); err != nil {
		return nil, err
	}
	conn, err := app.Dial(config.UserAddr)
	if err != nil {
		return nil, err
	}
	users := userpb.NewUserServiceClient(conn)
	return app.Schedule(ctx, func(ctx context.Context) (any, error) {
		var report report
		request := new(userpb.ReapAccountsRequest)
		for { // until the last account or the run's time; what was deleted by then isn't in the way of the next run
			answer, err := users.ReapAccounts(ctx, request)
			if err != nil {
				return report, fmt.Errorf("reap accounts: %w", err)
			}
			report.Reaped += int(answer.GetReaped())
			if request.AfterUserId = answer.GetLastUserId(); request.GetAfterUserId() == "" {
				return report, nil
			}
		}
	})
}
