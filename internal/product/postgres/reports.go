package postgres

import (
	"context"
	_ "embed"
	"time"

	"github.com/jackc/pgx/v5"

	"larder.dev/internal/product"
)

var (
	//go:embed sql/keep_report.sql
	keepReport string
	//go:embed sql/audit_reports.sql
	auditReports string
)

// KeepReport implements product.Reports.
func (s *Store) KeepReport(ctx context.Context, r product.AuditReport) error {
	_, err := s.pool.Exec(ctx, keepReport, r.ID, r.Start, r.End, r.Checked, r.Findings, r.InFlight, r.Repaired, r.Lag.Milliseconds(), r.Running, r.Documents)
	return wrap(err, "keep the report of an audit")
}

// AuditReports implements product.Reports.
func (s *Store) AuditReports(ctx context.Context, limit int) ([]product.AuditReport, error) {
	reports, err := collect(ctx, s.pool, func(row pgx.Row) (r product.AuditReport, err error) {
		var lag int64
		err = row.Scan(&r.ID, &r.Start, &r.End, &r.Checked, &r.Findings, &r.InFlight, &r.Repaired, &lag, &r.Running, &r.Documents)
		r.Lag = time.Duration(lag) * time.Millisecond
		return r, err
	}, auditReports, limit)
	return reports, wrap(err, "list the reports of audits")
}
