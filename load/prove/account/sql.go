package account

import (
	"context"
	_ "embed"
	"fmt"

	"cloud.google.com/go/spanner"
)

// What is on its way, by counts: each is zero when it is quiet.
var (
	//go:embed sql/unpublished.sql
	unpublishedSQL string
	//go:embed sql/open_payments.sql
	openPaymentsSQL string
	//go:embed sql/uncaptured.sql
	uncapturedSQL string
	//go:embed sql/open_refunds.sql
	openRefundsSQL string
	//go:embed sql/history.sql
	historySQL string

	//go:embed sql/entered.sql
	enteredSQL string
	//go:embed sql/sums.sql
	sumsSQL string
	//go:embed sql/unapplied.sql
	unappliedSQL string
)

func count(ctx context.Context, txn *spanner.ReadOnlyTransaction, sql string) (int, error) {
	var n int64
	err := txn.Query(ctx, spanner.NewStatement(sql)).Do(func(row *spanner.Row) error { return row.Columns(&n) })
	if err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	return int(n), nil
}
